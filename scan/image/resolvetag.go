package image

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Resolve asks a registry which image a reference stands for, and returns the digest of its
// manifest: of an index, that of the platform of the options. It is the Manifest of what
// [OpenRegistry] gives. A nil opt means the defaults.
//
// A tag is asked about with HEAD, which registries do not count as a pull; what is not an
// index is known by that. References are read as by [ParseRemote].
func Resolve(ctx context.Context, ref string, opt *Options) (digest string, err error) {
	set, err := opt.settings()
	if err != nil {
		return "", err
	}
	r, err := ParseRemote(ref)
	if err != nil {
		return "", err
	}
	s, err := newSession(ctx, ref, r, set)
	if err != nil {
		return "", err
	}
	defer s.close()
	if digest, err = s.headManifest(ctx); err != nil || digest != "" {
		return digest, err
	}
	top, err := s.top(ctx)
	if err != nil {
		return "", err
	}
	if !top.doc.Index {
		return top.descriptor.Digest, nil
	}
	chosen, _, err := newResolver(set, s, ref).choose(ctx, top.doc)
	return chosen.Digest, err
}

// headManifest returns the digest of a manifest without reading it; "" where it is no
// manifest, or the registry does not say.
func (s *session) headManifest(ctx context.Context) (string, error) {
	resp, err := s.get(ctx, http.MethodHead, "manifests/"+s.ref.identifier(), http.Header{"Accept": {acceptManifest}})
	if err != nil {
		return "", fmt.Errorf("manifest of %s: %w", quoteReference(s.wrote), err)
	}
	resp.Body.Close()
	digest := resp.Header.Get("Docker-Content-Digest")
	if !isManifestType(servedType(resp.Header)) || checkDigest(digest) != nil || !strings.HasPrefix(digest, "sha256:") {
		return "", nil
	}
	if s.ref.Digest != "" && digest != s.ref.Digest {
		return "", &fault.MismatchError{What: "manifest of " + quoteReference(s.wrote) + ": the registry's Docker-Content-Digest", Want: s.ref.Digest, Got: digest}
	}
	return digest, nil
}
