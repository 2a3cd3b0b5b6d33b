package timestamp

import (
	"encoding/asn1"
	"fmt"
)

func malformed(format string, args ...any) error {
	return &Error{Reason: ReasonMalformed, Detail: fmt.Sprintf(format, args...)}
}

// checkDER walks a text before anything reads it: one element and nothing after
// it, of definite and shortest lengths, none deeper or more than the limits. What
// is inside of octet strings is not walked.
func checkDER(text []byte) error {
	if len(text) > MaxToken {
		return &Error{Reason: ReasonTooLarge, Detail: fmt.Sprintf("%d bytes, the limit is %d", len(text), MaxToken)}
	}
	var ends []int // of the elements that are open
	elements := 0
	for at := 0; at < len(text) || at == 0; {
		compound, content, end, err := header(text, at)
		if err != nil {
			return err
		}
		if len(ends) > 0 && end > ends[len(ends)-1] {
			return malformed("the element at byte %d ends after the one around it", at)
		}
		if elements++; elements > MaxElements {
			return &Error{Reason: ReasonTooLarge, Detail: fmt.Sprintf("more than %d elements", MaxElements)}
		}
		at = end
		if compound {
			if len(ends) == MaxDepth {
				return &Error{Reason: ReasonTooLarge, Detail: fmt.Sprintf("elements nested deeper than %d", MaxDepth)}
			}
			ends = append(ends, end)
			at = content
		}
		for len(ends) > 0 && at == ends[len(ends)-1] {
			ends = ends[:len(ends)-1]
		}
		if len(ends) == 0 && at < len(text) {
			return malformed("%d bytes after the token", len(text)-at)
		}
	}
	return nil
}

// header reads the tag and the length at a place, and returns where content
// begins and ends.
func header(text []byte, at int) (compound bool, content, end int, err error) {
	if len(text)-at < 2 {
		return false, 0, 0, malformed("it ends at byte %d within an element", len(text))
	}
	tag, length := text[at], int(text[at+1])
	if tag&0x1f == 0x1f {
		return false, 0, 0, malformed("a long tag at byte %d", at)
	}
	content = at + 2
	if length >= 0x80 {
		n := length & 0x7f
		if n == 0 || n > 3 || len(text)-content < n {
			return false, 0, 0, malformed("the length at byte %d is indefinite, too long or cut", at+1)
		}
		length = 0
		for _, b := range text[content : content+n] {
			length = length<<8 | int(b)
		}
		if length < 0x80 || length>>(8*(n-1)) == 0 {
			return false, 0, 0, malformed("the length at byte %d is not the shortest", at+1)
		}
		content += n
	}
	if length > len(text)-content {
		return false, 0, 0, malformed("the element at byte %d is longer than the token", at)
	}
	return tag&0x20 != 0, content, content + length, nil
}

// unmarshal reads DER that is all of the text.
func unmarshal(what string, der []byte, out any, params string) error {
	rest, err := asn1.UnmarshalWithParams(der, out, params)
	if err != nil {
		return &Error{Reason: ReasonMalformed, Detail: what, Err: err}
	}
	if len(rest) > 0 {
		return malformed("%s: %d bytes after it", what, len(rest))
	}
	return nil
}
