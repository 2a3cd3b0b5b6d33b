package vcpkg

import (
	"cmp"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// pinned is a version that a manifest overrides.
type pinned struct{ version, port string }

// want is a dependency of a manifest.
type want struct {
	name, least string
	scope       sbom.Scope
}

// project is a manifest.
type project struct {
	about     sbom.Package
	port      string
	wants     []want
	overrides map[string]pinned
}

// readManifest reads a vcpkg.json (https://learn.microsoft.com/vcpkg/reference/vcpkg-json).
func readManifest(data []byte) ([]analyzer.Fact, error) {
	r := jsontext.New(data)
	p := project{overrides: map[string]pinned{}}
	err := r.Document(func() {
		if !r.Object(func(key []byte) { p.member(r, string(key)) }) {
			r.Fail("a manifest is an object")
		}
	})
	return p.facts(err)
}

func (p *project) member(r *jsontext.Reader, key string) {
	text := func(to *string) { *to, _ = r.Text() }
	switch key {
	case "name":
		text(&p.about.Name)
	case "version", "version-string", "version-semver", "version-date":
		text(&p.about.Version)
	case "port-version":
		p.port = number(r)
	case "homepage":
		text(&p.about.Homepage)
	case "description":
		p.about.Description = first(r)
	case "license":
		if s, _ := r.Text(); s != "" {
			p.about.Licenses = []sbom.License{{Name: s}}
		}
	case "dependencies":
		p.dependencies(r, sbom.ScopeRuntime)
	case "features":
		one := func() {
			r.Object(func(key []byte) {
				if string(key) == "dependencies" {
					p.dependencies(r, sbom.ScopeOptional)
				}
			})
		}
		if r.Peek() == '[' { // of the first manifests
			r.Array(one)
		} else {
			r.Object(func([]byte) { one() })
		}
	case "overrides":
		r.Array(func() {
			var name string
			var o pinned
			r.Object(func(key []byte) {
				switch string(key) {
				case "name":
					text(&name)
				case "version", "version-string", "version-semver", "version-date":
					text(&o.version)
				case "port-version":
					o.port = number(r)
				}
			})
			if version, port, ok := strings.Cut(o.version, "#"); ok {
				o = pinned{version, port}
			}
			p.overrides[name] = o
		})
	}
}

// first reads a text or the first one of a list.
func first(r *jsontext.Reader) (text string) {
	if r.Peek() != '[' {
		text, _ = r.Text()
		return text
	}
	r.Array(func() {
		if s, _ := r.Text(); text == "" {
			text = s
		}
	})
	return text
}

// number reads a whole number as it is written.
func number(r *jsontext.Reader) string {
	if c := r.Peek(); c < '0' || c > '9' {
		r.Skip()
		return ""
	}
	return string(r.Raw())
}

// dependencies reads a list of names and objects. What runs on the machine that builds
// ("host") is needed for building.
func (p *project) dependencies(r *jsontext.Reader, scope sbom.Scope) {
	r.Array(func() {
		w := want{scope: scope}
		if r.Peek() != '{' {
			w.name, _ = r.Text()
		} else {
			r.Object(func(key []byte) {
				switch string(key) {
				case "name":
					w.name, _ = r.Text()
				case "version>=":
					w.least, _ = r.Text()
				case "host":
					if r.Truth() {
						w.scope = sbom.ScopeDev
					}
				}
			})
		}
		if len(p.wants) <= locked.MaxEntries {
			p.wants = append(p.wants, w)
		}
	})
}

// facts makes the project an application and the rest packages that it needs.
func (p *project) facts(err error) ([]analyzer.Fact, error) {
	var f locked.File
	about := locked.Entry{Package: p.about}
	about.Package.Type = "application"
	if p.port != "" && p.port != "0" {
		about.Package.Properties = []sbom.Property{{Name: "vcpkg:port-version", Value: p.port}}
	}
	for _, w := range p.wants {
		about.Wants = append(about.Wants, w.name)
	}
	if about.Key = "project"; p.about.Name != "" { // a manifest need not have a name
		f.Put(about)
	}
	for _, w := range p.wants {
		if w.name == cmp.Or(p.about.Name, "\x00") {
			continue // a feature that needs another one of the project
		}
		o := p.overrides[w.name]
		e := locked.Entry{Key: w.name, Package: named(w.name, o.version, o.port)}
		e.Package.Scope = w.scope
		if w.least != "" && o.version == "" {
			e.Package.Properties = append(e.Package.Properties, sbom.Property{Name: "vcpkg:requirement", Value: ">=" + w.least})
		}
		f.Put(e)
	}
	return f.Facts(err)
}
