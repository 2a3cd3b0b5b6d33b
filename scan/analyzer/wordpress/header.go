package wordpress

import "strings"

// headerNames are the fields that are looked for, in lower case.
var headerNames = [...]string{"plugin name", "plugin uri", "theme name", "theme uri", "version", "description", "author", "license", "license uri", "template", "requires plugins"}

// readHeader reads the header as WordPress does: a field is a line that begins, behind blanks
// and the signs of comments, with its name and a colon. The first one of a name counts.
func readHeader(text string) map[string]string {
	h := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(line, " \t")
		line = strings.TrimPrefix(line, "<?php")
		name, value, ok := strings.Cut(strings.TrimLeft(line, " \t/*#@"), ":")
		if !ok || len(name) > len("requires plugins") {
			continue
		}
		name = strings.ToLower(name)
		for _, want := range headerNames {
			if _, known := h[want]; name == want && !known {
				h[want] = trimComment(value)
			}
		}
	}
	return h
}

// trimComment cuts off the end of the comment that a field is in.
func trimComment(value string) string {
	for _, end := range []string{"*/", "?>"} {
		value, _, _ = strings.Cut(value, end)
	}
	return strings.TrimSpace(value)
}

// clean makes text of the head of a file: lines end in LF, and what is no text is U+FFFD.
func clean(head []byte) string {
	text := strings.ToValidUTF8(string(head), "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f:
			return '\uFFFD'
		}
		return r
	}, text)
}
