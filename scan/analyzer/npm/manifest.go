package npm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
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
	r := jsontext.New(data)
	err := r.Document(func() {
		if r.Peek() != '{' {
			r.Fail("expected an object")
			return
		}
		r.Object(func(key []byte) {
			if m.member(r, key); project && string(key) == "devDependencies" {
				m.needs[3] = names(r)
			}
		})
	})
	return m, err
}

func (m *manifest) member(r *jsontext.Reader, key []byte) {
	switch string(key) {
	case "name":
		m.name, m.odd[0] = identifier(r)
	case "version":
		m.version, m.odd[1] = identifier(r)
	case "description":
		m.description, _ = r.Text()
	case "homepage":
		m.homepage, _ = r.Text()
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
		m.resolved, _ = r.Text()
	case "_integrity":
		text, _ := r.Text()
		m.hashes = integrity(text)
	}
}

// identifier reads a name or version. odd reports a value that is neither a
// text nor null.
func identifier(r *jsontext.Reader) (text string, odd bool) {
	odd = r.Peek() != '"' && r.Peek() != 'n'
	text, _ = r.Text()
	return strings.TrimSpace(text), odd
}

// names reads the member names of an object.
func names(r *jsontext.Reader) []string {
	out := make([]string, 0, 8)
	r.Object(func(key []byte) { out = append(out, jsontext.Clean(key)) })
	return out
}

// person reads "Name <mail> (url)" or {"name": …, "email": …} and returns
// "Name (mail)".
func person(r *jsontext.Reader) string {
	var name, mail string
	if r.Peek() == '"' {
		text, _ := r.Text()
		text, _, _ = strings.Cut(text, "(")
		name, mail, _ = strings.Cut(text, "<")
		mail, _, _ = strings.Cut(mail, ">")
	} else {
		r.Object(func(key []byte) {
			switch string(key) {
			case "name":
				name, _ = r.Text()
			case "email", "mail":
				mail, _ = r.Text()
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
	fact := analyzer.Fact{Kind: analyzer.KindPackage, Scope: installed, Key: dir, Package: p, DependsOn: slices.Compact(needs)}
	if strings.Contains("/"+dir+"/", "/node_modules/") { // the folder of a project holds what its owner put there
		fact.Holds = []string{"./"}
	}
	return []analyzer.Fact{fact}, nil
}
