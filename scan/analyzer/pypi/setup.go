package pypi

import (
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// setup reads calls of setuptools.setup, without running anything: name and version where
// they are plain texts, and of install_requires those entries that are. All else is made by
// code, of which the file says no more than that.
type setup struct {
	requirements
	tokens
	project entry
}

// readSetup reads a setup.py
// (https://setuptools.pypa.io/en/latest/references/keywords.html).
func readSetup(file string, data []byte) ([]analyzer.Fact, error) {
	s := setup{requirements: requirements{dir: path.Dir(file), scope: sbom.ScopeRuntime}, tokens: tokens{text: decodeText(data), line: 1}}
	var before, module token // what stands before a word: "setuptools", "."
	for t := s.next(); t.kind != 0; module, before, t = before, t, s.next() {
		if t.kind != 'a' || t.text != "setup" || s.look().kind != '(' || before.kind == 'a' && before.text == "def" {
			continue
		}
		if before.kind != '.' || module.text == "setuptools" || module.text == "core" {
			s.next()
			s.call()
		}
	}
	return append(s.facts(), s.parts...), s.odd
}

// call reads the arguments of one call, up to its end.
func (s *setup) call() {
	s.project = entry{project: true, from: source{kind: local, text: "."}}
	var wants []want
	for s.look().kind != ')' && s.look().kind != 0 {
		key := s.next()
		if key.kind == 'a' && s.look().kind == '=' {
			s.next()
			switch key.text {
			case "name":
				s.project.name = s.plain()
			case "version":
				s.project.version = s.plain()
			case "install_requires":
				wants = append(wants, s.list(key)...)
			}
		} else {
			s.open(key)
		}
		s.rest()
	}
	s.next()
	if s.project.wants = wants; validName(s.project.name) {
		s.put(s.project)
	}
}

// rest moves behind the comma that ends an argument or an entry, or before the bracket that
// ends them all, and reports whether there was more than that.
func (s *setup) rest() (more bool) {
	for {
		switch t := s.look(); t.kind {
		case 0, ')', ']', '}':
			return more
		case ',':
			s.next()
			return more
		default:
			more = true
			s.next()
			s.open(t)
		}
	}
}

// open moves behind what a bracket that was taken opens.
func (s *setup) open(t token) {
	for depth := 0; t.kind != 0; t = s.next() {
		switch t.kind {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		if depth <= 0 {
			return
		}
	}
}

// plain reads a text, or several that stand one after the other. It returns "" where there is
// anything else before the end of the argument or entry.
func (s *setup) plain() string {
	var out strings.Builder
	odd := false
	for s.look().kind == '"' {
		t := s.next()
		odd = odd || t.odd
		out.WriteString(t.text)
	}
	if k := s.look().kind; odd || k != ',' && k != ')' && k != ']' {
		return ""
	}
	return strings.TrimSpace(out.String())
}

// list reads the entries of a list or tuple, and notes what is made by code. A single text is
// a list of lines.
func (s *setup) list(key token) (wants []want) {
	const byCode = "is made by code"
	take := func(line int, text string) {
		if r, ok := parseRequirement(text); ok && r.onlyForExtra() {
			return
		}
		e, ok := s.entry(text, false)
		if !ok {
			s.unresolved(line, text, "no requirement specifier", "")
			return
		}
		e.name, e.version, e.requirement = strings.Clone(e.name), strings.Clone(e.version), strings.Clone(e.requirement) // not to keep the whole file
		wants = append(wants, want{name: normalize(e.name), version: e.version})
		s.put(e)
	}
	switch s.look().kind {
	case '"':
		for line := range strings.Lines(s.plain()) {
			if line = strings.TrimSpace(line); line != "" {
				take(key.line, line)
			}
		}
		return wants
	case '[', '(':
		s.next()
	default:
		s.unresolved(key.line, key.text, byCode, "")
		return nil
	}
	for k := s.look().kind; k != ']' && k != ')' && k != '}' && k != 0; k = s.look().kind {
		at := s.look()
		text := s.plain()
		if more := s.rest(); more || text == "" {
			s.unresolved(at.line, key.text+": an entry", byCode, "")
			continue
		}
		take(at.line, text)
	}
	s.next()
	if k := s.look().kind; k != ',' && k != ')' {
		s.unresolved(key.line, key.text, "code adds to it", "")
	}
	return wants
}
