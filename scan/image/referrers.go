package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of what is read about one image.
const (
	MaxReferrers        = 1000      // manifests that refer to one digest
	MaxAttestation      = 32 << 20  // bytes of one attestation
	MaxAttestationBytes = 256 << 20 // bytes of all
	maxReferrerPages    = 100
)

// Attestation is a document that a registry keeps about an image. Nothing in it is
// to be believed before its signature was checked: whoever may push may attach.
type Attestation struct {
	// Subject is the digest that was asked about: of the index or of the manifest.
	Subject string
	// Manifest is the digest of the manifest that leads to the document, and
	// ArtifactType the one that this manifest gives; it may be empty.
	Manifest, ArtifactType string
	// MediaType, Digest and Size are the document's.
	MediaType, Digest string
	Size              int64
	// Annotations are those of the manifest and of its layer, which precede.
	Annotations map[string]string
	// Content is the document; its digest was verified.
	Content []byte
}

// AttestationList is what a registry keeps about an image.
type AttestationList struct {
	// Registry and Repository are where it was asked for.
	Registry, Repository string
	// Digests are those that were asked about: of the index, if there is one, and of
	// the manifest.
	Digests []string
	// Attestations are sorted by subject, as Digests are, then by digest, and each
	// is there once for a subject.
	Attestations []Attestation
	// Broken says what was found and could not be read. The rest is there all the
	// same: a stranger's manifest must not hide the others'.
	Broken []error
}

// attestationTypes are media types of documents that say something about an image;
// those with a "*" begin so.
var attestationTypes = []string{
	"application/vnd.dsse.envelope.v1+json",
	"application/vnd.in-toto+json",
	"application/vnd.dev.sigstore.bundle*",
	"application/vnd.openvex+json", "application/openvex+json", "application/vex+json", "text/vex", "text/vex+json",
	"application/csaf+json",
}

// Attestations lists the documents that a registry keeps about an image, by a
// reference as [OpenRegistry] takes it and with the same options. Both the index
// that the reference names and the image that is chosen from it are asked about: by
// the referrers API (OCI distribution-spec 1.1), or by its tag where the registry has
// none; by the tag of cosign, "sha256-….att"; and in the index itself, where BuildKit
// puts them. want is asked about each document before it is fetched, and nil means
// all. None is no error. A nil opt means the defaults.
func Attestations(ctx context.Context, ref string, want func(*Attestation) bool, opt *Options) (*AttestationList, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	r, err := ParseReference(strings.TrimPrefix(strings.TrimPrefix(ref, "registry:"), "docker://"))
	if err != nil {
		return nil, err
	}
	s, err := newSession(ctx, r, set)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if want == nil {
		want = func(*Attestation) bool { return true }
	}
	a := &attestations{session: s, want: want, out: &AttestationList{Registry: r.Registry, Repository: r.Repository}}
	if err := a.list(ctx, ref); err != nil {
		return nil, err
	}
	return a.out, nil
}

// attestations is one listing.
type attestations struct {
	session *session
	want    func(*Attestation) bool
	out     *AttestationList
	bytes   int64
	seen    map[string]bool // manifests of the subject that is asked about
}

// list asks about the image and its index.
func (a *attestations) list(ctx context.Context, wrote string) error {
	s := a.session
	res := newResolver(s.set, s, wrote)
	what := "manifest of " + res.where
	b, served, err := s.manifest(ctx, s.ref.identifier(), what, s.set.limits.Manifest)
	if err != nil {
		return err
	}
	digest := digestOf(b, s.ref.Digest)
	if s.ref.Digest != "" && digest != s.ref.Digest {
		return &fault.MismatchError{What: "digest of " + what, Want: s.ref.Digest, Got: digest}
	}
	doc, err := parseDocument(b, what, served, &s.set.limits)
	if err != nil {
		return err
	}
	a.out.Digests = []string{digest}
	var inside []referrer
	if doc.Index {
		chosen, _, err := res.choose(ctx, doc)
		if err != nil {
			return err
		}
		a.out.Digests = append(a.out.Digests, chosen.Digest)
		if inside, err = parseReferrers(b, what, s.set.limits.IndexEntries); err != nil {
			return err
		}
		inside = slices.DeleteFunc(inside, func(r referrer) bool {
			return r.Annotations["vnd.docker.reference.type"] != "attestation-manifest" || r.Annotations["vnd.docker.reference.digest"] != chosen.Digest
		})
	}
	for i, digest := range a.out.Digests {
		a.seen = map[string]bool{}
		if err := a.about(ctx, digest); err != nil {
			return err
		}
		if i == len(a.out.Digests)-1 {
			if err := a.manifests(ctx, digest, inside, false); err != nil {
				return err
			}
		}
	}
	a.sort()
	return nil
}

func (a *attestations) sort() {
	place := func(x *Attestation) int { return slices.Index(a.out.Digests, x.Subject) }
	slices.SortFunc(a.out.Attestations, func(x, y Attestation) int {
		return cmp.Or(place(&x)-place(&y), strings.Compare(x.Digest, y.Digest), strings.Compare(x.Manifest, y.Manifest))
	})
	a.out.Attestations = slices.CompactFunc(a.out.Attestations, func(x, y Attestation) bool { return x.Subject == y.Subject && x.Digest == y.Digest })
}

// about asks about one digest in all ways.
func (a *attestations) about(ctx context.Context, digest string) error {
	found, err := a.referrers(ctx, digest)
	if err != nil {
		return err
	}
	if err := a.manifests(ctx, digest, found, true); err != nil {
		return err
	}
	tag := strings.Replace(digest, ":", "-", 1) + ".att"
	if !isTag(tag) { // of a digest that is too long for one
		return nil
	}
	b, served, err := a.session.manifest(ctx, tag, "attestations "+tag, a.session.set.limits.Manifest)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	}
	return a.pass(ctx, a.layers(ctx, digest, digestOf(b, ""), b, served, false))
}

// referrer is what an index says about a manifest.
type referrer struct {
	descriptor
	Annotations map[string]string
}

// parseReferrers reads the entries of an index with their annotations.
func parseReferrers(b []byte, what string, limit int) ([]referrer, error) {
	var index struct {
		Manifests jsontext.Value `json:"manifests"`
	}
	if err := decode(b, what, &index, documentNames...); err != nil {
		return nil, err
	}
	list, err := descriptors(index.Manifests, what+": manifests", limit)
	if err != nil {
		return nil, err
	}
	notes, err := annotations(index.Manifests, what+": manifests", limit)
	if err != nil {
		return nil, err
	}
	out := make([]referrer, len(list))
	for i := range list {
		out[i] = referrer{list[i], notes[i]}
	}
	return out, nil
}

// annotations reads those of a list of descriptors.
func annotations(raw jsontext.Value, what string, limit int) ([]map[string]string, error) {
	list, err := list[struct {
		Annotations map[string]string `json:"annotations"`
	}](raw, what, limit)
	out := make([]map[string]string, len(list))
	for i := range list {
		out[i] = list[i].Annotations
	}
	return out, err
}

// referrers returns what refers to a digest, by the API or by its tag.
func (a *attestations) referrers(ctx context.Context, digest string) ([]referrer, error) {
	path := "referrers/" + digest
	var out []referrer
	for page, query := 1, ""; ; page++ {
		b, h, err := a.page(ctx, path, query)
		switch {
		case page == 1 && (errors.Is(err, fault.NotFound) || errors.Is(err, fault.Invalid) && refused(err)):
			return a.tagged(ctx, digest)
		case err != nil:
			return nil, fmt.Errorf("referrers of %s: %w", digest, err)
		}
		more, err := parseReferrers(b, "referrers of "+digest, MaxReferrers)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > MaxReferrers || page > maxReferrerPages {
			return nil, &fault.LimitError{What: "referrers", Where: digest, Max: MaxReferrers}
		}
		if query = next(h, a.session.base, "/v2/"+a.session.ref.Repository+"/"+path); query == "" {
			return out, nil
		}
	}
}

// refused reports whether a registry does not know the request, as one without the
// API may answer: 400 or 405.
func refused(err error) bool {
	var said *answer
	return errors.As(err, &said) && (said.status == http.StatusBadRequest || said.status == http.StatusMethodNotAllowed)
}

// tagged returns the referrers that a client keeps under a tag (OCI
// distribution-spec 1.1, "Referrers Tag Schema").
func (a *attestations) tagged(ctx context.Context, digest string) ([]referrer, error) {
	algorithm, encoded, _ := strings.Cut(digest, ":")
	tag := algorithm + "-" + encoded[:min(len(encoded), 64)]
	b, _, err := a.session.manifest(ctx, tag, "referrers "+tag, a.session.set.limits.Manifest)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return parseReferrers(b, "referrers "+tag, MaxReferrers)
}

// page asks for one page of the API's answer.
func (a *attestations) page(ctx context.Context, path, query string) ([]byte, http.Header, error) {
	s := a.session
	if query == "" {
		return s.read(ctx, path, http.Header{"Accept": {typeOCIIndex}}, s.set.limits.Manifest)
	}
	u := s.base
	u.Path, u.RawQuery = "/v2/"+s.ref.Repository+"/"+path, query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", u.Path, fault.Invalid)
	}
	req.Header.Set("Accept", typeOCIIndex)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("GET %s: %w", u.Path, wireError(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("GET %s: %w", u.Path, statusError(resp))
	}
	b, err := readLimited(resp.Body, path, s.set.limits.Manifest)
	return b, resp.Header, err
}

// next returns the query of the next page, "" where there is none. A page elsewhere
// is none: the path is ours, and only the query the registry's.
func next(h http.Header, base url.URL, path string) string {
	for _, link := range h.Values("Link") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(strings.ReplaceAll(params, " ", ""), `rel="next"`) {
			continue
		}
		base.Path = path
		u, err := base.Parse(target[1:])
		if err == nil && u.Host == base.Host && u.Path == path {
			return u.RawQuery
		}
	}
	return ""
}

// manifests reads what manifests hold. bound says that they must name the subject.
func (a *attestations) manifests(ctx context.Context, subject string, list []referrer, bound bool) error {
	for _, r := range list {
		if a.seen[r.Digest] || r.MediaType != typeOCIManifest {
			continue
		}
		a.seen[r.Digest] = true
		b, served, err := a.session.document(ctx, r.descriptor, "referrer "+r.Digest, a.session.set.limits.Manifest)
		if err == nil {
			err = a.layers(ctx, subject, r.Digest, b, served, bound)
		}
		if err = a.pass(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// pass notes an error that is one manifest's own, and returns others.
func (a *attestations) pass(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, !errors.Is(err, fault.Mismatch) && !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Limit) && !errors.Is(err, fault.Unsupported):
		return err
	}
	a.out.Broken = append(a.out.Broken, err)
	return nil
}

// artifact is a manifest as it concerns its subject.
type artifact struct {
	ArtifactType string            `json:"artifactType"`
	Layers       jsontext.Value    `json:"layers"`
	Annotations  map[string]string `json:"annotations"`
	Subject      *struct {
		Digest string `json:"digest"`
	} `json:"subject"`
}

// layers reads the documents that a manifest holds.
func (a *attestations) layers(ctx context.Context, subject, digest string, b []byte, served string, bound bool) error {
	what := "referrer " + digest
	doc, err := parseDocument(b, what, served, &a.session.set.limits)
	if err != nil {
		return err
	}
	var m artifact
	if err := decode(b, what, &m, documentNames...); err != nil {
		return err
	}
	if bound && (m.Subject == nil || m.Subject.Digest != subject) {
		return fmt.Errorf("%s: it does not refer to %s, of which it is listed: %w", what, subject, fault.Mismatch)
	}
	notes, err := annotations(m.Layers, what+": layers", a.session.set.limits.Layers)
	if err != nil {
		return err
	}
	for i, l := range doc.Layers {
		found := Attestation{
			Subject: subject, Manifest: digest, ArtifactType: m.ArtifactType,
			MediaType: l.MediaType, Digest: l.Digest, Size: l.Size, Annotations: map[string]string{},
		}
		for _, from := range []map[string]string{m.Annotations, notes[i]} {
			for k, v := range from {
				found.Annotations[k] = v
			}
		}
		if !isAttestationType(l.MediaType) || !a.want(&found) {
			continue
		}
		if err := a.pass(ctx, a.fetch(ctx, l, found)); err != nil {
			return err
		}
	}
	return nil
}

func isAttestationType(t string) bool {
	return slices.ContainsFunc(attestationTypes, func(known string) bool {
		prefix, open := strings.CutSuffix(known, "*")
		return t == known || open && strings.HasPrefix(t, prefix)
	})
}

// fetch reads a document and keeps it.
func (a *attestations) fetch(ctx context.Context, d descriptor, found Attestation) error {
	if a.bytes += d.Size; a.bytes > MaxAttestationBytes {
		a.bytes -= d.Size
		return &fault.LimitError{What: "bytes of attestations", Where: found.Subject, Max: MaxAttestationBytes}
	}
	what := "attestation " + d.Digest
	content := d.Data // which parsing has verified
	if content == nil {
		var err error
		d.MediaType = "application/octet-stream" // a blob, whatever it says
		if content, _, err = a.session.document(ctx, d, what, MaxAttestation); err != nil {
			return err
		}
	}
	found.Content = content
	a.out.Attestations = append(a.out.Attestations, found)
	return nil
}
