package notifytest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
)

func testSettings(k *kept) {
	ctx := k.Context()
	if n := k.revision(); n != 0 {
		k.Errorf("revision %d of nothing", n)
	}
	_, err := k.Setting(ctx, notify.SettingEndpoint, "a")
	k.wants("a setting that there is not", err, notify.ErrNotFound)
	first := &notify.Setting{Kind: notify.SettingEndpoint, ID: "a", Number: 1, Body: body(notify.Endpoint{ID: "a", Type: "webhook", Pace: "1s"}), By: "ann"}
	k.ok(k.Set(ctx, first))
	if first.At.IsZero() || time.Since(first.At) > time.Hour {
		k.Errorf("it was set at %v", first.At)
	}
	for _, number := range []int64{1, 3} {
		s := *first
		s.Number = number
		k.wants(fmt.Sprint("number ", number), k.Set(ctx, &s), notify.ErrConflict)
	}
	got, err := k.Setting(ctx, notify.SettingEndpoint, "a")
	k.ok(err)
	if diff := cmp.Diff(first, got); diff != "" {
		k.Error(diff)
	}
	_, err = k.Setting(ctx, notify.SettingRule, "a")
	k.wants("of another kind", err, notify.ErrNotFound)
	k.setting(notify.SettingRule, "r", notify.Rule{ID: "r", To: []notify.Target{{Endpoint: "a"}}})
	k.setting(notify.SettingTemplate, "t", notify.Template{ID: "t", Type: "email", Parts: map[string]string{"subject": "s"}})
	k.setting(notify.SettingMaintenance, "m", notify.Maintenance{ID: "m", From: time.Unix(1, 0).UTC(), Until: time.Unix(2, 0).UTC()})
	k.setting(notify.SettingInhibition, "i", notify.Inhibition{ID: "i", Equal: []notify.Field{notify.FieldImage}, For: "1h"})
	k.setting(notify.SettingRule, "r", notify.Rule{ID: "r", Name: "second", To: []notify.Target{{Endpoint: "a"}}})
	all, err := k.Store.Settings(ctx)
	k.ok(err)
	want := &notify.Settings{
		Revision: 6, Endpoints: []notify.Endpoint{{ID: "a", Type: "webhook", Pace: "1s"}}, Rules: []notify.Rule{{ID: "r", Name: "second", To: []notify.Target{{Endpoint: "a"}}}},
		Templates:   []notify.Template{{ID: "t", Type: "email", Parts: map[string]string{"subject": "s"}}},
		Windows:     []notify.Maintenance{{ID: "m", From: time.Unix(1, 0).UTC(), Until: time.Unix(2, 0).UTC()}},
		Inhibitions: []notify.Inhibition{{ID: "i", Equal: []notify.Field{notify.FieldImage}, For: "1h"}},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		k.Error(diff)
	}
	k.setting(notify.SettingRule, "r", nil)
	_, err = k.Setting(ctx, notify.SettingRule, "r")
	k.wants("a setting that was deleted", err, notify.ErrNotFound)
	if again, err := k.Store.Settings(ctx); err != nil || len(again.Rules) != 0 || again.Revision != 7 {
		k.Errorf("%+v, %v", again, err)
	}
	if len(all.Rules) != 1 {
		k.Error("a revision that was read changed")
	}
	s := &notify.Setting{Kind: notify.SettingRule, ID: "r", Number: 1, Body: body(notify.Rule{ID: "r"}), By: "bob"}
	k.wants("the first number of what was deleted", k.Set(ctx, s), notify.ErrConflict)
	s.Number = 4
	k.ok(k.Set(ctx, s))
	if got, err := k.Setting(ctx, notify.SettingRule, "r"); err != nil || got.Number != 4 || got.By != "bob" {
		k.Errorf("%+v, %v", got, err)
	}
}

func testNamedEndpoints(k *kept) {
	for _, id := range []string{"a", "b", "c", "d"} {
		k.endpoint(notify.Endpoint{ID: id})
	}
	k.setting(notify.SettingRule, "r", notify.Rule{ID: "r", To: []notify.Target{{Endpoint: "a"}}, Escalation: []notify.Step{{After: "5m", To: []notify.Target{{Endpoint: "b"}}}}})
	k.setting(notify.SettingPreference, "user/ann/c", notify.Rule{ID: "user/ann/c", Owner: "ann", To: []notify.Target{{Endpoint: "c"}}})
	for _, id := range []string{"a", "b", "c"} {
		k.wants("delete "+id+", which is named", k.Set(k.Context(), &notify.Setting{Kind: notify.SettingEndpoint, ID: id, Number: 2, By: "ann"}), notify.ErrConflict)
	}
	k.setting(notify.SettingEndpoint, "d", nil)
	k.setting(notify.SettingRule, "r", nil)
	k.setting(notify.SettingPreference, "user/ann/c", nil)
	for _, id := range []string{"a", "b", "c"} {
		k.setting(notify.SettingEndpoint, id, nil)
	}
	if s, err := k.Store.Settings(k.Context()); err != nil || len(s.Endpoints) != 0 || len(s.Rules) != 0 {
		k.Errorf("%+v, %v", s, err)
	}
}

func testPreferences(k *kept) {
	k.endpoint(notify.Endpoint{ID: "mail"})
	k.endpoint(notify.Endpoint{ID: "chat"})
	// Ids are in order as text: "a-b" comes before "a/".
	users := []string{"a", "a-b", "b", "a/b"}
	for _, u := range users {
		for _, e := range []string{"mail", "chat"} {
			id := "user/" + u + "/" + e
			k.setting(notify.SettingPreference, id, notify.Rule{ID: id, Owner: u, To: []notify.Target{{Endpoint: e}}})
		}
	}
	ids := func(user, after string, limit int) string {
		k.Helper()
		list, err := k.ListSettings(k.Context(), notify.SettingPreference, user, after, limit)
		k.ok(err)
		var out []string
		for _, s := range list {
			if s.ID != "user/"+s.User+"/"+s.Endpoint || s.Kind != notify.SettingPreference || !bytes.Contains(s.Body, []byte(s.ID)) {
				k.Errorf("%+v", s)
			}
			out = append(out, strings.TrimPrefix(s.ID, "user/"))
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		user, after string
		limit       int
		want        string
	}{
		{"", "", 100, "a-b/chat a-b/mail a/b/chat a/b/mail a/chat a/mail b/chat b/mail"},
		{"", "", 3, "a-b/chat a-b/mail a/b/chat"},
		{"", "user/a/b/chat", 2, "a/b/mail a/chat"},
		{"a", "", 100, "a/chat a/mail"},
		{"a", "user/a/chat", 100, "a/mail"},
		{"nobody", "", 100, ""},
		{"", "user/b/mail", 100, ""},
	} {
		if got := ids(c.user, c.after, c.limit); got != c.want {
			k.Errorf("preferences of %q after %q: %q, want %q", c.user, c.after, got, c.want)
		}
	}
	k.setting(notify.SettingPreference, "user/a/chat", nil)
	if got := ids("a", "", 100); got != "a/mail" {
		k.Errorf("after one was deleted: %q", got)
	}
	if list, err := k.ListSettings(k.Context(), notify.SettingEndpoint, "", "", 1); err != nil || len(list) != 1 || list[0].ID != "chat" {
		k.Errorf("%+v, %v", list, err)
	}
	if s, err := k.Store.Settings(k.Context()); err != nil || len(s.Rules) != 7 || s.Rules[0].Owner == "" {
		k.Errorf("%+v, %v", s, err)
	}
}

// testRevisions: what follows from settings that stand no longer is refused, and nothing
// of it is done.
func testRevisions(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	old := k.revision()
	k.endpoint(notify.Endpoint{ID: "b"})
	w := &notify.Work{Revision: old, Events: []string{"e"}, Decide: func(*notify.State) (*notify.Plan, error) {
		k.Error("it was decided by old settings")
		return &notify.Plan{}, nil
	}}
	k.wants("work by old settings", k.Do(k.Context(), w), notify.ErrConflict)
	w.Revision = old + 2
	k.wants("work by settings that are not there", k.Do(k.Context(), w), notify.ErrConflict)
	if s := k.state(notify.Work{Events: []string{"e"}}); s.Done["e"] {
		k.Error("the event of refused work is done")
	}
}
