// Package layer reads image layers in one streaming pass: the stored bytes are
// hashed while they are decompressed and hashed again, tar entries are
// dispatched to the analyzers that want them, and everything else is skipped.
// Nothing is unpacked. The result of a layer is a [Fragment].
package layer

import (
	"context"
	"io"
	"io/fs"

	"github.com/stella-ops/stella/scan/sbom"
)

// Blob is one layer as its source stores it.
type Blob struct {
	// DiffID is the digest of the uncompressed tar that the image config names.
	// The pass refuses a layer whose content has another one.
	DiffID string
	// CreatedBy is the line of the image history that made the layer, if known.
	CreatedBy string
	// Descriptor names the stored bytes. An empty Digest means that the source
	// does not name them (docker-archive), and then only DiffID is checked; a
	// Size below 0 means it is not known.
	Descriptor sbom.Descriptor
	// Annotations are those of the layer's descriptor that name a table of
	// contents, such as [StargzDigest]; others do not matter.
	Annotations map[string]string
	// Open returns the stored bytes from the start. It may be called more than
	// once. A result that is also an io.ReaderAt over the same bytes lets files
	// of uncompressed layers be read in place.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Tree is a root filesystem or a project folder, scanned like a single layer.
type Tree struct {
	// FS is the folder. Symbolic links must not be followed by Open, and it must
	// implement fs.ReadLinkFS; image.OpenDir gives one that cannot be escaped.
	FS fs.FS
	// Skip are paths whose content is not entered (mounted pseudo filesystems),
	// relative to the root. Each is recorded.
	Skip []string
}
