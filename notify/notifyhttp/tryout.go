package notifyhttp

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// PreviewRequest asks what an event would bring. One of Event, EventID, ScanID and
// Delivery names the event.
type PreviewRequest struct {
	// Event is an event as it travels. It need never have been.
	Event jsontext.Value `json:"event,omitempty"`
	// EventID is one that was; ScanID stands for the newest that people are told of about
	// a scan, Delivery for the first that a delivery tells of.
	EventID  string `json:"event_id,omitempty"`
	ScanID   string `json:"scan_id,omitempty"`
	Delivery string `json:"delivery_id,omitempty"`
	// Rule is looked at as well, in place of one of the same id; it need not be set. That
	// of who is no operator is a preference of their own.
	Rule *notify.Rule `json:"rule,omitempty"`
	// User has that user's preferences looked at alone. It is the caller where that is no
	// operator.
	User string `json:"user,omitempty"`
	// At is when it would happen; zero is now.
	At time.Time `json:"at,omitzero"`
}

// previewed is a notify.Preview as it travels.
type previewed struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	notify.Preview `json:",embed"`
	MediaType      string   `json:"media_type,omitempty"`
	Text           string   `json:"text,omitempty"`
	Notes          []string `json:"notes,omitempty"`
}

type previewList struct {
	Event    string      `json:"event"`
	Previews []previewed `json:"previews"`
}

// preview says what would be sent. Who is no operator sees what would reach themselves.
func (h *Handler) preview(c *call) error {
	var q PreviewRequest
	if err := httpjson.Read(c.r, MaxBody, &q); err != nil {
		return err
	}
	if h.Preview == nil {
		return errNone("nothing is previewed")
	}
	if !c.who.Operator && q.User == "" {
		q.User = c.who.Subject
	}
	if !c.sees(q.User) {
		return fmt.Errorf("the preferences of %.80q are not for %.80q: %w", q.User, c.who.Subject, fault.Forbidden)
	}
	e, err := h.eventOf(c, &q)
	if err != nil {
		return err
	}
	if q.Rule != nil {
		if err := c.tryRule(q.Rule); err != nil {
			return err
		}
	}
	if q.At.IsZero() {
		q.At = h.now()
	}
	list, err := h.Preview(c.r.Context(), c.who.Tenant, e, q.Rule, q.At)
	if err != nil {
		return err
	}
	out := previewList{Event: e.ID, Previews: []previewed{}}
	for _, p := range list {
		if q.User != "" && p.User != q.User {
			continue
		}
		v := previewed{Preview: p}
		if p.Message != nil {
			m := *p.Message
			m.AckLink = ""
			v.Message = &m
		}
		if p.Payload != nil {
			v.MediaType, v.Text, v.Notes = p.Payload.MediaType, string(p.Payload.Body), p.Payload.Notes
		}
		out.Previews = append(out.Previews, v)
	}
	return c.answer(http.StatusOK, out)
}

// eventOf is the event that a request names. It is of the caller's tenant.
func (h *Handler) eventOf(c *call, q *PreviewRequest) (*event.Event, error) {
	find, err := c.eventQuery(q)
	if err != nil {
		return nil, err
	}
	body := []byte(q.Event)
	if body != nil && q.Event.Kind() != '{' {
		return nil, fmt.Errorf("event: want an object: %w", fault.Invalid)
	}
	if body == nil {
		if body, err = h.findEvent(c, find); err != nil {
			return nil, err
		}
	}
	e, err := event.Decode(body)
	if err != nil {
		return nil, err
	}
	if e.Tenant != "" && e.Tenant != c.who.Tenant {
		return nil, fmt.Errorf("event: it is not of this tenant: %w", fault.Invalid)
	}
	if e.Tenant = c.who.Tenant; e.Time.IsZero() {
		e.Time = h.now().UTC()
	}
	return e, nil
}

// eventQuery is where the timeline has the event that a request names.
func (c *call) eventQuery(q *PreviewRequest) (timeline.Query, error) {
	named := 0
	for _, is := range []bool{q.Event != nil, q.EventID != "", q.ScanID != "", q.Delivery != ""} {
		if is {
			named++
		}
	}
	switch {
	case named != 1:
		return timeline.Query{}, fmt.Errorf("want one of event, event_id, scan_id and delivery_id: %w", fault.Invalid)
	case q.ScanID != "" && !isScan(q.ScanID):
		return timeline.Query{}, noSuch("scan", q.ScanID)
	case q.ScanID != "":
		return timeline.Query{Refs: []timeline.Ref{{Kind: timeline.RefScan, Value: q.ScanID}}, Types: notify.Types(), Backward: true, Limit: 1}, nil
	case q.Delivery == "":
		return timeline.Query{Event: q.EventID, Types: notify.Types(), Limit: 1}, nil
	}
	d, _, err := c.store.Delivery(c.r.Context(), q.Delivery)
	if err == nil && !c.sees(d.User) {
		err = noSuch("delivery", q.Delivery)
	}
	if err != nil {
		return timeline.Query{}, err
	}
	items, err := c.store.Items(c.r.Context(), d.ID, "", 1)
	if err == nil && len(items) == 0 {
		err = noSuch("event of delivery", q.Delivery)
	}
	if err != nil {
		return timeline.Query{}, err
	}
	return timeline.Query{Event: items[0].Event, Types: notify.Types(), Limit: 1}, nil
}

// findEvent returns the body of an event that was.
func (h *Handler) findEvent(c *call, q timeline.Query) ([]byte, error) {
	if h.Timelines == nil {
		return nil, errNone("events are not found by name")
	}
	chain, err := h.Timelines(c.who.Tenant)
	if err != nil {
		return nil, httpjson.Opened(c.who.Tenant, err)
	}
	page, err := chain.Find(c.r.Context(), q)
	if err != nil {
		return nil, err
	}
	if len(page.Entries) == 0 || page.Entries[0].Body == nil {
		return nil, noSuch("event", q.Event)
	}
	return page.Entries[0].Body, nil
}

// tryRule completes a rule that need not be set, and refuses one that cannot be.
func (c *call) tryRule(r *notify.Rule) error {
	kind := notify.SettingRule
	if !c.who.Operator {
		r.Owner = c.who.Subject
	}
	if r.ID == "" {
		r.ID = "preview"
	}
	if r.Owner != "" && len(r.To) > 0 {
		kind, r.ID = notify.SettingPreference, notify.PreferenceID(r.Owner, r.To[0].Endpoint)
	}
	if _, err := checked(kind, r); err != nil {
		return err
	}
	return c.reachable(r)
}

// test has a test message sent.
func (h *Handler) test(c *call) error {
	var body trial
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	if len(body.To) > maxTo {
		return &fault.LimitError{What: "bytes of a receiver", Where: "request", Max: maxTo, Seen: int64(len(body.To))}
	}
	if h.Test == nil {
		return errNone("there are no test messages")
	}
	d, err := h.Test(c.r.Context(), c.who.Tenant, c.r.PathValue("endpoint_id"), body.To, c.who.Subject)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", deliveries+"/"+url.PathEscape(d.ID))
	return c.answer(http.StatusAccepted, d)
}
