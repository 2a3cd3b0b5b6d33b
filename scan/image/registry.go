package image

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// OpenRegistry opens an image in a registry (OCI distribution-spec), by
// [registry/]repository[:tag][@digest]. The tag is resolved once. Layers are
// fetched when they are opened; they may be opened concurrently until the image
// is closed. A nil opt means the defaults.
//
// Credentials are presented only to the registry's own origin (scheme, host and
// port) and, to be exchanged for a token, to the realm that the registry names,
// which has to be encrypted unless it is the registry itself or both are on this
// machine. No error has them in its text, nor anything a server answered beyond
// its status and error code.
func OpenRegistry(ctx context.Context, ref string, opt *Options) (*scan.Image, error) {
	return openRegistry(ctx, ref, ref, opt)
}

// openRegistry keeps what the user wrote apart from the reference in it.
func openRegistry(ctx context.Context, wrote, ref string, opt *Options) (*scan.Image, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	r, err := ParseReference(ref)
	if err != nil {
		return nil, err
	}
	s, err := newSession(ctx, wrote, r, set)
	if err != nil {
		return nil, err
	}
	m, err := s.image(ctx, wrote)
	if err != nil {
		s.close()
		return nil, err
	}
	m.Release = func() error { s.close(); return nil }
	return m, nil
}

func (s *session) image(ctx context.Context, wrote string) (*scan.Image, error) {
	res := newResolver(s.set, s, wrote)
	top, err := s.top(ctx)
	if err != nil {
		return nil, err
	}
	if s.ref.Digest == "" {
		res.source.Tags = []string{Reference{Registry: s.ref.Registry, Repository: s.ref.Repository, Tag: s.ref.Tag}.String()}
	}
	return res.image(ctx, top.descriptor, top.doc)
}

// top resolves the reference, once.
func (s *session) top(ctx context.Context) (*topmost, error) {
	what := "manifest of " + quoteReference(s.wrote)
	b, served, err := s.manifest(ctx, s.ref.identifier(), what, s.set.limits.Manifest)
	if err != nil {
		return nil, err
	}
	d := descriptor{MediaType: served, Digest: digestOf(b, s.ref.Digest), Size: int64(len(b))}
	if s.ref.Digest != "" {
		if err := verify(what, b, descriptor{Digest: s.ref.Digest, Size: -1}); err != nil {
			return nil, err
		}
	}
	doc, err := parseDocument(b, what, served, &s.set.limits)
	if err != nil {
		return nil, err
	}
	d.MediaType = doc.MediaType
	return &topmost{d, b, doc, what}, nil
}

// manifest fetches a manifest by tag or digest, with its Content-Type. What the
// registry itself calls its digest has to agree with the bytes.
func (s *session) manifest(ctx context.Context, id, what string, limit int64) ([]byte, string, error) {
	b, h, err := s.read(ctx, "manifests/"+id, http.Header{"Accept": {acceptManifest}}, limit)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", what, err)
	}
	said := h.Get("Docker-Content-Digest")
	if got := digestOf(b, said); checkDigest(said) == nil && got != said {
		return nil, "", &fault.MismatchError{What: what + ": the registry's Docker-Content-Digest", Want: said, Got: got}
	}
	return b, servedType(h), nil
}

// servedType is the media type of an answer, without parameters.
func servedType(h http.Header) string {
	served, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(served))
}

// document fetches a manifest or an image config by digest.
func (s *session) document(ctx context.Context, d descriptor, what string, limit int64) (b []byte, served string, err error) {
	if d.Size > limit {
		return nil, "", &fault.LimitError{What: "bytes", Where: what, Max: limit, Seen: d.Size}
	}
	if isManifestType(d.MediaType) || isIndexType(d.MediaType) {
		b, served, err = s.manifest(ctx, d.Digest, what, limit)
	} else {
		b, _, err = s.read(ctx, "blobs/"+d.Digest, nil, limit)
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
		}
	}
	if err == nil {
		err = verify(what, b, d)
	}
	return b, served, err
}

// holds asks whether the registry has a blob.
func (s *session) holds(ctx context.Context, d descriptor) (bool, error) {
	resp, err := s.get(ctx, http.MethodHead, "blobs/"+d.Digest, nil)
	switch fault.KindOf(err) {
	case "":
		if err != nil {
			return false, err
		}
		return true, resp.Body.Close()
	case fault.NotFound:
		return false, nil
	}
	return false, err
}

// open streams a layer. Its digest is verified by whoever reads it; that it is
// not longer than its descriptor says is seen to here.
func (s *session) open(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	return s.openAt(ctx, d, 0)
}

// openAt streams a blob from a place on.
func (s *session) openAt(ctx context.Context, d descriptor, off int64) (io.ReadCloser, error) {
	st := &stream{ctx: ctx, session: s, desc: d, off: off}
	if err := st.connect(); err != nil {
		return nil, err
	}
	return st, nil
}
