package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// happened is one event, and who is to be told of it.
type happened struct {
	tenant, topic string
	event         event.Event
	images        []string
	vulnerability string
}

// happening is the ith event. It is made of the number alone.
func happening(i int) happened {
	h := happened{tenant: tenants[i%len(tenants)], event: event.Event{Source: "test"}}
	image := func(n int) string {
		kind := "app"
		if h.tenant == "gamma" && i%4 == 0 && n == 0 {
			kind = "quiet"
		}
		return fmt.Sprintf("registry.test/%s/e%06d-%d:1", kind, i, n)
	}
	owner := []string{"ann", "bob"}[i%2]
	switch i / len(tenants) % 4 {
	case 2:
		h.topic, h.images = event.ScannerEvents, []string{image(0)}
		h.event.ID, h.event.Type = fmt.Sprintf("scan-%d/completed", i), event.ScanCompleted
		h.event.Data = (&event.Scan{JobID: fmt.Sprint("scan-", i), Status: "completed", ImageRef: h.images[0], Owner: owner}).Encode()
	case 3:
		h.topic, h.images = event.PolicyEvents, []string{image(0)}
		h.event.ID, h.event.Type = fmt.Sprintf("verdict/%d", i), event.VerdictChanged
		v := event.VerdictChange{JobID: fmt.Sprint("scan-", i), ImageRef: h.images[0], Owner: owner, Environment: "production", Outcome: "block", Before: "pass", Policy: "release", Version: 1, Cause: "advisory", At: time.Unix(1800000000, 0).UTC()}
		h.event.Data, _ = v.Encode()
	default:
		h.topic, h.vulnerability = event.ConcelierDrift, fmt.Sprint("CVE-2026-", 1000+i%5)
		h.event.ID, h.event.Type = fmt.Sprintf("drift/%d", i), event.AdvisoryDrift
		d := event.Drift{Head: int64(i + 1), Vulnerability: h.vulnerability, Cause: "new", Severity: "critical", Exploited: "no", Fixed: "yes"}
		for n := range 1 + i%4 {
			h.images = append(h.images, image(n))
			d.Scans = append(d.Scans, event.DriftScan{ScanID: fmt.Sprintf("scan-%d-%d", i, n), ImageRef: image(n), Owner: owner})
		}
		h.event.Data, _ = d.Encode()
	}
	return h
}

// told is a notice at a receiver.
type told struct{ tenant, endpoint, event, image string }

// reaches lists who is told of an event, written by hand from what rules says. What is
// silenced is noted and not sent.
func (h *happened) reaches() (sent, silenced []told) {
	to := map[string][]string{ // by tenant and type
		"alpha advisory.drift": {"a", "b", "c"}, "alpha scan.completed": {"a"},
		"beta advisory.drift": {"a", "b"}, "beta policy.verdict.changed": {"a"},
		"gamma advisory.drift": {"a"}, "gamma scan.completed": {"a"}, "gamma policy.verdict.changed": {"a", "b"},
	}[h.tenant+" "+string(h.event.Type)]
	if h.tenant == "beta" && h.event.Type == event.AdvisoryDrift && len(h.images) > 0 && h.bob() {
		to = append(to, "c")
	}
	for n, image := range h.images {
		for _, e := range to {
			t := told{h.tenant, e, h.event.ID, image}
			if h.tenant == "gamma" && n == 0 && h.quiet() {
				silenced = append(silenced, t)
			} else {
				sent = append(sent, t)
			}
		}
	}
	return sent, silenced
}

func (h *happened) number() (n int) {
	fmt.Sscanf(h.images[0], "registry.test/app/e%d-", &n)
	fmt.Sscanf(h.images[0], "registry.test/quiet/e%d-", &n)
	return n
}

func (h *happened) bob() bool   { return h.number()%2 == 1 }
func (h *happened) quiet() bool { return h.number()%4 == 0 }

// rules are what the tenants want. In alpha two rules tell one receiver of the same; in
// beta much comes together, and bob wants to hear of his own; gamma has everything in one
// group, which is escalated, and hears nothing of quiet images.
func rules() map[string][]notify.Rule {
	drift := notify.Match{Types: []event.Type{event.AdvisoryDrift}}
	return map[string][]notify.Rule{
		"alpha": {
			{ID: "each", Match: drift, To: []notify.Target{{Endpoint: "a"}, {Endpoint: "b"}}, GroupBy: notify.GroupNone},
			{ID: "also", Match: drift, To: []notify.Target{{Endpoint: "a"}, {Endpoint: "c"}}, GroupBy: notify.GroupNone},
			{ID: "scans", Match: notify.Match{Types: []event.Type{event.ScanCompleted}}, To: []notify.Target{{Endpoint: "a"}}, GroupBy: notify.GroupNone},
		},
		"beta": {
			{ID: "storm", Match: drift, To: []notify.Target{{Endpoint: "a"}, {Endpoint: "b"}}, Throttle: "1s", Burst: 3},
			{ID: "verdicts", Match: notify.Match{Types: []event.Type{event.VerdictChanged}}, To: []notify.Target{{Endpoint: "a"}}, GroupBy: notify.FieldEnvironment, Throttle: "2s"},
			{ID: "user/bob/c", Owner: "bob", Match: drift, To: []notify.Target{{Endpoint: "c"}}, Throttle: "1s"},
		},
		"gamma": {
			{ID: "all", To: []notify.Target{{Endpoint: "a"}}, GroupBy: notify.GroupRule, Throttle: "1s", Escalation: []notify.Step{{After: "1s", To: []notify.Target{{Endpoint: "boss"}}}}},
			{ID: "verdicts", Match: notify.Match{Types: []event.Type{event.VerdictChanged}}, To: []notify.Target{{Endpoint: "b"}}, GroupBy: notify.GroupNone},
		},
	}
}

// setting keeps one.
func setting(ctx context.Context, n *store.Notify, kind notify.SettingKind, id string, v any) error {
	body, err := json.Marshal(v)
	if err == nil {
		body, err = notify.Check(kind, body)
	}
	if err != nil {
		return err
	}
	s := &notify.Setting{Kind: kind, ID: id, Number: 1, Body: body, By: "ann"}
	old, err := n.Setting(ctx, kind, id)
	switch {
	case err == nil:
		s.Number = old.Number + 1
	case !errors.Is(err, fault.NotFound):
		return err
	}
	if kind == notify.SettingPreference {
		s.User, s.Endpoint = "bob", "c"
	}
	return n.Set(ctx, s)
}

// setAlarm has the tenants want what they want, of a receiver at a URL.
func setAlarm(t *testing.T, p *pair, url string) {
	t.Helper()
	root, err := store.Open(t.Context(), p.store)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := registerAlarm(t.Context(), root, false); err != nil {
		t.Fatal(err)
	}
	set := func(n *store.Notify, kind notify.SettingKind, id string, v any) {
		t.Helper()
		if err := setting(t.Context(), n, kind, id, v); err != nil {
			t.Fatal(err)
		}
	}
	for tenant, list := range rules() {
		n, err := part(root, tenant, (*store.Tenant).Notify)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "b", "c", "boss"} {
			set(n, notify.SettingEndpoint, id, hook(id, url+"/"+tenant+"/"+id))
		}
		if tenant == "gamma" {
			set(n, notify.SettingMaintenance, "quiet", notify.Maintenance{ID: "quiet", From: time.Now().Add(-time.Hour), Until: time.Now().Add(24 * time.Hour), Suppress: true, Match: notify.Match{Images: []string{"registry.test/quiet/*"}}})
		}
		for _, r := range list {
			kind := notify.SettingRule
			if r.Owner != "" {
				kind = notify.SettingPreference
			}
			set(n, kind, r.ID, r)
		}
	}
}

func hook(id, url string) notify.Endpoint {
	return notify.Endpoint{ID: id, Type: "webhook", URL: url, Secrets: map[string]string{"signing": "hook"}}
}
