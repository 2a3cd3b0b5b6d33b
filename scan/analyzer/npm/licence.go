package npm

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/sbom"
)

// licences reads the value of "license" or "licenses" in every form that
// package.json has had: an SPDX expression, {"type": …, "url": …}, or an array
// of these. Statements are kept as found.
func licences(r *jsontext.Reader) []sbom.License {
	var out []sbom.License
	one := func() {
		switch r.Peek() {
		case '"':
			text, _ := r.Text()
			out = append(out, sbom.License{Name: strings.TrimSpace(text)})
		case '{':
			var name, url string
			r.Object(func(key []byte) {
				switch string(key) {
				case "type", "name":
					name, _ = r.Text()
				case "url":
					url, _ = r.Text()
				}
			})
			out = append(out, sbom.License{Name: strings.TrimSpace(name), URL: url})
		}
	}
	if r.Peek() == '[' {
		r.Array(one)
	} else {
		one()
	}
	return slices.DeleteFunc(out, func(l sbom.License) bool { return l == sbom.License{} })
}
