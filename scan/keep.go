package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// scan opens the image by the digest that the first attempt found, and scans it.
func (w *Worker) scan(ctx context.Context, jobs Jobs, tenant string, lease *Lease, seen *progress) (*sbom.Document, []*layer.Fragment, error) {
	m := lease.Manifest
	t := Target{Tenant: tenant, Reference: m.Reference, Digest: m.Resolved, Platform: m.Platform, PlainHTTP: m.PlainHTTP}
	var err error
	if t.Authorization, err = w.unseal(tenant, lease); err != nil {
		return nil, nil, err
	}
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
	scanner := *w.Scanner(tenant) // others use it at the same time, for other images
	scanner.Progress = seen.follow(image, scanner.Progress)
	result, err := scanner.Scan(ctx, image)
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
	doc       *sbom.Document
	fragments []*layer.Fragment
	uploaded  *Stored // what the document was read from; nil for an image
}

func (k *keeper) all(ctx context.Context) (fragments []blob.Ref, documents []Stored, err error) {
	if fragments, err = k.keepFragments(ctx); err == nil {
		documents, err = k.keepDocuments(ctx)
	}
	return fragments, documents, err
}

// again looks whether what is referred to now is still there: a collection that
// had found an object free before this attempt put it once more may have deleted
// it just before the reference was stored.
func (k *keeper) again(ctx context.Context, r *Results) error {
	refs := slices.Clone(r.Fragments)
	for _, d := range r.Documents {
		refs = append(refs, d.Ref)
	}
	for _, ref := range refs {
		_, err := k.artifacts.Stat(ctx, ref)
		if errors.Is(err, fault.NotFound) {
			_, _, err = k.all(ctx)
			return err
		}
		if err != nil {
			return fmt.Errorf("look for what was kept: %w", err)
		}
	}
	return nil
}

func (k *keeper) keepFragments(ctx context.Context) ([]blob.Ref, error) {
	var refs []blob.Ref
	for _, f := range k.fragments {
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

// keepDocuments keeps the neutral document first, then the wanted formats.
func (k *keeper) keepDocuments(ctx context.Context) ([]Stored, error) {
	wanted := k.lease.Manifest.Formats
	if len(wanted) == 0 {
		wanted = k.worker.Formats
	}
	var out []Stored
	for _, format := range append([]string{Neutral}, slices.DeleteFunc(slices.Clone(wanted), func(f string) bool { return f == Neutral })...) {
		s, err := k.document(ctx, format)
		if err != nil {
			return nil, fmt.Errorf("keep the document as %s: %w", format, err)
		}
		out = append(out, *s)
	}
	if k.uploaded != nil {
		out = append(out, *k.uploaded)
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

func (k *keeper) document(ctx context.Context, format string) (*Stored, error) {
	var b bytes.Buffer
	mediaType, suffix, err := k.worker.Encode(&b, k.doc, format)
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
