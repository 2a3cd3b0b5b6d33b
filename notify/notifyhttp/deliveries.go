package notifyhttp

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
)

// statuses are those that deliveries are asked for by.
var statuses = []notify.Status{notify.Pending, notify.Sending, notify.Delivered, notify.Parked, notify.Dead, notify.Suppressed}

// search reads which deliveries are asked for.
func (c *call) search() (notify.Query, error) {
	limit, err := c.limit()
	if err != nil {
		return notify.Query{}, err
	}
	q := notify.Query{
		Status: notify.Status(c.query.Get("status")), Rule: c.query.Get("rule"), Endpoint: c.query.Get("endpoint"), User: c.query.Get("user"),
		ScanID: c.query.Get("scan_id"), After: c.query.Get("after"), Limit: limit,
	}
	if c.query.Has("status") && !slices.Contains(statuses, q.Status) {
		return q, httpjson.BadRequest("query: status %.20q: want one of %v", q.Status, statuses)
	}
	if c.query.Has("scan_id") && !isScan(q.ScanID) {
		return q, noSuch("scan", q.ScanID)
	}
	for _, name := range []string{"rule", "endpoint", "user"} {
		if s := c.query.Get(name); c.query.Has(name) && !isUser(s) {
			return q, httpjson.BadRequest("query: %s %.80q: it is none", name, s)
		}
	}
	if q.User != "" && !c.sees(q.User) {
		return q, fmt.Errorf("what was delivered to %.80q is not for %.80q: %w", q.User, c.who.Subject, fault.Forbidden)
	}
	return q, nil
}

// deliveries lists what was delivered. Those that preferences of others brought are left
// out after the page was read, so that it may be shorter.
func (h *Handler) deliveries(c *call) error {
	q, err := c.search()
	if err != nil {
		return err
	}
	p, err := c.store.Deliveries(c.r.Context(), q)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	page := deliveryPage{Deliveries: []notify.Delivery{}, Next: p.Next}
	for _, d := range p.Deliveries {
		if c.sees(d.User) {
			page.Deliveries = append(page.Deliveries, d)
		}
	}
	return c.answer(http.StatusOK, page)
}

// find reads a delivery that the caller may see, with its payload.
func (h *Handler) find(c *call) (*notify.Delivery, []notify.Attempt, error) {
	id := c.r.PathValue("delivery_id")
	d, tries, err := c.store.Delivery(c.r.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	if !c.sees(d.User) {
		return nil, nil, noSuch("delivery", id)
	}
	if d.Payload == nil {
		d.Payload = &notify.Payload{} // of what is not to be sent, or could not be rendered
	}
	if got := sum.Of(d.Payload.Body); got != d.Digest && (d.Digest != "" || len(d.Payload.Body) > 0) {
		return nil, nil, h.mux.Damaged(c.r, fmt.Errorf("delivery %.80q: its payload has the digest %s, not %s: %w", id, got, d.Digest, fault.Mismatch))
	}
	return d, tries, nil
}

func (h *Handler) delivery(c *call) error {
	d, tries, err := h.find(c)
	if err != nil {
		return err
	}
	out := delivered{Delivery: *d, MediaType: d.Payload.MediaType, Size: len(d.Payload.Body), Tries: []attempt{}}
	for _, a := range tries {
		out.Tries = append(out.Tries, attempt{a, a.Latency.Microseconds(), int64(a.After / time.Millisecond)})
	}
	return c.answer(http.StatusOK, out)
}

// payload gives the bytes that are sent. They hold texts of strangers, so that nothing
// but JSON is called by its type, and nothing is shown by a browser.
func (h *Handler) payload(c *call) error {
	d, _, err := h.find(c)
	if err != nil {
		return err
	}
	if len(d.Payload.Body) == 0 {
		return noSuch("payload of delivery", d.ID)
	}
	media := "application/octet-stream"
	if t, _, err := mime.ParseMediaType(d.Payload.MediaType); err == nil && t == "application/json" {
		media = t
	}
	header := c.w.Header()
	header.Set("Cache-Control", "no-store") // it may have a link that acknowledges
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(d.ID)}))
	header.Set(TypeHeader, headerText(d.Payload.MediaType))
	if httpjson.Unchanged(c.w, c.r, d.Digest) {
		return nil
	}
	httpjson.WriteBytes(c.w, http.StatusOK, media, d.Payload.Body)
	return nil
}

// fileName is an id of printable ASCII as the name of a file anywhere.
func fileName(id string) string {
	b := []byte("payload-" + id)
	for i, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			b[i] = '-'
		}
	}
	return string(b)
}

// headerText is a text that may stand in a header.
func headerText(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b[:min(len(b), 256)])
}

// items lists what a delivery tells of, all of it.
func (h *Handler) items(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	d, _, err := h.find(c)
	if err != nil {
		return err
	}
	list, err := c.store.Items(c.r.Context(), d.ID, c.query.Get("after"), limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	page, notices := itemPage{Items: []item{}}, 0
	for i := range list {
		if notices += len(list[i].Notices); i > 0 && notices > MaxListed {
			page.Next = list[i-1].Key
			break
		}
		page.Items = append(page.Items, item{list[i].Key, list[i].Event, append([]string{}, list[i].Why...), append([]notify.Notice{}, list[i].Notices...)})
	}
	if page.Next == "" && len(list) == limit {
		page.Next = list[limit-1].Key
	}
	return c.answer(http.StatusOK, page)
}

// replay has a delivery sent again.
func (h *Handler) replay(c *call) error {
	d, err := c.store.Replay(c.r.Context(), c.r.PathValue("delivery_id"), c.who.Subject)
	if err != nil {
		return err
	}
	return c.answer(http.StatusAccepted, d)
}

func (h *Handler) states(c *call) error {
	list, err := c.store.States(c.r.Context())
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, stateList{append([]notify.EndpointState{}, list...)})
}

// incident gives what somebody is to take note of.
func (h *Handler) incident(c *call) error {
	i, err := c.findIncident()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, shown(i))
}

func (c *call) findIncident() (*notify.Incident, error) {
	id := c.r.PathValue("incident_id")
	i, err := c.store.Incident(c.r.Context(), id)
	if err == nil && !c.sees(i.Message.Recipient) {
		err = noSuch("incident", id)
	}
	return i, err
}

// shown is an incident without the link that acknowledges for whoever has it.
func shown(i *notify.Incident) *notify.Incident {
	out := *i
	out.Message.AckLink = ""
	return &out
}

func (h *Handler) acknowledge(c *call) error {
	var body taking
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	if len(body.Note) > MaxNote {
		return &fault.LimitError{What: "bytes of a note", Where: "request", Max: MaxNote, Seen: int64(len(body.Note))}
	}
	i, err := c.findIncident()
	if err != nil {
		return err
	}
	if i, err = c.store.Acknowledge(c.r.Context(), i.ID, c.who.Subject, body.Note); err != nil {
		return err
	}
	return c.answer(http.StatusOK, shown(i))
}

// errNone is the answer where something is not wired.
func errNone(what string) error { return fmt.Errorf("%s here: %w", what, fault.Unsupported) }

// inside takes the kind from an error of what was kept, and not sent.
func inside(what string, err error) error {
	if err == nil || errors.Is(err, fault.Unavailable) || errors.Is(err, fault.NotFound) {
		return err
	}
	return fmt.Errorf("%s: %v", what, err)
}
