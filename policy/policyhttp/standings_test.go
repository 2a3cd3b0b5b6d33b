package policyhttp_test

import (
	"testing"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
)

func TestWorst(t *testing.T) {
	s := &policyhttp.Standings{Outcome: policy.Block, Verdicts: []policy.Standing{{Environment: "a", Outcome: policy.Pass}, {Environment: "b", Outcome: policy.Block}, {Environment: "c", Outcome: policy.Block}}}
	if w := s.Worst(); w != &s.Verdicts[1] {
		t.Errorf("%+v", w)
	}
	if w := (&policyhttp.Standings{Outcome: policy.NotAssessed}).Worst(); w != nil {
		t.Errorf("of nothing: %+v", w)
	}
}
