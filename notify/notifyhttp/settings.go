package notifyhttp

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
)

// kind is a sort of setting that the tenant has.
type kind struct {
	kind        notify.SettingKind
	path, param string
	// read reads a body as what it is and checks it; it returns it as it is kept.
	read func(h *Handler, c *call, id string) ([]byte, error)
}

// kinds are the settings of a tenant.
var kinds = []kind{
	{notify.SettingEndpoint, "endpoints", "endpoint_id", (*Handler).readEndpoint},
	{notify.SettingRule, "rules", "rule_id", (*Handler).readRule},
	{notify.SettingTemplate, "templates", "template_id", (*Handler).readTemplate},
	{notify.SettingMaintenance, "maintenance", "maintenance_id", (*Handler).readMaintenance},
	{notify.SettingInhibition, "inhibitions", "inhibition_id", (*Handler).readInhibition},
}

// body reads a body of a kind. Its id is that of the path, and may be left out.
func body[T any](c *call, limit int64, name string, id func(*T) *string) (*T, error) {
	v := new(T)
	if err := httpjson.Read(c.r, limit, v); err != nil {
		return nil, err
	}
	if p := id(v); *p == "" {
		*p = name
	} else if *p != name {
		return nil, fmt.Errorf("id %.80q: want that of the path, %.80q: %w", *p, name, fault.Invalid)
	}
	return v, nil
}

// checked is a body as it is kept, where it is right.
func checked(kind notify.SettingKind, v any) ([]byte, error) {
	text, err := httpjson.Encode(v)
	if err != nil {
		return nil, err
	}
	text, err = notify.Check(kind, text)
	return text, explained(err)
}

func (h *Handler) readEndpoint(c *call, id string) ([]byte, error) {
	e, err := body(c, notify.MaxSetting, id, func(e *notify.Endpoint) *string { return &e.ID })
	if err != nil {
		return nil, err
	}
	if err := references(e.Secrets); err != nil {
		return nil, err
	}
	text, err := checked(notify.SettingEndpoint, e)
	if err == nil {
		err = explained(h.CheckEndpoint(c.who.Tenant, e))
	}
	return text, err
}

// references refuses what may be a secret itself, which everybody of the tenant could
// read afterwards. The error does not repeat it.
func references(secrets map[string]string) error {
	for _, role := range slices.Sorted(maps.Keys(secrets)) {
		list := strings.Fields(secrets[role])
		for _, ref := range list {
			kind, name, ok := strings.Cut(ref, ":")
			if !ok || name == "" || strings.HasPrefix(name, "//") || kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789+-") != "" {
				return fmt.Errorf("secrets.%.80s: want a reference such as env:NAME, and never the secret: %w", role, fault.Invalid)
			}
		}
		if len(list) == 0 {
			return fmt.Errorf("secrets.%.80s: it is empty: %w", role, fault.Invalid)
		}
	}
	return nil
}

func (h *Handler) readTemplate(c *call, id string) ([]byte, error) {
	t, err := body(c, maxText, id, func(t *notify.Template) *string { return &t.ID })
	if err != nil {
		return nil, err
	}
	text, err := checked(notify.SettingTemplate, t)
	if err == nil {
		err = explained(h.CheckTemplate(t))
	}
	return text, err
}

func (h *Handler) readRule(c *call, id string) ([]byte, error) {
	r, err := body(c, notify.MaxSetting, id, func(r *notify.Rule) *string { return &r.ID })
	if err != nil {
		return nil, err
	}
	if r.Owner != "" {
		return nil, fmt.Errorf("owner: a rule of the tenant has none; preferences are at %s: %w", preferences, fault.Invalid)
	}
	text, err := checked(notify.SettingRule, r)
	if err == nil {
		err = c.reachable(r)
	}
	return text, err
}

func (h *Handler) readMaintenance(c *call, id string) ([]byte, error) {
	m, err := body(c, notify.MaxSetting, id, func(m *notify.Maintenance) *string { return &m.ID })
	if err != nil {
		return nil, err
	}
	return checked(notify.SettingMaintenance, m)
}

func (h *Handler) readInhibition(c *call, id string) ([]byte, error) {
	i, err := body(c, notify.MaxSetting, id, func(i *notify.Inhibition) *string { return &i.ID })
	if err != nil {
		return nil, err
	}
	return checked(notify.SettingInhibition, i)
}

// reachable refuses a rule that names an endpoint which is not there. One that goes
// afterwards is the store's to refuse.
func (c *call) reachable(r *notify.Rule) error {
	targets := slices.Clone(r.To)
	for _, s := range r.Escalation {
		targets = append(targets, s.To...)
	}
	known := map[string]bool{}
	for _, t := range targets {
		if known[t.Endpoint] {
			continue
		}
		known[t.Endpoint] = true
		_, err := c.store.Setting(c.r.Context(), notify.SettingEndpoint, t.Endpoint)
		if errors.Is(err, fault.NotFound) {
			return fmt.Errorf("endpoint %.80q: there is none of this name: %w", t.Endpoint, fault.Invalid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// explained is what is wrong with a body, which the client has sent: it may know all of
// it, line by line.
func explained(err error) error {
	for _, kind := range []fault.Kind{fault.Invalid, fault.Unsupported, fault.Forbidden, fault.Limit} {
		var l *fault.LimitError
		if errors.Is(err, kind) && !errors.As(err, &l) {
			lines := strings.Split(err.Error(), "\n")
			for i := range lines {
				lines[i] = strings.TrimSuffix(lines[i], ": "+string(kind))
			}
			return &httpjson.Error{Extra: map[string]any{"diagnostics": lines}, Err: fmt.Errorf("%s: %w", strings.Join(lines, "\n"), kind)}
		}
	}
	return err
}

func (k *kind) list(h *Handler, c *call) error { return c.settings(k.kind, "") }

func (k *kind) get(h *Handler, c *call) error { return c.setting(k.kind, c.r.PathValue(k.param)) }

func (k *kind) put(h *Handler, c *call) error {
	number, err := httpjson.Revision(c.r.Header, "the setting")
	if err != nil {
		return err
	}
	id := c.r.PathValue(k.param)
	text, err := k.read(h, c, id)
	if err != nil {
		return err
	}
	s := &notify.Setting{Kind: k.kind, ID: id, Number: number + 1, Body: text, By: c.who.Subject}
	return c.keep(s, root+"/notify/"+k.path+"/"+url.PathEscape(id))
}

func (k *kind) remove(h *Handler, c *call) error {
	number, err := httpjson.Revision(c.r.Header, "the setting")
	if err != nil {
		return err
	}
	return c.remove(&notify.Setting{Kind: k.kind, ID: c.r.PathValue(k.param), Number: number + 1, By: c.who.Subject})
}

// settings lists those of a kind.
func (c *call) settings(kind notify.SettingKind, user string) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	list, err := c.store.ListSettings(c.r.Context(), kind, user, c.query.Get("after"), limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	page := settingPage[jsontext.Value]{Settings: []kept{}}
	for i := range list {
		page.Settings = append(page.Settings, keptOf(&list[i]))
	}
	if len(list) == limit {
		page.Next = page.Settings[limit-1].ID
	}
	return c.answer(http.StatusOK, page)
}

func keptOf(s *notify.Setting) kept {
	k := kept{ID: s.ID, User: s.User, Number: s.Number, By: s.By, At: s.At.UTC(), Body: s.Body}
	if s.Kind == notify.SettingPreference {
		k.ID = s.Endpoint
	}
	return k
}

// setting gives one, with its number as entity tag.
func (c *call) setting(kind notify.SettingKind, id string) error {
	s, err := c.store.Setting(c.r.Context(), kind, id)
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "private, no-cache")
	if httpjson.Unchanged(c.w, c.r, strconv.FormatInt(s.Number, 10)) {
		return nil
	}
	return httpjson.Write(c.w, http.StatusOK, keptOf(s))
}

// maxDeleted is how high the number of a setting may be that was deleted and is set anew.
const maxDeleted = 100

// keep keeps a setting and answers with it. What is new begins with number 1, or after
// the number of its deletion, which a store does not tell: the next one is tried then.
func (c *call) keep(s *notify.Setting, location string) error {
	status := http.StatusOK
	err := c.set(s)
	if s.Number == 1 {
		status = http.StatusCreated
		c.w.Header().Set("Location", location)
		for errors.Is(err, errDeleted) && s.Number <= maxDeleted {
			s.Number++
			err = c.set(s)
		}
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", httpjson.Tag(strconv.FormatInt(s.Number, 10)))
	return c.answer(status, keptOf(s))
}

var errDeleted = fmt.Errorf("it was deleted: %w", fault.Conflict)

// set sets a setting. That another number stands is what its condition spoke of.
func (c *call) set(s *notify.Setting) error {
	err := c.store.Set(c.r.Context(), s)
	if err == nil || fault.KindOf(err) != fault.Conflict {
		return err
	}
	switch now, e := c.store.Setting(c.r.Context(), s.Kind, s.ID); {
	case e == nil && now.Number == s.Number-1:
		return err // it is something else
	case errors.Is(e, fault.NotFound):
		err = fmt.Errorf("%w: %w", err, errDeleted)
	}
	return &httpjson.Error{Status: http.StatusPreconditionFailed, Err: err}
}

func (c *call) remove(s *notify.Setting) error {
	if s.Number == 1 {
		return httpjson.BadRequest("If-Match: what is deleted has an entity tag")
	}
	if _, err := c.store.Setting(c.r.Context(), s.Kind, s.ID); err != nil {
		return err
	}
	if err := c.set(s); err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
