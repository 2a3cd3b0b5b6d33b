// Package slsa reads and writes SLSA's predicates, how an artifact was built
// ([Provenance]) and what somebody verified about one ([Summary]), and checks them
// against what is expected: [BuildExpectation] and [SummaryExpectation].
//
// A predicate says what its signer says. Both checks therefore ask who signed, as the
// verification of the envelope found it, and what that signer may say.
//
// The types of in-toto-golang are not used here: they are deprecated by their authors,
// hold parameters as float64 and any, so that two different numbers are one, and are
// read without regard to case and repetition. They are what the tests compare with.
//
// Sources: SLSA 1.2, "Build: Provenance" and "Verification Summary Attestation";
// SLSA provenance v0.2, which is read only.
package slsa

import (
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // not what is expected
)

// The limits of a predicate.
const (
	MaxPredicate = wire.Max // bytes
	MaxResources = 100_000  // of each list
)

// Resource describes an artifact or another thing (in-toto, "ResourceDescriptor"). It
// has a URI, digests or content.
type Resource struct {
	Name, URI string
	// Digests are by the names of their algorithms; those of SHA-2 are hexadecimal in
	// lower case and of the right length.
	Digests          map[string]string
	Content          []byte
	DownloadLocation string
	MediaType        string
	Annotations      []byte // a JSON object; nil for none
}

// resource is the JSON of a Resource.
type resource struct {
	Name             string            `json:"name,omitempty"`
	URI              string            `json:"uri,omitempty"`
	Digest           map[string]string `json:"digest,omitempty"`
	Content          []byte            `json:"content,omitempty"`
	DownloadLocation string            `json:"downloadLocation,omitempty"`
	MediaType        string            `json:"mediaType,omitempty"`
	Annotations      jsontext.Value    `json:"annotations,omitzero"`
}

func (w *resource) read() (Resource, error) {
	if w.URI == "" && len(w.Digest) == 0 && len(w.Content) == 0 {
		return Resource{}, fmt.Errorf("want a uri, a digest or content: %w", fault.Invalid)
	}
	if err := checkDigests(w.Digest); err != nil {
		return Resource{}, err
	}
	if k := w.Annotations.Kind(); k != jsontext.KindInvalid && k != '{' && k != 'n' {
		return Resource{}, fmt.Errorf("annotations: want an object: %w", fault.Invalid)
	}
	r := Resource{Name: w.Name, URI: w.URI, DownloadLocation: w.DownloadLocation, MediaType: w.MediaType}
	if len(w.Digest) > 0 {
		r.Digests = w.Digest
	}
	if len(w.Content) > 0 {
		r.Content = w.Content
	}
	if w.Annotations.Kind() == '{' {
		r.Annotations = w.Annotations
	}
	return r, nil
}

// checkDigests refuses digests of SHA-2 that are none, as in subjects.
func checkDigests(digests map[string]string) error {
	for _, algorithm := range slices.Sorted(maps.Keys(digests)) {
		switch algorithm {
		case "sha256", "sha384", "sha512":
			if _, err := intoto.NewSubject("", algorithm+":"+digests[algorithm]); err != nil {
				return err
			}
		default:
			if algorithm == "" || digests[algorithm] == "" {
				return fmt.Errorf("digest: an algorithm or a value is empty: %w", fault.Invalid)
			}
		}
	}
	return nil
}

func readResources(member string, list []resource) ([]Resource, error) {
	if len(list) > MaxResources {
		return nil, &fault.LimitError{What: member, Where: "predicate", Max: MaxResources, Seen: int64(len(list))}
	}
	var out []Resource
	for i := range list {
		r, err := list[i].read()
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", member, i, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func wireResources(list []Resource) []resource {
	var out []resource
	for _, r := range list {
		out = append(out, resource{r.Name, r.URI, r.Digests, r.Content, r.DownloadLocation, r.MediaType, r.Annotations})
	}
	return out
}
