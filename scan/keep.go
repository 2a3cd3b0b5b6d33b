package scan

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// scan opens the image by the digest that the first attempt found, and scans it.
func (w *Worker) scan(ctx context.Context, jobs Jobs, tenant string, lease *Lease) (*sbom.Document, []*layer.Fragment, error) {
	m := lease.Manifest
	if m == nil {
		return nil, nil, fmt.Errorf("job %s: the lease has no manifest: %w", lease.JobID, fault.Invalid)
	}
	t := Target{Reference: m.Reference, Digest: m.Resolved, Platform: m.Platform}
	image, err := w.Open(ctx, t)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", m.Reference, err)
	}
	defer func() { image.Close() }() // reading: nothing is lost
	if image.Source != nil && image.Source.Manifest != "" && t.Digest == "" {
		if t.Digest, err = jobs.Resolve(ctx, *lease, image.Source.Manifest); err != nil {
			return nil, nil, err
		}
		if t.Digest != image.Source.Manifest { // the tag moved between attempts
			image.Close()
			if image, err = w.Open(ctx, t); err != nil {
				return nil, nil, fmt.Errorf("open %s at %s: %w", m.Reference, t.Digest, err)
			}
		}
	}
	result, err := w.Scanner(tenant).Scan(ctx, image)
	if err != nil {
		return nil, nil, err
	}
	return result.Document, result.Fragments, nil
}

// keeper stores what an attempt made. All of it is content-addressed and made of
// the same bytes by a later attempt, so an attempt that dies leaves nothing wrong.
type keeper struct {
	worker    *Worker
	lease     *Lease
	artifacts Artifacts
}

func (k *keeper) fragments(ctx context.Context, fragments []*layer.Fragment) ([]blob.Ref, error) {
	var refs []blob.Ref
	for _, f := range fragments {
		b, err := f.Encode()
		if err != nil {
			return nil, err
		}
		ref, err := k.artifacts.Put(ctx, bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("keep the fragment of %s: %w", f.DiffID, err)
		}
		crashpoint.Hit(crashpoint.WorkerFragment)
		refs = append(refs, ref)
	}
	return refs, nil
}

// documents keeps the neutral document first, then the wanted formats.
func (k *keeper) documents(ctx context.Context, doc *sbom.Document) ([]Stored, error) {
	wanted := k.lease.Manifest.Formats
	if len(wanted) == 0 {
		wanted = k.worker.Formats
	}
	var out []Stored
	for _, format := range append([]string{Neutral}, slices.DeleteFunc(slices.Clone(wanted), func(f string) bool { return f == Neutral })...) {
		s, err := k.document(ctx, doc, format)
		if err != nil {
			return nil, fmt.Errorf("keep the document as %s: %w", format, err)
		}
		out = append(out, *s)
	}
	crashpoint.Hit(crashpoint.WorkerSBOM)
	for _, s := range out {
		if err := k.artifacts.Name(ctx, s.Ref, k.lease.JobID+"/"+s.Name); err != nil {
			return nil, fmt.Errorf("name %s: %w", s.Name, err)
		}
	}
	crashpoint.Hit(crashpoint.WorkerNamed)
	return out, nil
}

func (k *keeper) document(ctx context.Context, doc *sbom.Document, format string) (*Stored, error) {
	var b bytes.Buffer
	mediaType, suffix, err := k.worker.Encode(&b, doc, format)
	if err != nil {
		return nil, err
	}
	s := &Stored{Format: format, MediaType: mediaType, Name: "sbom." + suffix}
	if b.Len() <= MaxInline {
		s.Content = bytes.Clone(b.Bytes())
	}
	s.Ref, err = k.artifacts.Put(ctx, &b)
	return s, err
}
