package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// remoteDesk is a notify.Desk at a server, for settings in files. Of preferences it lists
// those of who asks; those of others are set one by one.
type remoteDesk struct{ c *notifyhttp.Client }

// Setting implements notify.Desk.
func (d remoteDesk) Setting(ctx context.Context, kind notify.SettingKind, id string) (*notify.Setting, error) {
	list, err := d.ListSettings(ctx, kind, "", "", 0)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].ID == id {
			return &list[i], nil
		}
	}
	return nil, fmt.Errorf("%s %s: %w", kind, clean(id), fault.NotFound)
}

// ListSettings implements notify.Desk: all are one page.
func (d remoteDesk) ListSettings(ctx context.Context, kind notify.SettingKind, user, after string, _ int) ([]notify.Setting, error) {
	if after != "" {
		return nil, nil
	}
	switch kind {
	case notify.SettingEndpoint:
		return listKept(ctx, d.c.Endpoints(), kind)
	case notify.SettingTemplate:
		return listKept(ctx, d.c.Templates(), kind)
	case notify.SettingRule:
		return listKept(ctx, d.c.Rules(), kind)
	case notify.SettingPreference:
		return listKept(ctx, d.c.Preferences(user), kind)
	case notify.SettingMaintenance:
		return listKept(ctx, d.c.Maintenance(), kind)
	case notify.SettingInhibition:
		return listKept(ctx, d.c.Inhibitions(), kind)
	}
	return nil, fmt.Errorf("settings of kind %q: %w", kind, fault.Unsupported)
}

func listKept[T any](ctx context.Context, c notifyhttp.Collection[T], kind notify.SettingKind) ([]notify.Setting, error) {
	list, err := pages(func(after string) ([]notifyhttp.Kept[T], string, error) { return c.List(ctx, after) })
	if err != nil {
		return nil, err
	}
	out := make([]notify.Setting, len(list))
	for i := range list {
		k := &list[i]
		text, err := json.Marshal(&k.Body, json.Deterministic(true))
		if err == nil {
			text, err = notify.Check(kind, text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s of the server: %w", kind, clean(k.ID), err)
		}
		out[i] = notify.Setting{Kind: kind, ID: k.ID, Number: k.Number, Body: text, By: k.By, At: k.At}
		if kind == notify.SettingPreference {
			out[i].User, out[i].Endpoint, out[i].ID = k.User, k.ID, notify.PreferenceID(k.User, k.ID)
		}
	}
	return out, nil
}

// Set implements notify.Desk. Who sets it is whoever is logged in.
func (d remoteDesk) Set(ctx context.Context, s *notify.Setting) error {
	switch s.Kind {
	case notify.SettingEndpoint:
		return setKept(ctx, d.c.Endpoints(), s.ID, s)
	case notify.SettingTemplate:
		return setKept(ctx, d.c.Templates(), s.ID, s)
	case notify.SettingRule:
		return setKept(ctx, d.c.Rules(), s.ID, s)
	case notify.SettingPreference:
		return setKept(ctx, d.c.Preferences(s.User), s.Endpoint, s)
	case notify.SettingMaintenance:
		return setKept(ctx, d.c.Maintenance(), s.ID, s)
	case notify.SettingInhibition:
		return setKept(ctx, d.c.Inhibitions(), s.ID, s)
	}
	return fmt.Errorf("settings of kind %q: %w", s.Kind, fault.Unsupported)
}

func setKept[T any](ctx context.Context, c notifyhttp.Collection[T], id string, s *notify.Setting) error {
	if s.Body == nil {
		return c.Delete(ctx, id, s.Number-1)
	}
	body := new(T)
	if err := json.Unmarshal(s.Body, body); err != nil {
		return err
	}
	_, err := c.Set(ctx, id, s.Number-1, body)
	return err
}

// previewAt asks a server what an event would bring by the settings that stand there.
func (r *service) previewAt(ctx context.Context, q *notifyhttp.PreviewRequest, rendered bool) (*render.Answer, error) {
	list, err := r.notify.Preview(ctx, q)
	if err != nil {
		return nil, err
	}
	at := q.At
	if at.IsZero() {
		at = time.Now().UTC().Truncate(time.Second)
	}
	one := foreseenOf(list)
	one.At, one.Event, one.Type = at, "scan "+q.ScanID, "what happened last"
	if q.ScanID == "" {
		one.Event = "the event of the file"
	}
	all := []foreseen{*one}
	return &render.Answer{Value: all, Table: func(w io.Writer) error { return printForeseen(w, all, rendered) }}, nil
}

// replayed has a server send deliveries again.
func (r *service) replayed(ctx context.Context, ids []string, endpoint string) ([]notify.Delivery, error) {
	if len(ids) == 0 {
		var err error
		if ids, err = deadDeliveries(ctx, r.notify, endpoint); err != nil {
			return nil, err
		}
	}
	out := []notify.Delivery{}
	for _, id := range ids {
		d, err := r.notify.Replay(ctx, id)
		if err != nil {
			return out, fmt.Errorf("after %d of %d deliveries: %w", len(out), len(ids), err)
		}
		out = append(out, *d)
	}
	return out, nil
}
