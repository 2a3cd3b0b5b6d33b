package notifyhttp

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// The media types of the timeline beside JSON, and bounds of its answers.
const (
	TypeLines    = "application/x-ndjson" // an export
	TypeEnvelope = "application/vnd.dsse.envelope.v1+json"

	DefaultGrace   = time.Minute // before what was announced counts as missing
	MaxCheckpoints = 100         // of a page
	MaxSealed      = 16 << 20    // bytes of the checkpoints of a page, but for the first
)

// TimelineStore is what a TimelineHandler reads of one tenant. A timeline.Store is one.
type TimelineStore interface {
	timeline.Chain
	// Checkpoint returns a checkpoint by its number, the newest for 0.
	Checkpoint(ctx context.Context, number int64) (*timeline.Kept, error)
	// Gaps says where the chain and what was announced differ.
	Gaps(ctx context.Context, grace time.Duration) ([]timeline.Gap, error)
}

// TimelineHandler serves the timelines of many tenants, to auditors. It changes nothing.
// Stores and Identify are required. It is safe for concurrent use and must not be copied
// or changed after its first request.
//
// Errors are problem documents (RFC 9457). What a backend says is not part of them: such
// an answer has a request_id, and Report is told the rest.
type TimelineHandler struct {
	// Stores gives the timeline of a tenant.
	Stores func(tenant string) (TimelineStore, error)
	// Identify says who sends a request, as that of a Handler.
	Identify func(*http.Request) (Identity, error)
	// Grace is how long an event may be on its way before it counts as missing. 0 is
	// DefaultGrace.
	Grace time.Duration
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

// refKeys are the keys of a query that select by what an event is about.
var refKeys = map[string]timeline.Kind{
	"image": timeline.RefImage, "digest": timeline.RefDigest, "scan_id": timeline.RefScan, "vulnerability": timeline.RefVulnerability, "environment": timeline.RefEnvironment, "owner": timeline.RefOwner,
	"policy": timeline.RefPolicy, "exception": timeline.RefException, "delivery": timeline.RefDelivery, "incident": timeline.RefIncident, "rule": timeline.RefRule, "endpoint": timeline.RefEndpoint,
}

// eventKeys are all keys of such a query.
var eventKeys = []string{"image", "digest", "scan_id", "vulnerability", "environment", "owner", "policy", "exception", "delivery", "incident", "rule", "endpoint",
	"type", "topic", "event", "since", "until", "order", "after", "limit"}

var timelineRoutes = []route[TimelineHandler]{
	{"GET", root + "/timeline/events", mayAudit, eventKeys, (*TimelineHandler).events},
	{"GET", root + "/timeline/events/{seq}", mayAudit, nil, (*TimelineHandler).event},
	{"GET", root + "/timeline/head", mayAudit, nil, (*TimelineHandler).head},
	{"GET", root + "/timeline/export", mayAudit, []string{"after"}, (*TimelineHandler).export},
	{"GET", root + "/timeline/checkpoints", mayAudit, pageKeys, (*TimelineHandler).checkpoints},
	{"GET", root + "/timeline/checkpoints/{number}", mayAudit, nil, (*TimelineHandler).checkpoint},
	{"GET", root + "/timeline/gaps", mayAudit, nil, (*TimelineHandler).gaps},
}

// ServeHTTP answers a request.
func (h *TimelineHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(func() {
		h.mux.Report = h.Report
		mount(&h.mux, h, timelineRoutes, h.Identify, func(c *call) (err error) {
			c.chain, err = h.Stores(c.who.Tenant)
			return err
		})
	})
	h.mux.ServeHTTP(w, r)
}

// entry is a timeline.Entry as it travels, with the members of a line of an export.
type entry struct {
	Seq     int64          `json:"seq"`
	Topic   string         `json:"topic"`
	ID      string         `json:"id"`
	Type    event.Type     `json:"type"`
	Time    time.Time      `json:"time"`
	Indexed time.Time      `json:"indexed"`
	Digest  string         `json:"digest"`
	Hash    string         `json:"hash"`
	Body    jsontext.Value `json:"body,omitempty"`
}

type entryPage struct {
	Events []entry `json:"events"`
	Next   int64   `json:"next,omitzero"`
}

type chainHead struct {
	Seq     int64     `json:"seq"`
	Hash    string    `json:"hash"`
	Indexed time.Time `json:"indexed,omitzero"`
	Now     time.Time `json:"now"`
}

type sealed struct {
	Number   int64          `json:"number"`
	Envelope jsontext.Value `json:"envelope"`
}

type sealedPage struct {
	Checkpoints []sealed `json:"checkpoints"`
	Next        int64    `json:"next,omitzero"`
}

type gap struct {
	Kind  timeline.GapKind `json:"kind"`
	Topic string           `json:"topic,omitempty"`
	Event string           `json:"event,omitempty"`
	Seq   int64            `json:"seq,omitzero"`
	At    time.Time        `json:"at,omitzero"`
}

type gapList struct {
	Gaps []gap `json:"gaps"`
	// More says that there may be more of them.
	More bool `json:"more,omitzero"`
}

func entryOf(e *timeline.Entry) entry {
	return entry{e.Seq, e.Topic, e.Event, e.Type, e.Time.UTC(), e.Indexed.UTC(), e.Digest.String(), e.Hash.String(), jsontext.Value(e.Body)}
}

// events reads which events are asked for.
func (c *call) events() (timeline.Query, error) {
	q := timeline.Query{Topic: c.query.Get("topic"), Event: c.query.Get("event")}
	var err error
	if q.Limit, err = c.limit(); err != nil {
		return q, err
	}
	for _, key := range eventKeys {
		value := c.query.Get(key)
		if !c.query.Has(key) {
			continue
		}
		if value == "" {
			return q, httpjson.BadRequest("query: %s is empty", key)
		}
		if kind, ok := refKeys[key]; ok {
			q.Refs = append(q.Refs, timeline.Ref{Kind: kind, Value: value})
		}
	}
	if c.query.Has("type") {
		for t := range strings.SplitSeq(c.query.Get("type"), ",") {
			if t == "" || len(q.Types) == timeline.MaxTypes {
				return q, httpjson.BadRequest("query: type: want 1 to %d types with commas between them", timeline.MaxTypes)
			}
			q.Types = append(q.Types, event.Type(t))
		}
	}
	if q.From, err = c.time("since"); err == nil {
		q.Until, err = c.time("until")
	}
	if err != nil {
		return q, err
	}
	switch order := c.query.Get("order"); {
	case order == "desc":
		q.Backward = true
	case order != "asc" && c.query.Has("order"):
		return q, httpjson.BadRequest("query: order %.20q: want asc or desc", order)
	}
	q.After, err = httpjson.After(c.query, 64)
	return q, err
}

// time reads a moment; the zero time where the query does not say.
func (c *call) time(key string) (time.Time, error) {
	if !c.query.Has(key) {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, c.query.Get(key))
	if err != nil || t.Year() < 1970 || t.Year() > 9998 {
		return time.Time{}, httpjson.BadRequest("query: %s %.40q: want a time such as 2026-11-29T12:00:00Z", key, c.query.Get(key))
	}
	return t.UTC(), nil
}

func (h *TimelineHandler) events(c *call) error {
	q, err := c.events()
	if err != nil {
		return err
	}
	page, err := c.chain.Find(c.r.Context(), q)
	if err != nil {
		return h.kept(c, httpjson.QueryFault(err))
	}
	out := entryPage{Events: []entry{}, Next: page.Next}
	for i := range page.Entries {
		out.Events = append(out.Events, entryOf(&page.Entries[i]))
	}
	return c.answer(http.StatusOK, out)
}

// kept tells the operator of a chain that is not what it was.
func (h *TimelineHandler) kept(c *call, err error) error { return h.mux.Damaged(c.r, err) }

func (h *TimelineHandler) event(c *call) error {
	n, ok := httpjson.Number(c.r.PathValue("seq"), 64)
	if !ok {
		return noSuch("event", c.r.PathValue("seq"))
	}
	page, err := c.chain.Find(c.r.Context(), timeline.Query{After: n - 1, Limit: 1})
	if err != nil {
		return h.kept(c, err)
	}
	if len(page.Entries) == 0 || page.Entries[0].Seq != n {
		return noSuch("event", c.r.PathValue("seq"))
	}
	e := &page.Entries[0]
	if err := e.Check(); err != nil {
		return h.kept(c, err)
	}
	c.w.Header().Set("Cache-Control", "private, no-cache") // its body may go
	tag := e.Hash.String()
	if e.Body == nil {
		tag += "-" // the same row, without its body
	}
	if httpjson.Unchanged(c.w, c.r, tag) {
		return nil
	}
	return httpjson.Write(c.w, http.StatusOK, entryOf(e))
}

func (h *TimelineHandler) head(c *call) error {
	head, err := c.chain.Head(c.r.Context())
	if err != nil {
		return h.kept(c, err)
	}
	return c.answer(http.StatusOK, chainHead{head.Seq, head.Hash.String(), head.Indexed.UTC(), head.Now.UTC()})
}

// export writes the chain while it is read. What breaks down on the way has no last line,
// and whoever reads it sees that.
func (h *TimelineHandler) export(c *call) error {
	after, err := httpjson.After(c.query, 64)
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Disposition", `attachment; filename="timeline.ndjson"`)
	w := &lines{call: c}
	if c.r.Method == http.MethodHead {
		head, err := c.chain.Head(c.r.Context())
		if err == nil && after > head.Seq {
			err = httpjson.BadRequest("query: after %d: the last row is %d", after, head.Seq)
		}
		if err == nil {
			w.begin()
		}
		return h.kept(c, err)
	}
	err = timeline.Export(c.r.Context(), w, c.who.Tenant, c.chain, after)
	switch {
	case err == nil:
		w.begin()
		return nil
	case !w.begun:
		return h.kept(c, httpjson.QueryFault(err))
	}
	if c.r.Context().Err() == nil {
		h.mux.Tell(c.r, err)
	}
	return nil
}

// lines is the answer that is an export.
type lines struct {
	*call
	begun bool
}

func (l *lines) begin() {
	if l.begun {
		return
	}
	l.begun = true
	h := l.w.Header()
	h.Set("Content-Type", TypeLines)
	h.Set("X-Content-Type-Options", "nosniff")
	l.w.WriteHeader(http.StatusOK)
}

// Write answers with a part.
func (l *lines) Write(p []byte) (int, error) {
	l.begin()
	return l.w.Write(p)
}

func (h *TimelineHandler) checkpoints(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	after, err := httpjson.After(c.query, 62)
	if err != nil {
		return err
	}
	newest, err := c.chain.Checkpoint(c.r.Context(), 0)
	out := sealedPage{Checkpoints: []sealed{}}
	if fault.KindOf(err) == fault.NotFound {
		return c.answer(http.StatusOK, out)
	}
	if err != nil {
		return h.kept(c, err)
	}
	size := 0
	for n := after + 1; n <= newest.Number; n++ {
		k, err := c.chain.Checkpoint(c.r.Context(), n)
		if err != nil {
			return h.kept(c, err)
		}
		if size += len(k.Envelope); len(out.Checkpoints) == min(limit, MaxCheckpoints) || size > MaxSealed && len(out.Checkpoints) > 0 {
			out.Next = n - 1
			break
		}
		out.Checkpoints = append(out.Checkpoints, sealed{k.Number, jsontext.Value(k.Envelope)})
	}
	return c.answer(http.StatusOK, out)
}

// checkpoint gives an envelope as it was signed.
func (h *TimelineHandler) checkpoint(c *call) error {
	text, number, ok := c.r.PathValue("number"), int64(0), true
	if text != "newest" {
		number, ok = httpjson.Number(text, 64)
	}
	if !ok {
		return noSuch("checkpoint", text)
	}
	k, err := c.chain.Checkpoint(c.r.Context(), number)
	if err != nil {
		return h.kept(c, err)
	}
	header := c.w.Header()
	if header.Set("Cache-Control", "private, max-age=31536000, immutable"); number == 0 {
		header.Set("Cache-Control", "private, no-cache")
	}
	header.Set(NumberHeader, strconv.FormatInt(k.Number, 10))
	if httpjson.Unchanged(c.w, c.r, sum.Of(k.Envelope)) {
		return nil
	}
	httpjson.WriteBytes(c.w, http.StatusOK, TypeEnvelope, k.Envelope)
	return nil
}

// gaps says where the chain and what was announced differ. It is the store's own word:
// what was rewritten whole, only checkpoints show.
func (h *TimelineHandler) gaps(c *call) error {
	grace := h.Grace
	if grace <= 0 {
		grace = DefaultGrace
	}
	list, err := c.chain.Gaps(c.r.Context(), grace)
	if err != nil {
		return h.kept(c, err)
	}
	out := gapList{Gaps: []gap{}, More: len(list) >= timeline.MaxGaps}
	for _, g := range list {
		v := gap{Kind: g.Kind, Topic: g.Topic, Event: g.Event, Seq: g.Seq}
		if !g.At.IsZero() {
			v.At = g.At.UTC()
		}
		out.Gaps = append(out.Gaps, v)
	}
	return c.answer(http.StatusOK, out)
}
