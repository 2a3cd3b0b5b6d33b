package version

import (
	"fmt"
	"strings"
)

// versEncoded are the characters that a version in a specifier has only
// percent-encoded.
const versEncoded = "><=!*|%"

// parseVERSConstraint reads one constraint: a comparator, of which equality has
// no sign, and a version.
func parseVERSConstraint(s string) (versConstraint, error) {
	if s == "" {
		return versConstraint{}, fmt.Errorf("a constraint is empty, a pipe is leading, trailing or doubled: %w", ErrInvalid)
	}
	c := versConstraint{op: equal}
	rest := s
	for _, sign := range [...]struct {
		text string
		op   operator
	}{{">=", atLeast}, {"<=", atMost}, {"!=", notEqual}, {"<", less}, {">", greater}} {
		if after, ok := strings.CutPrefix(s, sign.text); ok {
			c.op, rest = sign.op, after
			break
		}
	}
	if rest == "" {
		return c, fmt.Errorf("constraint %.64q has no version: %w", s, ErrInvalid)
	}
	var err error
	if c.version, err = decodeVERS(rest); err != nil {
		return c, fmt.Errorf("read the version of constraint %.64q: %w", s, err)
	}
	return c, nil
}

// decodeVERS undoes percent-encoding once. Encodings of characters that need
// none, and in lower-case hexadecimal, are not canonical.
func decodeVERS(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '%' {
			if strings.IndexByte(versEncoded, c) >= 0 {
				return "", fmt.Errorf("character %q is not percent-encoded: %w", c, ErrInvalid)
			}
			b.WriteByte(c)
			continue
		}
		if i+2 >= len(s) || !isUpperHex(s[i+1]) || !isUpperHex(s[i+2]) {
			return "", fmt.Errorf("a percent sign is not followed by two upper-case hexadecimal digits: %w", ErrInvalid)
		}
		d := unhex(s[i+1])<<4 | unhex(s[i+2])
		if d > ' ' && d < 0x7f && strings.IndexByte(versEncoded, d) < 0 {
			return "", fmt.Errorf("character %q is percent-encoded without need: %w", d, ErrInvalid)
		}
		b.WriteByte(d)
		i += 2
	}
	return b.String(), nil
}

func isUpperHex(c byte) bool { return isDigit(c) || c-'A' < 6 }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c - 'A' + 10
}
