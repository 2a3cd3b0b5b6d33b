package scan_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/event"
)

// desk is Evaluations with one evaluation, at a given attempt, and how it ended.
type desk struct {
	attempt    int
	conclusion *scan.Conclusion
	failure    *scan.Failure
}

func (d *desk) ClaimEvaluation(_ context.Context, c scan.ClaimRequest) (*scan.Evaluation, error) {
	return &scan.Evaluation{Lease: scan.Lease{JobID: c.JobID, Holder: c.Holder, Attempt: d.attempt, Length: c.Length}, Job: &scan.Job{ID: c.JobID, Summary: &scan.Summary{}}}, nil
}

func (d *desk) FinishEvaluation(_ context.Context, _ scan.Lease, c scan.Conclusion) error {
	d.conclusion = &c
	return nil
}

func (d *desk) FailEvaluation(_ context.Context, _ scan.Lease, f scan.Failure) error {
	d.failure = &f
	return nil
}

type decided struct{ signing error }

func (decided) Evaluate(context.Context, *scan.Evaluation, time.Time) (*scan.Verdict, error) {
	return &scan.Verdict{Digest: "sha256:00", Outcome: "pass", Body: []byte("{}")}, nil
}

func (d decided) Sign(context.Context, *scan.Evaluation, []byte) (*scan.Signature, error) {
	if d.signing != nil {
		return nil, d.signing
	}
	return &scan.Signature{KeyID: "k"}, nil
}

// A signer that starts anew leaves nothing unsigned, one that stays away holds nothing up,
// and one that refuses is never passed over.
func TestCompleterWaitsForItsSigner(t *testing.T) {
	away := fmt.Errorf("dial: %w", fault.Unavailable)
	s := newSite(t)
	j := s.submit(scan.Request{Image: "alpine:latest"})
	s.work(t.Context(), j, 1)
	message := s.message(j, event.SBOMCreated, "sbom")
	for name, c := range map[string]struct {
		attempt int
		signing error
		want    string
	}{
		"there":              {1, nil, "signed"},
		"away":               {1, away, "again"},
		"away once more":     {2, away, "again"},
		"away for good":      {3, away, "unsigned"},
		"there at last":      {3, nil, "signed"},
		"refuses":            {1, fmt.Errorf("not yours: %w", fault.Forbidden), "failed"},
		"refuses in the end": {4, fmt.Errorf("not yours: %w", fault.Forbidden), "failed"},
	} {
		d := &desk{attempt: c.attempt}
		completer := &scan.Completer{Holder: "web", Evaluator: decided{}, Signer: decided{signing: c.signing},
			Jobs: func(string) (scan.Evaluations, error) { return d, nil }}
		if err := completer.Handle(t.Context(), message); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got string
		switch {
		case d.failure != nil && d.conclusion != nil:
			got = "both"
		case d.failure != nil && !strings.HasPrefix(d.failure.Cause, "sign: "):
			got = d.failure.Cause
		case d.failure != nil && d.failure.Permanent:
			got = "failed"
		case d.failure != nil:
			got = "again"
		case d.conclusion.Unsigned && d.conclusion.Signature == nil:
			got = "unsigned"
		case d.conclusion.Signature != nil:
			got = "signed"
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
