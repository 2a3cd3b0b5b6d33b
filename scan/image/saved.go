package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/stella-ops/stella/internal/fault"
)

// What the entries of a layout are that cosign has saved: it puts one image into a
// layout, its signatures and attestations in images of their own beside it, and its
// referrers among the blobs only.
const (
	savedPrefix       = "dev.cosignproject.cosign/"
	savedSignatures   = savedPrefix + "sigs"
	savedAttestations = savedPrefix + "atts"
	maxSaved          = 10_000   // blobs that are looked at
	maxSavedManifest  = 64 << 10 // bytes of a referrer's manifest
)

// savedFor reports whether the only image of a layout is the one that this is the tag
// of attestations of.
func savedFor(all []descriptor, tag string) bool {
	image := ""
	for _, d := range all {
		if d.attests() || d.artifact() {
			continue
		}
		if image != "" && image != d.Digest {
			return false
		}
		image = d.Digest
	}
	return image != "" && attestationTag(image) == tag
}

// saved returns every manifest with a subject that is small enough to be a referrer,
// wherever index.json has it.
func (f *layoutFolder) saved(ctx context.Context) ([]referrer, error) {
	d, ok := f.files.(*dirFiles)
	if !ok {
		return nil, nil
	}
	dir, err := d.tree.Open("blobs/sha256")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read blobs in %s: %w: %w", f.dir, reason(err), fault.Invalid)
	}
	defer dir.Close()
	list, ok := dir.(fs.ReadDirFile)
	if !ok {
		return nil, fmt.Errorf("read blobs in %s: it is no folder: %w", f.dir, fault.Invalid)
	}
	names, err := list.ReadDir(maxSaved + 1)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read blobs in %s: %w: %w", f.dir, reason(err), fault.Invalid)
	}
	if len(names) > maxSaved {
		return nil, &fault.LimitError{What: "blobs", Where: f.dir, Max: maxSaved}
	}
	var out []referrer
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read blobs in %s: %w", f.dir, err)
		}
		digest := "sha256:" + name.Name()
		if checkDigest(digest) != nil {
			continue
		}
		b, err := readFile(f.files, blobName(digest), maxSavedManifest)
		var m artifact
		if err != nil || len(b) == 0 || b[0] != '{' || decode(b, digest, &m) != nil || m.Subject == nil {
			continue
		}
		out = append(out, referrer{descriptor: descriptor{MediaType: typeOCIManifest, Digest: digest, Size: int64(len(b)), ArtifactType: m.ArtifactType}})
	}
	return out, nil
}
