package notifyhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifyhttp"
)

// lifeOf goes through what can be done with a setting of a kind.
func lifeOf[T any](t *testing.T, s notifyhttp.Collection[T], id string, first, second T) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Get(ctx, id); !errors.Is(err, notifyhttp.ErrNotFound) {
		t.Errorf("%s before it was set: %v", id, err)
	}
	made, err := s.Set(ctx, id, 0, &first)
	if err != nil || made.Number != 1 || made.By == "" || !made.At.Equal(start) {
		t.Fatalf("%s: %+v, %v", id, made, err)
	}
	if _, err := s.Set(ctx, id, 0, &first); !errors.Is(err, notifyhttp.ErrConflict) {
		t.Errorf("%s as new again: %v", id, err)
	}
	changed, err := s.Set(ctx, id, made.Number, &second)
	if err != nil || changed.Number != 2 {
		t.Fatalf("%s: %+v, %v", id, changed, err)
	}
	got, err := s.Get(ctx, id)
	if diff := cmp.Diff(changed, got); diff != "" || err != nil {
		t.Errorf("%s: %v (-set +got)\n%s", id, err, diff)
	}
	list, next, err := s.List(ctx, "")
	if err != nil || next != "" || len(list) == 0 || !cmp.Equal(list[len(list)-1], *changed) {
		t.Errorf("%s: %+v, %q, %v", id, list, next, err)
	}
	if err := s.Delete(ctx, id, 1); !errors.Is(err, notifyhttp.ErrConflict) {
		t.Errorf("delete another %s: %v", id, err)
	}
	if err := s.Delete(ctx, id, 2); err != nil {
		t.Errorf("delete %s: %v", id, err)
	}
	if err := s.Delete(ctx, id, 2); !errors.Is(err, notifyhttp.ErrNotFound) {
		t.Errorf("delete %s again: %v", id, err)
	}
}

// play goes through everything that the API can do, by its client.
func play(t *testing.T) *rig {
	g := newRig(t)
	ctx := t.Context()
	ann, bob := g.client("acme/ann/operator/payloads"), g.client("acme/bob")
	lifeOf(t, ann.Endpoints(), "mine", notify.Endpoint{Type: "webhook"}, notify.Endpoint{Type: "webhook", URL: "https://hooks.example", Pace: "1s"})
	lifeOf(t, ann.Rules(), "all", notify.Rule{To: []notify.Target{{Endpoint: "hook"}}}, notify.Rule{To: []notify.Target{{Endpoint: "hook", To: "x"}}, Digest: "1h", Zone: "Europe/Sofia"})
	lifeOf(t, ann.Templates(), "short", notify.Template{Type: "webhook", Parts: map[string]string{"text": "a"}}, notify.Template{Type: "webhook", Locale: "fr", Parts: map[string]string{"text": "b"}})
	lifeOf(t, ann.Maintenance(), "night", notify.Maintenance{From: start, Until: start.Add(time.Hour)}, notify.Maintenance{From: start, Until: start.Add(2 * time.Hour), Suppress: true})
	failed := notify.Inhibition{Source: notify.Match{Causes: []string{"kev"}}, Target: notify.Match{Severity: "low"}, Equal: []notify.Field{notify.FieldImage}, For: "1h"}
	longer := failed
	longer.For = "2h"
	lifeOf(t, ann.Inhibitions(), "known", failed, longer)
	lifeOf(t, bob.Preferences(""), "hook", notify.Rule{}, notify.Rule{Watch: true})
	lifeOf(t, ann.Preferences("carl d/e@acme.example"), "hook", notify.Rule{}, notify.Rule{Watch: true})
	if k, err := bob.Preferences("").Set(ctx, "hook2", 0, &notify.Rule{}); !errors.Is(err, notifyhttp.ErrInvalid) {
		t.Errorf("a preference for an endpoint that there is not: %+v, %v", k, err)
	}
	if _, _, err := bob.Preferences("ann").List(ctx, ""); !errors.Is(err, notifyhttp.ErrForbidden) {
		t.Errorf("another's preferences: %v", err)
	}
	g.playDeliveries(t, ann, bob)
	return g
}

func (g *rig) playDeliveries(t *testing.T, ann, bob *notifyhttp.Client) {
	ctx := t.Context()
	var all []string
	for q := (notify.Query{Limit: 2}); ; {
		page, err := ann.Deliveries(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Deliveries {
			all = append(all, d.ID)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"d-dead", "d-sent", "d-ann", "d-bob", "d-damaged", "d-quiet", "d-unrendered"}, all); diff != "" {
		t.Errorf("all deliveries (-want +got)\n%s", diff)
	}
	for name, c := range map[string]struct {
		q    notify.Query
		want string
	}{
		"dead": {notify.Query{Status: notify.Dead, Rule: "critical", ScanID: "scan-1"}, "d-dead"}, "rule": {notify.Query{Rule: "user/bob/hook"}, "d-bob"}, "user": {notify.Query{User: "bob"}, "d-bob"},
		"scan": {notify.Query{ScanID: "scan-2"}, "d-dead"}, "endpoint": {notify.Query{Endpoint: "hook", Status: notify.Suppressed}, "d-quiet"},
	} {
		if page, err := bob.Deliveries(ctx, c.q); err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].ID != c.want {
			t.Errorf("%s: %+v, %v", name, page, err)
		}
	}
	stored, tries, err := g.tenants["acme"].Delivery(ctx, "d-dead")
	if err != nil {
		t.Fatal(err)
	}
	d, got, err := bob.Delivery(ctx, "d-dead")
	want := *stored
	want.Payload = nil
	if err != nil || cmp.Diff(&want, d) != "" || cmp.Diff(tries, got) != "" {
		t.Errorf("%v (-want +got)\n%s%s", err, cmp.Diff(&want, d), cmp.Diff(tries, got))
	}
	if p, err := ann.Payload(ctx, "d-sent"); err != nil || cmp.Diff(&notify.Payload{MediaType: "text/html; charset=utf-8", Body: []byte("<script>alert(1)</script>")}, p) != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := bob.Payload(ctx, "d-sent"); !errors.Is(err, notifyhttp.ErrForbidden) {
		t.Errorf("a payload without the right: %+v, %v", p, err)
	}
	items, next, err := bob.Items(ctx, "d-dead", "")
	if err != nil || next != "" || len(items) != 2 || items[1].Notices[0].ScanID != "scan-2" {
		t.Errorf("%+v, %q, %v", items, next, err)
	}
	if items, _, err := bob.Items(ctx, "d-dead", "i1"); err != nil || len(items) != 1 || items[0].Key != "i2" {
		t.Errorf("%+v, %v", items, err)
	}
	if d, err := ann.Replay(ctx, "d-dead"); err != nil || d.Status != notify.Pending || d.Attempt != 0 || d.Attempts != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := ann.Replay(ctx, "d-sent"); !errors.Is(err, notifyhttp.ErrConflict) {
		t.Errorf("replay what was delivered: %v", err)
	}
	if s, err := ann.States(ctx); err != nil || len(s) < 3 || s[0].Endpoint != "hook" {
		t.Errorf("%+v, %v", s, err)
	}
	if d, err := ann.Test(ctx, "hook", "x"); err != nil || d.Kind != notify.KindTest || d.To != "x" {
		t.Errorf("%+v, %v", d, err)
	}
	p, err := bob.Preview(ctx, &notifyhttp.PreviewRequest{EventID: "event-1", Rule: &notify.Rule{To: []notify.Target{{Endpoint: "hook"}}}})
	if err != nil || len(p) != 1 || p[0].User != "bob" || !p[0].Matches || p[0].Matched != 1 || p[0].Message == nil || string(p[0].Payload.Body) != `{"text":"New critical CVE-2024-1234 affects ghcr.io/acme/shop:1 scan"}` {
		t.Errorf("%+v, %v", p, err)
	}
	if i, err := bob.Incident(ctx, "d-dead"); err != nil || !i.Acknowledged.IsZero() || i.Message.AckLink != "" || i.Message.Title == "" {
		t.Errorf("%+v, %v", i, err)
	}
	for _, c := range []*notifyhttp.Client{bob, ann} {
		if i, err := c.Acknowledge(ctx, "d-dead", "mine"); err != nil || i.AcknowledgedBy != "bob" || i.Message.AckLink != "" {
			t.Errorf("%+v, %v", i, err)
		}
	}
}

// TestClientRefuses: what cannot be a name is asked for nowhere.
func TestClientRefuses(t *testing.T) {
	c := &notifyhttp.Client{URL: "http://notify.example", Transport: none{}}
	ctx := t.Context()
	for _, id := range []string{"", ".", "..", "a/b", "a b", "a\n", "é", strings.Repeat("a", 129)} {
		for name, call := range map[string]func() error{
			"endpoint":    func() error { _, err := c.Endpoints().Get(ctx, id); return err },
			"set":         func() error { _, err := c.Rules().Set(ctx, id, 0, &notify.Rule{}); return err },
			"delete":      func() error { return c.Templates().Delete(ctx, id, 1) },
			"preference":  func() error { _, err := c.Preferences("ann").Get(ctx, id); return err },
			"delivery":    func() error { _, _, err := c.Delivery(ctx, id); return err },
			"payload":     func() error { _, err := c.Payload(ctx, id); return err },
			"items":       func() error { _, _, err := c.Items(ctx, id, ""); return err },
			"replay":      func() error { _, err := c.Replay(ctx, id); return err },
			"test":        func() error { _, err := c.Test(ctx, id, ""); return err },
			"incident":    func() error { _, err := c.Incident(ctx, id); return err },
			"acknowledge": func() error { _, err := c.Acknowledge(ctx, id, ""); return err },
		} {
			if err := call(); !errors.Is(err, notifyhttp.ErrNotFound) {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
	for _, user := range []string{".", "..", "a\x00", strings.Repeat("a", 257)} {
		if _, _, err := c.Preferences(user).List(ctx, ""); !errors.Is(err, notifyhttp.ErrNotFound) {
			t.Errorf("user %q: %v", user, err)
		}
	}
}

// none is a transport that must not be used.
type none struct{}

func (none) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("something was sent")
}

// answering is a server that always says the same, as JSON.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "Etag": {`"sha256:0"`}}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}

// TestAnswersThatAreNone: what is not about what was asked for is no answer.
func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{"{}", "[]", "", `{"id":"other","number":1}`, `{"delivery_id":"other","tries":[]}`, `{"incident":"other"}`, `{"settings":null}`} {
		c := &notifyhttp.Client{URL: "http://notify.example", Transport: answering(body), Attempts: 1}
		ctx := context.Background()
		for name, call := range map[string]func() error{
			"endpoint":   func() error { _, err := c.Endpoints().Get(ctx, "ops"); return err },
			"list":       func() error { _, _, err := c.Endpoints().List(ctx, ""); return err },
			"set":        func() error { _, err := c.Endpoints().Set(ctx, "ops", 1, &notify.Endpoint{}); return err },
			"delivery":   func() error { _, _, err := c.Delivery(ctx, "d"); return err },
			"deliveries": func() error { _, err := c.Deliveries(ctx, notify.Query{}); return err },
			"items":      func() error { _, _, err := c.Items(ctx, "d", ""); return err },
			"incident":   func() error { _, err := c.Incident(ctx, "d"); return err },
			"take":       func() error { _, err := c.Acknowledge(ctx, "d", ""); return err },
			"states":     func() error { _, err := c.States(ctx); return err },
			"preview":    func() error { _, err := c.Preview(ctx, &notifyhttp.PreviewRequest{}); return err },
		} {
			if err := call(); !errors.Is(err, notifyhttp.ErrUnavailable) {
				t.Errorf("%s: %q: %v", name, body, err)
			}
		}
		if _, err := c.Payload(ctx, "d"); !errors.Is(err, fault.Mismatch) {
			t.Errorf("payload %q: %v", body, err)
		}
	}
}
