package console

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
)

// changesView is what differs from the scan before.
type changesView struct {
	Before   *scan.Job
	Inputs   []string // kinds of inputs that differ
	Packages []sbom.Change
	Findings []findingChange
	More     int // changes of packages that are not shown
}

// findingChange is a finding that came, went, or is decided otherwise.
type findingChange struct {
	Name, Vulnerability string
	Before, After       policy.Outcome
	Causes              []string
	Because             string
}

// compare reads the scan before this one, and what differs.
func (d *scanView) compare(ctx context.Context, v *visit) error {
	before, err := previous(ctx, v.api, d.Job)
	if err != nil || before == nil {
		return err
	}
	c := &changesView{Before: before}
	d.Changes = c
	var old, now *sbom.Document
	var trace *policy.Trace
	var failed, wrong error
	together(
		func() { old, failed = v.api.document(ctx, before.ID) },
		func() { now, wrong = v.api.document(ctx, d.Job.ID) },
		func() {
			s, err := v.api.policies.Verdict(ctx, before.ID)
			if err != nil {
				return // it may have none, or not be the person's to read
			}
			if w := s.Worst(); w != nil && w.Key != "" {
				if t, err := v.api.verdict(ctx, w.Key); err == nil {
					trace = t.Trace
				}
			}
		},
	)
	if err := cmp.Or(failed, wrong); err != nil {
		return err
	}
	c.Packages = sbom.Diff(old, now)
	if c.More = max(len(c.Packages)-maxRows, 0); c.More > 0 {
		c.Packages = c.Packages[:maxRows]
	}
	if trace != nil && d.Trace != nil {
		c.Inputs = differing(&trace.Inputs, &d.Trace.Inputs)
		c.Findings = changed(trace, d.Trace, c.Inputs)
	}
	return nil
}

// differing are the kinds of inputs that two verdicts do not share.
func differing(a, b *policy.Digests) (out []string) {
	for _, x := range []struct {
		name string
		same bool
	}{
		{"image", a.SBOM == b.SBOM}, {"advisories", a.Advisories == b.Advisories}, {"vex", slices.Equal(a.VEX, b.VEX) && a.Trust == b.Trust},
		{"policy", a.Policy == b.Policy}, {"exceptions", a.Exceptions == b.Exceptions},
	} {
		if !x.same {
			out = append(out, x.name)
		}
	}
	return out
}

// changed are the findings that two traces do not share. One whose package, in that version,
// is on one side alone comes from the image; any other from one of the other inputs that
// differ, or else from the time.
func changed(a, b *policy.Trace, inputs []string) (out []findingChange) {
	type key struct{ name, vulnerability string }
	index := func(t *policy.Trace) (map[key]*policy.Decided, map[string]bool) {
		of, versions := map[key]*policy.Decided{}, map[string]bool{}
		for i := range t.Decisions {
			x := &t.Decisions[i]
			k := key{x.Name, x.Vulnerability}
			if old := of[k]; old == nil || x.Outcome.Rank() > old.Outcome.Rank() {
				of[k] = x
			}
			versions[x.Name+"\x00"+x.Version] = true
		}
		return of, versions
	}
	old, had := index(a)
	now, has := index(b)
	others := slices.DeleteFunc(slices.Clone(inputs), func(s string) bool { return s == "image" })
	if len(others) == 0 {
		others = []string{"time"}
	}
	add := func(k key, before, after *policy.Decided) {
		c := findingChange{Name: k.name, Vulnerability: k.vulnerability, Causes: others}
		if before != nil {
			c.Before, c.Because = before.Outcome, before.Because
			if !has[k.name+"\x00"+before.Version] && slices.Contains(inputs, "image") {
				c.Causes = []string{"image"}
			}
		}
		if after != nil {
			c.After, c.Because = after.Outcome, after.Because
			if !had[k.name+"\x00"+after.Version] && slices.Contains(inputs, "image") {
				c.Causes = []string{"image"}
			}
		}
		out = append(out, c)
	}
	for k, x := range now {
		if o := old[k]; o == nil || o.Outcome != x.Outcome {
			add(k, o, x)
		}
	}
	for k, x := range old {
		if now[k] == nil {
			add(k, x, nil)
		}
	}
	slices.SortFunc(out, func(x, y findingChange) int {
		return cmp.Or(cmp.Compare(outcomeRank(x.After), outcomeRank(y.After)), strings.Compare(x.Vulnerability, y.Vulnerability), strings.Compare(x.Name, y.Name))
	})
	return out
}
