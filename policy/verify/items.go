package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
)

// items recomputes what was decided beside findings, and that nothing is left out: the
// trace says how many secrets and files there are.
func (c *check) items(v *policy.Verdict) error {
	has := map[policy.About]int{}
	for i := range c.trace.Items {
		x := &c.trace.Items[i]
		if err := c.item(x); err != nil {
			return fmt.Errorf("/items/%d: %s: %w", i, name(x), err)
		}
		if has[x.About]++; i > 0 && order(x) < order(&c.trace.Items[i-1]) {
			return fmt.Errorf("/items/%d: it is not in its place", i)
		}
		*map[policy.Outcome]*int{
			policy.Pass: &v.Counts.Items.Pass, policy.Warn: &v.Counts.Items.Warn, policy.NotAssessed: &v.Counts.Items.NotAssessed,
			policy.Block: &v.Counts.Items.Block, policy.Error: &v.Counts.Items.Error,
		}[x.Outcome]++
		if x.Outcome.Rank() > v.Outcome.Rank() {
			v.Outcome, v.Because = x.Outcome, name(x)+": "+x.Because
		}
	}
	want := map[policy.About]int{policy.AboutImage: 1}
	for about, fact := range map[policy.About]string{policy.AboutSecret: "secrets", policy.AboutFile: "files"} {
		n, looked, err := number(c.trace.Facts[fact])
		if err != nil {
			return fmt.Errorf("/facts/%s: %w", fact, err)
		}
		if want[about] = int(n); !looked && c.restricts(about) {
			want[about] = 1
		}
	}
	for _, about := range []policy.About{policy.AboutImage, policy.AboutSecret, policy.AboutFile} {
		n := want[about]
		if !slices.ContainsFunc(c.trace.Policy.Rules, func(r policy.Rule) bool { return r.About == about }) {
			n = 0
		}
		if has[about] != n {
			return fmt.Errorf("/items: %d are about %ss, want %d", has[about], about, n)
		}
	}
	return nil
}

// item recomputes one. It is as a finding that nobody rates and nobody speaks about.
func (c *check) item(x *policy.Item) error {
	if x.Outcome.Rank() < 0 || order(x) < 0 {
		return fmt.Errorf("outcome %q of %q is none", x.Outcome, x.About)
	}
	d := &policy.Decided{Outcome: x.Outcome, Gate: x.Gate, Rule: x.Rule, Because: x.Because, Warnings: x.Warnings, Facts: x.Facts, Rules: x.Rules}
	if x.About != policy.AboutImage && x.Path == "" && x.Secret == "" { // nobody looked
		fact, why := "files", "nobody looked for files that no package accounts for"
		if x.About == policy.AboutSecret {
			fact, why = "secrets", "nobody looked for secrets"
		}
		if _, looked, err := number(c.trace.Facts[fact]); looked || err != nil || !c.restricts(x.About) {
			return fmt.Errorf("somebody looked, or nothing hangs on it")
		}
		if len(x.Rules) > 0 {
			return fmt.Errorf("rules were asked about nothing")
		}
		return (&reached{outcome: c.gates.Evidence.Unknown, gate: policy.GateEvidence, because: why}).same(d)
	}
	got, err := c.gate(d, x.About, x.Rules, &supplied{}, finding.Unknown)
	if err != nil {
		return err
	}
	return got.same(d)
}

// restricts reports whether a rule about such things may make an outcome worse.
func (c *check) restricts(about policy.About) bool {
	return slices.ContainsFunc(c.trace.Policy.Rules, func(r policy.Rule) bool {
		return r.About == about && (r.Action == policy.ActionBlock || r.Action == policy.ActionWarn)
	})
}

// order is the place of an item among others: the image, secrets, files. -1 is none.
func order(x *policy.Item) int {
	return slices.Index([]policy.About{policy.AboutImage, policy.AboutSecret, policy.AboutFile}, x.About)
}

// name says what an item is, in the words of verdicts.
func name(x *policy.Item) string {
	if x.About == policy.AboutImage {
		return "image"
	}
	if x.Path == "" && x.Secret == "" {
		return string(x.About) + "s"
	}
	parts := []string{string(x.About)}
	if x.About == policy.AboutSecret {
		parts = append(parts, x.Secret, "in")
	}
	text := strings.Join(append(parts, x.Path), " ")
	if x.About == policy.AboutSecret && x.Line > 0 {
		text += ":" + strconv.Itoa(x.Line)
	}
	return text
}
