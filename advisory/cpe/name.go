package cpe

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The logical values of an attribute.
const (
	Any = "*" // any value
	NA  = "-" // no value
)

// Name is a well-formed name. Attributes are in the form of formatted strings:
// lower case, with a backslash before every character other than letters,
// digits, "_", "-" and "."; "*" and "?" without one are wildcards. An empty
// attribute means Any.
type Name struct {
	Part      string // "a" application, "o" operating system, "h" hardware
	Vendor    string
	Product   string
	Version   string
	Update    string
	Edition   string
	Language  string
	SWEdition string
	TargetSW  string
	TargetHW  string
	Other     string
}

// maxName bounds the bytes of a name.
const maxName = 4096

// attributes returns the attributes in the order of formatted strings.
func (n *Name) attributes() [11]*string {
	return [...]*string{&n.Part, &n.Vendor, &n.Product, &n.Version, &n.Update, &n.Edition, &n.Language, &n.SWEdition, &n.TargetSW, &n.TargetHW, &n.Other}
}

// Parse reads a formatted string or a URI. An error wraps [ErrInvalid].
func Parse(s string) (Name, error) {
	n, err := parse(s)
	if err != nil {
		return Name{}, fmt.Errorf("parse CPE name %.128q: %w", s, err)
	}
	return n, nil
}

func parse(s string) (n Name, err error) {
	switch {
	case len(s) > maxName:
		return n, &fault.LimitError{What: "bytes", Where: "the name", Max: maxName, Seen: int64(len(s))}
	case hasPrefixFold(s, "cpe:2.3:"):
		n, err = parseFormatted(s[len("cpe:2.3:"):])
	case hasPrefixFold(s, "cpe:/"):
		n, err = parseURI(s[len("cpe:/"):])
	default:
		return n, fmt.Errorf(`it starts with neither "cpe:2.3:" nor "cpe:/": %w`, fault.Invalid)
	}
	if err != nil {
		return n, err
	}
	switch n.Part {
	case "a", "o", "h", Any, NA:
	default:
		return n, fmt.Errorf("the part %q is not a, o or h: %w", n.Part, fault.Invalid)
	}
	return n, nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// parseFormatted reads the eleven attributes of a formatted string.
//
// Source: NISTIR 7695 §6.2.
func parseFormatted(s string) (n Name, err error) {
	parts := splitFormatted(s)
	to := n.attributes()
	if len(parts) != len(to) {
		return n, fmt.Errorf("it has %d attributes, not %d: %w", len(parts), len(to), fault.Invalid)
	}
	for i, p := range parts {
		if *to[i], err = attribute(p); err != nil {
			return n, fmt.Errorf("attribute %d: %w", i+1, err)
		}
	}
	return n, nil
}

// splitFormatted splits at colons that no backslash is before.
func splitFormatted(s string) (parts []string) {
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ':':
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// attribute checks one attribute and returns its normal form.
func attribute(s string) (string, error) {
	if s == Any || s == NA {
		return s, nil
	}
	if s == "" || s == "**" {
		return "", fmt.Errorf("it is empty: %w", fault.Invalid)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			if i++; i == len(s) {
				return "", fmt.Errorf("a backslash ends it: %w", fault.Invalid)
			}
			if c = s[i]; c <= ' ' || c >= 0x7f {
				return "", fmt.Errorf("a backslash is before byte %#x: %w", c, fault.Invalid)
			}
			writeLiteral(&b, c)
		case c == '*' || c == '?':
			if !isEdge(s, i) {
				return "", fmt.Errorf("the wildcard %q is neither at its start nor at its end: %w", c, fault.Invalid)
			}
			b.WriteByte(c)
		case c <= ' ' || c == 0x7f:
			return "", fmt.Errorf("byte %#x stands in it: %w", c, fault.Invalid)
		case c >= 0x80:
			b.WriteByte(c) // not in the grammar, but in real names
		default:
			writeLiteral(&b, c) // a sign that lacks its backslash is taken as meant
		}
	}
	if b.String() == NA {
		return `\-`, nil // a hyphen, which is not the lack of a value
	}
	return b.String(), nil
}

// writeLiteral writes one character that stands for itself.
func writeLiteral(b *strings.Builder, c byte) {
	switch {
	case c-'A' < 26:
		c += 'a' - 'A'
	case c-'a' < 26, c-'0' < 10, c == '_', c == '.', c == '-':
	default:
		b.WriteByte('\\')
	}
	b.WriteByte(c)
}

// isEdge reports whether a wildcard at i is at the start or end of an attribute,
// where one asterisk or any number of question marks may be.
func isEdge(s string, i int) bool {
	if s[i] == '*' {
		return i == 0 || i == len(s)-1
	}
	return strings.Trim(s[:i], "?") == "" || strings.Trim(s[i:], "?") == ""
}

// String writes the name as a formatted string.
func (n Name) String() string {
	var b strings.Builder
	b.WriteString("cpe:2.3")
	for _, a := range n.attributes() {
		b.WriteByte(':')
		b.WriteString(or(*a))
	}
	return b.String()
}

func or(a string) string {
	if a == "" {
		return Any
	}
	return a
}

// Key returns part, vendor and product, "a:openssl:openssl": what records about
// the product are found by.
func (n Name) Key() string { return or(n.Part) + ":" + or(n.Vendor) + ":" + or(n.Product) }

// HasProduct reports whether the name is of one product: whether vendor and
// product are values without wildcards.
func (n Name) HasProduct() bool {
	for _, a := range []string{n.Part, n.Vendor, n.Product} {
		if a = or(a); a == Any || a == NA || HasWildcard(a) {
			return false
		}
	}
	return true
}

// Ecosystem is the ecosystem of records about the product: "CPE", or
// "CPE:wordpress" where the name is of the software for one target alone.
func (n Name) Ecosystem() string {
	if n.TargetSW == "" || n.TargetSW == Any || n.TargetSW == NA || HasWildcard(n.TargetSW) {
		return "CPE"
	}
	return "CPE:" + Text(n.TargetSW)
}

// Of reports whether records of an ecosystem can be about the product: those of
// "CPE" always, those for one target where the name says that target or none.
func (n Name) Of(ecosystem string) bool {
	base, target, _ := strings.Cut(ecosystem, ":")
	return base == "CPE" && (target == "" || n.Ecosystem() == "CPE" || n.Ecosystem() == ecosystem)
}

// Text returns an attribute without its backslashes; "" for Any and NA.
func Text(attribute string) string {
	if attribute == Any || attribute == NA {
		return ""
	}
	if strings.IndexByte(attribute, '\\') < 0 {
		return attribute
	}
	var b strings.Builder
	for i := 0; i < len(attribute); i++ {
		if attribute[i] == '\\' && i+1 < len(attribute) {
			i++
		}
		b.WriteByte(attribute[i])
	}
	return b.String()
}

// FullVersion returns version and update as one text, "1.0.1-beta1", as the
// versions of the ecosystem "CPE" are written; "" where the name has no version.
func (n Name) FullVersion() string {
	v, u := Text(n.Version), Text(n.Update)
	if v == "" || u == "" {
		return v
	}
	return v + "-" + u
}
