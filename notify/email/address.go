package email

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// address is a mailbox: a name, which may be empty, and local@domain in ASCII.
type address struct{ name, local, domain string }

// spec returns local@domain.
func (a address) spec() string { return a.local + "@" + a.domain }

// parseAddress reads one address, "a@b" or "Name <a@b>". Of RFC 5322 it takes what is in
// use: no groups, comments, routes, quoted local parts or addresses of machines, and
// nothing beyond ASCII outside of names.
func parseAddress(s string) (address, error) {
	bad := func(why string) (address, error) {
		return address{}, fmt.Errorf("address %.80q %s: %w", s, why, ErrInvalid)
	}
	if len(s) > MaxAddress+4*MaxName {
		return address{}, &fault.LimitError{What: "bytes of an address", Where: "an endpoint", Max: MaxAddress + 4*MaxName, Seen: int64(len(s))}
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return bad("holds control characters")
	}
	s = strings.Trim(s, " ")
	parsed, err := mail.ParseAddress(s)
	if err != nil {
		return bad("is none")
	}
	// Groups, comments and routes leave something else at the end, or before.
	if s != parsed.Address && !strings.HasSuffix(s, "<"+parsed.Address+">") {
		return bad("is not of form a@b or Name <a@b>")
	}
	at := strings.LastIndexByte(parsed.Address, '@')
	a := address{name: oneLine(parsed.Name), local: parsed.Address[:at], domain: strings.ToLower(parsed.Address[at+1:])}
	switch {
	case len(parsed.Address) > MaxAddress || len(a.local) > 64:
		return bad("is too long")
	case !isDotAtom(a.local):
		return bad("has a local part that is not a dotted word")
	case !isDomain(a.domain):
		return bad("has a domain that is none in ASCII")
	case len(a.name) > MaxName:
		return bad("has a name that is too long")
	}
	return a, nil
}

// parseAddresses reads addresses separated by commas, each once.
func parseAddresses(s string) ([]address, error) {
	var out []address
	seen := map[string]bool{}
	for _, one := range splitList(s) {
		a, err := parseAddress(one)
		if err != nil {
			return nil, err
		}
		if seen[a.spec()] {
			continue
		}
		seen[a.spec()] = true
		if out = append(out, a); len(out) > MaxRecipients {
			return nil, &fault.LimitError{What: "addresses", Where: "an endpoint", Max: MaxRecipients}
		}
	}
	return out, nil
}

// splitList splits at commas outside of quotes.
func splitList(s string) []string {
	var out []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out, start = append(out, s[start:i]), i+1
		}
	}
	return append(out, s[start:])
}

// isDotAtom reports whether s is words of RFC 5322's atext, separated by dots.
func isDotAtom(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !isAtext(r) }) {
			return false
		}
	}
	return true
}

func isAtext(r rune) bool {
	return isAlnum(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isDomain reports whether s is a host's name: labels of letters, digits and hyphens, the
// last of which is no number.
func isDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return !isAlnum(r) && r != '-' }) {
			return false
		}
		last = label
	}
	return strings.ContainsFunc(last, func(r rune) bool { return r < '0' || r > '9' })
}
