package hackage

import (
	"bytes"
	"strings"
)

// fields calls each for every field of a text in Cabal's syntax: "name: value" at the start of
// a line, and indented lines that go on with the value. Empty lines end nothing, "--" begins
// a line of comment, and a line without a colon begins a section, of which indented fields
// are left out. each must not keep what it gets.
func fields(data []byte, each func(name, value []byte)) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var name, value []byte
	flush := func() {
		if name != nil {
			each(name, bytes.TrimSpace(value))
		}
		name, value = nil, value[:0]
	}
	for line := range bytes.Lines(data) {
		text := bytes.TrimSpace(line)
		if len(text) == 0 || bytes.HasPrefix(text, []byte("--")) {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			value = append(value, line...)
			continue
		}
		flush()
		if n := bytes.IndexByte(text, ':'); n > 0 && bytes.IndexByte(text[:n], ' ') < 0 {
			name, value = text[:n], append(value, text[n+1:]...)
			value = append(value, '\n')
		}
	}
	flush()
}

// oneLine is a value as one line of well-formed UTF-8.
func oneLine(value []byte) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(value), "\uFFFD")), " ")
}
