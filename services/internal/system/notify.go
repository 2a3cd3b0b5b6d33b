package system

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// Notifier tells people: it decides who hears of an event, and sends.
func Notifier(w *World, role Role) (*shell.Part, error) {
	s := w.Settings.Notify
	open := func(tenant string) notify.Opener { return channels.Opener(tenant, &s.Channels) }
	router := &notify.Router{
		Stores: func(tenant string) (notify.Routes, error) { return part(w, tenant, (*store.Tenant).Notify) },
		Open:   open, Ack: s.Ack, BaseURL: s.BaseURL, Report: w.report("notifier"),
	}
	p := &shell.Part{Name: "notifier"}
	if role.web() {
		p.Handler = w.notifyAPI(router)
	}
	if !role.worker() {
		return p, nil
	}
	deliverer := &notify.Deliverer{
		Queues: func(tenant string) (notify.Queue, error) { return part(w, tenant, (*store.Tenant).Notify) },
		Open:   open, Holder: w.Name, Now: time.Now, Backoff: s.Backoff, Pace: channels.Pace,
		Lease: s.Lease,
	}
	parallel := cmp.Or(s.Parallel, 32)
	inline := notify.NewInline(deliverer, parallel, w.report("notifier"))
	router.Deliver = inline.Deliver // who decides also sends; messages are for what it does not come to
	on := func(topic string) reading {
		return reading{topic: topic, group: event.GroupNotify, parallel: parallel, types: notify.Types(), register: true, handle: router.Handle}
	}
	p.Loops = append(w.consume("notifier", on(event.ScannerEvents), on(event.ConcelierDrift), on(event.PolicyEvents),
		reading{topic: event.NotifyDeliveries, group: event.GroupDeliveryWorkers, parallel: parallel, handle: deliverer.Handle}),
		shell.Loop{Name: "windows", Run: func(ctx context.Context) error {
			router.Run(ctx, w.Store.NotifyDue, time.Second)
			return nil
		}},
		shell.Loop{Name: "deliver", Run: func(ctx context.Context) error { inline.Run(ctx); return nil }},
	)
	return p, nil
}

func (w *World) notifyAPI(router *notify.Router) *notifyhttp.Handler {
	s := &w.Settings.Notify
	h := &notifyhttp.Handler{
		Stores:        func(tenant string) (notifyhttp.Store, error) { return part(w, tenant, (*store.Tenant).Notify) },
		CheckEndpoint: func(_ string, e *notify.Endpoint) error { return channels.CheckEndpoint(e, &s.Channels) },
		CheckTemplate: channels.CheckTemplate, Preview: router.Preview, Test: router.Test,
		Timelines: func(tenant string) (timeline.Chain, error) { return part(w, tenant, (*store.Tenant).Timeline) },
		Identify:  notifyIdentity, Report: w.request("notifier"),
	}
	if s.Ack != nil {
		h.OpenAck = s.Ack.Open
	}
	return h
}

// Indexer is the Timeline Indexer: it puts events on timelines, and signs how they stand.
func Indexer(w *World, role Role) (*shell.Part, error) {
	p := &shell.Part{Name: "timeline"}
	if role.web() {
		p.Handler = &notifyhttp.TimelineHandler{
			Stores: func(tenant string) (notifyhttp.TimelineStore, error) {
				return part(w, tenant, (*store.Tenant).Timeline)
			},
			Identify: timelineIdentity, Report: w.request("timeline"),
		}
	}
	if !role.worker() {
		return p, nil
	}
	indexer := &timeline.Indexer{Logs: func(tenant string) (timeline.Log, error) { return part(w, tenant, (*store.Tenant).Timeline) }}
	for _, topic := range timeline.Topics() {
		p.Loops = append(p.Loops, w.consume("timeline", reading{topic: topic, group: event.GroupTimeline, parallel: 16, register: true, handle: indexer.Handler(topic)})...)
	}
	if c := w.Settings.Checkpoints; c.Key != nil {
		p.Loops = append(p.Loops, w.every("timeline", "checkpoints", cmp.Or(c.Every, time.Second), func(ctx context.Context) error {
			return w.tenants(ctx, func(ctx context.Context, t *store.Tenant) error {
				pub := &timeline.Publisher{Tenant: t.Name(), Source: t.Timeline(), Sink: c.Sink, Signers: []dsse.Signer{c.Key}, Trust: c.Trust}
				_, err := pub.Publish(ctx)
				if errors.Is(err, timeline.ErrConflict) {
					return nil // another process made it
				}
				return err
			})
		}))
	}
	return p, nil
}
