package attest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// Requirement asks that somebody says something about a subject.
type Requirement struct {
	// Name is how messages call it.
	Name string
	// Predicates, Signers, Threshold, Logged, Stamped and MaxAge are as in Expectation,
	// but Threshold counts over all bundles that hold the same statement: a bundle has
	// one signature.
	Predicates      []string
	Signers         []string
	Threshold       int
	Logged, Stamped bool
	MaxAge          time.Duration
	// Decision holds verdicts against more; nil takes every verdict, one that blocks too.
	Decision *Decision
}

// Met is how a requirement was met, or why not.
type Met struct {
	Requirement string
	// Statement is the statement that meets it, Lines the bundles that hold it, numbered
	// from 1 as they were given, and Signers who signed it. All are empty where Err is
	// not nil.
	Statement *intoto.Statement
	Lines     []int
	Signers   []string
	// Err says why nothing meets it: what is wrong with each bundle of the right kind, or
	// that there is none.
	Err error
}

// Meet verifies bundles and envelopes, each apart from the others, and says which of the
// requirements are met. Anybody may attach something to an image, so a bundle that is
// broken, or of a stranger, keeps no other from counting; but it never counts itself.
// A verdict that counts otherwise does not where a later one is there, by the same policy,
// for the same environment and about the same thing, of somebody who may decide as well:
// what passed last week has been decided anew. want holds for each of them beside the
// requirement. Without a requirement nothing is met: that is ErrInvalid.
func (v *Verifier) Meet(ctx context.Context, texts [][]byte, requirements []Requirement, want *Expectation) ([]Met, error) {
	if len(requirements) == 0 {
		return nil, fmt.Errorf("verify: nothing is required: %w", fault.Invalid)
	}
	out := make([]Met, len(requirements))
	for i := range requirements {
		var err error
		if out[i], err = v.meet(ctx, texts, &requirements[i], want); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// beside is what a bundle must be for the requirement: the stricter of what it and want
// say.
func (r *Requirement) beside(want *Expectation) (*Expectation, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	if r.Threshold < 0 || r.MaxAge < 0 || r.Decision != nil && r.Decision.MaxAge < 0 {
		return nil, fmt.Errorf("verify: requirement %.80q: a threshold or an age is negative: %w", r.Name, fault.Invalid)
	}
	each := *want
	each.Threshold = 1
	each.Logged, each.Stamped = want.Logged || r.Logged, want.Stamped || r.Stamped
	if r.MaxAge > 0 && (want.MaxAge == 0 || r.MaxAge < want.MaxAge) {
		each.MaxAge = r.MaxAge
	}
	each.Signers = both(r.Signers, want.Signers, func(a, b string) bool { return a == b })
	each.Predicates = both(r.Predicates, want.Predicates, intoto.SamePredicate)
	return &each, nil
}

// both are the values that two lists allow, of which an empty one allows all; of two
// that are the same the longer, which says more. Where they allow nothing it is a value
// that nothing has, for no value at all would allow everything.
func both(a, b []string, same func(a, b string) bool) []string {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	var out []string
	for _, x := range a {
		for _, y := range b {
			if same(x, y) && len(x) > len(y) {
				out = append(out, x)
			} else if same(x, y) {
				out = append(out, y)
			}
		}
	}
	if len(out) == 0 {
		return []string{""}
	}
	return out
}

// candidate is a statement that verified, with everybody who signed it.
type candidate struct {
	payload   string // its digest
	statement *intoto.Statement
	verdict   *verdict.Verdict // nil where it is none
	refused   error            // by the decision; it does not count, and may replace another
	lines     []int
	signers   []string
}

type candidates []*candidate

func (v *Verifier) meet(ctx context.Context, texts [][]byte, r *Requirement, want *Expectation) (Met, error) {
	each, err := r.beside(want)
	if err != nil {
		return Met{}, err
	}
	var found candidates
	var failed []error
	for i, text := range texts {
		verified, err := v.Verify(ctx, text, each)
		if err != nil && Code(err) == "" { // it is not the bundle's fault
			return Met{}, err
		}
		if err == nil {
			err = found.add(verified, i+1, r, want.At)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("bundle %d: %w", i+1, err))
		}
	}
	need := max(r.Threshold, want.Threshold, 1)
	for _, c := range found {
		if c.refused != nil {
			continue // as was said above
		}
		if later := found.replaces(c); later != nil {
			failed = append(failed, refuse(ReasonOutcome, "statement "+c.payload, fmt.Sprintf("as of %s, and bundle %d decides as of %s: %s",
				c.verdict.At.Format(time.RFC3339), later.lines[0], later.verdict.At.Format(time.RFC3339), later.verdict.Outcome), nil))
			continue
		}
		if len(c.signers) >= need {
			return Met{Requirement: r.Name, Statement: c.statement, Lines: c.lines, Signers: c.signers}, nil
		}
		failed = append(failed, refuse(ReasonThreshold, "statement "+c.payload, fmt.Sprintf("%d distinct keys signed it, want %d", len(c.signers), need), nil))
	}
	if len(texts) == 0 {
		failed = append(failed, refuse(ReasonUnsigned, "subject", "nothing is attached to it", nil))
	}
	return Met{Requirement: r.Name, Err: errors.Join(failed...)}, nil
}

// replaces returns a verdict that was decided in place of another, or nil.
func (list candidates) replaces(c *candidate) *candidate {
	if c.verdict == nil {
		return nil
	}
	for _, o := range list {
		if o == c || o.verdict == nil || o.verdict.Environment != c.verdict.Environment || o.verdict.Policy.ID != c.verdict.Policy.ID || !o.statement.About(c.statement.Digests()...) {
			continue
		}
		if o.verdict.At.After(c.verdict.At) || o.verdict.At.Equal(c.verdict.At) && o.refused != nil {
			return o
		}
	}
	return nil
}

// add adds a statement that verified. An error says that it does not count.
func (list *candidates) add(verified *Verified, line int, r *Requirement, at time.Time) error {
	statement := verified.Statement
	if statement == nil {
		return refuse(ReasonStatement, "payload", fmt.Sprintf("%.200q is no statement", verified.PayloadType), nil)
	}
	var err error
	c := &candidate{payload: sum.Of(verified.Payload), statement: statement}
	if intoto.KindOf(statement.PredicateType) == intoto.Verdict {
		if c.verdict, err = verdict.Read(statement); err != nil {
			return refuse(ReasonPredicate, "statement", "", err)
		}
		if r.Decision != nil {
			c.refused = r.Decision.Check(c.verdict, at)
		}
	} else if r.Decision != nil {
		return refuse(ReasonPredicateType, "statement", "it is no verdict", nil)
	}
	if i := slices.IndexFunc(*list, func(o *candidate) bool { return o.payload == c.payload }); i >= 0 {
		c = (*list)[i]
	} else {
		*list = append(*list, c)
	}
	c.lines = append(c.lines, line)
	c.signers = slices.Compact(slices.Sorted(slices.Values(append(c.signers, verified.Signers...))))
	return c.refused
}
