package version

import (
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for [errors.Is].
var (
	// ErrInvalid means that a text is not a version, range or event of its
	// scheme; the same text fails again.
	ErrInvalid error = fault.Invalid
	// ErrUnsupported means that an ecosystem or VERS type is unknown, or has no
	// defined order.
	ErrUnsupported error = fault.Unsupported
)

// Incomparable is what [Version.Compare] returns for versions of different
// schemes: there is no order between them.
const Incomparable = 2

// Scheme is one set of rules for reading and ordering versions. Ecosystems that
// share their rules share a scheme, so that == tells whether versions of two
// ecosystems can be compared. The zero Scheme accepts no version. Get one from
// [For] or [ForVERS].
type Scheme struct{ rules *rules }

// rules are what a scheme's file provides. Every function is pure.
type rules struct {
	name string
	// parse returns the comparable form of s, where the raw text is not it,
	// and why s is no version, which is empty for a version.
	parse func(s string) (key []byte, why string)
	// order compares two parsed versions: negative, zero, positive.
	order func(v, w Version) int
	// compare is parse and order in one, without allocation for versions of
	// usual length. It reports false where either text is no version.
	compare func(a, b string) (c int, ok bool)
	// floating says why a valid version has no place in ranges; empty, or a nil
	// func, where it has one.
	floating func(v Version) string
}

// String returns the scheme's name, such as "deb"; empty for the zero Scheme.
func (s Scheme) String() string {
	if s.rules == nil {
		return ""
	}
	return s.rules.name
}

// Parse reads v. An error wraps [ErrInvalid], or [ErrUnsupported] on the zero
// Scheme.
func (s Scheme) Parse(v string) (Version, error) {
	if s.rules == nil {
		return Version{}, fmt.Errorf("parse version %.64q: no scheme: %w", v, ErrUnsupported)
	}
	key, why := s.rules.parse(v)
	if why != "" {
		return Version{}, fmt.Errorf("parse %s version %.64q: %s: %w", s.rules.name, v, why, ErrInvalid)
	}
	return Version{rules: s.rules, raw: v, key: key}, nil
}

// Compare orders a and b: −1, 0 or +1. It equals parsing both and comparing
// them, and does not allocate for versions of usual length. Errors are those of
// [Scheme.Parse].
func (s Scheme) Compare(a, b string) (int, error) {
	if s.rules != nil {
		if c, ok := s.rules.compare(a, b); ok {
			return sign(c), nil
		}
	}
	if _, err := s.Parse(a); err != nil {
		return 0, err
	}
	_, err := s.Parse(b)
	return 0, err
}

// Version is a valid version of one scheme. The zero Version is of no scheme.
type Version struct {
	rules *rules
	raw   string
	key   []byte // the scheme's comparable form; nil where raw is it
}

// Compare returns −1, 0 or +1 as v orders before, with or after w, or
// [Incomparable] where they are of different schemes.
func (v Version) Compare(w Version) int {
	switch {
	case v.rules != w.rules:
		return Incomparable
	case v.rules == nil:
		return 0
	}
	return sign(v.rules.order(v, w))
}

// String returns the version as it was parsed, byte for byte.
func (v Version) String() string { return v.raw }

// Scheme returns the scheme that v was parsed by.
func (v Version) Scheme() Scheme { return Scheme{v.rules} }

// Compare orders two versions of an ecosystem: −1, 0 or +1. It does not
// allocate for versions of usual length. Errors are those of [For] and
// [Scheme.Parse].
func Compare(ecosystem, a, b string) (int, error) {
	s, err := For(ecosystem)
	if err != nil {
		return 0, err
	}
	return s.Compare(a, b)
}

func sign(c int) int {
	switch {
	case c < 0:
		return -1
	case c > 0:
		return 1
	}
	return 0
}
