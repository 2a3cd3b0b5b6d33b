package npm

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// licences reads the value of "license" or "licenses" in every form that
// package.json has had: an SPDX expression, {"type": …, "url": …}, or an array
// of these. Statements are kept as found.
func licences(r *reader) []sbom.License {
	var out []sbom.License
	one := func() {
		switch r.peek() {
		case '"':
			text, _ := r.text()
			out = append(out, sbom.License{Name: strings.TrimSpace(text)})
		case '{':
			var name, url string
			r.object(func(key []byte) {
				switch string(key) {
				case "type", "name":
					name, _ = r.text()
				case "url":
					url, _ = r.text()
				}
			})
			out = append(out, sbom.License{Name: strings.TrimSpace(name), URL: url})
		}
	}
	if r.peek() == '[' {
		r.array(one)
	} else {
		one()
	}
	return slices.DeleteFunc(out, func(l sbom.License) bool { return l == sbom.License{} })
}
