package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// Attached says where documents were attached.
type Attached struct {
	// Registry and Repository are where; for a layout, "" and its folder.
	Registry, Repository string
	// Subject is the digest of the manifest or index that the documents refer to.
	Subject string
	// Manifests are the digests of the manifests that lead to the documents, in their
	// order.
	Manifests []string
	// Tag is where they are listed in a registry that has no referrers API, else "".
	Tag string
}

// Attach keeps documents beside an image, as referrers (OCI image-spec and
// distribution-spec 1.1): each in a manifest of its own, which has an empty config and
// the document as its only layer, and names the image as its subject.
// [Attestations] finds them. The image is named as for [OpenRegistry], or as
// oci:DIR[:REF].
//
// They are attached to what the reference names: of an image for several platforms to
// its index, as cosign does. Where Options.Platform is set, they are attached to the
// image for that platform, which is what a scan of it is about.
//
// What a manifest needs is written before it, so nobody finds a manifest of which a
// part is missing. An artifact that is there already is not written twice, and what
// was interrupted can be done again: it ends in the same digests. Where a registry has
// no referrers API the manifests are listed under a tag, in an index that every client
// rewrites as a whole. Those who do so at the same moment can undo each other; Attach
// reads the index again, and attaching again repairs it.
//
// A nil opt means the defaults.
func Attach(ctx context.Context, ref string, docs []Artifact, opt *Options) (*Attached, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	if len(docs) > MaxArtifacts {
		return nil, &fault.LimitError{What: "artifacts", Where: quoteReference(ref), Max: MaxArtifacts, Seen: int64(len(docs))}
	}
	blobs := make([]*content, len(docs))
	for i := range docs {
		if blobs[i], err = docs[i].content(); err != nil {
			return nil, fmt.Errorf("attach to %s: %w", quoteReference(ref), err)
		}
	}
	set.actions = writing
	sh, done, err := openShelf(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	defer done()
	to, err := subject(ctx, sh, set, ref)
	if err != nil {
		return nil, err
	}
	blobs = append(blobs, contentOf(typeEmpty, emptyConfig))
	manifests := make([]*written, len(docs))
	out := &Attached{Registry: sh.where().Registry, Repository: sh.where().Repository, Subject: to.Digest}
	for i := range docs {
		if manifests[i], err = docs[i].manifest(blobs[i], &to); err != nil {
			return nil, fmt.Errorf("attach to %s: %w", quoteReference(ref), err)
		}
		out.Manifests = append(out.Manifests, manifests[i].Digest)
	}
	if len(docs) == 0 {
		return out, nil
	}
	if out.Tag, err = write(ctx, sh, manifests, "", blobs...); err != nil {
		return nil, fmt.Errorf("attach to %s: %w", quoteReference(ref), err)
	}
	return out, nil
}

// writing is what a token is asked for by those who write.
const writing = "pull,push"

// write keeps manifests, after all that they need. A registry that misses a part then
// gets it again: it may have collected what it said to have, or be at work on the same
// blob for somebody else.
func write(ctx context.Context, sh shelf, ms []*written, tag string, blobs ...*content) (string, error) {
	for attempt := 1; ; attempt++ {
		for _, b := range blobs {
			if err := sh.putBlob(ctx, b); err != nil {
				return "", err
			}
		}
		listed, err := sh.putManifests(ctx, ms, tag)
		s, remote := sh.(*session)
		var said *answer
		if err == nil || !remote || !errors.As(err, &said) || said.code != "MANIFEST_BLOB_UNKNOWN" || attempt >= s.set.limits.Attempts {
			return listed, err
		}
		if waitErr := s.pause(ctx, attempt, 0); waitErr != nil {
			return "", fmt.Errorf("%w; %w", err, waitErr)
		}
	}
}
