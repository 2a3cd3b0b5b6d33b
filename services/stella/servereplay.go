package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/vex"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
)

// inputs gathers what a verdict of a server follows from, as far as the server still has it:
// the document, the report, statements and trust, exceptions; the policy is in the trace. Each
// is held against the digest that the verdict names, so none is taken for another. An error
// wraps fault.NotFound and names the input that is another one by now.
func (r *service) inputs(ctx context.Context, id string, is *ruling) (*replay.Record, error) {
	trace, err := policy.DecodeTrace(is.Trace)
	if err != nil {
		return nil, err
	}
	v := is.Verdict
	out := &replay.Record{Verdict: v, Policy: trace.Policy, Trust: new(vex.Trust), Inputs: &policy.Inputs{At: v.At, Environment: v.Environment}}
	in := out.Inputs
	if v.Inputs.SBOM != "" {
		if out.Document, err = r.stored(ctx, id); err != nil {
			return nil, err
		}
		doc, _, err := format.Decode(bytes.NewReader(out.Document))
		if err != nil {
			return nil, err
		}
		in.Of(doc)
	}
	docGaps := in.Gaps
	in.Subject, in.Controls, in.Digests = trace.Subject, trace.Controls, v.Inputs
	report, err := r.scans.Findings(ctx, id)
	if err != nil {
		return nil, err
	}
	in.Findings = report.Findings
	in.Gaps = gapsOf(v.Inputs.Report, in.Findings, slices.Concat(report.Gaps, docGaps), slices.Concat(docGaps, report.Gaps), report.Gaps, trace.Gaps)
	if in.Exceptions, err = r.exceptionsAt(ctx, v, trace); err != nil {
		return nil, err
	}
	if v.Inputs.Trust != "" {
		if out.Trust, err = r.vex.Trust(ctx); err != nil {
			return nil, err
		}
		if in.Judge, err = out.Trust.Judge(); err != nil {
			return nil, err
		}
	}
	for _, digest := range v.Inputs.VEX {
		list, err := r.statementSet(ctx, digest)
		if err != nil {
			return nil, err
		}
		out.Sets = append(out.Sets, vex.NewSet(list))
		in.Statements = append(in.Statements, list...)
	}
	return out, held(out)
}

// held holds inputs against the digests of a verdict. What data the advisories had beside
// records is not in a trace, so all that there can be is tried.
func held(r *replay.Record) error {
	var err error
	for _, signals := range [][]string{nil, {"epss"}, {"kev"}, {"epss", "kev"}, {"kev", "epss"}} {
		r.Inputs.Signals = signals
		var wrong *fault.MismatchError
		err = r.Save(func(string, []byte) error { return nil })
		if !errors.As(err, &wrong) {
			return err
		}
		if wrong.What != "subject" {
			return fmt.Errorf("the server has another %s by now than the verdict followed from (%s): %w", wrong.What, wrong.Want, fault.NotFound)
		}
	}
	return fmt.Errorf("what the verdict is about is not to be had from its trace: %w", errors.Join(err, fault.NotFound))
}

// gapsOf are the gaps that a report had, of those that it can have had.
func gapsOf(digest string, findings []finding.Finding, candidates ...[]sbom.Gap) []sbom.Gap {
	for _, gaps := range candidates {
		if policy.ReportDigest(findings, gaps) == digest {
			return gaps
		}
	}
	return candidates[0] // which held refuses
}

// exceptionsAt are the exceptions that there were when a verdict was decided.
func (r *service) exceptionsAt(ctx context.Context, v *policy.Verdict, trace *policy.Trace) ([]policy.Exception, error) {
	if policy.ExceptionsDigest(nil) == v.Inputs.Exceptions {
		return nil, nil // which needs no asking, and no right to
	}
	all, err := pages(func(after string) ([]policy.Exception, string, error) { return r.policy.Exceptions(ctx, after) })
	if err != nil {
		return nil, err
	}
	var there, standing, valid []policy.Exception
	for _, e := range all {
		if e.Created.After(v.At) {
			continue
		}
		if e.Revoked.After(v.At) {
			e.Revoked = time.Time{}
		}
		there = append(there, e)
		if e.Revoked.IsZero() {
			standing = append(standing, e)
			if e.Expires.IsZero() || e.Expires.After(v.At) {
				valid = append(valid, e)
			}
		}
	}
	for _, list := range [][]policy.Exception{all, there, standing, valid, trace.Exceptions} {
		if policy.ExceptionsDigest(list) == v.Inputs.Exceptions {
			return list, nil
		}
	}
	return there, nil // which held refuses
}

// statementSet downloads a set of statements, and verifies it.
func (r *service) statementSet(ctx context.Context, digest string) (list []*vex.Statement, err error) {
	dir, err := os.MkdirTemp("", "stella-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "set.vex")
	for _, c := range r.scopes() {
		err = streamFile(name, func(w io.Writer) error { return c.Snapshot(ctx, digest, w) })
		if !errors.Is(err, fault.NotFound) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("statements %s: %w", digest, err)
	}
	snap, err := vexsnapshot.Open(name)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	if err := snap.Verify(ctx, digest); err != nil {
		return nil, err
	}
	for s, err := range snap.All() {
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// record is a verdict to compare with: what a folder has, or with scan:ID what a server
// decided about a scan.
func (p *program) record(ctx context.Context, f *verdictsFlags, name string) (*replay.Record, error) {
	id, stored := strings.CutPrefix(name, storedScheme)
	if !stored {
		return loadRecord(ctx, name)
	}
	r, err := p.connect(ctx, &f.serverFlags)
	if err != nil {
		return nil, err
	}
	is, err := r.ruled(ctx, id, f.environment)
	if err == nil {
		var out *replay.Record
		if out, err = r.inputs(ctx, id, is); err == nil {
			return out, nil
		}
	}
	return nil, r.explain(fmt.Errorf("%s at %s: %w", clean(name), r.server, err))
}

// objects are inputs by their digests, and what Save passed of a record.
type objects struct {
	texts map[string][]byte
	sets  map[string][]*vex.Statement
}

// objectsOf are the inputs of a record.
func objectsOf(r *replay.Record) (*objects, error) {
	out := &objects{texts: map[string][]byte{}, sets: map[string][]*vex.Statement{}}
	for i, set := range r.Sets {
		out.sets[r.Verdict.Inputs.VEX[i]] = set.All()
	}
	return out, r.Save(func(digest string, content []byte) error { out.texts[digest] = content; return nil })
}

// Object implements replay.Objects.
func (o *objects) Object(_ context.Context, digest string) ([]byte, error) {
	if text, ok := o.texts[digest]; ok {
		return text, nil
	}
	return nil, fmt.Errorf("%s: %w", digest, replay.ErrNotFound)
}

// Statements implements replay.Objects.
func (o *objects) Statements(ctx context.Context, set string, ids []string) ([]*vex.Statement, error) {
	list, ok := o.sets[set]
	switch {
	case !ok:
		return nil, fmt.Errorf("statements %s: %w", set, replay.ErrNotFound)
	case ids == nil:
		return list, nil
	}
	return vex.NewSet(list).Statements(ctx, ids)
}
