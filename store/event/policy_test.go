package event_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/event"
)

// TestPolicyGolden: what travels is what is written here.
func TestPolicyGolden(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	type data interface{ Encode() ([]byte, error) }
	for _, c := range []struct {
		id   string
		typ  event.Type
		data data
		want string
	}{
		{"a/policy/1", event.PolicyEvaluation, &event.PolicyJob{JobID: "scan-1", At: at, Cause: "vex/7"},
			`{"at":"2026-11-29T12:00:00Z","cause":"vex/7","id":"a/policy/1","job_id":"scan-1","source":"policy","tenant":"acme","type":"policy.evaluation"}`},
		{"v", event.VerdictChanged, &event.VerdictChange{JobID: "scan-1", ImageRef: "alpine:3", Owner: "ann", Environment: "production", Outcome: "block", Before: "pass", Because: "b",
			Verdict: "sha256:v", Key: "sha256:k", Policy: "release", Version: 2, At: at, Cause: "head/3", Blocked: 1, Blocking: []string{"CVE-1 pkg:npm/x@1"}},
			`{"at":"2026-11-29T12:00:00Z","because":"b","before":"pass","blocked":1,"blocking":["CVE-1 pkg:npm/x@1"],"cause":"head/3","environment":"production","id":"v","image_ref":"alpine:3","job_id":"scan-1","key":"sha256:k","outcome":"block","owner":"ann","policy":"release","policy_version":2,"source":"policy","tenant":"acme","type":"policy.verdict.changed","verdict":"sha256:v"}`},
		{"n", event.PolicyActivated, &event.Activation{Number: 2, Environment: "", Policy: "release", Version: 1, Digest: "sha256:d", Before: "release", BeforeVersion: 2, Rollback: true, By: "ann", Reason: "it was too strict"},
			`{"before":"release","before_version":2,"by":"ann","digest":"sha256:d","environment":"","id":"n","number":2,"policy":"release","policy_version":1,"reason":"it was too strict","rollback":true,"source":"policy","tenant":"acme","type":"policy.activated"}`},
		{"x", event.ExceptionCreated, &event.ExceptionChange{ID: "exc-1", Effect: "defer", Owner: "ann", By: "bob", Reason: "soon", Expires: at},
			`{"by":"bob","effect":"defer","exception_id":"exc-1","expires":"2026-11-29T12:00:00Z","id":"x","owner":"ann","reason":"soon","source":"policy","tenant":"acme","type":"policy.exception.created"}`},
	} {
		body, err := c.data.Encode()
		if err != nil {
			t.Fatal(err)
		}
		e := event.Event{ID: c.id, Type: c.typ, Source: "policy", Tenant: "acme", Data: body}
		got, err := e.Encode()
		if diff := cmp.Diff(c.want, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.id, err, diff)
		}
		back, err := event.Decode(got)
		if err != nil {
			t.Fatal(err)
		}
		switch want := c.data.(type) {
		case *event.PolicyJob:
			read, err := event.DecodePolicyJob(back)
			if diff := cmp.Diff(want, read); err != nil || diff != "" {
				t.Errorf("read back: %v\n%s", err, diff)
			}
		case *event.VerdictChange:
			read, err := event.DecodeVerdictChange(back)
			if diff := cmp.Diff(want, read); err != nil || diff != "" {
				t.Errorf("read back: %v\n%s", err, diff)
			}
		}
	}
}

func TestPolicyEventsRefuse(t *testing.T) {
	for _, data := range []string{`{}`, `{"job_id":"s","cause":"c"}`, `{"job_id":"s","at":"2026-11-29T12:00:00Z"}`, `{"at":"2026-11-29T12:00:00Z","cause":"c"}`, `[]`, ``, `{"job_id":"s","at":"noon","cause":"c"}`} {
		if _, err := event.DecodePolicyJob(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: %v", data, err)
		}
	}
	for _, data := range []string{`{}`, `{"job_id":"s"}`, `{"outcome":"pass"}`, `x`} {
		if _, err := event.DecodeVerdictChange(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: %v", data, err)
		}
	}
	d := event.VerdictChange{Blocking: make([]string, event.MaxBlocking+1)}
	if _, err := d.Encode(); !errors.Is(err, event.ErrLimit) {
		t.Errorf("too many: %v", err)
	}
	d.Blocking = nil
	for range event.MaxBlocking {
		d.Blocking = append(d.Blocking, strings.Repeat("n", 1024))
	}
	body, err := d.Encode()
	e := event.Event{ID: "v", Type: event.VerdictChanged, Source: "policy", Data: body}
	if _, fits := e.Encode(); err != nil || fits != nil {
		t.Errorf("the most names, of the usual length: %v, %v", err, fits)
	}
}
