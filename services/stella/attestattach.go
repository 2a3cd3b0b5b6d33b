package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
)

// attachedTo says where bundles were attached.
type attachedTo struct {
	Subject   string   `json:"subject"`
	Manifests []string `json:"manifests"`
	Tag       string   `json:"tag,omitempty"` // in a registry without referrers
}

// attachTo attaches bundles to the image that was scanned, and to no other: a tag may
// have moved meanwhile.
func (p *program) attachTo(ctx context.Context, ref string, doc *sbom.Document, f *attestFlags, r *attested) (*attachedTo, error) {
	if err := attachable(ref, doc); err != nil {
		return nil, err
	}
	opts := f.source.options()
	if name, ok := inRegistry(ref); ok {
		parsed, err := image.ParseReference(name)
		if err != nil {
			return nil, err
		}
		ref = image.Reference{Registry: parsed.Registry, Repository: parsed.Repository, Digest: doc.Source.Manifest}.String()
		opts.Platform = ""
	} else {
		opts.Platform = doc.Subject.Platform
	}
	var docs []image.Artifact
	for i := range r.items {
		b := r.items[i].Bundle
		if f.layout == "legacy" {
			text, err := b.Envelope.Encode()
			if err != nil {
				return nil, err
			}
			docs = append(docs, image.EnvelopeArtifact(text, r.predicateOf[i]))
			continue
		}
		text, err := b.Encode()
		if err != nil {
			return nil, err
		}
		docs = append(docs, image.BundleArtifact(text, r.predicateOf[i], time.Time{}))
	}
	attach := image.Attach
	if f.layout == "legacy" {
		attach = image.AttachLegacy
	}
	to, err := attach(ctx, ref, docs, opts)
	if err != nil {
		return nil, err
	}
	if to.Subject != doc.Source.Manifest {
		return nil, &codeError{exitVerification, fmt.Errorf("%s is %s now, and %s was scanned and signed", clean(ref), to.Subject, doc.Source.Manifest)}
	}
	return &attachedTo{Subject: to.Subject, Manifests: to.Manifests, Tag: to.Tag}, nil
}
