package main

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
)

// affectedAt asks a server whether a vulnerability affects the package that a package URL
// names, and why: by the server's newest data, and its clock. An error says what to do
// against it, where something can be done.
func (p *program) affectedAt(ctx context.Context, f *serverFlags, purl, vulnerability string, db *dbFlags) (*finding.Explanation, error) {
	r, err := p.connect(ctx, f)
	if err != nil {
		return nil, err
	}
	x, err := r.advisories.Explain(ctx, advisoryhttp.Question{PURL: purl, Vulnerability: vulnerability}, &advisoryhttp.Options{MatchOwned: db.matchOwned, CPE: db.cpe})
	return x, r.explain(err)
}

// ruling is what a server decided about a scan: a verdict, as it was signed, with its trace.
type ruling struct {
	Body    []byte
	Verdict *policy.Verdict
	Trace   []byte
}

// ruled gets the verdict that holds about a scan and its trace, both verified: that of an
// environment, or for "" the worst of all. An error wraps fault.NotFound where there is none.
func (r *service) ruled(ctx context.Context, id, environment string) (*ruling, error) {
	var only []string
	if environment != "" {
		only = []string{environment}
	}
	standings, err := r.policy.Verdict(ctx, id, only...)
	if err != nil {
		return nil, err
	}
	worst := standings.Worst()
	if err := wanting(worst, environment, true); err != nil {
		return nil, err
	}
	if worst.Key == "" {
		return nil, fmt.Errorf("scan %s has no verdict: its evaluation failed: %s", id, clean(worst.Because))
	}
	return r.ruling(ctx, worst.Key)
}

// ruling gets a verdict by its key, with its trace.
func (r *service) ruling(ctx context.Context, key string) (*ruling, error) {
	out := new(ruling)
	var err error
	if out.Body, out.Verdict, err = r.policy.Find(ctx, key); err != nil {
		return nil, err
	}
	if out.Trace, err = r.policy.Trace(ctx, out.Verdict); err != nil {
		return nil, err
	}
	return out, nil
}
