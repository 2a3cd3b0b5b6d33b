package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory/finding"
)

// gateFlags decide what is shown and what the exit code says.
type gateFlags struct {
	failOn        string
	failOnGap     bool
	severities    string
	ignoreUnfixed bool
	exitCode      int
}

func (f *gateFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.failOn, "fail-on", "", "exit 2 when a finding is at least this severe: low, medium, high or critical; exit 3 when that cannot be said")
	fs.BoolVar(&f.failOnGap, "fail-on-gap", false, "exit 3 when something that matters was not assessed")
	fs.StringVarP(&f.severities, "severity", "s", "", "show findings of these severities alone, separated by commas (unknown is one)")
	fs.BoolVar(&f.ignoreUnfixed, "ignore-unfixed", false, "leave out findings without a fixed version")
	fs.IntVar(&f.exitCode, "exit-code", 0, "exit with this code when any finding is shown")
}

type gate struct {
	flags     *gateFlags
	threshold finding.Severity
	shown     []finding.Severity
}

func (f *gateFlags) parse() (*gate, error) {
	g := &gate{flags: f}
	if f.failOn != "" {
		sev, ok := finding.ParseSeverity(f.failOn)
		if !ok || sev == finding.None {
			return nil, usageError("--fail-on %q: want low, medium, high or critical", f.failOn)
		}
		g.threshold = sev
	}
	for word := range strings.SplitSeq(f.severities, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		sev, ok := finding.ParseSeverity(word)
		if !ok && !strings.EqualFold(word, "unknown") {
			return nil, usageError("--severity %q: want unknown, none, low, medium, high or critical", word)
		}
		g.shown = append(g.shown, sev)
	}
	return g, nil
}

// filter leaves out findings that the user does not want to see. The gate sees
// what is shown.
func (g *gate) filter(r *finding.Report) *finding.Report {
	out := *r
	out.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool {
		return g.flags.ignoreUnfixed && len(f.Fixed) == 0 || len(g.shown) > 0 && !slices.Contains(g.shown, f.Severity)
	})
	return &out
}

// decide turns the result into an exit code. A finding that reaches the
// threshold outweighs a gap: the answer is no either way. A finding of unknown
// severity is a gap for a gate on severities.
func (g *gate) decide(r *result) error {
	blocked := r.Document.Blocked() || r.Report.Blocked()
	if g.threshold != finding.Unknown {
		unrated := 0
		for _, f := range r.Report.Findings {
			if f.Severity.Rank() >= g.threshold.Rank() {
				return &codeError{code: exitBlocked}
			}
			if f.Severity == finding.Unknown {
				unrated++
			}
		}
		if blocked {
			return &codeError{code: exitNotAssessed}
		}
		if unrated > 0 {
			return &codeError{exitNotAssessed, fmt.Errorf("%d findings have no severity to compare with --fail-on %s", unrated, g.threshold)}
		}
	}
	if g.flags.failOnGap && blocked {
		return &codeError{code: exitNotAssessed}
	}
	if g.flags.exitCode != 0 && len(r.Report.Findings) > 0 {
		return &codeError{code: g.flags.exitCode}
	}
	return nil
}
