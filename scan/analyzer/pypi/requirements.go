package pypi

import (
	"bytes"
	"fmt"
	"iter"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// requirements reads a requirements file
// (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
type requirements struct {
	lockfile
	dir   string // of the file
	scope sbom.Scope
	parts []analyzer.Fact
}

func readRequirements(file string, data []byte) ([]analyzer.Fact, error) {
	r := requirements{dir: path.Dir(file), scope: scopeByName(file)}
	for n, line := range logicalLines(decodeText(data)) {
		r.line(n, line)
	}
	facts := append(r.facts(), analyzer.Fact{Kind: analyzer.KindPart, Scope: partVisited})
	return append(facts, r.parts...), r.odd
}

// scopeByName derives the scope from a name such as "requirements-dev.txt" or
// "requirements/test.txt".
func scopeByName(file string) sbom.Scope {
	base := strings.TrimSuffix(path.Base(file), ".txt")
	for _, word := range strings.FieldsFunc(strings.ToLower(base), func(r rune) bool { return strings.ContainsRune("-_.+ ", r) }) {
		switch word {
		case "dev", "develop", "development", "test", "tests", "testing":
			return sbom.ScopeDev
		}
	}
	return sbom.ScopeRuntime
}

// decodeText returns the text of a file in UTF-8, or in UTF-16 with a byte
// order mark, as Windows shells write it.
func decodeText(data []byte) string {
	var order func(a, b byte) uint16
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = func(a, b byte) uint16 { return uint16(a) | uint16(b)<<8 }
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = func(a, b byte) uint16 { return uint16(a)<<8 | uint16(b) }
	default:
		return text(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	}
	units := make([]uint16, 0, len(data)/2)
	for data = data[2:]; len(data) > 1; data = data[2:] {
		units = append(units, order(data[0], data[1]))
	}
	return string(utf16.Decode(units))
}

// logicalLines joins lines that end in a backslash, cuts off comments and
// leaves out what is empty. It yields the number of the first line of each.
func logicalLines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		var open strings.Builder
		first, n := 0, 0
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimRight(line, "\r\n")
			if open.Len() == 0 {
				first = n
			}
			comment := strings.HasPrefix(strings.TrimLeft(line, " \t"), "#")
			if body, ok := strings.CutSuffix(line, `\`); ok && !comment {
				open.WriteString(body + " ")
				continue
			}
			if !comment || open.Len() == 0 {
				open.WriteString(line)
			}
			if !flushLine(&open, first, yield) {
				return
			}
		}
		flushLine(&open, first, yield)
	}
}

func flushLine(open *strings.Builder, first int, yield func(int, string) bool) bool {
	line := open.String()
	open.Reset()
	for at := 0; ; {
		n := strings.IndexByte(line[at:], '#')
		if n < 0 {
			break
		}
		if at += n; at == 0 || line[at-1] == ' ' || line[at-1] == '\t' {
			line = line[:at]
			break
		}
		at++
	}
	line = strings.TrimSpace(line)
	return line == "" || yield(first, line)
}

// line reads one requirement or option.
func (r *requirements) line(n int, line string) {
	if value, ok := option(line, "-r", "--requirement"); ok {
		r.unresolved(n, line, leadsAway, path.Join(r.dir, value))
		return
	}
	value, editable := option(line, "-e", "--editable")
	switch {
	case editable:
		line = value
	case strings.HasPrefix(line, "-"):
		return // the index, or another option that names no package
	}
	body, digests := splitOptions(line)
	e, ok := r.entry(body, editable)
	if !ok && (editable || isAddress(body)) {
		r.unresolved(n, line, leadsAway, "")
		return
	} else if !ok {
		r.unresolved(n, line, "no requirement specifier", "")
		return
	}
	e.scope = r.scope
	for _, p := range []*string{&e.name, &e.version, &e.requirement, &e.from.text} {
		*p = strings.Clone(*p) // not to keep the whole file
	}
	for _, h := range digests {
		e.hashes = append(e.hashes, hash(h)...)
	}
	r.put(e)
}

// option returns the value of a line such as "-r file", "-rfile" or
// "--requirement=file".
func option(line, short, long string) (string, bool) {
	if rest, ok := strings.CutPrefix(line, long); ok && rest != "" && strings.IndexByte(" \t=", rest[0]) >= 0 {
		return strings.Trim(rest, " \t=\"'"), true
	}
	if rest, ok := strings.CutPrefix(line, short); ok && !strings.HasPrefix(line, "--") && rest != "" {
		return strings.Trim(rest, " \t=\"'"), true
	}
	return "", false
}

// splitOptions parts "name==1.0 --hash=sha256:…" and returns the hashes.
func splitOptions(line string) (body string, hashes []string) {
	words := strings.Fields(line)
	for i, w := range words {
		if !strings.HasPrefix(w, "-") || len(w) < 2 {
			continue
		}
		for j, w := range words[i:] {
			value, ok := strings.CutPrefix(w, "--hash=")
			if w == "--hash" && i+j+1 < len(words) {
				value, ok = words[i+j+1], true
			}
			if ok {
				hashes = append(hashes, value)
			}
		}
		return strings.Join(words[:i], " "), hashes
	}
	return line, nil
}

// entry understands a requirement specifier, an address or a path. A condition
// that is malformed pins nothing.
func (r *requirements) entry(body string, editable bool) (entry, bool) {
	if editable || isAddress(body) {
		e := fromAddress(body)
		return e, e.name != ""
	}
	req, ok := parseRequirement(body)
	if req.url != "" {
		e := fromAddress(req.url)
		e.name = req.name
		return e, ok
	}
	if !ok && (!validName(req.name) || strings.IndexByte("<>=!~", (req.spec + " ")[0]) < 0) {
		return entry{}, false
	}
	e := entry{name: req.name, version: req.pinned()}
	if e.version == "" {
		e.requirement = req.spec
	}
	return e, true
}

// isAddress reports whether a requirement is a URL or a path, not a name.
func isAddress(body string) bool {
	head, _, _ := strings.Cut(body, " ")
	return !strings.Contains(body, " @ ") && (strings.Contains(head, "://") || strings.HasPrefix(head, ".") ||
		strings.HasPrefix(head, "/") || strings.HasPrefix(head, "file:") || strings.Contains(head, "#egg=") || strings.HasSuffix(head, ".whl") || isSdist(head))
}

const (
	leadsAway     = "leads to what was not read"
	maxUnresolved = 1000 // lines of one file that are noted
)

// unresolved notes a line that names no package. target is another
// requirements file that it leads to, if any.
func (r *requirements) unresolved(n int, line, why, target string) {
	if len(r.parts) == maxUnresolved {
		r.odd = &fault.LimitError{What: "lines that name no package", Where: fmt.Sprintf("line %d", n), Max: maxUnresolved, Seen: maxUnresolved + 1}
		return
	}
	what := fmt.Sprintf("line %d: %.200s: %s", n, line, why)
	r.parts = append(r.parts, analyzer.Fact{
		Kind: analyzer.KindPart, Scope: partUnresolved, Key: target, Package: &sbom.Package{Name: strings.ToValidUTF8(what, "?")},
	})
}
