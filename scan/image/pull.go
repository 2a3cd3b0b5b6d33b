package image

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"strings"

	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/filelock"
)

// Pulled is an artifact that was found. Its document is read when it is asked for,
// until it is closed; it is safe for concurrent use. Nothing in it is to be believed
// before its signature was checked.
type Pulled struct {
	// Registry and Repository are where; for a layout, "" and its folder.
	Registry, Repository string
	// Manifest is the digest of its manifest.
	Manifest string
	// Type is the artifact type; "" where the manifest has none.
	Type string
	// MediaType, Digest and Size are the document's.
	MediaType, Digest string
	Size              int64
	// Annotations are those of the manifest.
	Annotations map[string]string

	blob  descriptor
	shelf shelf
	done  func()
}

// Pull finds an artifact that [Push] has put there, by tag or digest: in a registry,
// named as for [OpenRegistry], or in the layout oci:DIR[:TAG]. Where none is named it is
// "latest"; in a layout that has no such name it is the one entry that its index does not
// call an artifact. Artifacts of other clients are found too if they have one document;
// images and other artifacts are ErrUnsupported. The caller closes it. A nil opt means
// the defaults.
func Pull(ctx context.Context, ref string, opt *Options) (*Pulled, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	sh, done, err := openShelf(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	p := &Pulled{Registry: sh.where().Registry, Repository: sh.where().Repository, shelf: sh, done: done}
	if err := p.find(ctx, ref); err != nil {
		done()
		return nil, err
	}
	return p, nil
}

func (p *Pulled) find(ctx context.Context, ref string) error {
	top, err := topArtifact(ctx, p.shelf)
	if err != nil {
		return err
	}
	what := "artifact " + quoteReference(ref)
	switch {
	case top.doc.Index:
		return fmt.Errorf("%s: it is an index: %w", what, fault.Unsupported)
	case isConfigType(top.doc.Config.MediaType):
		return fmt.Errorf("%s: it is an image: %w", what, fault.Unsupported)
	case len(top.doc.Layers) != 1:
		return fmt.Errorf("%s: it has %d documents, not one: %w", what, len(top.doc.Layers), fault.Unsupported)
	}
	var m artifact
	if err := decode(top.raw, what, &m, documentNames...); err != nil {
		return err
	}
	p.blob = top.doc.Layers[0]
	p.Manifest, p.Type, p.Annotations = top.Digest, m.ArtifactType, maps.Clone(m.Annotations)
	p.MediaType, p.Digest, p.Size = p.blob.MediaType, p.blob.Digest, p.blob.Size
	if p.Size > MaxArtifact {
		return &fault.LimitError{What: "bytes of an artifact", Where: quoteReference(ref), Max: MaxArtifact, Seen: p.Size}
	}
	return nil
}

// topArtifact returns what the reference of an artifact names, "latest" where it names
// nothing. A layout would give its image then, and pass artifacts over.
func topArtifact(ctx context.Context, sh shelf) (*topmost, error) {
	f, ok := sh.(*layoutFolder)
	if !ok || f.ref != "" {
		return sh.top(ctx)
	}
	f.ref = f.where().Tag
	top, err := f.top(ctx)
	if !errors.Is(err, fault.NotFound) {
		return top, err
	}
	f.ref = ""
	if only, err := f.top(ctx); err == nil {
		return only, nil
	}
	return nil, err
}

// Close ends the connection.
func (p *Pulled) Close() error {
	p.done()
	return nil
}

// Open returns the document from the start. A broken connection is taken up where it
// broke. The last Read fails with ErrMismatch if the bytes are not what the digest
// says, so what was read before is not to be used until then.
func (p *Pulled) Open(ctx context.Context) (io.ReadCloser, error) {
	rc, err := p.open(ctx, 0)
	if err != nil {
		return nil, err
	}
	return &verified{rc, newHash(p.Digest), p.blob, 0}, nil
}

// open returns the bytes from a place on.
func (p *Pulled) open(ctx context.Context, off int64) (io.ReadCloser, error) {
	if s, ok := p.shelf.(*session); ok {
		return s.openAt(ctx, p.blob, off)
	}
	c := &content{p.blob, func(ctx context.Context) (io.ReadCloser, error) { return p.shelf.open(ctx, p.blob) }}
	return c.from(ctx, off)
}

// verified reads a document and compares it with its digest at the end.
type verified struct {
	io.ReadCloser
	sum  hash.Hash
	want descriptor
	size int64
}

// Read reads on; see Pulled.Open.
func (v *verified) Read(b []byte) (int, error) {
	n, err := v.ReadCloser.Read(b)
	v.sum.Write(b[:n])
	v.size += int64(n)
	if err == io.EOF {
		if got := sumOf(v.sum, v.want.Digest); got != v.want.Digest || v.size != v.want.Size {
			return n, &fault.MismatchError{What: "digest of an artifact", Want: v.want.Digest, Got: got}
		}
	}
	return n, err
}

func newHash(digest string) hash.Hash {
	if strings.HasPrefix(digest, "sha512:") {
		return sha512.New()
	}
	return sha256.New()
}

func sumOf(h hash.Hash, digest string) string {
	algorithm, _, _ := strings.Cut(digest, ":")
	return algorithm + ":" + hex.EncodeToString(h.Sum(nil))
}

// Save writes the document to a file, which has its name only when all of it is there
// and was compared with its digest. What was interrupted is kept beside it, as
// FILE.DIGEST.part, and the next Save goes on from there. Two that save the same
// document to the same file at once are kept apart where the system can: the second
// one is ErrUnavailable.
func (p *Pulled) Save(ctx context.Context, file string) error {
	_, encoded, _ := strings.Cut(p.Digest, ":")
	part := file + "." + encoded[:16] + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR|openFlags, 0o600)
	if err != nil {
		return openError(part, err)
	}
	err = p.fill(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("save %s as %s: %w", p.Digest, file, err)
	}
	if err := durable.Rename(part, file); err != nil {
		return fmt.Errorf("save %s as %s: %w", p.Digest, file, reason(err))
	}
	return nil
}

// lock keeps others who lock a file or folder away until it is closed. Its kind is
// Unavailable while somebody else has it. Where there are no such locks it does nothing.
func lock(f *os.File) error {
	err := filelock.Try(f)
	switch {
	case errors.Is(err, filelock.ErrHeld):
		return fmt.Errorf("lock %s: somebody else is writing: %w", f.Name(), fault.Unavailable)
	case err != nil && !errors.Is(err, filelock.ErrUnsupported):
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

// fill completes a part. What turns out wrong at the end is fetched anew, once.
func (p *Pulled) fill(ctx context.Context, f *os.File) error {
	if err := lock(f); err != nil {
		return err
	}
	had, err := p.extend(ctx, f)
	var wrong *fault.MismatchError
	if had > 0 && errors.As(err, &wrong) {
		if err := f.Truncate(0); err != nil {
			return err
		}
		had, err = p.extend(ctx, f)
	}
	if had == 0 && errors.As(err, &wrong) {
		return errors.Join(err, f.Truncate(0))
	}
	return err
}

// extend reads what there is, gets the rest and compares all of it. It returns how
// much there was.
func (p *Pulled) extend(ctx context.Context, f *os.File) (had int64, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	sum := newHash(p.Digest)
	if had, err = io.Copy(sum, io.LimitReader(f, p.Size)); err != nil {
		return had, err
	}
	if err := f.Truncate(had); err != nil {
		return had, err
	}
	if had < p.Size {
		rc, err := p.open(ctx, had)
		if err != nil {
			return had, err
		}
		defer rc.Close()
		if _, err := io.Copy(io.MultiWriter(f, sum), rc); err != nil {
			return had, err
		}
	}
	if got := sumOf(sum, p.Digest); got != p.Digest {
		return had, &fault.MismatchError{What: "digest of an artifact", Want: p.Digest, Got: got}
	}
	return had, nil
}
