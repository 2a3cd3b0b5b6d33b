package pypi

import (
	"bytes"
	"strings"
)

// headers reads the fields of a METADATA or PKG-INFO file (core metadata
// specification, https://packaging.python.org/specifications/core-metadata/) as
// Python's email parser does: a field may go on in lines that begin with white
// space; the first line that is neither, or an empty one, ends the fields.
//
// Names are handed out in lower case; each must not keep what it gets.
func headers(data []byte, each func(name, value []byte)) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	start, end := -1, 0 // of the field that is being read
	var lower []byte
	flush := func() {
		if start >= 0 {
			name, value, _ := bytes.Cut(data[start:end], []byte{':'})
			lower = lower[:0]
			for _, c := range name {
				if 'A' <= c && c <= 'Z' {
					c += 'a' - 'A'
				}
				lower = append(lower, c)
			}
			each(lower, bytes.TrimSpace(value))
		}
		start = -1
	}
	for at := 0; at < len(data); {
		next := len(data)
		if n := bytes.IndexByte(data[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		line := bytes.TrimRight(data[at:next], "\r\n")
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && start >= 0
		if !folded {
			flush()
			if n := bytes.IndexByte(line, ':'); n <= 0 || bytes.ContainsAny(line[:n], " \t") {
				return
			}
			start = at
		}
		at, end = next, next
	}
	flush()
}

// text copies b into a string that is well-formed UTF-8.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// oneLine is text with each run of white space as one blank: what a field over
// several lines says.
func oneLine(b []byte) string {
	if bytes.IndexByte(b, '\n') < 0 {
		return text(b)
	}
	return strings.Join(strings.Fields(text(b)), " ")
}
