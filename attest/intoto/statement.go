package intoto

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Statement says something about things. It must not be changed once others have
// it.
type Statement struct {
	Type string // TypeV1 or TypeV01
	// Subjects are what it is about, in its order; at least one.
	Subjects []Subject
	// PredicateType is a URI that says how the predicate is to be read.
	PredicateType string
	// Predicate is the JSON object, byte for byte as it stands in the statement; nil
	// where there is none.
	Predicate []byte
}

// Subject is a thing, known by its digests and by nothing else.
type Subject struct {
	// Name tells subjects of one statement apart; it may be empty. URI says where
	// the thing is. Neither identifies it: whoever signs chooses both.
	Name, URI string
	// Digests are by the names of their algorithms, such as "sha256"; at least one.
	// Those of SHA-2 are hexadecimal in lower case and of the right length.
	Digests map[string]string
}

// hexDigits are how long the digests of known algorithms are.
var hexDigits = map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}

// Secure returns the subject's digests by SHA-256, SHA-384 and SHA-512 as
// "algorithm:hex", sorted; others are no ground to believe that two things are one
// (specification, "DigestSet", guidelines).
func (s *Subject) Secure() []string {
	var out []string
	for _, algorithm := range slices.Sorted(maps.Keys(s.Digests)) {
		if hexDigits[algorithm] > 0 {
			out = append(out, algorithm+":"+s.Digests[algorithm])
		}
	}
	return out
}

// Digests returns what [Subject.Secure] returns for all subjects, sorted and each
// once.
func (s *Statement) Digests() []string {
	var out []string
	for i := range s.Subjects {
		out = append(out, s.Subjects[i].Secure()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// About reports whether one of the subjects has one of the digests, "sha256:" and
// hexadecimal digits in lower case.
func (s *Statement) About(digests ...string) bool {
	for i := range s.Subjects {
		for _, d := range digests {
			algorithm, value, _ := strings.Cut(d, ":")
			if hexDigits[algorithm] == len(value) && len(value) > 0 && s.Subjects[i].Digests[algorithm] == value {
				return true
			}
		}
	}
	return false
}

// wire is the JSON of a statement. Pointers tell what is missing from what is
// empty.
type wire struct {
	Type          *string        `json:"_type"`
	Subject       *[]wireSubject `json:"subject"`
	PredicateType *string        `json:"predicateType"`
	Predicate     jsontext.Value `json:"predicate"`
}

type wireSubject struct {
	Name   string            `json:"name"`
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// Decode reads the payload of a verified envelope. Members that the specification
// does not know are ignored, as it says. Refused are another payload type, a member
// that occurs twice, text after the object, another type of statement, no
// subjects, a subject without a digest, a digest of SHA-2 that is not one, and a
// predicate that is no object. An error wraps ErrInvalid, ErrUnsupported or
// ErrLimit.
func Decode(payloadType string, payload []byte) (*Statement, error) {
	if payloadType != PayloadType {
		return nil, fmt.Errorf("statement: payload type %.200q, want %q: %w", payloadType, PayloadType, fault.Unsupported)
	}
	if len(payload) > MaxStatement {
		return nil, &fault.LimitError{What: "bytes", Where: "statement", Max: MaxStatement, Seen: int64(len(payload))}
	}
	var w wire
	if err := json.Unmarshal(payload, &w); err != nil {
		return nil, fmt.Errorf("statement: %v: %w", err, fault.Invalid)
	}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	s := &Statement{Type: *w.Type, PredicateType: *w.PredicateType}
	if w.Predicate.Kind() == '{' {
		s.Predicate = w.Predicate
	}
	for i, subject := range *w.Subject {
		if err := subject.check(); err != nil {
			return nil, fmt.Errorf("statement: subject[%d]: %w", i, err)
		}
		s.Subjects = append(s.Subjects, Subject{Name: subject.Name, URI: subject.URI, Digests: subject.Digest})
	}
	return s, nil
}

func (w *wire) check() error {
	switch {
	case w.Type == nil:
		return fmt.Errorf("_type is missing: %w", fault.Invalid)
	case *w.Type != TypeV1 && *w.Type != TypeV01:
		return fmt.Errorf("_type %.200q, want %q or %q: %w", *w.Type, TypeV1, TypeV01, fault.Unsupported)
	case w.PredicateType == nil || *w.PredicateType == "":
		return fmt.Errorf("predicateType is missing: %w", fault.Invalid)
	case len(*w.PredicateType) > MaxName:
		return tooLong("predicateType", *w.PredicateType)
	case w.Subject == nil || len(*w.Subject) == 0:
		return fmt.Errorf("it has no subject: it is about nothing: %w", fault.Invalid)
	case len(*w.Subject) > MaxSubjects:
		return &fault.LimitError{What: "subjects", Where: "statement", Max: MaxSubjects, Seen: int64(len(*w.Subject))}
	}
	switch w.Predicate.Kind() {
	case '{', 'n', jsontext.KindInvalid:
		return nil
	}
	return fmt.Errorf("predicate: want an object: %w", fault.Invalid)
}

func (s *wireSubject) check() error {
	switch {
	case len(s.Name) > MaxName:
		return tooLong("name", s.Name)
	case len(s.URI) > MaxName:
		return tooLong("uri", s.URI)
	case len(s.Digest) == 0:
		return fmt.Errorf("it has no digest: %w", fault.Invalid)
	case len(s.Digest) > MaxDigests:
		return &fault.LimitError{What: "digests", Where: "subject", Max: MaxDigests, Seen: int64(len(s.Digest))}
	}
	for _, algorithm := range slices.Sorted(maps.Keys(s.Digest)) {
		if err := checkDigest(algorithm, s.Digest[algorithm]); err != nil {
			return err
		}
	}
	return nil
}

// checkDigest refuses what two readers could compare differently. Algorithms that
// are not known are left alone: nobody compares by them.
func checkDigest(algorithm, value string) error {
	switch {
	case algorithm == "" || value == "":
		return fmt.Errorf("digest: an algorithm or a value is empty: %w", fault.Invalid)
	case len(algorithm) > MaxName:
		return tooLong("digest: algorithm", algorithm)
	case len(value) > MaxName:
		return tooLong("digest "+algorithm, value)
	}
	want, known := hexDigits[algorithm]
	if known && (len(value) != want || strings.Trim(value, "0123456789abcdef") != "") {
		return fmt.Errorf("digest %s %.140q: want %d hexadecimal digits in lower case: %w", algorithm, value, want, fault.Invalid)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("digest %s: not UTF-8: %w", algorithm, fault.Invalid)
	}
	return nil
}

func tooLong(what, text string) error {
	return &fault.LimitError{What: "bytes of " + what, Where: "statement", Max: MaxName, Seen: int64(len(text))}
}
