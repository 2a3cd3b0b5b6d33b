package npm

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// licences reads the value of "license" or "licenses" in every form that
// package.json has had: an SPDX expression, {"type": …, "url": …}, or an array
// of these.
func licences(r *reader) []sbom.License {
	var out []sbom.License
	one := func() {
		switch r.peek() {
		case '"':
			text, _ := r.text()
			out = append(out, statement(text, ""))
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
			out = append(out, statement(name, url))
		}
	}
	if r.peek() == '[' {
		r.array(one)
	} else {
		one()
	}
	return slices.DeleteFunc(out, func(l sbom.License) bool { return l == sbom.License{} })
}

func statement(text, url string) sbom.License {
	text = strings.TrimSpace(text)
	if expression, ok := license.Normalize(text); ok {
		return sbom.License{Expression: expression, URL: url}
	}
	return sbom.License{Name: text, URL: url}
}
