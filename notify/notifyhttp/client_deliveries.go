package notifyhttp

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
)

// Deliveries lists deliveries, the newest first. A page may have fewer than q.Limit, even
// none, and a Next all the same: those that are not for the caller are left out.
func (c *Client) Deliveries(ctx context.Context, q notify.Query) (*notify.Page, error) {
	query := from(q.After)
	for name, value := range map[string]string{"status": string(q.Status), "rule": q.Rule, "endpoint": q.Endpoint, "user": q.User, "scan_id": q.ScanID} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	var page deliveryPage
	if err := c.get(ctx, "list deliveries", "/notify/deliveries", query, into(&page, func(p *deliveryPage) bool { return p.Deliveries != nil })); err != nil {
		return nil, err
	}
	return &notify.Page{Deliveries: page.Deliveries, Next: page.Next}, nil
}

// Delivery returns a delivery with its attempts, without its payload.
func (c *Client) Delivery(ctx context.Context, id string) (*notify.Delivery, []notify.Attempt, error) {
	segment, err := name("delivery", id)
	if err != nil {
		return nil, nil, err
	}
	var d delivered
	if err := c.get(ctx, "read delivery "+id, "/notify/deliveries/"+segment, nil, into(&d, func(d *delivered) bool { return d.ID == id && d.Tries != nil })); err != nil {
		return nil, nil, err
	}
	var tries []notify.Attempt
	for _, a := range d.Tries {
		a.Attempt.Latency, a.Attempt.After = time.Duration(a.Latency)*time.Microsecond, time.Duration(a.After)*time.Millisecond
		tries = append(tries, a.Attempt)
	}
	return &d.Delivery, tries, nil
}

// Payload returns what is sent of a delivery, to the byte. It is compared with its digest.
func (c *Client) Payload(ctx context.Context, id string) (*notify.Payload, error) {
	segment, err := name("delivery", id)
	if err != nil {
		return nil, err
	}
	out := new(notify.Payload)
	err = c.get(ctx, "read the payload of "+id, "/notify/deliveries/"+segment+"/payload", nil, func(resp *http.Response) error {
		text, err := io.ReadAll(io.LimitReader(resp.Body, notify.MaxPayload+1))
		if err != nil {
			return fault.Unavailable
		}
		if len(text) > notify.MaxPayload {
			return &fault.LimitError{What: "bytes of a payload", Where: "the server's answer", Max: notify.MaxPayload}
		}
		if want, got := resp.Header.Get("ETag"), httpjson.Tag(sum.Of(text)); want != got {
			return &fault.MismatchError{What: "digest of the payload", Want: want, Got: got}
		}
		out.MediaType, out.Body = resp.Header.Get(TypeHeader), text
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Items lists what a delivery tells of, in the order in which it came, from after, which
// is what the page before returned as next. Group and Window of what is returned are left
// out: they are the delivery's.
func (c *Client) Items(ctx context.Context, delivery, after string) (list []notify.Item, next string, err error) {
	segment, err := name("delivery", delivery)
	if err != nil {
		return nil, "", err
	}
	var page itemPage
	err = c.get(ctx, "list items of "+delivery, "/notify/deliveries/"+segment+"/items", from(after), into(&page, func(p *itemPage) bool { return p.Items != nil }))
	for _, i := range page.Items {
		list = append(list, notify.Item{Key: i.Key, Event: i.Event, Notices: i.Notices, Why: i.Why})
	}
	return list, page.Next, err
}

// Replay has a delivery that is dead or parked sent again under the same id. An error
// wraps ErrConflict for another one.
func (c *Client) Replay(ctx context.Context, id string) (*notify.Delivery, error) {
	segment, err := name("delivery", id)
	if err != nil {
		return nil, err
	}
	d := new(notify.Delivery)
	q := httpjson.Call{What: "replay " + id, Method: http.MethodPost, Path: "/notify/deliveries/" + segment + "/replay", Want: http.StatusAccepted}
	if err := c.do(ctx, q, into(d, func(d *notify.Delivery) bool { return d.ID == id })); err != nil {
		return nil, err
	}
	return d, nil
}
