package notifyhttp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// Timeline is what a Client reads of the timeline of its tenant. Bodies are compared with
// their digests; that a chain is whole, package verify says of an export.
type Timeline struct{ client *Client }

// Timeline returns what a TimelineHandler serves.
func (c *Client) Timeline() Timeline { return Timeline{c} }

// Head returns the end of the chain.
func (t Timeline) Head(ctx context.Context) (timeline.Head, error) {
	var h chainHead
	err := t.client.get(ctx, "read the head of the timeline", "/timeline/head", nil, into(&h, func(h *chainHead) bool { return sum.Is(h.Hash) && h.Seq >= 0 }))
	return timeline.Head{Seq: h.Seq, Hash: hashOf(h.Hash), Indexed: h.Indexed, Now: h.Now}, err
}

// hashOf reads a hash that is one; else it is the zero hash.
func hashOf(s string) (h timeline.Hash) {
	if sum.Is(s) {
		hex.Decode(h[:], []byte(strings.TrimPrefix(s, "sha256:")))
	}
	return h
}

// Find returns a page of the entries that a query selects.
func (t Timeline) Find(ctx context.Context, q timeline.Query) (*timeline.Page, error) {
	query, err := eventQuery(&q)
	if err != nil {
		return nil, fmt.Errorf("read the timeline: %w", err)
	}
	var page entryPage
	if err := t.client.get(ctx, "read the timeline", "/timeline/events", query, into(&page, func(p *entryPage) bool { return p.Events != nil })); err != nil {
		return nil, err
	}
	out := &timeline.Page{Next: page.Next}
	for i := range page.Events {
		e, err := page.Events[i].kept()
		if err != nil {
			return nil, fmt.Errorf("read the timeline: %w", err)
		}
		out.Entries = append(out.Entries, *e)
	}
	return out, nil
}

// eventQuery is a query as it travels.
func eventQuery(q *timeline.Query) (url.Values, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	out := url.Values{"limit": {strconv.Itoa(q.Limit)}}
	for _, r := range q.Refs {
		key := ""
		for k, kind := range refKeys {
			if kind == r.Kind {
				key = k
			}
		}
		if key == "" || r.Value == "" || out.Has(key) {
			return nil, fmt.Errorf("reference to %s %.80q: each kind that there is once, and no empty one: %w", r.Kind, r.Value, fault.Invalid)
		}
		out.Set(key, r.Value)
	}
	var types []string
	for _, t := range q.Types {
		types = append(types, string(t))
	}
	for key, value := range map[string]string{"type": strings.Join(types, ","), "topic": q.Topic, "event": q.Event} {
		if value != "" {
			out.Set(key, value)
		}
	}
	for key, at := range map[string]time.Time{"since": q.From, "until": q.Until} {
		if !at.IsZero() {
			out.Set(key, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.Backward {
		out.Set("order", "desc")
	}
	if q.After > 0 {
		out.Set("after", strconv.FormatInt(q.After, 10))
	}
	return out, nil
}

// kept is an entry whose body is what its digest says.
func (e *entry) kept() (*timeline.Entry, error) {
	if e.Seq < 1 || !sum.Is(e.Digest) || !sum.Is(e.Hash) {
		return nil, fmt.Errorf("the server's answer is no row of a timeline: %w", fault.Unavailable)
	}
	out := &timeline.Entry{Row: timeline.Row{Seq: e.Seq, Topic: e.Topic, Event: e.ID, Type: event.Type(e.Type), Time: e.Time, Indexed: e.Indexed, Digest: hashOf(e.Digest), Hash: hashOf(e.Hash)}, Body: []byte(e.Body)}
	return out, out.Check()
}

// Entry returns the row of that number.
func (t Timeline) Entry(ctx context.Context, seq int64) (*timeline.Entry, error) {
	what := fmt.Sprintf("read event %d of the timeline", seq)
	if seq < 1 {
		return nil, fmt.Errorf("%s: %w", what, fault.NotFound)
	}
	var e entry
	if err := t.client.get(ctx, what, "/timeline/events/"+strconv.FormatInt(seq, 10), nil, into(&e, func(e *entry) bool { return e.Seq == seq })); err != nil {
		return nil, err
	}
	out, err := e.kept()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

// Export writes the chain, from after a row on, as package timeline says. It is tried
// once, and the Client's Timeout does not hold: ctx bounds it. An error that wraps
// ErrUnavailable says that it ended early: what was written up to the last line that is
// whole can be completed.
func (t Timeline) Export(ctx context.Context, w io.Writer, after int64) error {
	query := url.Values{}
	if after > 0 {
		query.Set("after", strconv.FormatInt(after, 10))
	}
	q := httpjson.Call{What: "export the timeline", Method: http.MethodGet, Path: "/timeline/export", Query: query, Want: http.StatusOK}
	return t.client.long(ctx, q, func(resp *http.Response) error {
		if m, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || m != TypeLines {
			return fmt.Errorf("the server answered with Content-Type %.80q, want %s: %w", resp.Header.Get("Content-Type"), TypeLines, fault.Unavailable)
		}
		last := &lastLine{}
		if _, err := io.Copy(io.MultiWriter(w, last), bufio.NewReaderSize(resp.Body, 64<<10)); err != nil {
			return errors.Join(fmt.Errorf("read the export: %w", err), fault.Unavailable)
		}
		if !last.ended() {
			return fmt.Errorf("the export ended early: %w", fault.Unavailable)
		}
		return nil
	})
}

// lastLine remembers the end of what is written, as much as a last line may have.
type lastLine struct{ tail []byte }

const maxLast = 256

func (l *lastLine) Write(p []byte) (int, error) {
	l.tail = append(l.tail, p[max(len(p)-maxLast, 0):]...)
	l.tail = append(l.tail[:0], l.tail[max(len(l.tail)-maxLast, 0):]...)
	return len(p), nil
}

// ended reports whether the last line says so.
func (l *lastLine) ended() bool {
	text, ok := bytes.CutSuffix(l.tail, []byte("\n"))
	return ok && bytes.HasPrefix(text[bytes.LastIndexByte(text, '\n')+1:], []byte(`{"end":`))
}

// Checkpoint returns a checkpoint by its number, the newest for 0, as it was signed. It is
// not verified: timeline.ReadCheckpoint does that.
func (t Timeline) Checkpoint(ctx context.Context, number int64) (*timeline.Kept, error) {
	name := strconv.FormatInt(number, 10)
	if number == 0 {
		name = "newest"
	}
	what := "read checkpoint " + name
	if number < 0 {
		return nil, fmt.Errorf("%s: %w", what, fault.NotFound)
	}
	out := new(timeline.Kept)
	err := t.client.get(ctx, what, "/timeline/checkpoints/"+name, nil, func(resp *http.Response) error {
		text, err := httpjson.ReadTyped(resp, TypeEnvelope, timeline.MaxCheckpoint)
		if err != nil {
			return err
		}
		n, ok := httpjson.Number(resp.Header.Get(NumberHeader), 64)
		if !ok || number != 0 && n != number {
			return fmt.Errorf("the server's answer is not about what was asked for: %w", fault.Unavailable)
		}
		if want, got := resp.Header.Get("ETag"), httpjson.Tag(sum.Of(text)); want != got {
			return &fault.MismatchError{What: "digest of the checkpoint", Want: want, Got: got}
		}
		out.Number, out.Envelope = n, text
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Checkpoints lists checkpoints in their order, from after the one of a number, which is
// what the page before returned as next, 0 for the first. They are not verified.
func (t Timeline) Checkpoints(ctx context.Context, after int64) (list []timeline.Kept, next int64, err error) {
	query := url.Values{}
	if after > 0 {
		query.Set("after", strconv.FormatInt(after, 10))
	}
	var page sealedPage
	err = t.client.get(ctx, "list checkpoints", "/timeline/checkpoints", query, into(&page, func(p *sealedPage) bool { return p.Checkpoints != nil }))
	for _, k := range page.Checkpoints {
		list = append(list, timeline.Kept{Number: k.Number, Envelope: []byte(k.Envelope)})
	}
	return list, page.Next, err
}

// Gaps says where the chain and what was announced differ, as the service finds it.
func (t Timeline) Gaps(ctx context.Context) ([]timeline.Gap, error) {
	var list gapList
	err := t.client.get(ctx, "look for gaps of the timeline", "/timeline/gaps", nil, into(&list, func(l *gapList) bool { return l.Gaps != nil }))
	var out []timeline.Gap
	for _, g := range list.Gaps {
		out = append(out, timeline.Gap{Kind: g.Kind, Topic: g.Topic, Event: g.Event, Seq: g.Seq, At: g.At})
	}
	return out, err
}
