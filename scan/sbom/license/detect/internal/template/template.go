// Package template holds licence texts as lists of words in which some may be
// missing and others may stand: the templates of the SPDX licence list, without
// their words. It knows the format in which they are embedded.
package template

// Kind is what a template is the text of.
type Kind byte

// The kinds of templates.
const (
	License   Kind = iota // a licence
	Exception             // an exception to one
	Header                // the notice with which files refer to a licence
)

// Template is the text of one licence, exception or header.
type Template struct {
	ID   string   // of the SPDX licence list
	Also []string // further identifiers with the same text, sorted
	Kind Kind
	// Words are the hashes of the words (see package words).
	Words []uint32
	// Gaps says how many words of any kind may stand before a word: gaps are
	// what the list calls replaceable text. It is one longer than Words.
	Gaps []uint16
	// Skip is, for a word of an omittable text, the index behind that text, or
	// behind the innermost one; else 0.
	Skip []int32
	// Required is the number of words that are not omittable, Head the index of
	// the first one, and Tail the index behind the last one.
	Required, Head, Tail int
}

// Replaceable reports whether word i is part of a replaceable text: one that may
// be left out, and in whose place others may stand.
func (t *Template) Replaceable(i int) bool {
	return t.Skip[i] != 0 && t.Gaps[t.Skip[i]] > 0
}

// Count sets Required, Head and Tail.
func (t *Template) Count() {
	t.Required, t.Head, t.Tail = 0, len(t.Words), 0
	for i, s := range t.Skip {
		if s == 0 {
			t.Head = min(t.Head, i)
			t.Tail = i + 1
			t.Required++
		}
	}
}
