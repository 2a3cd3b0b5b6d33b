package conda

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/yamltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// readEnvironment reads an environment.yml (conda's user guide, "Managing environments").
// Others use that name too: a mapping without dependencies and channels is not conda's.
func readEnvironment(_ string, data []byte) ([]analyzer.Fact, error) {
	tree, err := yamltree.ReadShared(data)
	if err != nil {
		return nil, err
	}
	var l lockfile
	for _, root := range tree.Docs {
		if tree.Nodes[root].Kind != yamltree.Map {
			if tree.Nodes[root].Kind != yamltree.Scalar || len(tree.Nodes[root].Text) > 0 {
				l.Odd(fmt.Errorf("line %d: expected a mapping: %w", tree.Nodes[root].Line, fault.Invalid))
			}
			continue
		}
		list := tree.Child(root, "dependencies")
		if list < 0 {
			continue
		}
		// Only "conda env export" writes a prefix, and what it writes are the versions there.
		e := environment{lockfile: &l, Tree: tree, exported: tree.Child(root, "prefix") >= 0}
		if tree.Text(root, "category") == "dev" { // an extension of conda-lock
			e.scope = sbom.ScopeDev
		}
		e.dependencies(list)
	}
	return l.Facts(nil)
}

type environment struct {
	*lockfile
	*yamltree.Tree
	exported bool
	scope    sbom.Scope
}

func (e *environment) dependencies(list int) {
	for c := range e.Children(list) {
		switch n := &e.Nodes[c]; {
		case n.Key == nil && n.Kind == yamltree.Scalar:
			e.spec(n.Line, string(n.Text))
		case n.Key == nil && n.Kind == yamltree.Map:
			for m := range e.Children(c) {
				if e.Key(m) != "pip" {
					e.Odd(fmt.Errorf("line %d: dependencies of %.60q: %w", e.Nodes[m].Line, e.Key(m), fault.Unsupported))
					continue
				}
				for p := range e.Children(m) {
					e.pip(p)
				}
			}
		default:
			e.Odd(fmt.Errorf("line %d: expected a package: %w", n.Line, fault.Invalid))
		}
	}
}

// spec reads one match specification.
func (e *environment) spec(line int32, text string) {
	s, ok := parseSpec(text)
	if !ok {
		e.Odd(fmt.Errorf("line %d: %.60q is not a package: %w", line, text, fault.Invalid))
		return
	}
	if s.version == "" && e.exported {
		s.version = s.prefix
	}
	p := s.describe()
	p.Scope = e.scope
	if s.requirement != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: requirementProperty, Value: s.requirement})
	}
	e.put(locked.Entry{Key: s.key() + s.requirement, Package: p})
}

// spec is a match specification (conda, models/match_spec.py).
type spec struct {
	archive
	prefix      string // of the version, as "=1.2" asks for
	requirement string // where the version is not exact
}

// parseSpec reads "channel/subdir::name version build", "name=version=build" and
// "name[version='…', build=…]". A version is exact behind "==", behind a blank without an
// operator, and where a build follows it.
func parseSpec(text string) (s spec, ok bool) {
	text = strings.TrimSpace(text)
	if where, rest, ok := strings.Cut(text, "::"); ok {
		s.channel, text = where, rest
		if channel, subdir, ok := cutLast(where, "/"); ok && isSubdir(subdir) {
			s.channel, s.subdir = channel, subdir
		}
		s.channel = channelName(s.channel)
	}
	text, brackets, _ := strings.Cut(text, "[")
	s.name = specName(text)
	rest := strings.TrimSpace(text[min(len(text), strings.Index(text, s.name)+len(s.name)):])
	s.version, s.build, s.prefix, s.requirement = condition(rest)
	s.brackets(strings.TrimSuffix(strings.TrimSpace(brackets), "]"))
	return s, validName(s.name)
}

// isSubdir reports whether a word is the folder of a platform.
func isSubdir(word string) bool {
	system, _, ok := strings.Cut(word, "-")
	switch system {
	case "linux", "osx", "win", "emscripten", "wasi", "freebsd", "zos":
		return ok
	}
	return word == "noarch"
}

// condition takes apart what follows a name.
func condition(text string) (version, build, prefix, requirement string) {
	v, exact := strings.CutPrefix(text, "==")
	fuzzy := false
	if !exact {
		v, fuzzy = strings.CutPrefix(text, "=")
	}
	v = strings.TrimSpace(v)
	if i := strings.IndexAny(v, " ="); i >= 0 && !strings.ContainsAny(v[:1], "<>!~") {
		v, build = v[:i], strings.TrimSpace(v[i+1:])
	}
	if !isVersion(v) {
		return "", "", "", text
	}
	if fuzzy && build == "" {
		return "", "", v, text
	}
	if build != "" && !isVersion(build) { // "*_cpython"
		return v, "", "", text
	}
	return v, build, "", ""
}

// isVersion reports whether text is one version or build, and no pattern of them.
func isVersion(text string) bool { return text != "" && !strings.ContainsAny(text, " ,|*<>=!~^$()") }

// brackets reads "version='1.0', build=py_0", which stands over what is before it.
func (s *spec) brackets(text string) {
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		value = strings.Trim(strings.TrimSpace(value), `'"`)
		switch strings.TrimSpace(name) {
		case "version":
			s.version, _, s.prefix, s.requirement = condition(value)
		case "build":
			if isVersion(value) {
				s.build = value
			}
		case "channel":
			s.channel = channelName(value)
		case "subdir":
			s.subdir = value
		}
	}
}

// pip reads one line that pip gets.
func (e *environment) pip(node int) {
	n := &e.Nodes[node]
	text := strings.TrimSpace(string(n.Text))
	if n.Kind != yamltree.Scalar || text == "" {
		e.Odd(fmt.Errorf("line %d: expected a requirement of pip: %w", n.Line, fault.Invalid))
		return
	}
	if text[0] == '-' {
		option, _, _ := strings.Cut(strings.Replace(text, "=", " ", 1), " ")
		switch option {
		case "-r", "--requirement", "-e", "--editable", "-c", "--constraint":
			e.Odd(fmt.Errorf("line %d: pip's %.60q leads outside the file: %w", n.Line, text, fault.Unsupported))
		}
		return // others say how to install
	}
	p, ok := pipPackage(text)
	if !ok {
		e.Odd(fmt.Errorf("line %d: pip's %.60q names no package: %w", n.Line, withoutSecrets(text), fault.Unsupported))
		return
	}
	p.Scope = e.scope
	key := "pypi:" + pypiName(p.Name) + "@" + cmp.Or(p.Version, withoutSecrets(text))
	e.put(locked.Entry{Key: key, Package: p})
}
