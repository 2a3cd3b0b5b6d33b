package policyfile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
)

// Expectation is what a test wants or gets. Members that are empty are not compared.
// A rule that is wanted is the one that decided, or one that warned.
type Expectation struct {
	Outcome   policy.Outcome
	Gate      policy.Gate
	Rule      string
	Exception string
}

// String returns the expectation in a line.
func (e Expectation) String() string {
	parts := []string{string(e.Outcome)}
	for _, p := range [][2]string{{"by gate ", string(e.Gate)}, {"by rule ", e.Rule}, {"by exception ", e.Exception}} {
		if p[1] != "" {
			parts = append(parts, p[0]+p[1])
		}
	}
	return strings.Join(parts, " ")
}

// TestResult is the result of one test.
type TestResult struct {
	Name string
	Line int // of the test in its file
	// Want is what the test wants, Got what was decided.
	Want, Got Expectation
	Passed    bool
	// Because is the reason of what was decided, Warnings the rules that warned.
	Because  string
	Warnings []string
	// Trace is how it was decided, as canonical JSON.
	Trace []byte
}

// Test runs a file of tests against a policy: each gives a finding, secrets or files,
// with what else is known, and what is to be decided about it. The format is described in
// docs/policy.md. The results are in the order of the file; at least one. The error is
// a *DocumentError for a file that is wrong, or what policy.Compile says of the
// policy.
func Test(p *policy.Policy, name string, text []byte) ([]TestResult, error) {
	engine, err := policy.Compile(p, &policy.Options{Expressions: Expressions})
	if err != nil {
		return nil, err
	}
	r, root, err := open(name, text)
	if err != nil {
		return nil, err
	}
	var tests []fixture
	if root != nil {
		tests = (&fixtures{reader: r, policy: p}).read(root)
	}
	if err := r.errors(); err != nil {
		return nil, err
	}
	out := make([]TestResult, 0, len(tests))
	for i := range tests {
		t := &tests[i]
		result, err := engine.Evaluate(&t.inputs)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: test %q: %w", name, t.line, t.name, err)
		}
		r := TestResult{Name: t.name, Line: t.line, Want: t.want, Trace: result.Trace}
		if err := r.decided(); err != nil {
			return nil, fmt.Errorf("%s:%d: test %q: %w", name, t.line, t.name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// decided fills in what the trace says.
func (r *TestResult) decided() error {
	trace, err := policy.DecodeTrace(r.Trace)
	if err != nil {
		return err
	}
	r.Got, r.Because = Expectation{Outcome: trace.Outcome, Gate: policy.GateEvidence}, trace.Because
	if len(trace.Decisions) == 0 && trace.Outcome == policy.Pass {
		r.Got.Gate = policy.GateNone
	}
	if len(trace.Decisions) > 0 && trace.Outcome == trace.Decisions[0].Outcome { // else it is by a gap
		d := &trace.Decisions[0]
		r.Got, r.Because, r.Warnings = Expectation{Outcome: d.Outcome, Gate: d.Gate, Rule: d.Rule, Exception: d.Exception}, d.Because, d.Warnings
	} else if i := slices.IndexFunc(trace.Items, func(x policy.Item) bool { return x.Outcome == trace.Outcome }); i >= 0 {
		x := &trace.Items[i]
		r.Got, r.Because, r.Warnings = Expectation{Outcome: x.Outcome, Gate: x.Gate, Rule: x.Rule}, x.Because, x.Warnings
	}
	want := r.Want
	r.Passed = want.Outcome == r.Got.Outcome && (want.Gate == "" || want.Gate == r.Got.Gate) && (want.Exception == "" || want.Exception == r.Got.Exception) &&
		(want.Rule == "" || want.Rule == r.Got.Rule || has(r.Warnings, want.Rule))
	return nil
}

// fixture is a test that was read.
type fixture struct {
	name   string
	line   int
	inputs policy.Inputs
	want   Expectation
}

// fixtures reads files of tests.
type fixtures struct {
	*reader
	policy *policy.Policy
}

// maxTests bounds the tests of one file.
const maxTests = 10_000

func (x *fixtures) read(n *yaml.Node) []fixture {
	f := x.fields(n, "", "at", "environment", "signals", "controls", "image", "tests")
	if f == nil {
		return nil
	}
	list := x.list(f["tests"], "tests")
	if len(list) == 0 {
		x.bad(n, "tests", "there are none")
	}
	if len(list) > maxTests {
		x.bad(f["tests"], "tests", "%d tests, at most %d", len(list), maxTests)
		return nil
	}
	var out []fixture
	for i, t := range list {
		out = append(out, x.test(t, fmt.Sprintf("tests[%d]", i), f))
	}
	return out
}

// test reads one test. What it does not say of at, environment, signals, controls and
// image, the file says for all.
func (x *fixtures) test(n *yaml.Node, path string, file map[string]*yaml.Node) fixture {
	out := fixture{line: n.Line}
	f := x.fields(n, path, "name", "at", "environment", "signals", "controls", "image", "finding", "secrets", "files", "not_looked_for", "vex", "exceptions", "gaps", "want")
	if f == nil {
		return out
	}
	of := func(name string) (*yaml.Node, string) {
		if f[name] != nil {
			return f[name], path + "." + name
		}
		return file[name], name
	}
	if f["name"] == nil || f["want"] == nil {
		x.bad(n, path, "name and want: both are required")
	}
	out.name = x.text(f["name"], path+".name", 256)
	in := &out.inputs
	if in.At = x.time(of("at")); in.At.IsZero() {
		in.At = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	environment, at := of("environment")
	in.Environment = x.text(environment, at, 128)
	in.Signals = []string{"epss", "kev"}
	if signals, at := of("signals"); signals != nil {
		in.Signals = nil
		if len(signals.Content) > 0 || signals.Kind != yaml.SequenceNode { // [] is that there are none
			in.Signals = x.texts(signals, at, []string{"epss", "kev"})
		}
	}
	controls, at := of("controls")
	in.Controls = x.texts(controls, at, nil)
	image, at := of("image")
	x.image(in, image, at)
	in.Digests.Advisories = sum.Of([]byte("advisories"))
	x.finding(in, f["finding"], path+".finding")
	x.items(in, f, path)
	x.vex(in, f["vex"], path+".vex")
	x.exceptions(in, f["exceptions"], path+".exceptions")
	x.gaps(in, f["gaps"], path+".gaps")
	out.want = x.want(f["want"], path+".want")
	if f["finding"] == nil && (f["vex"] != nil || f["exceptions"] != nil) {
		x.bad(n, path, "vex and exceptions are about a finding, and there is none")
	}
	return out
}

// want reads an outcome, or a mapping with what decides too.
func (x *fixtures) want(n *yaml.Node, path string) (out Expectation) {
	outcomes := strs([]policy.Outcome{policy.Pass, policy.Warn, policy.NotAssessed, policy.Block, policy.Error})
	if n == nil {
		return out
	}
	if n.Kind == yaml.ScalarNode {
		out.Outcome = policy.Outcome(x.oneOf(n, path, outcomes))
		return out
	}
	f := x.fields(n, path, "outcome", "gate", "rule", "exception")
	if f["outcome"] == nil {
		x.bad(n, path+".outcome", "it is missing")
	}
	out.Outcome = policy.Outcome(x.oneOf(f["outcome"], path+".outcome", outcomes))
	out.Gate = policy.Gate(x.oneOf(f["gate"], path+".gate", strs([]policy.Gate{policy.GateEvidence, policy.GateLattice, policy.GateTrust, policy.GateRules, policy.GateThreshold, policy.GateNone})))
	var ids []string
	for _, r := range x.policy.Rules {
		ids = append(ids, r.ID)
	}
	out.Rule = x.oneOf(f["rule"], path+".rule", ids)
	out.Exception = x.text(f["exception"], path+".exception", 128)
	return out
}
