package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
// reference as [OpenRegistry] takes it and with the same options, or those that an OCI
// layout keeps, by oci:DIR[:REF]. Both the index that the reference names and the
// image that is chosen from it are asked about: by the referrers API (OCI
// distribution-spec 1.1), or by its tag where the registry has none; by the tag of
// cosign, "sha256-….att"; and in the index itself, where BuildKit puts them. want is
// asked about each document before it is fetched, and nil means all. None is no error.
// A nil opt means the defaults.
//
// A service that is given references by others checks them with [ParseRemote] first,
// which refuses layouts and other places on its own machine.
func Attestations(ctx context.Context, ref string, want func(*Attestation) bool, opt *Options) (*AttestationList, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	sh, done, err := openShelf(ctx, ref, set)
	if err != nil {
		return nil, err
	}
	defer done()
	if want == nil {
		want = func(*Attestation) bool { return true }
	}
	a := &attestations{shelf: sh, set: set, want: want, out: &AttestationList{}}
	a.out.Registry, a.out.Repository = sh.where().Registry, sh.where().Repository
	if err := a.list(ctx, ref); err != nil {
		return nil, err
	}
	return a.out, nil
}

// attestations is one listing.
type attestations struct {
	shelf shelf
	set   *settings
	want  func(*Attestation) bool
	out   *AttestationList
	bytes int64
	seen  map[string]bool // manifests of the subject that is asked about
}

// list asks about the image and its index.
func (a *attestations) list(ctx context.Context, wrote string) error {
	top, err := a.shelf.top(ctx)
	if err != nil {
		return err
	}
	if top.Digest != "" {
		a.out.Digests = []string{top.Digest}
	}
	var inside []referrer
	if top.doc.Index {
		chosen, _, err := newResolver(a.set, a.shelf, wrote).choose(ctx, top.doc)
		if err != nil {
			return err
		}
		a.out.Digests = append(a.out.Digests, chosen.Digest)
		if inside, err = top.entries(a.set.limits.IndexEntries); err != nil {
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
	found, err := a.shelf.referrers(ctx, digest)
	if err != nil {
		return err
	}
	if err := a.manifests(ctx, digest, found, true); err != nil {
		return err
	}
	tag := attestationTag(digest)
	if !isTag(tag) { // of a digest that is too long for one
		return nil
	}
	b, served, err := a.shelf.manifest(ctx, tag, "attestations "+tag, a.set.limits.Manifest)
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

// manifests reads what manifests hold. bound says that they must name the subject.
func (a *attestations) manifests(ctx context.Context, subject string, list []referrer, bound bool) error {
	for _, r := range list {
		if a.seen[r.Digest] || r.MediaType != typeOCIManifest {
			continue
		}
		a.seen[r.Digest] = true
		b, served, err := a.shelf.document(ctx, r.descriptor, "referrer "+r.Digest, a.set.limits.Manifest)
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
	doc, err := parseDocument(b, what, served, &a.set.limits)
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
	notes, err := annotations(m.Layers, what+": layers", a.set.limits.Layers)
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
		if content, _, err = a.shelf.document(ctx, d, what, MaxAttestation); err != nil {
			return err
		}
	}
	found.Content = content
	a.out.Attestations = append(a.out.Attestations, found)
	return nil
}
