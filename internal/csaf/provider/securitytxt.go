package provider

import (
	"net/url"
	"strings"
)

// ParseSecurityTxt returns the values of the CSAF fields of a security.txt, in
// order: where the provider's metadata are. Values that are no https URL are
// left out. Signed files may be given as they are.
//
// Source: CSAF 2.0, section 7.1.8; RFC 9116, section 2.
func ParseSecurityTxt(text []byte, limits *Limits) ([]string, error) {
	l := limits.withDefaults()
	if err := l.check("security.txt", text); err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "CSAF") {
			continue
		}
		u, err := url.Parse(strings.TrimSpace(value))
		if err != nil || u.Scheme != "https" || u.Host == "" {
			continue
		}
		out = append(out, u.String())
		if err := l.entries("security.txt", len(out)); err != nil {
			return nil, err
		}
	}
	return out, nil
}
