package version

import (
	"fmt"
	"strconv"
	"strings"
)

// npmComparator is a comparator with its version in parts. The zero value is
// met by every version.
type npmComparator struct {
	op      operator
	numbers [3]uint64
	pre     string
}

// version builds the comparator's version; the zero comparator has none.
func (c npmComparator) version() (Version, error) {
	if c.op == 0 {
		return Version{}, nil
	}
	b := make([]byte, 0, 32)
	for i, n := range c.numbers {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, n, 10)
	}
	if c.pre != "" {
		b = append(append(b, '-'), c.pre...)
	}
	return Scheme{&npm}.Parse(string(b))
}

// npmPartial is a version of which numbers may be missing or an x.
type npmPartial struct {
	numbers [3]uint64
	known   int  // how many numbers come before the first x or missing one
	order   bool // no number follows an x
	pre     string
	prefix  string // v and = before it
}

// parsePartial reads a version whose numbers may be x or missing.
func (p npmRangeParser) parsePartial(s string) (x npmPartial, ok bool) {
	rest := strings.TrimLeft(s, "v= ")
	x.prefix, x.order = s[:len(s)-len(rest)], true
	isX := false
	for i := range 3 {
		if i > 0 {
			var dotted bool
			if rest, dotted = strings.CutPrefix(rest, "."); !dotted {
				return x, rest == ""
			}
		}
		end := digitsEnd(rest, 0)
		switch {
		case end > 0:
			n, err := strconv.ParseUint(rest[:end], 10, 64)
			if err != nil || !isNPMNumber(rest[:end], p.Loose) {
				return x, false
			}
			x.numbers[i] = n
			x.order = x.order && !isX
			if !isX {
				x.known++
			}
			rest = rest[end:]
		case rest != "" && strings.IndexByte("xX*", rest[0]) >= 0:
			isX = true
			rest = rest[1:]
		default:
			return x, false
		}
	}
	if rest == "" {
		return x, true
	}
	x.pre, ok = cutNPMPre(rest, p.Loose)
	x.pre = normalNPMPre(x.pre)
	return x, ok
}

// normalNPMPre writes numeric identifiers without leading zeros.
func normalNPMPre(s string) string {
	ids := strings.Split(s, ".")
	for i, id := range ids {
		if allDigits(id) {
			ids[i] = trimZeros(id[:len(id)-1]) + id[len(id)-1:]
		}
	}
	return strings.Join(ids, ".")
}

// from returns a comparator of the known numbers, zeros and a pre-release.
func (x npmPartial) from(op operator, pre string) npmComparator {
	c := npmComparator{op: op, pre: pre}
	copy(c.numbers[:], x.numbers[:min(x.known, 3)])
	return c
}

// before returns "less than" the version that follows all those that share the
// first n numbers, its pre-releases too.
func (x npmPartial) before(n int) npmComparator {
	c := npmComparator{op: less, pre: "0"}
	copy(c.numbers[:], x.numbers[:n])
	c.numbers[n-1]++
	return c
}

// lowest is the pre-release of the lower bound that a missing number implies.
func (p npmRangeParser) lowest() string {
	if p.IncludePrerelease {
		return "0"
	}
	return ""
}

// parseComparator reads one comparator, which may stand for two.
func (p npmRangeParser) parseComparator(s string) ([]npmComparator, error) {
	invalid := fmt.Errorf("comparator %.64q is invalid: %w", s, ErrInvalid)
	if s == "" {
		return []npmComparator{{}}, nil
	}
	sign, rest := cutNPMSign(s)
	x, ok := p.parsePartial(rest)
	if !ok {
		return nil, invalid
	}
	switch sign {
	case "^":
		return p.caret(x), nil
	case "~", "~>":
		return p.tilde(x), nil
	}
	if !x.order || x.known == 3 && !p.Loose && x.prefix != "" && x.prefix != "v" {
		return nil, invalid
	}
	return p.compareWith(sign, x), nil
}

func cutNPMSign(s string) (sign, rest string) {
	for _, sign := range [...]string{"^", "~>", "~", ">=", "<=", ">", "<", "="} {
		if rest, ok := strings.CutPrefix(s, sign); ok {
			return sign, rest
		}
	}
	return "", s
}

// caret allows changes right of the first number that is not zero.
func (p npmRangeParser) caret(x npmPartial) []npmComparator {
	n := 1
	for n < x.known && x.numbers[n-1] == 0 {
		n++
	}
	switch {
	case x.known == 0:
		return []npmComparator{{}}
	case x.known == 3:
		return []npmComparator{x.from(atLeast, x.pre), x.before(n)}
	}
	return []npmComparator{x.from(atLeast, p.lowest()), x.before(n)}
}

// tilde allows changes right of the minor number, or of the major one where it
// is alone.
func (p npmRangeParser) tilde(x npmPartial) []npmComparator {
	switch x.known {
	case 0:
		return []npmComparator{{}}
	case 3:
		return []npmComparator{x.from(atLeast, x.pre), x.before(2)}
	}
	return []npmComparator{x.from(atLeast, p.lowest()), x.before(x.known)}
}

// compareWith is a comparator with a sign of order or none.
func (p npmRangeParser) compareWith(sign string, x npmPartial) []npmComparator {
	op := npmOperator(sign)
	switch {
	case x.known == 3 && op == 0:
		return []npmComparator{x.from(equal, x.pre)}
	case x.known == 3:
		return []npmComparator{x.from(op, x.pre)}
	case x.known == 0 && (op == greater || op == less):
		return []npmComparator{{op: less, pre: "0"}} // nothing
	case x.known == 0:
		return []npmComparator{{}}
	}
	switch op {
	case greater:
		c := x.before(x.known)
		c.op, c.pre = atLeast, p.lowest()
		return []npmComparator{c}
	case atMost:
		return []npmComparator{x.before(x.known)}
	case less:
		return []npmComparator{x.from(less, "0")}
	case atLeast:
		return []npmComparator{x.from(atLeast, p.lowest())}
	}
	return []npmComparator{x.from(atLeast, p.lowest()), x.before(x.known)}
}

// npmOperator returns the operator of a sign of order; 0 for = and none.
func npmOperator(sign string) operator {
	switch sign {
	case ">":
		return greater
	case ">=":
		return atLeast
	case "<":
		return less
	case "<=":
		return atMost
	}
	return 0
}

// hyphenLow is the lower bound of a hyphen range.
func (p npmRangeParser) hyphenLow(x npmPartial) npmComparator {
	switch {
	case x.known == 0:
		return npmComparator{}
	case x.known == 3 && x.pre != "":
		return x.from(atLeast, x.pre)
	}
	return x.from(atLeast, p.lowest())
}

// hyphenHigh is the upper bound of a hyphen range.
func (p npmRangeParser) hyphenHigh(x npmPartial) npmComparator {
	switch {
	case x.known == 0:
		return npmComparator{}
	case x.known < 3:
		return x.before(x.known)
	case x.pre == "" && p.IncludePrerelease:
		return x.before(3)
	}
	return x.from(atMost, x.pre)
}
