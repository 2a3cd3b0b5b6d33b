package npm

import (
	"strings"

	"github.com/stella-ops/stella/scan/purl"
)

// packageURL returns the package URL of a package: its scope, with the "@", is
// the namespace, and case is kept (purl-spec, type npm).
func packageURL(name, version string) purl.PackageURL {
	u := purl.PackageURL{Type: "npm", Name: name, Version: version}
	if scope, base, ok := strings.Cut(name, "/"); ok {
		u.Namespace, u.Name = scope, base
	}
	return u
}

// validName reports whether npm takes name for the name of a package, by the
// rules for old packages (npm-package-json, "name"): at most one scope, only
// characters that need no escape in a URL, no leading dot or underscore.
func validName(name string) bool {
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		scope, base, ok := strings.Cut(rest, "/")
		return ok && friendly(scope) && friendly(base)
	}
	return friendly(name) && name[0] != '.' && name[0] != '_' && name != "node_modules" && name != "favicon.ico"
}

func friendly(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// cleanVersion returns the version as npm publishes it: without white space
// around it and without a "v" or "=" in front (node-semver, clean).
func cleanVersion(v string) string {
	v = strings.TrimSpace(v)
	if rest := strings.TrimLeft(v, "=v \t"); rest != "" && '0' <= rest[0] && rest[0] <= '9' {
		return rest
	}
	return v
}

// folderName returns the name under which the package in folder dir is found:
// "c" for a/b/c, "@b/c" for a/@b/c.
func folderName(dir string) string {
	i := strings.LastIndexByte(dir, '/')
	if i < 0 {
		return dir
	}
	if scope := dir[strings.LastIndexByte(dir[:i], '/')+1:]; scope[0] == '@' {
		return scope
	}
	return dir[i+1:]
}
