// Package attestation reads VEX documents that a registry keeps about images: in
// attestations that refer to an image, or as they are.
//
// What they say is about the image that they are attached to, or else about the
// subjects that an attestation names, and never about anything elsewhere: see package
// format. It is about the image where it was found, so that an issuer's authority over
// a repository covers it, and no copy in another one.
//
// A document's name is the image's registry and repository, the digest that was asked
// about, and the document's own.
package attestation

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
	"github.com/stella-ops/stella/vex/internal/fetch"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrNotFound        error = fault.NotFound
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrUnavailable     error = fault.Unavailable
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch
)

// Config says which images' attestations are read.
type Config struct {
	// Name is the source's name; "" means "attestation".
	Name string
	// Images are references, as image.OpenRegistry takes them.
	Images []string
	// Registry says how registries are asked; nil means the defaults. The door that
	// Fetch is given is not asked: registries want credentials and have a protocol.
	Registry *image.Options
	// Broken, where it is not nil, is told what was found and could not be read.
	Broken func(image string, err error)
}

// Source is the attestations of images. It is safe for concurrent use.
type Source struct {
	config Config
}

var _ vex.Source = (*Source)(nil)

// New returns the source of images' attestations.
func New(c Config) *Source {
	if c.Name == "" {
		c.Name = "attestation"
	}
	return &Source{config: c}
}

// Describe says what the source is.
func (s *Source) Describe() vex.Description {
	return vex.Description{Name: s.config.Name, Title: "Attestations of images", License: "LicenseRef-" + s.config.Name}
}

// Fetch passes on all documents each time; see vex.Source. Where something was found
// and could not be read the outcome is not complete: what was there before is not
// gone.
func (s *Source) Fetch(ctx context.Context, _ vex.Door, _ []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &fetch.Pass{Context: ctx, Source: s.config.Name, Emit: emit}
	complete := true
	for _, ref := range s.config.Images {
		list, err := image.Attestations(ctx, ref, wanted, s.config.Registry)
		if err != nil {
			return nil, fmt.Errorf("attestations of %s: %w", ref, err)
		}
		for _, err := range list.Broken {
			if complete = false; s.config.Broken != nil {
				s.config.Broken(ref, err)
			}
		}
		for i := range list.Attestations {
			if err := p.Document(document(list, &list.Attestations[i])); err != nil {
				return nil, err
			}
		}
	}
	return &vex.Fetched{Complete: complete}, nil
}

// predicateTypes are annotations by which tools say what an attestation holds.
var predicateTypes = []string{"predicateType", "in-toto.io/predicate-type", "dev.sigstore.bundle.predicateType"}

// wanted reports whether a document may be VEX. An annotation is a stranger's word;
// who lies by it could as well keep the document.
func wanted(a *image.Attestation) bool {
	for _, key := range predicateTypes {
		if typ := a.Annotations[key]; typ != "" && format.Predicate(typ) == format.Unknown {
			return false
		}
	}
	return true
}

// document makes an attestation a document.
func document(list *image.AttestationList, a *image.Attestation) *vex.Document {
	dash := func(digest string) string { return strings.Replace(digest, ":", "-", 1) }
	repository := list.Registry + "/" + list.Repository
	return &vex.Document{
		Name: repository + "/" + dash(a.Subject) + "/" + dash(a.Digest) + ".json",
		URL:  "oci://" + repository + "@" + a.Manifest, Content: a.Content,
	}
}

// place reads a document's name: where it was found, and about what.
func place(name string) (repository, subject string, err error) {
	parts := strings.Split(name, "/")
	if len(parts) >= 4 {
		repository = strings.Join(parts[:len(parts)-2], "/")
		subject = strings.Replace(parts[len(parts)-2], "-", ":", 1)
		if algorithm, hex, ok := strings.Cut(subject, ":"); ok && strings.HasPrefix(algorithm, "sha") && hex != "" && strings.Trim(hex, "0123456789abcdef") == "" {
			return repository, subject, nil
		}
	}
	return "", "", fmt.Errorf("document %.200q: its name is none of an attestation: %w", name, fault.Invalid)
}

// Parse yields what a document says; see vex.Source.
func (s *Source) Parse(doc *vex.Document) iter.Seq2[*vex.Statement, error] {
	return func(yield func(*vex.Statement, error) bool) {
		repository, subject, err := place(doc.Name)
		if err != nil {
			yield(nil, err)
			return
		}
		bare := format.Detect(doc.Content) != format.InToto
		algorithm, hex, _ := strings.Cut(subject, ":")
		about := &intoto.Statement{Subjects: []intoto.Subject{{Name: repository, Digests: map[string]string{algorithm: hex}}}}
		for st, err := range format.Decode(doc.Name, doc.Content, &format.Options{Repository: repository}) {
			if err == nil && bare {
				if err = format.Attested(st, about, repository); err != nil {
					st, err = nil, &vex.StatementError{Document: doc.Name, Pointer: st.Origin.Pointer, Err: err}
				}
			}
			if !yield(st, err) {
				return
			}
			var broken *vex.StatementError
			if err != nil && !errors.As(err, &broken) {
				return
			}
		}
	}
}
