package image

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// Pushed says where an artifact is kept.
type Pushed struct {
	// Registry and Repository are where; for a layout, "" and its folder.
	Registry, Repository string
	// Tag is what it is called, and Manifest the digest that it has under any name.
	Tag, Manifest string
	// Digest and Size are the document's.
	Digest string
	Size   int64
}

// Push keeps an artifact by itself, under a tag: in a registry, named as for
// [OpenRegistry], or in the layout oci:DIR[:TAG], which is made where there is none.
// Without a tag it is "latest". A tag that leads elsewhere is moved; what it led to
// stays under its digest. The manifest is as with [Attach], without a subject, and
// written after the document, so that nobody finds a part of it. A document that is
// there already is not sent again.
//
// A large document is sent in one request. When that breaks it goes on from where it
// was, if the registry remembers; when it is refused as too large, it is sent in
// chunks. A nil opt means the defaults.
func Push(ctx context.Context, ref string, a Artifact, opt *Options) (*Pushed, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	blob, err := a.content()
	if err != nil {
		return nil, fmt.Errorf("push to %s: %w", quoteReference(ref), err)
	}
	m, err := a.manifest(blob, nil)
	if err != nil {
		return nil, fmt.Errorf("push to %s: %w", quoteReference(ref), err)
	}
	set.actions, set.create = writing, true
	sh, done, err := openShelf(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	defer done()
	at := sh.where()
	if !isTag(at.Tag) || at.Digest != "" {
		return nil, fmt.Errorf("push to %s: an artifact is called by a tag, which this is not: %w", quoteReference(ref), fault.Invalid)
	}
	if _, err = write(ctx, sh, []*written{m}, at.Tag, blob, contentOf(typeEmpty, emptyConfig)); err != nil {
		return nil, fmt.Errorf("push to %s: %w", quoteReference(ref), err)
	}
	return &Pushed{at.Registry, at.Repository, at.Tag, m.Digest, blob.Digest, blob.Size}, nil
}
