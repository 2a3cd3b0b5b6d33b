package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// maxDocument bounds a document that is fetched, in bytes.
const maxDocument = 512 << 20

// remoteResult is what a server has to say about a scan.
type remoteResult struct {
	*result
	documents []scan.Stored
	// outcome is the worst of what policies in force there say; "" where none is.
	outcome policy.Outcome
	because string
}

// kept is the document that the server keeps in a format, nil where it keeps none.
func (r *remoteResult) kept(name string) *scan.Stored {
	if i := slices.IndexFunc(r.documents, func(s scan.Stored) bool { return s.Format == name && name != scan.Neutral }); i >= 0 {
		return &r.documents[i]
	}
	return nil
}

// exit is the exit code of what the server decided.
func (r *remoteResult) exit() error {
	switch r.outcome {
	case policy.Block:
		return &codeError{code: exitBlocked}
	case policy.NotAssessed:
		return &codeError{code: exitNotAssessed}
	case policy.Error:
		return &codeError{exitError, fmt.Errorf("the policy could not be evaluated at the server: %s", r.because)}
	case "", policy.Pass, policy.Warn:
		return nil
	}
	return &codeError{exitNotAssessed, fmt.Errorf("the server decided %q, which this release does not know", clean(string(r.outcome)))}
}

// fetch gets what a scan found and what was decided. verdict says that the latter is
// wanted in full.
func (p *program) fetch(ctx context.Context, r *service, job *scan.Job, f *scanFlags, verdict bool) (*remoteResult, error) {
	out := &remoteResult{result: new(result)}
	var err error
	if out.documents, err = r.scans.Documents(ctx, job.ID); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(out.documents, func(s scan.Stored) bool { return s.Format == scan.Neutral })
	if i < 0 {
		return nil, fmt.Errorf("the server keeps no document: its retention may be over: %w", fault.NotFound)
	}
	neutral := &out.documents[i]
	if job.Summary != nil && job.Summary.SBOMDigest != neutral.Ref.Digest {
		return nil, &fault.MismatchError{What: "digest of the document", Want: job.Summary.SBOMDigest, Got: neutral.Ref.Digest}
	}
	text, err := r.scans.Content(ctx, job.ID, neutral, maxDocument)
	if err != nil {
		return nil, err
	}
	if out.Document, _, err = format.Decode(bytes.NewReader(text)); err != nil {
		return nil, fmt.Errorf("the server's document: %w", err)
	}
	if f.output.noSource {
		out.Document.Source = nil
	}
	report, err := r.scans.Findings(ctx, job.ID)
	if err != nil {
		return nil, err
	}
	out.Report = report
	return out, p.fetchVerdict(ctx, r, job, f.decide.environment, out, verdict, f.output.quiet)
}

// fetchVerdict gets what policies in force say. Who may not read verdicts has the outcome
// of the scan alone.
func (p *program) fetchVerdict(ctx context.Context, r *service, job *scan.Job, environment string, out *remoteResult, wanted, quiet bool) error {
	var only []string
	if environment != "" {
		only = []string{environment}
	}
	standings, err := r.policy.Verdict(ctx, job.ID, only...)
	switch {
	case errors.Is(err, fault.Forbidden) && !wanted && environment == "":
		if job.Summary != nil && job.Summary.Outcome != "" {
			out.outcome = policy.Outcome(job.Summary.Outcome)
			if !quiet {
				p.note("the policy's outcome is %s; more of it is not yours to read", out.outcome)
			}
		}
		return nil
	case err != nil:
		return err
	}
	worst := standings.Worst()
	if err := wanting(worst, environment, wanted); err != nil || worst == nil {
		return err
	}
	out.outcome, out.because = standings.Outcome, worst.Because
	if worst.Stale && !quiet {
		p.note("the verdict is being decided anew: something has changed that it follows from")
	}
	if worst.Key == "" { // an evaluation that failed has no verdict
		return nil
	}
	ruled, err := r.ruling(ctx, worst.Key)
	if err != nil {
		return err
	}
	d := &decided{Result: &policy.Result{Body: ruled.Body, Verdict: ruled.Verdict, Trace: ruled.Trace}}
	if d.Trace, err = policy.DecodeTrace(d.Result.Trace); err != nil {
		return err
	}
	d.record.Verdict, d.record.Inputs = d.Verdict, &policy.Inputs{Findings: out.Report.Findings}
	out.Decided = d
	out.Report, out.Excused = d.excuse(out.Report)
	return nil
}

// wanting is the error of a verdict that is asked for where no policy is in force.
func wanting(worst *policy.Standing, environment string, wanted bool) error {
	switch {
	case worst != nil:
	case environment != "":
		return fmt.Errorf("no policy is in force for environment %q there: %w (\"stella policy activate\" puts one in force)", environment, fault.NotFound)
	case wanted:
		return fmt.Errorf("no policy is in force there, so there is no verdict to show: %w (\"stella policy activate\" puts one in force)", fault.NotFound)
	}
	return nil
}

// excuse splits findings as suppressed does, where the trace may be of a newer report
// than the findings are.
func (d *decided) excuse(r *finding.Report) (shown *finding.Report, excused []excusedFinding) {
	by := map[[3]string]*policy.Decided{}
	for i := range d.Trace.Decisions {
		x := &d.Trace.Decisions[i]
		by[[3]string{x.Package, x.Vulnerability, x.Advisory}] = x
	}
	out := *r
	out.Findings = nil
	for _, f := range r.Findings {
		if x := by[[3]string{f.Package, f.Vulnerability, f.Advisory}]; x != nil {
			if why, is := softened(x); is {
				excused = append(excused, excusedFinding{f, why})
				continue
			}
		}
		out.Findings = append(out.Findings, f)
	}
	return &out, excused
}
