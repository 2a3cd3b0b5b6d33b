package console

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	events "github.com/stella-ops/stella/store/event"
)

var timelineRoutes = []route{
	{pattern: "GET timeline", serve: timelinePage},
	{pattern: "GET timeline/chain", serve: timelineChain},
	{pattern: "GET timeline/export", serve: timelineExport},
	{pattern: "GET timeline/checkpoints/{number}", serve: timelineCheckpoint},
	{pattern: "GET timeline/{seq}", serve: timelineEntry},
}

// timelineView is a list of what happened, the newest first.
type timelineView struct {
	Head                          section[timeline.Head]
	Rows                          []timelineRow
	Kinds                         []timeline.Kind
	Types                         []events.Type
	Type, Kind, Value, From, Till string
	Next                          string
	Wrong                         []string
}

// timelineRow is a row with what it is about.
type timelineRow struct {
	timeline.Entry
	About []about
}

// about is something that an event is about, with its page where there is one.
type about struct {
	Kind, Value, Path string
}

// about reads what an entry is about.
func (v *visit) about(e *timeline.Entry) (out []about) {
	if e.Body == nil {
		return nil
	}
	read, err := timeline.Read(e.Topic, e.Body)
	if err != nil {
		return nil // the body shows what it is
	}
	for _, r := range read.Refs {
		a := about{string(r.Kind), r.Value, pageAbout(r)}
		if r.Kind == timeline.RefOwner {
			a.Value = v.Who(r.Value)
		}
		out = append(out, a)
	}
	return out
}

// pageAbout is the page of what a reference leads to, "" for none.
func pageAbout(r timeline.Ref) string {
	switch r.Kind {
	case timeline.RefScan:
		return link("scans", r.Value)
	case timeline.RefPolicy:
		return link("policies", r.Value)
	case timeline.RefDelivery:
		return link("notifications", "deliveries", r.Value)
	case timeline.RefIncident:
		return link("notifications", "incidents", r.Value)
	case timeline.RefRule:
		return link("notifications", "rules", r.Value)
	case timeline.RefEndpoint:
		return link("notifications", "endpoints", r.Value)
	}
	return ""
}

// eventTypes are those that a timeline may be asked for by a menu.
func eventTypes() []events.Type {
	return []events.Type{
		events.ScanQueued, events.ScanStarted, events.ScanCompleted, events.ScanFailed, events.ScanCancelled, events.SBOMCreated, events.AdvisoryDrift,
		events.VerdictChanged, events.PolicyActivated, events.ExceptionCreated, events.ExceptionRevoked, events.ExceptionExpired,
		events.NotificationDelivered, events.NotificationFailed, events.NotificationAcknowledged, events.NotificationEscalated, events.EndpointDisabled, events.EndpointEnabled,
		events.AttestationKept, events.ExportRequested, timeline.Pruned,
	}
}

func timelinePage(v *visit) error {
	d := &timelineView{Kinds: timeline.Kinds(), Types: eventTypes(), Type: v.form("type"), Kind: v.form("kind"), Value: v.form("value"), From: v.form("from"), Till: v.form("till")}
	q, status := d.query(v), http.StatusOK
	reads := []func(){read(v, &d.Head, v.api.notify.Timeline().Head)}
	var failed error
	if d.Wrong == nil {
		reads = append(reads, func() {
			page, err := v.api.notify.Timeline().Find(v.ctx(), q)
			if failed = err; err != nil {
				return
			}
			for _, e := range page.Entries {
				d.Rows = append(d.Rows, timelineRow{e, v.about(&e)})
			}
			d.Next = v.onward(strconv.FormatInt(page.Next, 10))
		})
	}
	together(reads...)
	if failed != nil {
		lines, code, ok := said(failed)
		if !ok {
			return failed
		}
		d.Wrong, status = lines, code
	} else if d.Wrong != nil {
		status = http.StatusBadRequest
	}
	return v.show(status, "timeline", "Timeline", d)
}

// query makes a query of the form, and notes what is wrong with it.
func (d *timelineView) query(v *visit) timeline.Query {
	q := timeline.Query{Backward: true, Limit: pageRows}
	if d.Type != "" {
		q.Types = []events.Type{events.Type(d.Type)}
	}
	if d.Value != "" {
		if !slices.Contains(d.Kinds, timeline.Kind(d.Kind)) {
			d.Wrong = append(d.Wrong, "About what? Choose what the name is of.")
		}
		q.Refs = []timeline.Ref{{Kind: timeline.Kind(d.Kind), Value: d.Value}}
	}
	for _, at := range []struct {
		text string
		into *time.Time
	}{{d.From, &q.From}, {d.Till, &q.Until}} {
		if at.text == "" {
			continue
		}
		t, ok := writtenTime(at.text)
		if !ok {
			d.Wrong = append(d.Wrong, "A time is written as 2026-01-31 or 2026-01-31T15:04, in UTC.")
		}
		*at.into = t
	}
	if text := v.form("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			d.Wrong = append(d.Wrong, "There is no such page.")
		}
		q.After = n
	}
	return q
}

// writtenTime reads a day, or a time of one, in UTC.
func writtenTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// entryView is one row of the chain.
type entryView struct {
	timelineRow
	Text string // the body, "" where it was deleted
	// Before and Following are the rows beside it, 0 for none.
	Before, Following int64
}

func timelineEntry(v *visit) error {
	seq, err := strconv.ParseInt(v.r.PathValue("seq"), 10, 64)
	if err != nil {
		return &pageError{http.StatusNotFound, "There is no such row."}
	}
	e, err := v.api.notify.Timeline().Entry(v.ctx(), seq)
	if err != nil {
		return err
	}
	d := &entryView{timelineRow: timelineRow{*e, v.about(e)}, Before: seq - 1}
	if e.Body != nil {
		d.Text = pretty(e.Body)
	}
	var head section[timeline.Head]
	read(v, &head, v.api.notify.Timeline().Head)()
	if seq < head.Value.Seq {
		d.Following = seq + 1
	}
	return v.show(http.StatusOK, "timelinerow", "Row "+strconv.FormatInt(seq, 10)+": "+string(e.Type), d)
}

// chainView is how the chain stands.
type chainView struct {
	Head   section[timeline.Head]
	Gaps   section[[]timeline.Gap]
	Newest section[*checkpointRow]
	List   section[[]checkpointRow]
	Next   string
}

// checkpointRow is what a checkpoint says. It is read, not verified: its signature is checked
// by whom does not trust this page.
type checkpointRow struct {
	Number   int64     `json:"number"`
	First    int64     `json:"first"`
	Last     int64     `json:"last"`
	Hash     string    `json:"hash"`
	Previous string    `json:"previous"`
	Time     time.Time `json:"time"`
	Keys     []string  `json:"-"`
	Broken   bool      `json:"-"`
}

func checkpointOf(k *timeline.Kept) checkpointRow {
	row := checkpointRow{Broken: true}
	if e, err := dsse.Decode(k.Envelope); err == nil && json.Unmarshal(e.Payload, &row) == nil {
		row.Broken = false
		for _, s := range e.Signatures {
			row.Keys = append(row.Keys, s.KeyID)
		}
	}
	row.Number = k.Number
	return row
}

func timelineChain(v *visit) error {
	d, t := new(chainView), v.api.notify.Timeline()
	after := int64(0)
	if text := v.form("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return &pageError{http.StatusBadRequest, "There is no such page."}
		}
		after = n
	}
	together(
		read(v, &d.Head, t.Head),
		read(v, &d.Gaps, t.Gaps),
		read(v, &d.Newest, func(ctx context.Context) (*checkpointRow, error) {
			k, err := t.Checkpoint(ctx, 0)
			if err != nil {
				return nil, err
			}
			row := checkpointOf(k)
			return &row, nil
		}),
		read(v, &d.List, func(ctx context.Context) (out []checkpointRow, err error) {
			list, next, err := t.Checkpoints(ctx, after)
			for i := range list {
				out = append(out, checkpointOf(&list[i]))
			}
			d.Next = v.onward(strconv.FormatInt(next, 10))
			return out, err
		}),
	)
	return v.show(http.StatusOK, "timelinechain", "The chain", d)
}

func timelineCheckpoint(v *visit) error {
	n, err := strconv.ParseInt(v.r.PathValue("number"), 10, 64)
	if err != nil || n < 1 {
		return &pageError{http.StatusNotFound, "There is no such checkpoint."}
	}
	k, err := v.api.notify.Timeline().Checkpoint(v.ctx(), n)
	if err != nil {
		return err
	}
	return v.download("checkpoint-"+strconv.FormatInt(n, 10)+".json", k.Envelope)
}

func timelineExport(v *visit) error {
	return v.stream("timeline.ndjson", func(w io.Writer) error { return v.api.notify.Timeline().Export(v.ctx(), w, 0) })
}

// stream gives out what write writes, to be kept. Where that fails after it has begun, the
// connection breaks off, so that nobody takes a part for the whole.
func (v *visit) stream(name string, write func(io.Writer) error) error {
	w := &late{v: v, name: name}
	err := write(w)
	if err == nil || !w.begun {
		if err == nil && !w.begun {
			return v.download(name, nil)
		}
		return err
	}
	v.c.report(err)
	panic(http.ErrAbortHandler)
}

// late is a download that begins with its first byte: an error before that is a page.
type late struct {
	v     *visit
	name  string
	begun bool
}

func (l *late) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		if err := l.v.download(l.name, nil); err != nil {
			return 0, err
		}
	}
	return l.v.w.Write(p)
}
