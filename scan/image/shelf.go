package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// shelf is where manifests, and what refers to them, are kept under names: a
// repository of a registry, or a layout.
type shelf interface {
	store
	// where is the reference; for a layout without a registry, and with its folder as
	// the repository.
	where() Reference
	// top returns what the reference names.
	top(ctx context.Context) (*topmost, error)
	// manifest returns the manifest under a tag or digest, with the media type it is
	// kept as. The kind of a missing one is NotFound.
	manifest(ctx context.Context, id, what string, limit int64) (b []byte, mediaType string, err error)
	// referrers lists what refers to a digest.
	referrers(ctx context.Context, digest string) ([]referrer, error)
	// putBlob makes sure that a blob is there.
	putBlob(ctx context.Context, blob *content) error
	// putManifests keeps manifests whose blobs are there: one under a tag, or any number
	// without. Those that refer to a subject, which is the same for all, are listed among
	// its referrers; listed is the tag that this takes, if any.
	putManifests(ctx context.Context, ms []*written, tag string) (listed string, err error)
}

// topmost is what a reference names: a manifest, an index, or several entries of a
// layout, which have no digest.
type topmost struct {
	descriptor
	raw  []byte
	doc  *document
	what string
}

// entries are those of an index, with their annotations.
func (t *topmost) entries(limit int) ([]referrer, error) {
	if t.raw == nil {
		return nil, nil
	}
	return parseReferrers(t.raw, t.what, limit)
}

// openShelf opens what a reference names: [registry:|docker://]REF or oci:DIR[:REF].
// The function ends what was opened.
func openShelf(ctx context.Context, ref string, set *settings) (shelf, func(), error) {
	for _, scheme := range []string{"oci:", "oci-dir:"} {
		if rest, ok := strings.CutPrefix(ref, scheme); ok && rest != "" {
			f, err := openFolder(rest, set)
			if err != nil {
				return nil, nil, err
			}
			return f, func() { f.files.close() }, nil
		}
	}
	r, err := ParseRemote(ref)
	if err != nil {
		return nil, nil, err
	}
	s, err := newSession(ctx, ref, r, set)
	if err != nil {
		return nil, nil, err
	}
	return s, s.close, nil
}

// subject is what documents are attached to: what the reference names, or the image
// for the platform that was asked for.
func subject(ctx context.Context, sh shelf, set *settings, wrote string) (descriptor, error) {
	top, err := sh.top(ctx)
	if err != nil {
		return descriptor{}, err
	}
	r := newResolver(set, sh, wrote)
	switch {
	case top.doc.Index && set.explicit:
		chosen, _, err := r.choose(ctx, top.doc)
		return chosen, err
	case top.Digest == "":
		return descriptor{}, fmt.Errorf("%s: there are several images of this name, say for which platform: %w", r.where, fault.Invalid)
	case set.explicit && isConfigType(top.doc.Config.MediaType):
		cfg, err := r.config(ctx, top.doc.Config)
		if err != nil {
			return descriptor{}, err
		}
		return top.descriptor, r.checkPlatform(cfg)
	}
	return top.descriptor, nil
}
