package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Make makes an export as it is wanted now, and keeps it. message is the id of the message
// that asked for it, "" without one. What was made before is found again by what it is
// made of, so doing it over gives the same bytes.
func (c *Center) Make(ctx context.Context, tenant, scanID string, f Format, message string) error {
	e, err := c.wanted(ctx, tenant, scanID, f)
	if err != nil {
		return err
	}
	return c.finish(ctx, tenant, e, message)
}

// do is Make for a job, which asks for one version. A job that nobody waits for any more
// is an error wrapping ErrConflict.
func (c *Center) do(ctx context.Context, tenant string, job *event.ExportJob, message string) error {
	e, err := c.wanted(ctx, tenant, job.JobID, Format(job.Format))
	if err != nil {
		return err
	}
	if e.State != Queued || e.Key != job.Key || e.Version != job.Version {
		// Whoever had the job may have died with an old name.
		if err := c.rename(ctx, tenant, e, new(Made)); err != nil {
			return err
		}
		return fmt.Errorf("export of scan %s as %s, version %d of %s: it is %s, and version %d of %s is wanted: %w", job.JobID, job.Format, job.Version, job.Key, e.State, e.Version, e.Key, fault.Conflict)
	}
	return c.finish(ctx, tenant, e, message)
}

// wanted returns an export as it is kept.
func (c *Center) wanted(ctx context.Context, tenant, scanID string, f Format) (*Export, error) {
	store, err := c.Stores(tenant)
	if err != nil {
		return nil, err
	}
	list, err := store.Exports(ctx, scanID)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(e Export) bool { return e.Format == f })
	if i < 0 {
		return nil, fmt.Errorf("export of scan %.80q as %.80s: %w", scanID, f, fault.NotFound)
	}
	return &list[i], nil
}

// finish makes an export and keeps it.
func (c *Center) finish(ctx context.Context, tenant string, e *Export, message string) error {
	store, err := c.Stores(tenant)
	if err != nil {
		return err
	}
	made, err := c.make(ctx, tenant, e)
	if err != nil {
		return fmt.Errorf("export scan %s as %s: %w", e.ScanID, e.Format, err)
	}
	push, err := c.destinations(ctx, tenant, e.Format)
	if err != nil {
		return err
	}
	if err := store.Finish(ctx, &Result{ScanID: e.ScanID, Format: e.Format, Made: *made, Push: push, Message: message}); err != nil {
		return fmt.Errorf("keep the export of scan %s as %s: %w", e.ScanID, e.Format, err)
	}
	crashpoint.Hit(crashpoint.ExportFinished)
	return c.rename(ctx, tenant, e, made)
}

// rename has names stand for what is kept, whoever named something last: another may
// have made a newer version meanwhile, or the same with other proofs. named is what this
// process has named. Whoever names looks once more afterwards, so the last one leaves
// what is kept.
func (c *Center) rename(ctx context.Context, tenant string, e *Export, named *Made) error {
	reader, err := c.Readers(tenant)
	if err != nil {
		return err
	}
	var failed error
	for {
		now, err := c.wanted(ctx, tenant, e.ScanID, e.Format)
		if errors.Is(err, fault.NotFound) { // the scan is gone
			return nil
		}
		if err != nil {
			return err
		}
		if now.Made == nil || sameObject(now.Made.Document, named.Document) && sameObject(now.Made.Bundle, named.Bundle) {
			return failed
		}
		named = now.Made
		if failed = name(ctx, reader, e.ScanID, named); failed != nil && !lost(failed) { // what is lost may have been replaced
			return failed
		}
	}
}

func sameObject(a, b Object) bool { return a.Name == b.Name && a.Ref.Digest == b.Ref.Digest }

// name copies what was made to its human names.
func name(ctx context.Context, r *Reader, scanID string, made *Made) error {
	for _, o := range []Object{made.Document, made.Bundle} {
		if o.Name == "" {
			continue
		}
		if err := r.Objects.Name(ctx, o.Ref, scanID+"/"+o.Name); err != nil {
			return fmt.Errorf("name %s: %w", o.Name, err)
		}
	}
	return nil
}

func (c *Center) make(ctx context.Context, tenant string, e *Export) (*Made, error) {
	reader, err := c.Readers(tenant)
	if err != nil {
		return nil, err
	}
	scan, m, err := reader.Read(ctx, e.ScanID, Basis{Decision: e.Format.Decision(), Verdict: e.Inputs.Verdict, Report: e.Inputs.Report})
	if err != nil {
		return nil, err
	}
	if scan.SBOM != e.Inputs.SBOM || sum.Of(m.Neutral) != e.Inputs.SBOM {
		return nil, &fault.MismatchError{What: "digest of the scan's neutral document", Want: e.Inputs.SBOM, Got: sum.Of(m.Neutral)}
	}
	made := &Made{Key: e.Key, Version: e.Version}
	if e.Format != Evidence {
		if err := c.document(ctx, reader, m, scan, e, made); err != nil {
			return nil, err
		}
	}
	if e.Inputs.KeyID != "" {
		if err := c.sign(ctx, tenant, reader, m, e, made); err != nil {
			return nil, err
		}
	}
	if e.Format == Evidence {
		made.Document = made.Bundle
	}
	if err := name(ctx, reader, e.ScanID, made); err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.ExportNamed)
	return made, nil
}

// document makes and keeps the document of an export.
func (c *Center) document(ctx context.Context, r *Reader, m *Material, scan *Scan, e *Export, made *Made) error {
	if e.Format.Decision() && m.Verdict == nil {
		if err := c.assess(m, scan); err != nil {
			return err
		}
	}
	text, err := m.Render(e.Format)
	if err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.ExportMade)
	made.Document = Object{Name: e.Format.FileName(), MediaType: e.Format.MediaType()}
	made.Document.Ref, err = r.Objects.Put(ctx, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("keep the document: %w", err)
	}
	crashpoint.Hit(crashpoint.ExportStored)
	return nil
}

// assess decides by the default policy, for a rendering alone.
func (c *Center) assess(m *Material, scan *Scan) error {
	if c.Default == nil {
		return fmt.Errorf("nobody has decided about it: %w", fault.NotFound)
	}
	in := m.inputs()
	in.At, in.Digests.SBOM = scan.At, scan.SBOM
	result, err := c.Default.Evaluate(in)
	if err != nil {
		return fmt.Errorf("decide by the default policy: %w", err)
	}
	m.Verdict = &policy.Record{Body: result.Body, Digest: sum.Of(result.Body), Trace: result.Trace}
	m.Trace, err = policy.DecodeTrace(result.Trace)
	return err
}

// sign makes and keeps the bundle of an export.
func (c *Center) sign(ctx context.Context, tenant string, r *Reader, m *Material, e *Export, made *Made) error {
	if c.Signer == nil || c.Attestor == nil {
		return fmt.Errorf("nothing is signed here: %w", fault.Unavailable)
	}
	predicates := e.Format.predicates(e.Inputs.Verdict != "")
	if e.Format == Evidence {
		predicates = m.Predicates()
	}
	p := &Prover{Signer: c.Signer, Attestor: c.Attestor, Caller: caller(tenant), Logged: e.Inputs.Logged, KeyID: e.Inputs.KeyID}
	if e.Inputs.Verdict != "" {
		p.Verdict = m.Verdict.Digest
	}
	items, list, err := p.Prove(ctx, e.ScanID, predicates)
	if err != nil {
		return err
	}
	for _, a := range list {
		made.Attestations = append(made.Attestations, a.ID)
		for _, k := range a.Missing() {
			made.Missing = append(made.Missing, string(k))
		}
	}
	slices.Sort(made.Attestations)
	slices.Sort(made.Missing)
	made.Missing = slices.Compact(made.Missing)
	crashpoint.Hit(crashpoint.ExportAttested)
	text, err := bundle.Encode(items)
	if err != nil {
		return err
	}
	made.Bundle = Object{Name: bundleName(e.Format), MediaType: MediaTypeBundle}
	made.Bundle.Ref, err = r.Objects.Put(ctx, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("keep the bundle: %w", err)
	}
	crashpoint.Hit(crashpoint.ExportBundled)
	return nil
}

// bundleName is the name of the file of a format's bundle.
func bundleName(f Format) string {
	if f == Evidence {
		return Evidence.FileName()
	}
	return "bundle." + string(f) + ".jsonl"
}

// destinations are the names of the targets that a format is pushed to.
func (c *Center) destinations(ctx context.Context, tenant string, f Format) ([]string, error) {
	s, err := c.Of(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range s.Targets {
		if len(d.Formats) == 0 || slices.Contains(d.Formats, f) {
			out = append(out, d.Name)
		}
	}
	return out, nil
}
