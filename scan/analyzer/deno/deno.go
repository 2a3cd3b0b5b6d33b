// Package deno reads packages of Deno: what a deno.lock of any version names.
//
// Packages of npm have package URLs of npm. Packages of JSR have none: purl-spec has no type
// for that registry, and the name of its copy for npm clients ("@jsr/scope__name") is not
// what a lockfile says. Modules that are imported by address are counted by what the
// address names: the part before a version ("deno.land/x/oak@v12.6.1/mod.ts"), else its
// host. Content networks that serve npm packages give packages of npm, and raw files of
// GitHub repositories those of GitHub; the qualifier repository_url names the server.
// The property "deno:source" says where all but packages of npm come from.
//
// Neither the digest of a JSR package, which is of a list of its files, nor those of single
// modules are digests of a package, and they are left out. A deno.lock does not tell
// dependencies for development from others.
package deno

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer reads the files of Deno. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "deno", Version: 1} }

// Paths implements analyzer.Analyzer. Lockfiles below node_modules are notes of a package's
// developers.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{"deno.lock"}, Accept: func(path string) bool {
		return !strings.Contains("/"+path, "/node_modules/")
	}}
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	return locked.Read(f, locked.MaxBytes, readLock)
}

// lock reads a deno.lock (deno, libs/lockfile). Version 1 is a list of addresses alone.
// Versions 2 and 3 have packages in a member of their own, in which npm packages name what
// they depend on in full; later ones shorten names as far as they are clear, and give only
// the version that a specifier stands for.
type lock struct {
	locked.File
	r          *jsontext.Reader
	version    string
	specifiers map[string]string // "jsr:@std/path@^1" → "jsr:@std/path@1.0.0"
	at         map[string]bool   // keys that were put
}

func readLock(data []byte) ([]analyzer.Fact, error) {
	l := lock{r: jsontext.New(data), specifiers: map[string]string{}, at: map[string]bool{}}
	err := l.r.Document(func() {
		if l.r.Peek() != '{' {
			l.r.Fail("expected an object")
			return
		}
		l.r.Object(l.member)
	})
	if err == nil && l.version != "" && (len(l.version) != 1 || l.version < "2" || l.version > "5") {
		l.Odd(fmt.Errorf("version %.20q of deno.lock: %w", l.version, fault.Unsupported))
	}
	l.resolve()
	return l.Facts(err)
}

func (l *lock) member(key []byte) {
	switch name := string(key); name {
	case "version":
		l.version, _ = l.r.Text()
	case "packages":
		l.r.Object(l.member)
	case "specifiers":
		l.specified("")
	case "jsr":
		l.r.Object(func(id []byte) { l.jsr(jsontext.Clean(id)) })
	case "npm":
		l.r.Object(func(id []byte) {
			switch string(id) {
			case "specifiers": // of version 2
				l.specified("npm:")
			case "packages":
				l.r.Object(func(id []byte) { l.npm(jsontext.Clean(id)) })
			default:
				l.npm(jsontext.Clean(id))
			}
		})
	case "remote":
		l.r.Object(func(address []byte) { l.remote(jsontext.Clean(address)) })
	default:
		if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") {
			l.remote(jsontext.Clean(key)) // version 1
		}
	}
}

// specified reads what specifiers stand for.
func (l *lock) specified(prefix string) {
	l.r.Object(func(key []byte) {
		specifier := prefix + jsontext.Clean(key)
		to, ok := l.r.Text()
		if !ok {
			return
		}
		switch {
		case prefix != "":
			to = prefix + to
		case !strings.HasPrefix(to, "npm:") && !strings.HasPrefix(to, "jsr:"): // the version, since version 4
			name, _, _ := splitID(specifier)
			to = name + "@" + to
		}
		l.specifiers[specifier] = withoutPeers(to)
	})
}

// splitID splits "npm:@scope/name@1.0.0" at the version; ok is false without one.
func splitID(id string) (name, version string, ok bool) {
	start := strings.IndexByte(id, ':') + 1
	if i := strings.IndexByte(id[min(start+1, len(id)):], '@'); i >= 0 {
		i += start + 1
		return id[:i], id[i+1:], true
	}
	return id, "", false
}

// split splits the key of a package, which has a version.
func (l *lock) split(id string) (name, version string) {
	name, version, ok := splitID(id)
	if !ok {
		l.Odd(fmt.Errorf("package %.60q has no version: %w", id, fault.Invalid))
	}
	return name, version
}

// withoutPeers cuts off the peers that a copy of an npm package goes with:
// "name@1.0.0_peer@2.0.0". A version has no underscore.
func withoutPeers(id string) string {
	name, version, ok := splitID(id)
	if version, _, _ = strings.Cut(version, "_"); ok {
		return name + "@" + version
	}
	return id
}

func (l *lock) jsr(id string) {
	name, version := l.split(id)
	source := "jsr:" + id
	e := locked.Entry{Key: source, Also: []string{"jsr:" + name}, Package: sbom.Package{
		Name: name, Version: version, Properties: []sbom.Property{{Name: sourceProperty, Value: source}},
	}}
	l.r.Object(func(key []byte) {
		if string(key) == "dependencies" {
			l.r.Array(func() {
				if specifier, ok := l.r.Text(); ok {
					e.Wants = append(e.Wants, specifier)
				}
			})
		}
	})
	l.Put(e)
}

func (l *lock) npm(id string) {
	id = withoutPeers(id)
	name, version := l.split(id)
	e := locked.Entry{Key: "npm:" + id, Also: []string{"npm:" + name}, Package: sbom.Package{Name: name, Version: version, PURL: npmURL(name, version)}}
	l.r.Object(func(key []byte) {
		switch string(key) {
		case "integrity":
			if text, ok := l.r.Text(); ok {
				algorithm, digest, _ := strings.Cut(text, "-")
				e.Package.Hashes = locked.Base64(algorithm, digest)
			}
		case "tarball":
			address, _ := l.r.Text()
			e.Package.Download = locked.Anonymous(address)
		case "os", "cpu":
			e.Package.Scope = sbom.ScopeOptional // for some systems only
		case "dependencies", "optionalDependencies":
			l.npmDependencies(&e)
		}
	})
	l.Put(e)
}

// npmDependencies reads {"name": "real@1.0.0"} of old versions or ["name", "name@1.0.0",
// "alias@npm:real@1.0.0"].
func (l *lock) npmDependencies(e *locked.Entry) {
	want := func() {
		text, ok := l.r.Text()
		if !ok {
			return
		}
		if _, real, alias := strings.Cut(text, "@npm:"); alias {
			text = real
		}
		e.Wants = append(e.Wants, "npm:"+withoutPeers(text))
	}
	if l.r.Peek() == '{' {
		l.r.Object(func([]byte) { want() })
		return
	}
	l.r.Array(want)
}

// resolve replaces the specifiers that packages of JSR want by what they stand for. A
// specifier without a version is a name that has one specifier.
func (l *lock) resolve() {
	for i := range l.Entries {
		e := &l.Entries[i]
		for j, w := range e.Wants {
			if to, ok := l.specifiers[w]; ok {
				e.Wants[j] = to
			}
		}
	}
}
