package npm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// installed is the name space of installed packages; their keys are folders.
const installed = "installed"

// manifest is what package.json says, as far as it matters here
// (https://docs.npmjs.com/cli/configuring-npm/package-json).
type manifest struct {
	name, version     string
	odd               [2]bool // name or version is there but no text
	description       string
	homepage          string
	author            string
	resolved          string // "_resolved", written by npm 6 and older
	hashes            []sbom.Hash
	license, licenses []sbom.License
	needs             [4][]string // by member, so that a repeated one replaces the first
}

// readManifest reads a package.json; devDependencies only of a project, where
// npm installs them.
func readManifest(data []byte, project bool) (*manifest, error) {
	m := new(manifest)
	r := newReader(data)
	err := r.document(func() {
		if r.peek() != '{' {
			r.fail("expected an object")
			return
		}
		r.object(func(key []byte) {
			if m.member(r, key); project && string(key) == "devDependencies" {
				m.needs[3] = names(r)
			}
		})
	})
	return m, err
}

func (m *manifest) member(r *reader, key []byte) {
	switch string(key) {
	case "name":
		m.name, m.odd[0] = identifier(r)
	case "version":
		m.version, m.odd[1] = identifier(r)
	case "description":
		m.description, _ = r.text()
	case "homepage":
		m.homepage, _ = r.text()
	case "author":
		m.author = person(r)
	case "license":
		m.license = licences(r)
	case "licenses":
		m.licenses = licences(r)
	case "dependencies":
		m.needs[0] = names(r)
	case "optionalDependencies":
		m.needs[1] = names(r)
	case "peerDependencies":
		m.needs[2] = names(r)
	case "_resolved":
		m.resolved, _ = r.text()
	case "_integrity":
		text, _ := r.text()
		m.hashes = integrity(text)
	}
}

// identifier reads a name or version. odd reports a value that is neither a
// text nor null.
func identifier(r *reader) (text string, odd bool) {
	odd = r.peek() != '"' && r.peek() != 'n'
	text, _ = r.text()
	return strings.TrimSpace(text), odd
}

// names reads the member names of an object.
func names(r *reader) []string {
	out := make([]string, 0, 8)
	r.object(func(key []byte) { out = append(out, clean(key)) })
	return out
}

// person reads "Name <mail> (url)" or {"name": …, "email": …} and returns
// "Name (mail)".
func person(r *reader) string {
	var name, mail string
	if r.peek() == '"' {
		text, _ := r.text()
		text, _, _ = strings.Cut(text, "(")
		name, mail, _ = strings.Cut(text, "<")
		mail, _, _ = strings.Cut(mail, ">")
	} else {
		r.object(func(key []byte) {
			switch string(key) {
			case "name":
				name, _ = r.text()
			case "email", "mail":
				mail, _ = r.text()
			}
		})
	}
	name, mail = strings.TrimSpace(name), strings.TrimSpace(mail)
	switch {
	case mail == "":
		return name
	case name == "":
		return mail
	}
	return name + " (" + mail + ")"
}

// manifestFacts returns the installed package in folder dir, or nothing where
// the file does not name one. What it depends on are names until Join finds
// their folders.
func manifestFacts(dir string, data []byte) ([]analyzer.Fact, error) {
	m, err := readManifest(data, !strings.Contains("/"+dir+"/", "/node_modules/"))
	switch {
	case err != nil:
		return nil, err
	case m.odd[0] || m.odd[1]:
		return nil, fmt.Errorf("name and version must be texts: %w", fault.Invalid)
	case m.name == "" || cleanVersion(m.version) == "":
		return nil, nil
	case !validName(m.name):
		return nil, fmt.Errorf("%.60q is not a package name: %w", m.name, fault.Invalid)
	}
	version := cleanVersion(m.version)
	p := &sbom.Package{
		Name: m.name, Version: version,
		Description: m.description, Homepage: m.homepage, Originator: m.author,
		Licenses: m.license, Hashes: m.hashes,
	}
	if from := sourceOf(m.resolved); from.kind != local {
		from.describe(p)
	}
	if len(p.Licenses) == 0 {
		p.Licenses = m.licenses
	}
	needs := slices.Concat(m.needs[:]...)
	slices.Sort(needs)
	return []analyzer.Fact{{
		Kind: analyzer.KindPackage, Scope: installed, Key: dir, Package: p, DependsOn: slices.Compact(needs),
	}}, nil
}
