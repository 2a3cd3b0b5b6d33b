package pypi

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// installed is the name space of installed packages; their keys are the folder
// that they are installed in and their normalised name.
const installed = "installed"

// metadata is what an installed package says of itself.
type metadata struct {
	sbom.Package
	expression  string
	licence     string
	classifiers []sbom.License
	mail        string
	needs       []string
}

// readInstalled reads METADATA, PKG-INFO or an *.egg-info file. The names that
// the package depends on are resolved by Join.
func readInstalled(file string, data []byte) ([]analyzer.Fact, error) {
	var m metadata
	headers(data, m.field)
	name, version := namedBy(file)
	m.Name, m.Version = cmp.Or(m.Name, name), cmp.Or(m.Version, version)
	if !validName(m.Name) {
		return nil, fmt.Errorf("%.60q is not a package name: %w", m.Name, fault.Invalid)
	}
	m.Licenses = m.licences()
	m.Originator = person(m.Originator, m.mail)
	slices.Sort(m.needs)
	fact := analyzer.Fact{
		Kind: analyzer.KindPackage, Scope: installed, Key: folderOf(file) + "/" + normalize(m.Name),
		Package: &m.Package, DependsOn: slices.Compact(m.needs),
	}
	if path.Base(path.Dir(file)) == "EGG-INFO" { // the egg is the package's own folder
		fact.Holds = []string{about(file) + "/"}
	}
	return []analyzer.Fact{fact}, nil
}

// field takes one field. Of fields that may stand once the first counts.
func (m *metadata) field(name, value []byte) {
	if len(value) == 0 || string(value) == "UNKNOWN" {
		return // setuptools wrote this for fields without a value
	}
	first := func(p *string) {
		if *p == "" {
			*p = oneLine(value)
		}
	}
	switch string(name) {
	case "name":
		first(&m.Name)
	case "version":
		first(&m.Version)
	case "summary":
		first(&m.Description)
	case "home-page":
		first(&m.Homepage)
	case "download-url":
		first(&m.Download)
	case "author":
		first(&m.Originator)
	case "author-email":
		first(&m.mail)
	case "license-expression":
		first(&m.expression)
	case "license":
		if m.licence == "" {
			m.licence = text(value)
		}
	case "classifier":
		if path, ok := bytes.CutPrefix(value, []byte("License :: ")); ok && string(path) != "OSI Approved" {
			m.classifiers = append(m.classifiers, sbom.License{Name: oneLine(bytes.TrimPrefix(path, []byte("OSI Approved :: ")))})
		}
	case "project-url":
		if label, url, ok := bytes.Cut(value, []byte{','}); ok && bytes.EqualFold(bytes.ReplaceAll(label, []byte{' '}, nil), []byte("homepage")) {
			value = bytes.TrimSpace(url)
			first(&m.Homepage)
		}
	case "requires-dist":
		if r, ok := parseRequirement(text(value)); ok && !r.onlyForExtra() {
			m.needs = append(m.needs, normalize(r.name))
		}
	}
}

// licences prefers an expression to the free text, and that to classifiers. A
// text over several lines is the licence itself, which classifiers name.
func (m *metadata) licences() []sbom.License {
	switch {
	case m.expression != "":
		return []sbom.License{{Name: m.expression}}
	case m.licence != "" && (!strings.Contains(m.licence, "\n") || len(m.classifiers) == 0):
		line, _, _ := strings.Cut(m.licence, "\n")
		return []sbom.License{{Name: strings.TrimSpace(line)}}
	}
	return m.classifiers
}

// person joins the fields Author and Author-email, of which the second may be
// "Name <mail>".
func person(name, mail string) string {
	if inner, rest, ok := strings.Cut(mail, "<"); ok {
		mail, _, _ = strings.Cut(rest, ">")
		if name == "" {
			name = strings.Trim(strings.TrimSpace(inner), `"`)
		}
	}
	switch {
	case name == "":
		return mail
	case mail == "":
		return name
	}
	return name + " (" + mail + ")"
}

// about returns the metadata folder or file that stands for the package:
// "lib/a-1.0.dist-info", "lib/a-1.0.egg" or "lib/a.egg-info".
func about(file string) string {
	if strings.HasSuffix(file, ".egg-info") {
		return file
	}
	if dir := path.Dir(file); path.Base(dir) == "EGG-INFO" {
		return path.Dir(dir)
	}
	return path.Dir(file)
}

// folderOf returns the folder that the package is installed in.
func folderOf(file string) string {
	if dir := path.Dir(about(file)); dir != "." {
		return dir
	}
	return ""
}

// namedBy takes name and version from "a_b-1.0.dist-info", "a-1.0-py3.9.egg" or
// "a.egg-info" (PEP 376, PEP 427).
func namedBy(file string) (name, version string) {
	base := path.Base(about(file))
	ext := path.Ext(base)
	if ext != ".dist-info" && ext != ".egg-info" && ext != ".egg" {
		return "", ""
	}
	name, version, _ = strings.Cut(strings.TrimSuffix(base, ext), "-")
	version, _, _ = strings.Cut(version, "-")
	if version == "" || version[0] < '0' || version[0] > '9' {
		version = "" // such as "py3.9"
	}
	return name, version
}
