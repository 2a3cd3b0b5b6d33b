package image

import (
	"context"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// store is where the blobs of an image are kept.
type store interface {
	// document returns the bytes that d names, verified, and the media type they
	// were served as ("" where that is not said). It reads at most limit bytes.
	document(ctx context.Context, d descriptor, what string, limit int64) ([]byte, string, error)
	// holds reports whether the blob is there.
	holds(ctx context.Context, d descriptor) (bool, error)
	// open returns the bytes of a layer from the start.
	open(ctx context.Context, d descriptor) (io.ReadCloser, error)
}

// resolver goes from what a reference names to an image: index, manifest,
// config. Each step is by digest.
type resolver struct {
	set     *settings
	store   store
	where   string // the reference, for errors
	source  sbom.Source
	entries int // index entries that may still be read
	indexes int // indexes read

	promised *platform // what the index says the chosen image is for
}

func newResolver(set *settings, st store, reference string) *resolver {
	return &resolver{
		set: set, store: st, where: quoteReference(reference),
		source: sbom.Source{Reference: reference}, entries: set.limits.IndexEntries,
	}
}

// document reads and parses a manifest or index.
func (r *resolver) document(ctx context.Context, d descriptor) (*document, error) {
	what := fmt.Sprintf("manifest %s of %s", d.Digest, r.where)
	b, served, err := r.store.document(ctx, d, what, r.set.limits.Manifest)
	if err != nil {
		return nil, err
	}
	if !isVagueType(served) && served != d.MediaType {
		return nil, fmt.Errorf("%s: it is named as %q but served as %q: %w", what, clip(d.MediaType), clip(served), fault.Invalid)
	}
	return parseDocument(b, what, d.MediaType, &r.set.limits)
}

func (r *resolver) config(ctx context.Context, d descriptor) (*config, error) {
	b, _, err := r.store.document(ctx, d, "image config of "+r.where, r.set.limits.Config)
	if err != nil {
		return nil, err
	}
	return parseConfig(b, d.Digest, &r.set.limits)
}

// image resolves what the reference named: a manifest, or an index to choose
// from.
func (r *resolver) image(ctx context.Context, top descriptor, doc *document) (*scan.Image, error) {
	chosen := top
	if doc.Index {
		var err error
		if chosen, r.source.PlatformChoice, err = r.choose(ctx, doc); err != nil {
			return nil, err
		}
		if top.Digest != "" {
			r.source.Index = top.Digest
		}
		if doc, err = r.document(ctx, chosen); err != nil {
			return nil, err
		}
		if doc.Index {
			return nil, fmt.Errorf("manifest %s of %s: it is named as an image and is an index: %w", chosen.Digest, r.where, fault.Invalid)
		}
	}
	if err := r.checkManifest(chosen, doc); err != nil {
		return nil, err
	}
	cfg, err := r.config(ctx, doc.Config)
	if err != nil {
		return nil, err
	}
	if err := r.checkPlatform(cfg); err != nil {
		return nil, err
	}
	r.source.Manifest, r.source.MediaType = chosen.Digest, doc.MediaType
	return r.assemble(ctx, cfg, doc.Layers)
}

func (r *resolver) checkManifest(d descriptor, doc *document) error {
	what := fmt.Sprintf("manifest %s of %s", d.Digest, r.where)
	if !isConfigType(doc.Config.MediaType) {
		return fmt.Errorf("%s: its config is %q: this is no container image: %w", what, clip(doc.Config.MediaType), fault.Unsupported)
	}
	for i, l := range doc.Layers {
		if ok, _ := layerKind(l.MediaType); !ok {
			return fmt.Errorf("%s: layer %d (%s) is %q, which is no layer that can be read: %w", what, i, l.Digest, clip(l.MediaType), fault.Unsupported)
		}
		if l.Digest == doc.Config.Digest {
			return fmt.Errorf("%s: layer %d and the config are the same blob %s: %w", what, i, l.Digest, fault.Invalid)
		}
	}
	return nil
}

// checkPlatform holds the image to the platform that was asked for. Where an
// index was chosen from, its word is what registries and runtimes go by; a
// config that says otherwise is noted.
func (r *resolver) checkPlatform(cfg *config) error {
	want, have := r.set.platform, cfg.platform.canonical()
	if r.source.PlatformChoice != "" {
		if p := r.promised; p.OS != have.OS || p.canonical().Architecture != have.Architecture {
			r.source.PlatformChoice += "; its config says " + orUnknown(have.String())
		}
		return nil
	}
	same := want.OS == have.OS && want.Architecture == have.Architecture
	if r.set.explicit && fit(want, have) == 0 && (!same || cfg.platform.Variant != "") {
		return fmt.Errorf("%s: no image for this platform: %s was asked for, there is only %s: %w", r.where, want, orUnknown(have.String()), fault.NotFound)
	}
	return nil
}

// assemble puts the image together from its config and its stored layers.
func (r *resolver) assemble(ctx context.Context, cfg *config, layers []descriptor) (*scan.Image, error) {
	if len(layers) != len(cfg.diffIDs) {
		return nil, fmt.Errorf("%s: the manifest has %d layers, the image config %s has %d diff_ids: %w", r.where, len(layers), cfg.digest, len(cfg.diffIDs), fault.Invalid)
	}
	m := &scan.Image{Subject: cfg.subject(), Created: cfg.created, Start: cfg.start, Source: &r.source, Gaps: cfg.gaps}
	for i, d := range layers {
		r.source.Layers = append(r.source.Layers, d.stored())
		held, err := r.held(ctx, d)
		if err != nil {
			return nil, err
		}
		if !held {
			m.Gaps = append(m.Gaps, foreignGap(i, d, cfg.diffIDs[i]))
			continue
		}
		m.Layers = append(m.Layers, layer.Blob{
			DiffID: cfg.diffIDs[i], CreatedBy: cfg.line(i), Descriptor: d.stored(), Annotations: d.Tables,
			Open: func(ctx context.Context) (io.ReadCloser, error) { return r.store.open(ctx, d) },
		})
	}
	return m, nil
}

// held reports whether a layer can be read. Only foreign layers may be missing;
// the other places that they name are never asked.
func (r *resolver) held(ctx context.Context, d descriptor) (bool, error) {
	if _, foreign := layerKind(d.MediaType); !foreign && !d.Foreign {
		return true, nil
	}
	return r.store.holds(ctx, d)
}

func foreignGap(i int, d descriptor, diffID string) sbom.Gap {
	return sbom.Gap{
		Code: sbom.GapForeignLayer, Blocking: true, Where: fmt.Sprintf("layer %d", i), Layer: diffID,
		What: "the layer " + d.Digest + " is kept elsewhere and was not fetched",
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "no platform"
	}
	return s
}
