package verdict

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// check refuses what no evaluation gives.
func (v *Verdict) check() error {
	switch {
	case v.Outcome.rank() < 0:
		return fmt.Errorf("outcome %.40q is none: %w", v.Outcome, fault.Invalid)
	case v.At.IsZero() || !isUTC(v.At):
		return fmt.Errorf("at: want a time in UTC: %w", fault.Invalid)
	case v.Policy.ID == "" || v.Policy.Version < 1:
		return fmt.Errorf("policy: want an id, and a version of 1 or more: %w", fault.Invalid)
	case v.Engine.Semantics < 1:
		return fmt.Errorf("engine: semantics %d, want 1 or more: %w", v.Engine.Semantics, fault.Invalid)
	}
	if err := v.checkDigests(); err != nil {
		return err
	}
	return v.checkOutcome()
}

func isUTC(t time.Time) bool {
	_, offset := t.Zone()
	return offset == 0
}

func (v *Verdict) checkDigests() error {
	in := &v.Inputs
	for _, d := range []struct {
		name, digest string
		optional     bool
	}{
		{"sbom", in.SBOM, true}, {"report", in.Report, false}, {"advisories", in.Advisories, true}, {"trust", in.Trust, true},
		{"policy", in.Policy, false}, {"exceptions", in.Exceptions, false}, {"subject", in.Subject, false},
	} {
		if !sum.Is(d.digest) && (d.digest != "" || !d.optional) {
			return fmt.Errorf("inputs: %s %.80q is no digest: %w", d.name, d.digest, fault.Invalid)
		}
	}
	for i, d := range in.VEX {
		if !sum.Is(d) {
			return fmt.Errorf("inputs: vex[%d] %.80q is no digest: %w", i, d, fault.Invalid)
		}
	}
	if !sum.Is(v.Trace) {
		return fmt.Errorf("trace %.80q is no digest: %w", v.Trace, fault.Invalid)
	}
	for _, d := range v.Subject.Image.Digests {
		if _, err := intoto.NewSubject("", d); err != nil {
			return fmt.Errorf("image: %w", err)
		}
	}
	if len(v.Named()) == 0 {
		return fmt.Errorf("it names neither an image nor an SBOM by digest: it is about nothing: %w", fault.Invalid)
	}
	return nil
}

// checkOutcome refuses an outcome that is better than what it sums up.
func (v *Verdict) checkOutcome() error {
	c := &v.Counts
	total := 0
	for _, n := range []struct {
		outcome Outcome
		count   int
	}{{Pass, c.Pass}, {Warn, c.Warn}, {NotAssessed, c.NotAssessed}, {Block, c.Block}, {Error, c.Error}} {
		if n.count < 0 {
			return fmt.Errorf("counts: %s is %d: %w", n.outcome, n.count, fault.Invalid)
		}
		if total += n.count; total < 0 || total > c.Findings {
			return fmt.Errorf("counts: the outcomes are of more than %d findings: %w", c.Findings, fault.Invalid)
		}
		if n.count > 0 && n.outcome.rank() > v.Outcome.rank() {
			return fmt.Errorf("outcome %s, and %d findings are %s: %w", v.Outcome, n.count, n.outcome, fault.Invalid)
		}
	}
	for _, n := range []struct {
		outcome Outcome
		count   int
	}{{Pass, c.Items.Pass}, {Warn, c.Items.Warn}, {NotAssessed, c.Items.NotAssessed}, {Block, c.Items.Block}, {Error, c.Items.Error}} {
		if n.count < 0 {
			return fmt.Errorf("counts: %s is %d of items: %w", n.outcome, n.count, fault.Invalid)
		}
		if n.count > 0 && n.outcome.rank() > v.Outcome.rank() {
			return fmt.Errorf("outcome %s, and %d items are %s: %w", v.Outcome, n.count, n.outcome, fault.Invalid)
		}
	}
	switch {
	case total != c.Findings:
		return fmt.Errorf("counts: the outcomes are of %d of %d findings: %w", total, c.Findings, fault.Invalid)
	case c.Gaps < 0:
		return fmt.Errorf("counts: gaps is %d: %w", c.Gaps, fault.Invalid)
	case c.Gaps > 0 && v.Outcome == Pass:
		return fmt.Errorf("outcome %s, and %d gaps: %w", v.Outcome, c.Gaps, fault.Invalid)
	case v.Inputs.Advisories == "" && v.Outcome.rank() < NotAssessed.rank():
		return fmt.Errorf("outcome %s, and there was no advisory data: %w", v.Outcome, fault.Invalid)
	}
	return nil
}
