package npm

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
)

// yarnLock reads a yarn.lock of yarn 1 (https://classic.yarnpkg.com/lang/en/docs/yarn-lock/).
// The format looks like YAML and is none: a line at the margin lists the
// requests ("name@range") that one package answers, its members follow with
// two blanks in front, those of a member with four.
type yarnLock struct {
	*lockfile
	line     int
	start    int            // line of the current entry
	requests map[string]int // request → entry
	open     bool           // an entry is being read
	current  entry
	asked    []string // the requests of the current entry
	resolved string
	section  string
}

// readYarnLock reads all entries that it can; l.odd says what was wrong.
func readYarnLock(l *lockfile, data []byte) {
	y := yarnLock{lockfile: l, requests: map[string]int{}}
	for rest := data; len(rest) > 0; {
		line := rest
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			line, rest = rest[:n], rest[n+1:]
		} else {
			rest = nil
		}
		y.line++
		if err := y.take(bytes.TrimRight(line, " \t\r")); err != nil {
			y.odd = cmp.Or(y.odd, fmt.Errorf("line %d: %w", y.line, err)) // the next entry may be fine
		}
	}
	y.flush()
	y.connect()
}

func (y *yarnLock) take(line []byte) error {
	text := bytes.TrimLeft(line, " ")
	if len(text) == 0 || text[0] == '#' {
		return nil
	}
	switch indent := len(line) - len(text); {
	case isConflict(line):
		y.flush()
		return fmt.Errorf("mark of a merge conflict; both sides were read: %w", fault.Invalid)
	case indent == 0:
		y.flush()
		return y.head(text)
	case !y.open:
		return fmt.Errorf("member without an entry: %w", fault.Invalid)
	case indent == 2:
		return y.member(text)
	case indent == 4 && y.section != "":
		return y.dependency(text)
	}
	return fmt.Errorf("unexpected indentation: %w", fault.Invalid)
}

// isConflict reports whether git left the line to mark a conflict.
func isConflict(line []byte) bool {
	for _, mark := range []string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"} {
		if bytes.HasPrefix(line, []byte(mark)) {
			return true
		}
	}
	return false
}

// head reads `a@^1.0.0, "b@npm:c@>= 2":`.
func (y *yarnLock) head(text []byte) error {
	for {
		word, rest, err := yarnWord(text, ",:")
		if err != nil {
			return err
		}
		if len(y.asked)+len(y.requests) >= maxRequests {
			return &fault.LimitError{What: "requests", Where: "lockfile", Max: maxRequests, Seen: maxRequests + 1}
		}
		y.asked = append(y.asked, word)
		if len(rest) == 1 && rest[0] == ':' {
			break
		}
		if len(rest) == 0 || rest[0] != ',' {
			return fmt.Errorf("expected ',' or ':' after %.60q: %w", word, fault.Invalid)
		}
		text = bytes.TrimLeft(rest[1:], " ")
	}
	y.open, y.start = true, y.line
	return nil
}

// member reads `version "1.0.0"` or `dependencies:`.
func (y *yarnLock) member(text []byte) error {
	name, value, err := yarnPair(text)
	if err != nil {
		return err
	}
	y.section = ""
	switch name {
	case "version":
		y.current.version = value
	case "resolved":
		y.resolved = value
	case "integrity":
		y.current.hashes = append(y.current.hashes, integrity(value)...)
	case "dependencies", "optionalDependencies":
		y.section = name
	default:
		if value == "" {
			y.section = name // such as yarn 1's "permissions"
		}
	}
	return nil
}

func (y *yarnLock) dependency(text []byte) error {
	name, value, err := yarnPair(text)
	if err == nil && (y.section == "dependencies" || y.section == "optionalDependencies") {
		y.current.wants = append(y.current.wants, name+"@"+value)
	}
	return err
}

// yarnPair reads `name value`, `name: value` or `name:`.
func yarnPair(text []byte) (name, value string, err error) {
	name, rest, err := yarnWord(text, ":")
	if err != nil {
		return "", "", err
	}
	rest = bytes.TrimLeft(bytes.TrimPrefix(rest, []byte{':'}), " ")
	if len(rest) == 0 {
		return name, "", nil
	}
	value, rest, err = yarnWord(rest, "")
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("text after %.60q: %w", value, fault.Invalid)
	}
	return name, value, err
}

// yarnWord reads a word in quotes, or a bare one that ends at a blank, or at
// one of stops where a blank or nothing follows, and the blanks behind it.
func yarnWord(text []byte, stops string) (word string, rest []byte, err error) {
	if len(text) > 0 && text[0] == '"' {
		if n := jsontext.Plain(text[1:]) + 1; n < len(text) && text[n] == '"' {
			return jsontext.Clean(text[1:n]), bytes.TrimLeft(text[n+1:], " "), nil
		}
		r := jsontext.New(text)
		raw := r.Quoted()
		if r.Err() != nil {
			return "", nil, fmt.Errorf("text in quotes that does not end: %w", fault.Invalid)
		}
		return jsontext.Clean(raw), bytes.TrimLeft(r.Rest(), " "), nil
	}
	n := 0
	for n < len(text) && text[n] != ' ' {
		if strings.IndexByte(stops, text[n]) >= 0 && (n+1 == len(text) || text[n+1] == ' ') {
			break
		}
		n++
	}
	if n == 0 {
		return "", nil, fmt.Errorf("unexpected %.60q: %w", text, fault.Invalid)
	}
	return jsontext.Clean(text[:n]), bytes.TrimLeft(text[n:], " "), nil
}

// flush puts the entry that was read.
func (y *yarnLock) flush() {
	if !y.open {
		y.asked = y.asked[:0]
		return
	}
	e := y.current
	name, specifier := splitRequest(y.asked[0])
	e.place, e.name = "line "+strconv.Itoa(y.start), name // two entries may answer one request after a merge conflict
	if alias, ok := strings.CutPrefix(specifier, "npm:"); ok {
		if at := strings.LastIndexByte(alias, '@'); at > 0 {
			e.name = alias[:at]
		} else if alias != "" && validName(alias) && (alias[0] > '9' || alias[0] == '@') {
			e.name = alias // "npm:name" asks for any version
		}
	}
	if e.from = sourceOf(y.resolved); y.resolved == "" && isFolder(specifier) {
		e.from, e.version = source{local, specifier}, realVersion(e.version)
	}
	if _, digest, ok := strings.Cut(y.resolved, "#"); ok && e.from.kind != git {
		e.hashes = append(e.hashes, shasum(digest)...)
	}
	if n, ok := y.put(e); ok {
		for _, r := range y.asked {
			y.requests[r] = n
		}
	}
	y.open, y.current, y.asked, y.resolved, y.section = false, entry{}, y.asked[:0], "", ""
}

// isFolder reports whether a specifier of yarn 1 names a folder.
func isFolder(specifier string) bool {
	for _, prefix := range []string{"link:", "file:", "workspace:", "./", "../", "/", "~/"} {
		if strings.HasPrefix(specifier, prefix) {
			return true
		}
	}
	return false
}

// realVersion drops the version that yarn makes up for folders without one.
func realVersion(v string) string {
	if v == "0.0.0" || v == "0.0.0-use.local" {
		return ""
	}
	return v
}

// splitRequest splits "name@range" and "@scope/name@range".
func splitRequest(s string) (name, specifier string) {
	if at := strings.IndexByte(s[min(1, len(s)):], '@') + 1; at > 0 {
		return s[:at], s[at+1:]
	}
	return s, ""
}

func (y *yarnLock) connect() {
	for i := range y.entries {
		e := &y.entries[i]
		for _, request := range e.wants {
			if n, ok := y.requests[request]; ok {
				e.needs = append(e.needs, n)
			}
		}
		e.wants = nil
	}
}
