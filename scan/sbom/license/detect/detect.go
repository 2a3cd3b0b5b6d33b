// Package detect finds licences in texts: whole licence texts, the notices by
// which files refer to them, names, and SPDX-License-Identifier tags.
//
// It compares words with the templates of the SPDX licence list, which are part
// of the package in compressed form (templates.bin, made by internal/gen from
// list version [ListVersion]; the data of the list are under CC0-1.0). They are
// decompressed when the first text is read.
//
// What matches a template word for word, apart from what the template lets
// differ, scores 1000. Below that the score counts words: those of the template
// that the text has, against those it lacks and those that the text has beside
// them. Texts below [MinScore] are not reported: a licence with a clause more or
// less is another licence.
//
// Results depend on the text alone. The cost is linear in its length.
package detect

import (
	"cmp"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/words"
)

//go:generate go run ./internal/gen -list $STELLA_LICENSE_LIST

// ListVersion is the version of the SPDX licence list that the templates are of.
const ListVersion = "3.28.0"

// MaxBytes is the longest text that is read.
const MaxBytes = 1 << 20

// MinScore is the least score that is reported, in thousandths.
const MinScore = 870

// minNotice is the least score of a notice.
const minNotice = 975

// ErrLimit is what errors about texts that are too long are, by errors.Is.
const ErrLimit = fault.Limit

// Kind says how a text tells of a licence.
type Kind string

// The kinds of matches.
const (
	Text   Kind = "text"   // the text of the licence or exception itself
	Notice Kind = "notice" // the notice that the licence gives for the head of files
	Tag    Kind = "tag"    // an SPDX-License-Identifier tag
	Name   Kind = "name"   // a name or address, as in "licensed under the MIT license"
)

// Match is one licence that a text holds or refers to.
type Match struct {
	Kind Kind
	// Expression is an SPDX expression: one identifier unless Kind is Tag or
	// Name. With Exception it is the identifier of a licence exception, which is
	// no expression by itself.
	Expression string
	Exception  bool
	// Also are further identifiers that have the same text, sorted: the text of
	// GPL-2.0-only is that of GPL-2.0-or-later as well.
	Also []string
	// Start and End are where the match is, in bytes.
	Start, End int
	// Score is 1000 for a match that differs in nothing that counts.
	Score int
}

// Find returns the licences that text holds or refers to, in the order of their
// place; nil if there are none. Texts and notices do not overlap each other.
// Names and tags within them are not reported, nor are names of what the text
// holds itself. An error is a [fault.Limit]: text
// is longer than MaxBytes. Find is safe for concurrent use.
func Find(text []byte) ([]Match, error) {
	if len(text) > MaxBytes {
		return nil, &fault.LimitError{What: "bytes of a text searched for licences", Where: "text", Max: MaxBytes, Seen: int64(len(text))}
	}
	lib := library()
	doc := words.Split(make([]words.Word, 0, len(text)/6+8), text)
	var out []Match
	for _, a := range lib.match(doc) {
		t := &lib.templates[a.template]
		m := Match{Kind: Text, Expression: t.ID, Also: t.Also, Exception: t.Kind == template.Exception, Score: a.score(t),
			Start: int(doc[a.start].Start), End: int(doc[a.end-1].End)}
		if t.Kind == template.Header {
			m.Kind = Notice
		}
		out = append(out, m)
	}
	out = append(out, references(text, doc, out)...)
	slices.SortStableFunc(out, func(a, b Match) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	return out, nil
}
