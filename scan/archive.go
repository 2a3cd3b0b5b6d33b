package scan

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// LayersName is the name of an archive of an image's layers among its artifacts.
const LayersName = "image-layers.tar.gz"

// Layers keeps the archives of layers of one tenant's images. A store is one.
type Layers interface {
	// Layers returns the archive of an image, or an error wrapping ErrNotFound.
	Layers(ctx context.Context, imageDigest string) (blob.Ref, error)
	// KeepLayers notes the archive of an image, and that a scan refers to it.
	KeepLayers(ctx context.Context, scanID, imageDigest string, archive blob.Ref) error
}

// Archiver makes archives of layers for scans that ask for one, after they are
// stored and apart from them, once for each image. It reads scanner:events in a
// group of its own. All fields are required. An Archiver is safe for concurrent
// use.
type Archiver struct {
	// Store gives the scans of a tenant, and Layers its archives.
	Store  func(tenant string) (Store, error)
	Layers func(tenant string) (Layers, error)
	// Open opens an image.
	Open func(ctx context.Context, t Target) (*Image, error)
	// Artifacts keep the archives of a tenant.
	Artifacts func(tenant string) (Artifacts, error)
}

// Handle archives the layers of the image that an event tells of, where its scan
// asks for that. Events of other types are left alone.
func (a *Archiver) Handle(ctx context.Context, body []byte) error {
	message, s, err := readMessage(body, event.SBOMCreated)
	if err != nil || message == nil {
		return err
	}
	scans, err := a.Store(message.Tenant)
	if err != nil {
		return err
	}
	text, err := scans.Manifest(ctx, s.JobID)
	if errors.Is(err, fault.NotFound) {
		return nil // its time is over
	}
	if err != nil {
		return err
	}
	m, err := DecodeManifest(text)
	if err != nil || !m.StoreLayers || s.Digest == "" {
		return err
	}
	if err := a.archive(ctx, message.Tenant, m, s.Digest); err != nil {
		return fmt.Errorf("archive the layers of scan %s: %w", s.JobID, err)
	}
	return nil
}

func (a *Archiver) archive(ctx context.Context, tenant string, m *Manifest, image string) error {
	layers, err := a.Layers(tenant)
	if err != nil {
		return err
	}
	artifacts, err := a.Artifacts(tenant)
	if err != nil {
		return err
	}
	ref, err := layers.Layers(ctx, image)
	if errors.Is(err, fault.NotFound) {
		ref, err = a.make(ctx, tenant, artifacts, m)
	}
	if err != nil {
		return err
	}
	if err := layers.KeepLayers(ctx, m.JobID, image, ref); err != nil {
		return err
	}
	return artifacts.Name(ctx, ref, m.JobID+"/"+LayersName)
}

func (a *Archiver) make(ctx context.Context, tenant string, artifacts Artifacts, m *Manifest) (blob.Ref, error) {
	image, err := a.Open(ctx, Target{Tenant: tenant, Reference: m.Reference, Digest: m.Resolved, Platform: m.Platform})
	if err != nil {
		return blob.Ref{}, err
	}
	defer image.Close()
	r, w := io.Pipe()
	go func() { w.CloseWithError(WriteLayers(ctx, w, image)) }()
	ref, err := artifacts.Put(ctx, r)
	r.CloseWithError(err)
	return ref, err
}

// WriteLayers writes the stored bytes of an image's layers as a gzip-compressed
// tar, base first, each under sha256/HEX of what it is stored as. The same layers
// give the same bytes. A layer that is not what its digest says is an error, and
// what was written until then is no archive.
func WriteLayers(ctx context.Context, w io.Writer, m *Image) error {
	// Layers are compressed already, and what a compressor makes of its input is
	// no promise between its versions.
	z, err := gzip.NewWriterLevel(w, gzip.NoCompression)
	if err != nil {
		return err
	}
	out := tar.NewWriter(z)
	done := map[string]bool{}
	for i := range m.Layers {
		if err := writeLayer(ctx, out, &m.Layers[i], done); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return z.Close()
}

func writeLayer(ctx context.Context, out *tar.Writer, b *layer.Blob, done map[string]bool) error {
	digest, size := b.Descriptor.Digest, b.Descriptor.Size
	sum, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || size <= 0 {
		return fmt.Errorf("stored as %q with %d bytes: its source gives no digest to archive it under: %w", digest, size, fault.Unsupported)
	}
	if done[digest] {
		return nil
	}
	done[digest] = true
	r, err := b.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "sha256/" + sum, Size: size, Mode: 0o444, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), io.LimitReader(r, size))
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != size || got != sum {
		return &fault.MismatchError{What: "layer digest", Want: digest, Got: "sha256:" + got}
	}
	return nil
}
