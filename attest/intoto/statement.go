package intoto

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto/internal/wire"
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

// About reports whether one of the subjects is a thing that has the digests,
// "algorithm:hex" in lower case, by SHA-256, SHA-384 or SHA-512. They are all that the
// caller knows of it: a subject has to agree with one of them, and must not disagree
// by another algorithm. Several digests by one algorithm are alternatives, as those of
// an image's manifest and configuration.
func (s *Statement) About(digests ...string) bool {
	return slices.ContainsFunc(s.Subjects, func(subject Subject) bool { return subject.is(digests) })
}

func (s *Subject) is(digests []string) bool {
	agrees := map[string]bool{} // by algorithm, where both sides have one
	for _, d := range digests {
		algorithm, value, _ := strings.Cut(d, ":")
		if have := s.Digests[algorithm]; hexDigits[algorithm] > 0 && have != "" {
			agrees[algorithm] = agrees[algorithm] || have == value
		}
	}
	for _, yes := range agrees {
		if !yes {
			return false
		}
	}
	return len(agrees) > 0
}

// Expect returns the predicate, where the statement is of the type that is asked for
// and about the thing that has the digests: see [Statement.Of] and [Statement.About].
// An error wraps ErrMismatch where it is another type or another thing, and ErrInvalid
// where there is no predicate.
func (s *Statement) Expect(predicateType string, digests ...string) ([]byte, error) {
	predicate, err := s.Of(predicateType)
	if err == nil && !s.About(digests...) {
		err = fmt.Errorf("statement: none of its %d subjects is %.500s: %w", len(s.Subjects), strings.Join(digests, ", "), fault.Mismatch)
	}
	if err != nil {
		return nil, err
	}
	return predicate, nil
}

// Of returns the predicate, where the statement is of the type that is asked for, as
// [SamePredicate] compares them. An error wraps ErrMismatch where it is another type,
// and ErrInvalid where there is no predicate.
func (s *Statement) Of(predicateType string) ([]byte, error) {
	switch {
	case !SamePredicate(predicateType, s.PredicateType):
		return nil, fmt.Errorf("statement: predicate type %.200q, want %q: %w", s.PredicateType, predicateType, fault.Mismatch)
	case s.Predicate == nil:
		return nil, fmt.Errorf("statement: it has no predicate: %w", fault.Invalid)
	}
	return s.Predicate, nil
}

// Within checks that the statement is about nothing but things with the digests:
// that it has subjects, and that each has a digest by SHA-2, all of which are among
// them. A predicate that says itself what it is about vouches for no other subject. An
// error wraps ErrMismatch and names the first that is another thing.
func (s *Statement) Within(digests []string) error {
	if len(s.Subjects) == 0 {
		return fmt.Errorf("statement: it has no subject: it is about nothing: %w", fault.Mismatch)
	}
	for i := range s.Subjects {
		secure := s.Subjects[i].Secure()
		if len(secure) == 0 {
			return fmt.Errorf("statement: subject[%d] has no digest by SHA-2: %w", i, fault.Mismatch)
		}
		for _, d := range secure {
			if !slices.Contains(digests, d) {
				return fmt.Errorf("statement: subject[%d] is %s, which its predicate is not about: %w", i, d, fault.Mismatch)
			}
		}
	}
	return nil
}

// statement is the JSON of one. Pointers tell what is missing from what is empty.
type statement struct {
	Type          *string        `json:"_type"`
	Subject       *[]subject     `json:"subject"`
	PredicateType *string        `json:"predicateType"`
	Predicate     jsontext.Value `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// Decode reads the payload of a verified envelope. Members that the specification
// does not know are ignored, as it says. Refused are another payload type, a member
// that occurs twice or in another case, text after the object, another type of statement, no
// subjects, a subject without a digest, a digest of SHA-2 that is not one, and a
// predicate that is no object. An error wraps ErrInvalid, ErrUnsupported or
// ErrLimit.
func Decode(payloadType string, payload []byte) (*Statement, error) {
	if payloadType != PayloadType {
		return nil, fmt.Errorf("statement: payload type %.200q, want %q: %w", payloadType, PayloadType, fault.Unsupported)
	}
	var w statement
	if err := wire.Decode("statement", payload, &w); err != nil {
		return nil, err
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

func (w *statement) check() error {
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

func (s *subject) check() error {
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
