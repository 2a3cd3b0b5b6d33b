package detect

import (
	"bytes"
	"strings"

	"github.com/stella-ops/stella/scan/sbom/license"
)

// How many words may stand between the parts of a notice of a GNU licence.
const (
	toVersion = 14 // "as published by the Free Software Foundation; either version"
	toLater   = 12 // "of the License, or (at your option) any later version"
)

// gnu reads "GNU Lesser General Public License as published by the Free Software
// Foundation; either version 2.1 of the License, or (at your option) any later
// version", in the many ways in which it is written. i is the word "general".
// Without a version it says nothing.
func (r *reader) gnu(i int) int {
	if !r.says(i, "general public license") || r.tries >= maxTries {
		return i
	}
	r.tries++
	start, family := i, "GPL"
	if i > 0 {
		switch string(bytes.ToLower(r.raw(i - 1))) {
		case "lesser", "library":
			start, family = i-1, "LGPL"
		case "affero":
			start, family = i-1, "AGPL"
		}
	}
	if r.pointed(start) {
		return i
	}
	at := r.find(i+3, toVersion, "version")
	if at < 0 || at+1 >= len(r.doc) {
		return i
	}
	number := r.number(at + 1)
	expr, ok := license.Normalize(family + "-" + strings.TrimSuffix(number, ".0"))
	if !ok || number == "" {
		return i
	}
	end := at + 1 + strings.Count(number, ".")
	if later := r.find(end+1, toLater, "later"); later >= 0 {
		end = later
		if expr, ok = license.Normalize(family + "-" + strings.TrimSuffix(number, ".0") + " or later"); !ok {
			return i
		}
	}
	r.out = append(r.out, Match{Kind: Notice, Expression: expr, Start: int(r.doc[start].Start), End: int(r.doc[end].End), Score: 1000})
	return end + 1
}

// pointed reports whether the words before i only say where the text of the
// licence is: "the complete text of the GNU …", "a copy of the GNU …".
func (r *reader) pointed(i int) bool {
	for n := 1; n <= 4 && i >= n; n++ {
		switch string(bytes.ToLower(r.raw(i - n))) {
		case "text", "texts", "copy", "copies":
			return true
		}
	}
	return false
}

// says reports whether the words from i on are these.
func (r *reader) says(i int, text string) bool {
	for want := range strings.FieldsSeq(text) {
		if i >= len(r.doc) || !bytes.EqualFold(r.raw(i), []byte(want)) && !(want == "license" && r.doc[i].Hash == licenseWord) {
			return false
		}
		i++
	}
	return true
}

// find returns the first of the next n words that is want, before another
// licence is named, or -1.
func (r *reader) find(i, n int, want string) int {
	for ; n > 0 && i < len(r.doc); i, n = i+1, n-1 {
		if r.doc[i].Hash == generalWord {
			return -1
		}
		if bytes.EqualFold(r.raw(i), []byte(want)) {
			return i
		}
	}
	return -1
}

// number returns "2", "2.1" or "3.0" at word i, or "".
func (r *reader) number(i int) string {
	text := r.text[r.doc[i].Start:]
	n := 0
	for n < len(text) && n < 4 && ('0' <= text[n] && text[n] <= '9' || text[n] == '.' && digits(text[n+1:])) {
		n++
	}
	return string(text[:n])
}

func digits(s []byte) bool { return len(s) > 0 && '0' <= s[0] && s[0] <= '9' }
