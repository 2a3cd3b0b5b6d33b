package notifytest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
)

// Kept is all that a store does for one tenant.
type Kept interface {
	notify.Routes
	notify.Queue
	notify.Desk
	notify.Ledger
}

// Store is what is tested: a tenant of which nothing is kept yet, by the real clock.
type Store struct {
	Kept
	// Due lists what of the tenant is due.
	Due func(ctx context.Context, limit int) ([]notify.Due, error)
}

// TestStore proves the promises of [notify.Routes], [notify.Queue], [notify.Desk] and
// [notify.Ledger]. open returns another, empty tenant each time.
func TestStore(t *testing.T, open func(t testing.TB) Store) {
	for name, test := range map[string]func(*kept){
		"Settings": testSettings, "NamedEndpoints": testNamedEndpoints, "Preferences": testPreferences, "Revisions": testRevisions,
		"Events": testEvents, "Groups": testGroups, "Refusals": testRefusals, "Items": testItems, "Collected": testCollected, "Inhibitors": testInhibitors, "Incidents": testIncidents, "Due": testDue,
		"Attempts": testAttempts, "NotToBeSent": testNotToBeSent, "Fenced": testFenced, "Lost": testLost, "Disabled": testDisabled, "Gone": testGone, "Rest": testRest, "Circuit": testCircuit, "Pace": testPace, "DefaultPace": testDefaultPace,
		"Replay": testReplay, "Pages": testPages, "ItemPages": testItemPages, "States": testStates, "Race": testRace, "ClaimRace": testClaimRace,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(&kept{t, open(t)}) })
	}
}

// kept is a tenant under test.
type kept struct {
	*testing.T
	Store
}

// ok fails the test at once.
func (k *kept) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

// wants fails the test where an error does not wrap a kind.
func (k *kept) wants(what string, err, kind error) {
	k.Helper()
	if !errors.Is(err, kind) {
		k.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// later fails the test where an error does not say that something was put off.
func (k *kept) later(what string, err error) *notify.LaterError {
	k.Helper()
	var l *notify.LaterError
	if !errors.As(err, &l) {
		k.Fatalf("%s: %v, want a LaterError", what, err)
	}
	return l
}

func body(v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return b
}

// setting keeps one, as the next after the one that stands.
func (k *kept) setting(kind notify.SettingKind, id string, v any) {
	k.Helper()
	s := &notify.Setting{Kind: kind, ID: id, Number: 1, By: "ann"}
	if v != nil {
		s.Body = body(v)
	}
	if r, ok := v.(notify.Rule); ok && kind == notify.SettingPreference {
		s.User, s.Endpoint = r.Owner, r.To[0].Endpoint
	}
	old, err := k.Setting(k.Context(), kind, id)
	if err == nil {
		s.Number, s.User, s.Endpoint = old.Number+1, old.User, old.Endpoint
	} else if !errors.Is(err, fault.NotFound) {
		k.Fatal(err)
	}
	k.ok(k.Set(k.Context(), s))
}

// endpoint keeps an endpoint.
func (k *kept) endpoint(e notify.Endpoint) {
	k.Helper()
	if e.Type == "" {
		e.Type = "webhook"
	}
	k.setting(notify.SettingEndpoint, e.ID, e)
}

func (k *kept) revision() int64 {
	k.Helper()
	s, err := k.Store.Settings(k.Context())
	k.ok(err)
	return s.Revision
}

// do carries out work by the settings that stand.
func (k *kept) do(w notify.Work, decide func(*notify.State) notify.Plan) {
	k.Helper()
	w.Revision = k.revision()
	w.Decide = func(s *notify.State) (*notify.Plan, error) {
		p := decide(s)
		return &p, nil
	}
	k.ok(k.Do(k.Context(), &w))
}

// state reads what there is, and writes nothing.
func (k *kept) state(w notify.Work) *notify.State {
	k.Helper()
	var out *notify.State
	k.do(w, func(s *notify.State) notify.Plan { out = s; return notify.Plan{} })
	return out
}

// delivery is one that is to be sent at once.
func delivery(id, endpoint string, at time.Time) notify.Delivery {
	p := &notify.Payload{MediaType: "application/json", Body: []byte(`{"id":"` + id + `"}`), Notes: []string{"cut"}}
	return notify.Delivery{ID: id, Status: notify.Pending, Kind: notify.KindAlert, Rule: "r", Endpoint: endpoint, Group: "g", Window: 1, Title: "title of " + id, Severity: "high", Total: 1,
		Digest: sum.Of(p.Body), Notes: p.Notes, Payload: p, Due: at, Created: at, Updated: at}
}

// deliveries keeps deliveries that are due at once.
func (k *kept) deliveries(endpoint string, ids ...string) {
	k.Helper()
	k.do(notify.Work{}, func(s *notify.State) (p notify.Plan) {
		for _, id := range ids {
			p.Deliveries = append(p.Deliveries, delivery(id, endpoint, s.Now))
		}
		return p
	})
}

// lease is as long as the shortest that a store gives.
const lease = time.Second

// tries claims a delivery.
func (k *kept) tries(id string) (*notify.Task, error) {
	return k.Claim(k.Context(), &notify.Claim{ID: id, Holder: "w1", Length: time.Minute})
}

// takes claims a delivery as soon as it is due.
func (k *kept) takes(id string) *notify.Task {
	k.Helper()
	for {
		t, err := k.tries(id)
		var l *notify.LaterError
		if errors.As(err, &l) && time.Until(l.Until) < 5*time.Second {
			time.Sleep(time.Until(l.Until) + time.Millisecond)
			continue
		}
		k.ok(err)
		return t
	}
}

// settled is what came of an attempt.
func settled(t *notify.Task, o notify.Outcome, s notify.Status) *notify.Settlement {
	a := t.Attempt
	a.Outcome, a.Status, a.Latency = o, 200, time.Millisecond
	out := &notify.Settlement{Attempt: a, Status: s}
	if o != notify.OutcomeDelivered {
		out.Attempt.Status, out.Attempt.Reason, out.Reason = 503, "away", "away"
	}
	return out
}

// settles notes what came of an attempt.
func (k *kept) settles(t *notify.Task, o notify.Outcome, s notify.Status, more func(*notify.Settlement)) {
	k.Helper()
	out := settled(t, o, s)
	if more != nil {
		more(out)
	}
	k.ok(k.Settle(k.Context(), t, out))
}

// stands says how a delivery stands: "pending 1/2" with its attempts.
func (k *kept) stands(id string) string {
	k.Helper()
	d, _, err := k.Delivery(k.Context(), id)
	k.ok(err)
	out := fmt.Sprintf("%s %d/%d", d.Status, d.Attempt, d.Attempts)
	if d.Duplicate {
		out += " duplicate"
	}
	return out
}

func (k *kept) wantStands(what, id, want string) {
	k.Helper()
	if got := k.stands(id); got != want {
		k.Errorf("%s: delivery %s is %s, want %s", what, id, got, want)
	}
}
