package deno

import (
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// sourceProperty says where a package comes from that is not one of npm's.
const sourceProperty = "deno:source"

// npmHosts serve packages of npm as modules, below these paths.
var npmHosts = [...]string{"esm.sh/", "unpkg.com/", "cdn.jsdelivr.net/npm/", "cdn.skypack.dev/", "ga.jspm.io/npm:"}

// remote adds the package that a module at an address belongs to.
func (l *lock) remote(address string) {
	scheme, rest, ok := strings.Cut(locked.Anonymous(address), "://")
	if !ok || scheme != "https" && scheme != "http" {
		return // a member of version 1 that this version does not know
	}
	rest, _, _ = strings.Cut(rest, "?")
	e := module(scheme, rest)
	if !l.at[e.Key] {
		l.at[e.Key] = true
		l.Put(e)
	}
}

// module names the package of a module by its address without the scheme.
func module(scheme, rest string) locked.Entry {
	for _, host := range npmHosts {
		path, ok := strings.CutPrefix(rest, host)
		if !ok {
			continue
		}
		server, _, _ := strings.Cut(host, "/")
		server = scheme + "://" + server
		if name, version := npmModule(path); version != "" {
			if u := npmURL(name, version); !u.IsZero() {
				key := scheme + "://" + host + name + "@" + version
				return locked.Entry{Key: key, Package: sbom.Package{Name: name, Version: version, PURL: u.With("repository_url", server), Properties: source(key)}}
			}
		}
	}
	if path, ok := strings.CutPrefix(rest, "raw.githubusercontent.com/"); ok {
		if parts := strings.SplitN(path, "/", 4); len(parts) == 4 && parts[0] != "" && parts[1] != "" && parts[2] != "" {
			key := scheme + "://raw.githubusercontent.com/" + strings.Join(parts[:3], "/")
			return locked.Entry{Key: key, Package: sbom.Package{
				Name: "github.com/" + parts[0] + "/" + parts[1], Version: parts[2],
				PURL: locked.URL("github", strings.ToLower(parts[0]), strings.ToLower(parts[1]), parts[2]), Properties: source(key),
			}}
		}
	}
	name, version := versioned(rest)
	key := scheme + "://" + name
	if version != "" {
		key += "@" + version
	}
	return locked.Entry{Key: key, Package: sbom.Package{Name: name, Version: version, Properties: source(key)}}
}

func source(address string) []sbom.Property {
	return []sbom.Property{{Name: sourceProperty, Value: address}}
}

// npmModule reads "name@1.0.0/file.js" behind the words that a server puts before it, such
// as "v135", "stable", "gh" or "*". The mark "*" of esm.sh keeps imports as they are.
func npmModule(path string) (name, version string) {
	segments := strings.SplitN(path, "/", 8)
	for i, s := range segments {
		s = strings.TrimPrefix(s, "*")
		if s == "gh" || s == "jsr" || s == "pr" { // not from npm
			return "", ""
		}
		if strings.HasPrefix(s, "@") && i+1 < len(segments) {
			name, version, _ = strings.Cut(segments[i+1], "@")
			name = s + "/" + name
		} else {
			name, version, _ = strings.Cut(s, "@")
		}
		version, _, _ = strings.Cut(version, "&") // options of esm.sh
		if name != "" && version != "" && version[0] >= '0' && version[0] <= '9' {
			return name, version
		}
	}
	return "", ""
}

// versioned returns what an address names before "@" and a version, or else its host.
func versioned(rest string) (name, version string) {
	for at := strings.IndexByte(rest, '/'); at >= 0; {
		end := strings.IndexByte(rest[at+1:], '/')
		segment := rest[at+1:]
		if end >= 0 {
			segment = segment[:end]
		}
		if i := strings.IndexByte(segment, '@'); i > 0 && i+1 < len(segment) {
			return rest[:at+1+i], segment[i+1:]
		}
		if end < 0 {
			break
		}
		at += 1 + end
	}
	host, _, _ := strings.Cut(rest, "/")
	return host, ""
}

// npmURL returns the package URL of an npm package, whose scope is the namespace.
func npmURL(name, version string) purl.PackageURL {
	scope := ""
	if strings.HasPrefix(name, "@") {
		scope, name, _ = strings.Cut(name, "/")
	}
	if name == "" || strings.Contains(name, "/") {
		return purl.PackageURL{}
	}
	return locked.URL("npm", scope, name, version)
}
