package java

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// licence returns a statement with the SPDX identifier where the address or
// the name is one that stands for exactly one licence text; else the statement
// as it is.
func licence(name, url string) (sbom.License, bool) {
	name, url = strings.TrimSpace(name), strings.TrimSpace(url)
	if id := licenceByURL(url); id != "" {
		return sbom.License{Expression: id, URL: url}, true
	}
	if id := licenceByName(name); id != "" {
		return sbom.License{Expression: id, URL: url}, true
	}
	if name == "" {
		name = url
	}
	return sbom.License{Name: name, URL: url}, name != ""
}

// licenceByURL knows the addresses that most Maven artifacts use.
func licenceByURL(url string) string {
	url = strings.ToLower(strings.TrimSuffix(url, "/"))
	url = strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://")
	url = strings.TrimPrefix(url, "www.")
	switch strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(url, ".txt"), ".html"), ".php") {
	case "apache.org/licenses/license-2.0", "opensource.org/licenses/apache-2.0":
		return "Apache-2.0"
	case "opensource.org/licenses/mit-license", "opensource.org/licenses/mit":
		return "MIT"
	case "opensource.org/licenses/bsd-3-clause":
		return "BSD-3-Clause"
	case "opensource.org/licenses/bsd-2-clause":
		return "BSD-2-Clause"
	case "eclipse.org/legal/epl-v10", "eclipse.org/org/documents/epl-v10":
		return "EPL-1.0"
	case "eclipse.org/legal/epl-v20", "eclipse.org/legal/epl-2.0", "eclipse.org/org/documents/epl-2.0/epl-2.0":
		return "EPL-2.0"
	case "eclipse.org/org/documents/edl-v10":
		return "BSD-3-Clause"
	case "mozilla.org/mpl/2.0", "mozilla.org/en-us/mpl/2.0":
		return "MPL-2.0"
	case "creativecommons.org/publicdomain/zero/1.0":
		return "CC0-1.0"
	}
	return ""
}

// licenceByName knows SPDX identifiers and the names that most Maven
// artifacts use.
func licenceByName(name string) string {
	for _, id := range [...]string{"Apache-2.0", "MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "EPL-1.0", "EPL-2.0", "MPL-1.1", "MPL-2.0", "CC0-1.0", "ISC",
		"LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "GPL-2.0-only", "GPL-3.0-only", "CDDL-1.0", "CDDL-1.1", "UPL-1.0", "Unlicense", "0BSD"} {
		if strings.EqualFold(name, id) {
			return id
		}
	}
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return r == ' ' || r == ',' || r == '-' || r == '\t' || r == '\n' || r == '(' || r == ')' || r == '"'
	})
	if len(words) > 0 && words[0] == "the" {
		words = words[1:]
	}
	switch strings.Join(words, " ") {
	case "apache software license version 2.0", "apache license version 2.0", "apache license 2.0", "apache software license 2.0", "apache 2.0", "apache 2", "apache license v2.0", "asl 2.0":
		return "Apache-2.0"
	case "mit license":
		return "MIT"
	case "eclipse public license v1.0", "eclipse public license 1.0", "eclipse public license version 1.0", "epl 1.0":
		return "EPL-1.0"
	case "eclipse public license v2.0", "eclipse public license 2.0", "eclipse public license version 2.0", "epl 2.0":
		return "EPL-2.0"
	case "mozilla public license version 2.0", "mpl 2.0":
		return "MPL-2.0"
	case "bsd 3 clause", "bsd 3 clause license", "new bsd license", "3 clause bsd license", "revised bsd":
		return "BSD-3-Clause"
	case "bsd 2 clause", "bsd 2 clause license":
		return "BSD-2-Clause"
	case "cc0 1.0 universal":
		return "CC0-1.0"
	}
	return ""
}

// licenses returns what a manifest declares: the names of a Jenkins plugin, or
// Bundle-License, a list of names or addresses with attributes (OSGi Core 7,
// 3.2.1.10).
func (m *manifest) licenses() []sbom.License {
	var list []sbom.License
	for _, name := range m.pluginLicenses {
		if l, ok := licence(name, ""); ok {
			list = append(list, l)
		}
	}
	if len(list) > 0 || m.bundleLicense == "" || strings.HasPrefix(m.bundleLicense, "<<") {
		return list
	}
	for _, clause := range splitOutside(m.bundleLicense, ',') {
		parts := splitOutside(clause, ';')
		name, url := strings.Trim(strings.TrimSpace(parts[0]), `"`), ""
		for _, attribute := range parts[1:] {
			if v, ok := strings.CutPrefix(strings.TrimSpace(attribute), "link="); ok {
				url = strings.Trim(v, `"`)
			}
		}
		if strings.Contains(name, "://") {
			name, url = "", name
		}
		if l, ok := licence(name, url); ok {
			list = append(list, l)
		}
	}
	return list
}

// splitOutside splits s at a separator that is not between double quotes.
func splitOutside(s string, separator byte) []string {
	var parts []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
