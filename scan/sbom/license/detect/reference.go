package detect

import (
	"bytes"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom/license"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/words"
)

const (
	maxName  = 12   // words of a name
	maxTag   = 512  // bytes of the expression in a tag
	maxTries = 1000 // places of one text where a name is looked for
)

var (
	generalWord    = words.Hash("general")
	spdxWord       = words.Hash("spdx")
	licenseWord    = words.Hash("license")
	licensesWord   = words.Hash("licenses")
	identifierWord = words.Hash("identifier")
	underWord      = words.Hash("under")
	notWord        = words.Hash("not")
	orWord         = words.Hash("or")
	andWord        = words.Hash("and")
)

// reader looks for names and tags.
type reader struct {
	text  []byte
	doc   []words.Word
	known []Match // texts and notices, in order
	tries int
	out   []Match
}

// references returns the names and tags outside of known, in order.
func references(text []byte, doc []words.Word, known []Match) []Match {
	r := reader{text: text, doc: doc, known: known}
	for i := 0; i < len(doc); {
		for len(r.known) > 0 && r.known[0].End <= int(doc[i].Start) {
			r.known = r.known[1:]
		}
		if len(r.known) > 0 && r.known[0].Start <= int(doc[i].Start) {
			i++
			continue
		}
		i = max(i+1, r.at(i))
	}
	return slices.DeleteFunc(r.out, func(m Match) bool {
		return m.Kind == Name && slices.ContainsFunc(known, func(k Match) bool { return k.Expression == m.Expression || slices.Contains(k.Also, m.Expression) })
	})
}

// at looks for a reference that begins with word i, and returns the word behind
// it, or i.
func (r *reader) at(i int) int {
	switch h := r.doc[i].Hash; {
	case h == spdxWord:
		return r.tag(i)
	case h == underWord && (i == 0 || r.doc[i-1].Hash != notWord):
		return r.names(r.lead(i + 1))
	case h == generalWord:
		return r.gnu(i)
	case h == licenseWord && r.followed(i, ":") && r.first(i):
		return r.names(i + 1)
	case r.first(i):
		return r.title(i)
	}
	return i
}

// tag reads "SPDX-License-Identifier: expression" (SPDX specification 2.3, annex
// E).
func (r *reader) tag(i int) int {
	if i+3 >= len(r.doc) || r.doc[i+1].Hash != licenseWord || r.doc[i+2].Hash != identifierWord || !r.followed(i+2, ":") {
		return i
	}
	start := int(r.doc[i+3].Start)
	for start > 0 && r.text[start-1] == '(' {
		start--
	}
	if bytes.IndexByte(r.text[r.doc[i+2].End:start], '\n') >= 0 {
		return i
	}
	line, _, _ := bytes.Cut(r.text[start:min(len(r.text), start+maxTag)], []byte("\n"))
	expr := string(line)
	for _, end := range []string{"*/", "-->", "#}", "\"", "`", "%>"} {
		expr, _, _ = strings.Cut(expr, end)
	}
	expr = strings.TrimSpace(expr)
	if normal, ok := license.Normalize(expr); ok {
		r.out = append(r.out, Match{Kind: Tag, Expression: normal, Start: int(r.doc[i].Start), End: start + len(expr), Score: 1000})
		for i < len(r.doc) && int(r.doc[i].Start) < start+len(expr) {
			i++
		}
	}
	return i
}

// lead skips what may stand between "under" and a name: "the terms of the", "a",
// "either of".
func (r *reader) lead(i int) int {
	for n := 0; n < 8 && i < len(r.doc); n++ {
		switch string(bytes.ToLower(r.raw(i))) {
		case "the", "a", "an", "terms", "of", "either", "both", "and", "conditions", "following", "license", "licenses":
			i++
			continue
		}
		return i
	}
	return i
}

func (r *reader) raw(i int) []byte { return r.text[r.doc[i].Start:r.doc[i].End] }

// names reads one name, and further ones that "or" or "and" join to it.
func (r *reader) names(i int) int {
	for {
		next := r.name(i)
		if next == i {
			return i
		}
		i = next
		if i+1 >= len(r.doc) || r.doc[i].Hash != orWord && r.doc[i].Hash != andWord {
			return i
		}
		if to := r.lead(i + 1); to < len(r.doc) {
			i = to
		}
	}
}

// name reads the longest name that begins with word i.
func (r *reader) name(i int) int {
	if i >= len(r.doc) || r.tries >= maxTries {
		return i
	}
	r.tries++
	for n := min(maxName, len(r.doc)-i); n > 0; n-- {
		start, end := int(r.doc[i].Start), int(r.doc[i+n-1].End)
		if end-start > 160 || bytes.Contains(r.text[start:end], []byte("\n\n")) {
			continue
		}
		if expr, ok := license.Normalize(joined(r.text[start:r.closed(start, end)])); ok {
			r.out = append(r.out, Match{Kind: Name, Expression: expr, Start: start, End: end, Score: 1000})
			return i + n
		}
	}
	return i
}

// title reads a line that is nothing but a name, and says that it is one of a
// licence.
func (r *reader) title(i int) int {
	n, says := 0, false
	for i+n < len(r.doc) && n <= maxName && (n == 0 || !r.first(i+n)) {
		h := r.doc[i+n].Hash
		says = says || h == licenseWord || h == licensesWord
		n++
	}
	if !says || n > maxName || r.tries >= maxTries {
		return i
	}
	r.tries++
	start, end := int(r.doc[i].Start), int(r.doc[i+n-1].End)
	if expr, ok := license.Normalize(joined(r.text[start:r.closed(start, end)])); ok {
		r.out = append(r.out, Match{Kind: Name, Expression: expr, Start: start, End: end, Score: 1000})
		return i + n
	}
	return i
}

// closed extends end by a parenthesis that was opened since start.
func (r *reader) closed(start, end int) int {
	if end < len(r.text) && r.text[end] == ')' && bytes.Count(r.text[start:end], []byte("(")) > bytes.Count(r.text[start:end], []byte(")")) {
		end++
	}
	return end
}

// joined makes one line of a name: comment markers at line starts go.
func joined(s []byte) string {
	if bytes.IndexByte(s, '\n') < 0 {
		return string(s)
	}
	var b strings.Builder
	for line := range bytes.Lines(s) {
		b.Write(bytes.TrimLeft(bytes.TrimRight(line, "\r\n"), " \t*#/;"))
		b.WriteByte(' ')
	}
	return b.String()
}

// first reports whether word i is the first one of its line.
func (r *reader) first(i int) bool {
	from := 0
	if i > 0 {
		from = int(r.doc[i-1].End)
	}
	return i == 0 || bytes.IndexByte(r.text[from:r.doc[i].Start], '\n') >= 0
}

// followed reports whether sep follows word i, apart from blanks.
func (r *reader) followed(i int, sep string) bool {
	rest := bytes.TrimLeft(r.text[r.doc[i].End:min(len(r.text), int(r.doc[i].End)+8)], " \t")
	return bytes.HasPrefix(rest, []byte(sep))
}
