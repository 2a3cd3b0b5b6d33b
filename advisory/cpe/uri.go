package cpe

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// parseURI reads up to seven components of a URI; the sixth may hold five
// attributes, packed with tildes.
//
// Source: NISTIR 7695 §6.1.
func parseURI(s string) (n Name, err error) {
	parts := strings.Split(s, ":")
	if len(parts) > 7 {
		return n, fmt.Errorf("it has %d components, at most 7: %w", len(parts), fault.Invalid)
	}
	set := func(to *string, component string) {
		if err == nil {
			*to, err = component23(component)
		}
	}
	to := [...]*string{&n.Part, &n.Vendor, &n.Product, &n.Version, &n.Update, &n.Edition, &n.Language}
	for i, p := range parts {
		if i == 5 && strings.HasPrefix(p, "~") {
			packed := strings.Split(p[1:], "~")
			if len(packed) != 5 {
				return n, fmt.Errorf("its packed edition has %d parts, not 5: %w", len(packed), fault.Invalid)
			}
			for j, to := range [...]*string{&n.Edition, &n.SWEdition, &n.TargetSW, &n.TargetHW, &n.Other} {
				set(to, packed[j])
			}
			continue
		}
		set(to[i], p)
	}
	for _, a := range n.attributes() {
		*a = or(*a)
	}
	return n, err
}

// component23 turns a component of a URI into an attribute.
func component23(s string) (string, error) {
	switch s {
	case "", "*":
		return Any, nil
	case NA:
		return NA, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '%' {
			if c <= ' ' || c == 0x7f {
				return "", fmt.Errorf("byte %#x stands in it: %w", c, fault.Invalid)
			}
			writeLiteral(&b, c)
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return "", fmt.Errorf("a percent sign is not followed by two hexadecimal digits: %w", fault.Invalid)
		}
		switch c = unhex(s[i+1])<<4 | unhex(s[i+2]); c {
		case 1:
			b.WriteByte('?')
		case 2:
			b.WriteByte('*')
		default:
			if c <= ' ' || c >= 0x7f {
				return "", fmt.Errorf("it encodes byte %#x: %w", c, fault.Invalid)
			}
			writeLiteral(&b, c)
		}
		i += 2
	}
	return attribute(b.String())
}

func isHex(c byte) bool { return c-'0' < 10 || c|0x20-'a' < 6 }

func unhex(c byte) byte {
	if c-'0' < 10 {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// URI writes the name as a URI of version 2.2.
func (n Name) URI() string {
	parts := []string{uriText(n.Part), uriText(n.Vendor), uriText(n.Product), uriText(n.Version), uriText(n.Update), n.uriEdition(), uriText(n.Language)}
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return "cpe:/" + strings.Join(parts, ":")
}

func (n Name) uriEdition() string {
	rest := [...]string{uriText(n.SWEdition), uriText(n.TargetSW), uriText(n.TargetHW), uriText(n.Other)}
	if strings.Join(rest[:], "") == "" {
		return uriText(n.Edition)
	}
	return "~" + uriText(n.Edition) + "~" + strings.Join(rest[:], "~")
}

// uriText writes an attribute as a component.
func uriText(a string) string {
	switch a {
	case "", Any:
		return ""
	case NA:
		return NA
	}
	var b strings.Builder
	for i := 0; i < len(a); i++ {
		switch c := a[i]; {
		case c == '*':
			b.WriteString("%02")
		case c == '?':
			b.WriteString("%01")
		case c == '\\' && i+1 < len(a):
			i++
			if c = a[i]; c == '-' || c == '.' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02x", c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
