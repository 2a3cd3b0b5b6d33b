package policy_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/verify"
)

// cases is how many random cases a test has.
func cases(short, long int) int {
	if os.Getenv("STELLA_LONG") != "" {
		return long
	}
	return short
}

func evaluate(t testing.TB, p *policy.Policy, in *policy.Inputs) *policy.Result {
	t.Helper()
	e, err := policy.Compile(p, &policy.Options{Expressions: expressions, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	if key := e.KeyOf(in); key != r.Verdict.Key() {
		t.Fatalf("the key of the inputs is %s, of the verdict %s", key, r.Verdict.Key())
	}
	return r
}

// TestAgainstVerifier: what is recomputed from the trace alone, by other code, is what
// was decided, in every case. The order of what has none changes no byte.
func TestAgainstVerifier(t *testing.T) {
	for seed := range cases(5_000, 1_000_000) {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 7))}
		p, in := d.policy(), d.inputs(t)
		r := evaluate(t, p, in)
		v, err := verify.Verdict(r.Body, r.Trace)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, r.Body, r.Trace)
		}
		if diff := cmp.Diff(r.Verdict, v); diff != "" {
			t.Fatalf("seed %d: read back:\n%s", seed, diff)
		}
		d.Shuffle(len(in.Statements), func(i, j int) { in.Statements[i], in.Statements[j] = in.Statements[j], in.Statements[i] })
		d.Shuffle(len(in.Exceptions), func(i, j int) { in.Exceptions[i], in.Exceptions[j] = in.Exceptions[j], in.Exceptions[i] })
		d.Shuffle(len(in.Gaps), func(i, j int) { in.Gaps[i], in.Gaps[j] = in.Gaps[j], in.Gaps[i] })
		slices.Reverse(in.Signals)
		in.Statements = append(in.Statements, in.Statements...)
		if again := evaluate(t, p, in); !bytes.Equal(again.Trace, r.Trace) || !bytes.Equal(again.Body, r.Body) {
			t.Fatalf("seed %d: another order gives other bytes:\n%s\n%s", seed, r.Trace, again.Trace)
		}
	}
}

// TestUntilNextChange: before the time that a verdict names for it, nothing is decided
// otherwise.
func TestUntilNextChange(t *testing.T) {
	changed := 0
	for seed := range cases(1_500, 200_000) {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 9))}
		p, in := d.policy(), d.inputs(t)
		r := evaluate(t, p, in)
		next := r.Verdict.NextChange
		for _, hours := range []int{1, 11, 12, 13, 24, 48, 71, 72, 120, 1000} {
			in.At = at.Add(time.Duration(hours) * time.Hour)
			later := evaluate(t, p, in)
			same := later.Verdict.Outcome == r.Verdict.Outcome && later.Verdict.Because == r.Verdict.Because && later.Verdict.Counts == r.Verdict.Counts
			if before := next.IsZero() || in.At.Before(next); before && !same {
				t.Fatalf("seed %d: %s at %v, %s at %v; the next change is at %v\n%s\n%s", seed, r.Verdict.Outcome, at, later.Verdict.Outcome, in.At, next, r.Trace, later.Trace)
			} else if !same {
				changed++
			}
		}
	}
	if changed == 0 {
		t.Error("nothing ever changed: the test shows nothing")
	}
}
