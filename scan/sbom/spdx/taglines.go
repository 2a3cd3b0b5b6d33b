package spdx

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// tagLines splits the tag-value form into tags with their values. Lines end in LF
// or CRLF; lines that start with '#' are comments; a value in <text>…</text> may
// span lines.
type tagLines struct {
	r    *bufio.Reader
	line int // of the last line read
}

// tagPair is one tag with its value.
type tagPair struct {
	tag, value string
	line       int
}

const (
	tagBlanks = " \t\v\f\r"
	textOpen  = "<text>"
	textClose = "</text>"
)

// next returns the next pair, or io.EOF.
func (t *tagLines) next() (tagPair, error) {
	for {
		s, err := t.readLine()
		if err != nil {
			return tagPair{}, err
		}
		s = strings.TrimLeft(s, tagBlanks)
		if s == "" || s[0] == '#' {
			continue
		}
		pair := tagPair{line: t.line}
		where := fmt.Sprintf("line %d", t.line)
		tag, value, ok := strings.Cut(s, ":")
		if !ok {
			return pair, invalid(where, "%.40q is neither a tag with a value nor a comment", s)
		}
		pair.tag = strings.TrimSpace(tag)
		body, multi := strings.CutPrefix(strings.TrimLeft(value, tagBlanks), textOpen)
		if !multi {
			pair.value = strings.TrimSpace(value)
			return pair, nil
		}
		pair.value, err = t.body(body)
		if err == io.EOF {
			err = invalid(where, "the text of %s has no end", pair.tag)
		}
		return pair, err
	}
}

// body reads to the end of a text whose first line is first.
func (t *tagLines) body(first string) (string, error) {
	var b strings.Builder
	for s := first; ; {
		if before, after, ok := strings.Cut(s, textClose); ok {
			if strings.TrimSpace(after) != "" {
				return "", invalid(fmt.Sprintf("line %d", t.line), "%.40q follows the end of a text", after)
			}
			b.WriteString(before)
			return b.String(), nil
		}
		b.WriteString(s)
		b.WriteByte('\n')
		var err error
		if s, err = t.readLine(); err != nil {
			return "", err
		}
	}
}

// readLine returns a line without its end.
func (t *tagLines) readLine() (string, error) {
	s, err := t.r.ReadString('\n')
	if err == io.EOF && s != "" {
		err = nil
	}
	if err != nil {
		return "", err
	}
	t.line++
	if !utf8.ValidString(s) {
		return "", invalid(fmt.Sprintf("line %d", t.line), "the text is not UTF-8")
	}
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r"), nil
}
