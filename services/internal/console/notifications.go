package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/services/auth"
)

var notifyRoutes = []route{
	{pattern: "GET notifications", serve: notifications},
	{pattern: "GET notifications/preview", serve: previewForm},
	{pattern: "POST notifications/preview", serve: preview},
	{pattern: "POST notifications/endpoints/{id}/test", serve: testEndpoint},
	{pattern: "GET notifications/{kind}", serve: notifyList},
	{pattern: "POST notifications/{kind}", serve: addSetting},
	{pattern: "GET notifications/{kind}/{id}", serve: notifySetting},
	{pattern: "POST notifications/{kind}/{id}", serve: putSetting},
}

// settingKind is a sort of setting: how pages call it, and what a new one looks like.
type settingKind struct {
	Path, Name, One string
	Example         string
}

var settingKinds = []settingKind{
	{"endpoints", "Endpoints", "endpoint", "type: webhook\nurl: https://hooks.example/stella\nsecrets:\n  signing: file:hook\n"},
	{"rules", "Rules", "rule", "name: What is exploited\nmatch:\n  severity: high\n  exploited: true\nto:\n  - endpoint: ops\n"},
	{"templates", "Templates", "template", "type: slack\nname: short\nparts:\n  text: '{{ .Title }}'\n"},
	{"maintenance", "Maintenance", "time of maintenance", "name: Release night\nfrom: 2030-01-01T20:00:00Z\nuntil: 2030-01-01T23:00:00Z\n"},
	{"inhibitions", "Inhibitions", "inhibition", "source:\n  outcomes: [block]\ntarget:\n  severity: low\nequal: [image]\nfor: 1h\n"},
}

func settingsAt(path string) (*settingKind, error) {
	i := slices.IndexFunc(settingKinds, func(k settingKind) bool { return k.Path == path })
	if i < 0 {
		return nil, &pageError{http.StatusNotFound, "There is no such page."}
	}
	return &settingKinds[i], nil
}

// keptSetting is a setting as it is kept, with what it says.
type keptSetting struct {
	ID     string         `json:"id"`
	Number int64          `json:"number"`
	By     string         `json:"by"`
	At     time.Time      `json:"at"`
	Body   jsontext.Value `json:"body"`
}

type settingPage struct {
	Settings []keptSetting `json:"settings"`
	Next     string        `json:"next"`
}

// maxSettings bounds an answer with settings, in bytes.
const maxSettings = 64 << 20

// settings calls an operation about settings; into may be nil.
func (a *api) settings(ctx context.Context, q httpjson.Call, into any) error {
	read := func(resp *http.Response) error { return httpjson.ReadJSON(resp, maxSettings, into) }
	if into == nil {
		read = nil
	}
	return a.caller("notifier", "/api/v1/notify").Do(ctx, q, read)
}

func (a *api) listSettings(ctx context.Context, k *settingKind, after string) (*settingPage, error) {
	out := new(settingPage)
	q := url.Values{"limit": {strconv.Itoa(pageRows)}}
	if after != "" {
		q.Set("after", after)
	}
	return out, a.settings(ctx, httpjson.Call{What: "list " + k.Path, Method: http.MethodGet, Path: "/" + k.Path, Query: q, Want: http.StatusOK, Again: true}, out)
}

func (a *api) setting(ctx context.Context, k *settingKind, id string) (*keptSetting, error) {
	out := new(keptSetting)
	return out, a.settings(ctx, httpjson.Call{What: "read " + k.One + " " + id, Method: http.MethodGet, Path: "/" + k.Path + "/" + url.PathEscape(id), Want: http.StatusOK, Again: true}, out)
}

// changeSetting sets a setting, or deletes it where body is nil, in place of the one of a
// number; 0 is for a new one.
func (a *api) changeSetting(ctx context.Context, k *settingKind, id string, number int64, body jsontext.Value) error {
	header := map[string]string{"If-Match": httpjson.Tag(strconv.FormatInt(number, 10))}
	if number == 0 {
		header = map[string]string{"If-None-Match": "*"}
	}
	q := httpjson.Call{What: "set " + k.One + " " + id, Method: http.MethodPut, Path: "/" + k.Path + "/" + url.PathEscape(id), Header: header, Raw: body, Want: http.StatusOK, Also: []int{http.StatusCreated}}
	if body == nil {
		q.What, q.Method, q.Want, q.Also = "delete "+k.One+" "+id, http.MethodDelete, http.StatusNoContent, nil
	} else {
		header["Content-Type"] = "application/json"
	}
	return a.settings(ctx, q, nil)
}

// settingRow is a setting in a list.
type settingRow struct {
	keptSetting
	Name     string
	Says     []string
	Disabled bool
	States   []notify.EndpointState
}

// rows reads what settings of a kind say.
func (k *settingKind) rows(list []keptSetting, states []notify.EndpointState) (out []settingRow) {
	for _, s := range list {
		r := settingRow{keptSetting: s}
		r.Name, r.Disabled, r.Says = k.says(s.Body)
		for _, e := range states {
			if e.Endpoint == s.ID {
				r.States = append(r.States, e)
			}
		}
		out = append(out, r)
	}
	return out
}

// states is how endpoints do, where a kind is that and the person may know.
func (k *settingKind) states(ctx context.Context, v *visit) ([]notify.EndpointState, error) {
	if k.Path != "endpoints" || !v.Can(auth.NotifyOperator) {
		return nil, nil
	}
	return v.api.notify.States(ctx)
}

// notifyView is the first page of notifications.
type notifyView struct {
	Endpoints, Rules section[[]settingRow]
	Failed           section[*notify.Page]
	Kinds            []settingKind
	Operator         bool
}

func notifications(v *visit) error {
	d := &notifyView{Kinds: settingKinds, Operator: v.Can(auth.NotifyOperator)}
	rows := func(k *settingKind) func(context.Context) ([]settingRow, error) {
		return func(ctx context.Context) ([]settingRow, error) {
			page, err := v.api.listSettings(ctx, k, "")
			if err != nil {
				return nil, err
			}
			states, err := k.states(ctx, v)
			return k.rows(page.Settings, states), err
		}
	}
	together(
		read(v, &d.Endpoints, rows(&settingKinds[0])),
		read(v, &d.Rules, rows(&settingKinds[1])),
		read(v, &d.Failed, func(ctx context.Context) (*notify.Page, error) {
			return v.api.notify.Deliveries(ctx, notify.Query{Status: notify.Dead, Limit: 5})
		}),
	)
	return v.show(http.StatusOK, "notifications", "Notifications", d)
}

// settingView is a list of settings of a kind, or one with the form that changes it.
type settingView struct {
	Kind     *settingKind
	Kinds    []settingKind
	Rows     []settingRow
	Next     string
	One      *settingRow
	ID       string
	Number   int64
	Text     string
	Wrong    []string // what the API says of the text
	Operator bool
}

func notifyList(v *visit) error {
	k, err := settingsAt(v.r.PathValue("kind"))
	if err != nil {
		return err
	}
	return v.notifyList(k, http.StatusOK, "", k.Example, nil)
}

// notifyList shows a list with the form for a new one.
func (v *visit) notifyList(k *settingKind, status int, id, text string, wrong []string) error {
	d := &settingView{Kind: k, Kinds: settingKinds, Operator: v.Can(auth.NotifyOperator), ID: id, Text: text, Wrong: wrong}
	page, err := v.api.listSettings(v.ctx(), k, v.r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	states, err := k.states(v.ctx(), v)
	if err != nil {
		return err
	}
	d.Rows, d.Next = k.rows(page.Settings, states), v.onward(page.Next)
	return v.show(status, "notifylist", k.Name, d)
}

func addSetting(v *visit) error {
	k, err := settingsAt(v.r.PathValue("kind"))
	if err != nil {
		return err
	}
	id, text := v.form("id"), v.r.FormValue("text")
	body, err := jsonOf(text)
	if err == nil && id == "" {
		err = fmt.Errorf("what is it called? Give an id: %w", fault.Invalid)
	}
	if err == nil {
		err = v.api.changeSetting(v.ctx(), k, id, 0, body)
	}
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		return v.notifyList(k, status, id, text, lines)
	}
	v.redirect(link("notifications", k.Path, id) + "?done=set")
	return nil
}

func notifySetting(v *visit) error {
	k, err := settingsAt(v.r.PathValue("kind"))
	if err != nil {
		return err
	}
	s, err := v.api.setting(v.ctx(), k, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.notifySetting(k, s, http.StatusOK, s.Number, pretty(s.Body), nil)
}

// notifySetting shows one with the form that changes it, of a number and with a text.
func (v *visit) notifySetting(k *settingKind, s *keptSetting, status int, number int64, text string, wrong []string) error {
	states, err := k.states(v.ctx(), v)
	if err != nil {
		return err
	}
	row := k.rows([]keptSetting{*s}, states)[0]
	d := &settingView{Kind: k, Kinds: settingKinds, Operator: v.Can(auth.NotifyOperator), One: &row, ID: s.ID, Number: number, Text: text, Wrong: wrong}
	title := row.Name
	if title == "" {
		title = s.ID
	}
	return v.show(status, "notifysetting", title, d)
}

// putSetting changes a setting, or deletes it: the form says of which number.
func putSetting(v *visit) error {
	k, err := settingsAt(v.r.PathValue("kind"))
	if err != nil {
		return err
	}
	id, text := v.r.PathValue("id"), v.r.FormValue("text")
	number, err := strconv.ParseInt(v.form("number"), 10, 64)
	if err != nil || number < 1 {
		return &pageError{http.StatusBadRequest, "The form does not say what it changes. Please load the page again."}
	}
	var body jsontext.Value
	if v.form("do") != "delete" {
		body, err = jsonOf(text)
	}
	if err == nil {
		err = v.api.changeSetting(v.ctx(), k, id, number, body)
	}
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		now, e := v.api.setting(v.ctx(), k, id)
		if e != nil {
			return errors.Join(err, e)
		}
		if text == "" {
			text = pretty(now.Body)
		}
		return v.notifySetting(k, now, status, number, text, lines)
	}
	if body == nil {
		v.redirect(link("notifications", k.Path) + "?done=deleted")
		return nil
	}
	v.redirect(link("notifications", k.Path, id) + "?done=set")
	return nil
}

func testEndpoint(v *visit) error {
	d, err := v.api.notify.Test(v.ctx(), v.r.PathValue("id"), v.form("to"))
	if err != nil {
		return err
	}
	v.redirect(link("notifications", "deliveries", d.ID) + "?done=tested")
	return nil
}

// decoded reads a body of a setting; what cannot be read is the zero value.
func decoded[T any](body jsontext.Value) *T {
	out := new(T)
	if json.Unmarshal(body, out) != nil {
		return new(T)
	}
	return out
}
