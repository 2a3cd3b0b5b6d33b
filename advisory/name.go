package advisory

import "strings"

// CanonicalName returns the form of a package's name by which its ecosystem
// tells packages apart, so that records and SBOMs that write a name in
// different ways meet. Ecosystems that take names as they are keep them.
//
// Source: PEP 503 (PyPI); the purl specification's type definitions for
// composer, github and nuget; for Go the fact that hosts ignore the case of
// module paths and package URLs lose it.
func CanonicalName(ecosystem, name string) string {
	base, _, _ := strings.Cut(ecosystem, ":")
	switch base {
	case "PyPI":
		return canonicalPyPI(name)
	case "Go", "NuGet", "Packagist", "GitHub Actions", "Hex", "Pub":
		return strings.ToLower(name)
	case "VSCode":
		return strings.ToLower(strings.ReplaceAll(name, "/", "."))
	case "SwiftURL":
		name = strings.ToLower(name)
		name = strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
		return strings.TrimSuffix(strings.TrimSuffix(name, "/"), ".git")
	}
	return name
}

// canonicalPyPI lowers a name and makes one hyphen of every run of hyphens,
// dots and underscores. A name in that form is returned as it is.
func canonicalPyPI(name string) string {
	isSeparator := func(c byte) bool { return c == '-' || c == '_' || c == '.' }
	clean := true
	for i := range len(name) {
		c := name[i]
		if c-'A' < 26 || c == '_' || c == '.' || c == '-' && i > 0 && name[i-1] == '-' {
			clean = false
		}
	}
	if clean {
		return name
	}
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		c := name[i]
		switch {
		case !isSeparator(c) && c-'A' < 26:
			b = append(b, c+'a'-'A')
		case !isSeparator(c):
			b = append(b, c)
		case i == 0 || !isSeparator(name[i-1]):
			b = append(b, '-')
		}
	}
	return string(b)
}
