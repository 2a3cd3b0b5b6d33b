// Package stanza reads texts of "Name: value" fields in stanzas, which several package
// managers took over from Debian's control files: R (DCF) and vcpkg.
package stanza

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Read calls field for each field of data, in order, and end after each stanza that has one,
// with the line where it begins. Lines that begin with a blank belong to the field before,
// empty lines end a stanza. A value comes without white space around it, but with the line
// breaks inside. What the functions get is part of data.
//
// The error is about the first line that is neither; the others are read.
func Read(data []byte, field func(name, value []byte), end func(line int)) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var name []byte
	var err error
	from, to := 0, 0 // the value of name
	begin := 0       // line of the stanza that is being read; 0: none
	flush := func() {
		if name != nil {
			field(name, bytes.TrimSpace(data[from:to]))
		}
		name = nil
	}
	for at, line := 0, 1; at < len(data); line++ {
		next := len(data)
		if n := bytes.IndexByte(data[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		text := data[at:next]
		colon := bytes.IndexByte(text, ':')
		switch {
		case len(bytes.TrimSpace(text)) == 0:
			if flush(); begin > 0 {
				end(begin)
			}
			begin = 0
		case text[0] == ' ' || text[0] == '\t':
			if to = next; name == nil && err == nil {
				err = fmt.Errorf("line %d: a continuation of nothing: %w", line, fault.Invalid)
			}
		case colon <= 0:
			if flush(); err == nil {
				err = fmt.Errorf("line %d: no field name: %w", line, fault.Invalid)
			}
		default:
			if flush(); begin == 0 {
				begin = line
			}
			name, from, to = bytes.TrimSpace(text[:colon]), at+colon+1, next
		}
		at = next
	}
	if flush(); begin > 0 {
		end(begin)
	}
	return err
}

// Line is a value as one line of well-formed UTF-8: white space between words is one blank.
func Line(value []byte) string {
	text := strings.ToValidUTF8(string(value), "\uFFFD")
	if strings.ContainsAny(text, "\n\t\r") || strings.Contains(text, "  ") {
		text = strings.Join(strings.Fields(text), " ")
	}
	return text
}
