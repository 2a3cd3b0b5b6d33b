package console

import (
	"cmp"
	"context"
	"net/http"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/services/auth"
)

var deliveryRoutes = []route{
	{pattern: "GET notifications/deliveries", serve: deliveries},
	{pattern: "GET notifications/deliveries/{delivery}", serve: delivery},
	{pattern: "GET notifications/deliveries/{delivery}/payload", serve: deliveryPayload},
	{pattern: "POST notifications/deliveries/{delivery}/replay", serve: replayDelivery},
	{pattern: "GET notifications/incidents/{incident}", serve: incident},
	{pattern: "POST notifications/incidents/{incident}/acknowledge", serve: acknowledge},
}

// deliveriesView is a list of messages, the newest first.
type deliveriesView struct {
	Page   *notify.Page
	Query  notify.Query
	States []notify.Status
	Next   string
}

func deliveries(v *visit) error {
	d := &deliveriesView{States: []notify.Status{notify.Pending, notify.Sending, notify.Delivered, notify.Parked, notify.Dead, notify.Suppressed}}
	d.Query = notify.Query{Status: notify.Status(v.form("status")), Endpoint: v.form("endpoint"), Rule: v.form("rule"), ScanID: v.form("scan_id"), After: v.form("after"), Limit: pageRows}
	var err error
	if d.Page, err = v.api.notify.Deliveries(v.ctx(), d.Query); err != nil {
		return err
	}
	d.Next = v.onward(d.Page.Next)
	return v.show(http.StatusOK, "deliveries", "Deliveries", d)
}

// deliveryView is one message, with its attempts and what it tells of.
type deliveryView struct {
	*notify.Delivery
	Tries    []notify.Attempt
	Items    section[[]notify.Item]
	Next     string // of the items
	Sent     section[*notify.Payload]
	Payloads bool
	Replay   bool
}

func delivery(v *visit) error {
	id := v.r.PathValue("delivery")
	d := &deliveryView{Payloads: v.Can(auth.NotifyPayloads)}
	var err error
	if d.Delivery, d.Tries, err = v.api.notify.Delivery(v.ctx(), id); err != nil {
		return err
	}
	d.Replay = v.Can(auth.NotifyOperator) && (d.Status == notify.Dead || d.Status == notify.Parked)
	reads := []func(){read(v, &d.Items, func(ctx context.Context) ([]notify.Item, error) {
		list, next, err := v.api.notify.Items(ctx, id, v.form("after"))
		d.Next = v.onward(next)
		return list, err
	})}
	if d.Payloads && d.Digest != "" {
		reads = append(reads, read(v, &d.Sent, func(ctx context.Context) (*notify.Payload, error) { return v.api.notify.Payload(ctx, id) }))
	}
	together(reads...)
	return v.show(http.StatusOK, "delivery", cmp.Or(d.Title, d.ID), d)
}

// Shown is the message as far as the page shows it.
func (d *deliveryView) Shown() string { return shownBody(d.Sent.Value) }

func deliveryPayload(v *visit) error {
	id := v.r.PathValue("delivery")
	p, err := v.api.notify.Payload(v.ctx(), id)
	if err != nil {
		return err
	}
	return v.download(id+".payload", p.Body)
}

func replayDelivery(v *visit) error {
	d, err := v.api.notify.Replay(v.ctx(), v.r.PathValue("delivery"))
	if err != nil {
		return err
	}
	v.redirect(link("notifications", "deliveries", d.ID) + "?done=replayed")
	return nil
}

func incident(v *visit) error {
	i, err := v.api.notify.Incident(v.ctx(), v.r.PathValue("incident"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "incident", i.Message.Title, i)
}

func acknowledge(v *visit) error {
	i, err := v.api.notify.Acknowledge(v.ctx(), v.r.PathValue("incident"), v.form("note"))
	if err != nil {
		return err
	}
	v.redirect(link("notifications", "incidents", i.ID) + "?done=acknowledged")
	return nil
}
