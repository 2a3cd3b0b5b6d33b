package intoto

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// NewSubject returns a subject that has the digests, each "algorithm:hex" by SHA-256,
// SHA-384 or SHA-512 and no two by one algorithm: they are of one thing. An error wraps
// ErrInvalid.
func NewSubject(name string, digests ...string) (Subject, error) {
	s := Subject{Name: name, Digests: make(map[string]string, len(digests))}
	for _, d := range digests {
		algorithm, value, _ := strings.Cut(d, ":")
		if hexDigits[algorithm] == 0 {
			return Subject{}, fmt.Errorf("subject %.200q: digest %.140q: want sha256, sha384 or sha512, a colon and hexadecimal digits: %w", name, d, fault.Invalid)
		}
		if err := checkDigest(algorithm, value); err != nil {
			return Subject{}, fmt.Errorf("subject %.200q: %w", name, err)
		}
		if _, twice := s.Digests[algorithm]; twice {
			return Subject{}, fmt.Errorf("subject %.200q: two digests by %s: %w", name, algorithm, fault.Invalid)
		}
		s.Digests[algorithm] = value
	}
	if len(digests) == 0 {
		return Subject{}, fmt.Errorf("subject %.200q: it has no digest: %w", name, fault.Invalid)
	}
	return s, nil
}

// NewStatement returns a statement about things that have the digests, without names: one
// subject for each, see [NewSubject]. An error wraps ErrInvalid.
func NewStatement(predicateType string, predicate []byte, digests ...string) (*Statement, error) {
	s := &Statement{Type: TypeV1, PredicateType: predicateType, Predicate: predicate}
	for _, d := range digests {
		subject, err := NewSubject("", d)
		if err != nil {
			return nil, err
		}
		s.Subjects = append(s.Subjects, subject)
	}
	return s, nil
}

// Encode returns the bytes to sign: equal statements give equal bytes, whatever the
// order of their subjects. Members stand in the order of their names, as in canonical
// JSON (RFC 8785), without white space; subjects by name, URI and digests.
//
// The predicate stands there byte for byte. It is a document that has a digest
// elsewhere already, and canonical JSON would be another document: it takes numbers
// for IEEE 754 doubles, so that 9007199254740993 becomes 9007199254740992.
//
// Refused are what [Decode] would refuse or read as something else, statements of
// another type than TypeV1, a predicate type that is no URI, no predicate, one with
// white space around it, and two subjects that are equal. An error wraps ErrInvalid,
// ErrUnsupported or ErrLimit.
func (s *Statement) Encode() ([]byte, error) {
	text, err := s.encode()
	if err != nil {
		return nil, fmt.Errorf("encode statement: %w", err)
	}
	if len(text) > MaxStatement {
		return nil, &fault.LimitError{What: "bytes", Where: "encode statement", Max: MaxStatement, Seen: int64(len(text))}
	}
	again, err := Decode(PayloadType, text)
	if err != nil {
		return nil, fmt.Errorf("encode %w", err)
	}
	if !bytes.Equal(again.Predicate, s.Predicate) { // it would have added members to the statement
		return nil, fmt.Errorf("encode statement: predicate: want one object: %w", fault.Invalid)
	}
	return text, nil
}

func (s *Statement) encode() ([]byte, error) {
	if s.Type != TypeV1 {
		return nil, fmt.Errorf("type %.200q, want %q: %w", s.Type, TypeV1, fault.Unsupported)
	}
	if err := checkType(s.PredicateType); err != nil {
		return nil, err
	}
	p := jsontext.Value(s.Predicate)
	switch {
	case len(p) == 0 || p.Kind() == 'n':
		return nil, fmt.Errorf("it has no predicate: it says nothing: %w", fault.Invalid)
	case p[0] != '{' || p[len(p)-1] != '}':
		return nil, fmt.Errorf("predicate: want an object and no white space around it: %w", fault.Invalid)
	}
	subjects, err := s.encodeSubjects()
	if err != nil {
		return nil, err
	}
	typ, err := jsontext.AppendQuote(nil, s.PredicateType)
	if err != nil {
		return nil, fmt.Errorf("predicate type %.200q: %v: %w", s.PredicateType, err, fault.Invalid)
	}
	out := make([]byte, 0, len(TypeV1)+len(p)+len(typ)+len(subjects)+64)
	out = append(out, `{"_type":"`+TypeV1+`","predicate":`...)
	out = append(out, p...)
	out = append(out, `,"predicateType":`...)
	out = append(out, typ...)
	out = append(out, `,"subject":[`...)
	out = append(out, subjects...)
	return append(out, `]}`...), nil
}

// encodeSubjects returns the subjects in their order, with commas between them.
func (s *Statement) encodeSubjects() ([]byte, error) {
	if len(s.Subjects) > MaxSubjects {
		return nil, &fault.LimitError{What: "subjects", Where: "statement", Max: MaxSubjects, Seen: int64(len(s.Subjects))}
	}
	type entry struct {
		subject *Subject
		text    []byte // begins with the digests
	}
	compare := func(a, b entry) int {
		return cmp.Or(strings.Compare(a.subject.Name, b.subject.Name), strings.Compare(a.subject.URI, b.subject.URI), bytes.Compare(a.text, b.text))
	}
	list := make([]entry, len(s.Subjects))
	for i := range s.Subjects {
		text, err := s.Subjects[i].encode()
		if err != nil {
			return nil, fmt.Errorf("subject[%d]: %w", i, err)
		}
		list[i] = entry{&s.Subjects[i], text}
	}
	slices.SortFunc(list, compare)
	var out []byte
	for i, e := range list {
		if i > 0 {
			if compare(list[i-1], e) == 0 {
				return nil, fmt.Errorf("subject %.200q stands there twice: %w", e.subject.Name, fault.Invalid)
			}
			out = append(out, ',')
		}
		out = append(out, e.text...)
	}
	return out, nil
}

func (s *Subject) encode() ([]byte, error) {
	out := []byte(`{"digest":{`)
	var err error
	quote := func(text string) {
		if err == nil {
			out, err = jsontext.AppendQuote(out, text)
		}
	}
	for i, algorithm := range slices.Sorted(maps.Keys(s.Digests)) {
		if i > 0 {
			out = append(out, ',')
		}
		quote(algorithm)
		out = append(out, ':')
		quote(s.Digests[algorithm])
	}
	out = append(out, '}')
	if s.Name != "" {
		out = append(out, `,"name":`...)
		quote(s.Name)
	}
	if s.URI != "" {
		out = append(out, `,"uri":`...)
		quote(s.URI)
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	value := jsontext.Value(append(out, '}'))
	if err := value.Canonicalize(); err != nil { // only the order of odd algorithms' names is at stake
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	return value, nil
}
