package pypi

import (
	"bytes"
	"strings"
)

// headers reads the fields of a METADATA or PKG-INFO file (core metadata
// specification, https://packaging.python.org/specifications/core-metadata/) as
// Python's email parser does: a field may go on in lines that begin with white
// space; the first line that is neither, or an empty one, ends the fields.
func headers(data []byte, each func(name, value string)) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var field []byte
	flush := func() {
		if name, value, ok := bytes.Cut(field, []byte{':'}); ok {
			each(strings.ToLower(text(name)), strings.TrimSpace(text(value)))
		}
		field = nil
	}
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		trimmed := bytes.TrimSuffix(line, []byte{'\r'})
		switch {
		case len(trimmed) == 0:
			flush()
			return
		case (trimmed[0] == ' ' || trimmed[0] == '\t') && field != nil:
			field = field[:len(field)+1+len(line)] // lines follow each other in data
		default:
			flush()
			if n := bytes.IndexByte(trimmed, ':'); n <= 0 || bytes.ContainsAny(trimmed[:n], " \t") {
				return
			}
			field = line
		}
		data = rest
	}
	flush()
}

// text copies b into a string that is well-formed UTF-8.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
