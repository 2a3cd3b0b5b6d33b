package dpkg

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	maxLine   = 4 << 20  // bytes of one line; longer ones are skipped when nobody needs their field
	maxFields = 64 << 10 // bytes kept of one field

	maxPackages  = 100_000   // of one file; all of Debian has some 65,000
	maxRelations = 1_000_000 // dependencies and provided names of one file
)

// stanza is one paragraph of a status file, as far as it is needed.
type stanza struct {
	pkg, status, version, arch, source string
	depends, preDepends, provides      string
	maintainer, homepage, description  string
	section, license                   string
}

// field returns where to keep a field, or nil for one that nobody needs.
func (s *stanza) field(name []byte) *string {
	switch string(name) {
	case "Package":
		return &s.pkg
	case "Status":
		return &s.status
	case "Version":
		return &s.version
	case "Architecture":
		return &s.arch
	case "Source":
		return &s.source
	case "Depends":
		return &s.depends
	case "Pre-Depends":
		return &s.preDepends
	case "Provides":
		return &s.provides
	case "Maintainer":
		return &s.maintainer
	case "Homepage":
		return &s.homepage
	case "Description":
		return &s.description
	case "Section":
		return &s.section
	case "License":
		return &s.license
	}
	return nil
}

// parseStatus streams the stanzas of f. A stanza of the status file without a
// Status is broken; files of status.d have none.
func parseStatus(f *analyzer.File, wantStatus bool) ([]analyzer.Fact, error) {
	if limit := f.Budget.Limits.FileBytes; f.Size > limit {
		return nil, &fault.LimitError{What: "bytes of a package database", Where: f.Path, Max: limit, Seen: f.Size}
	}
	r := bufio.NewReaderSize(f, 64<<10)
	var facts []analyzer.Fact
	var s stanza
	var current *string
	var firstErr error
	blank := true // nothing since the last stanza
	relations := 0
	var folded []byte // what goes on after the line of current
	settle := func() {
		if current != nil && len(folded) > 0 {
			*current += string(folded)
		}
		folded = folded[:0]
	}
	flush := func(line int) {
		if blank {
			return
		}
		blank = true
		settle()
		fact, err := s.fact(wantStatus)
		if err != nil && firstErr == nil {
			firstErr = fmt.Errorf("%s: stanza before line %d: %w", f.Path, line, err)
		}
		if fact != nil {
			facts = append(facts, *fact)
			relations += len(fact.DependsOn) + len(fact.Provides)
		}
		s, current = stanza{}, nil
	}
	for line := 1; ; line++ {
		text, long, err := readLine(r)
		if err != nil && err != io.EOF {
			return facts, fmt.Errorf("read %s: %w", f.Path, err)
		}
		switch {
		case len(text) == 0 && err == io.EOF:
			flush(line)
			return facts, firstErr
		case len(bytes.TrimSpace(text)) == 0:
			flush(line)
			if err := tooMany(f.Path, len(facts), relations); err != nil {
				return facts, err
			}
		case text[0] == ' ' || text[0] == '\t':
			// Only folded relationship fields go on; of a description the first line is enough.
			if current != nil && current != &s.description && len(*current)+len(folded)+len(text) < maxFields {
				folded = append(append(folded, ' '), bytes.TrimSpace(text)...)
			}
		default:
			settle()
			blank = false
			current = s.take(text)
			if current == nil && bytes.IndexByte(text, ':') < 0 && firstErr == nil {
				firstErr = fmt.Errorf("%s: line %d: no field name: %w", f.Path, line, fault.Invalid)
			}
			if current != nil && long {
				firstErr = &fault.LimitError{What: "bytes of a line", Where: f.Path, Max: maxLine}
			}
		}
	}
}

// tooMany bounds what one small file can make of itself.
func tooMany(where string, packages, relations int) error {
	switch {
	case packages > maxPackages:
		return &fault.LimitError{What: "packages of one database", Where: where, Max: maxPackages, Seen: int64(packages)}
	case relations > maxRelations:
		return &fault.LimitError{What: "relations of one database", Where: where, Max: maxRelations, Seen: int64(relations)}
	}
	return nil
}

// take keeps the value of a "Field: value" line and returns where.
func (s *stanza) take(line []byte) *string {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil
	}
	to := s.field(line[:colon])
	if to != nil {
		*to = strings.ToValidUTF8(string(bytes.TrimSpace(line[colon+1:])), "?")
	}
	return to
}

// readLine returns the next line without its end; long says it was cut at maxLine.
func readLine(r *bufio.Reader) (line []byte, long bool, err error) {
	line, err = r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line = bytes.Clone(line)
		for err == bufio.ErrBufferFull {
			var more []byte
			more, err = r.ReadSlice('\n')
			if len(line) < maxLine {
				line = append(line, more...)
			} else {
				long = true
			}
		}
	}
	return bytes.TrimRight(line, "\r\n"), long, err
}

// fact turns a stanza into a package; nil for one that is not installed.
func (s *stanza) fact(wantStatus bool) (*analyzer.Fact, error) {
	if *s == (stanza{}) {
		return nil, nil
	}
	if s.pkg == "" || strings.ContainsAny(s.pkg, " \t/") {
		return nil, fmt.Errorf("package name %q: %w", s.pkg, fault.Invalid)
	}
	if s.status == "" && wantStatus {
		return nil, fmt.Errorf("package %s has no Status: %w", s.pkg, fault.Invalid)
	}
	if !installed(s.status) {
		return nil, nil
	}
	if s.version == "" {
		return nil, fmt.Errorf("package %s has no Version: %w", s.pkg, fault.Invalid)
	}
	description, _, _ := strings.Cut(s.description, "\n")
	p := &sbom.Package{
		Name: s.pkg, Version: s.version, Arch: s.arch, Upstream: upstream(s.source),
		Supplier: s.maintainer, Homepage: s.homepage, Description: description,
	}
	if s.license != "" {
		p.Licenses = []sbom.License{{Name: s.license}}
	}
	f := &analyzer.Fact{Kind: analyzer.KindPackage, Scope: scope, Key: s.pkg + ":" + s.arch, Package: p}
	f.DependsOn = splitList(s.preDepends, f.DependsOn)
	f.DependsOn = splitList(s.depends, f.DependsOn)
	for _, name := range splitList(s.provides, nil) {
		f.Provides = append(f.Provides, firstWord(name))
	}
	return f, nil
}

// installed reads "want flag state": packages of which only configuration is
// left, or nothing, are not installed.
func installed(status string) bool {
	words := strings.Fields(status)
	if len(words) == 0 {
		return true // status.d
	}
	switch words[len(words)-1] {
	case "not-installed", "config-files":
		return false
	}
	return true
}

// upstream reads "name" or "name (version)".
func upstream(source string) *sbom.Upstream {
	if source == "" {
		return nil
	}
	name, version, _ := strings.Cut(source, " ")
	return &sbom.Upstream{Name: name, Version: strings.Trim(version, " ()")}
}

func splitList(s string, to []string) []string {
	if s == "" {
		return to
	}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			to = append(to, part)
		}
	}
	return to
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " (:"); i >= 0 {
		return s[:i]
	}
	return s
}
