package csaf

import (
	"slices"
	"strings"
	"time"
)

// revision is an entry of the history whose date and number are readable.
type revision struct {
	index int
	date  time.Time
	number
}

// revisions returns the history by date, those of one date by number. It is
// not ok if an entry cannot be read: that breaks the schema, and what the order
// is cannot be told.
func (v *validator) revisions() (out []revision, ok bool) {
	for i, r := range v.doc.Head.Tracking.RevisionHistory {
		date, isDate := Time(r.Date)
		n, isNumber := parseVersion(r.Number)
		if !isDate || !isNumber {
			return nil, false
		}
		out = append(out, revision{i, date, n})
	}
	slices.SortStableFunc(out, func(a, b revision) int {
		if c := a.date.Compare(b.date); c != 0 {
			return c
		}
		return a.compare(b.number)
	})
	return out, len(out) > 0
}

// testHistory performs 6.1.14 to 6.1.22 and 6.1.30: the document's version and
// its history.
func (v *validator) testHistory() {
	head := &v.doc.Head
	if head.Publisher.Category == "translator" && head.SourceLang == "" {
		v.fail("6.1.15", "/document/source_lang", "a translator must tell the language it is translated from")
	}
	if history, ok := v.revisions(); ok {
		v.order(history)
		v.latest(history)
	}
	v.prerelease()
	v.numbers()
}

const historyAt = "/document/tracking/revision_history"

// order performs 6.1.14 and 6.1.21: numbers ascend with dates, from 0 or 1 and
// without a gap.
func (v *validator) order(history []revision) {
	for i, r := range history {
		n := v.doc.Head.Tracking.RevisionHistory[r.index].Number
		if i == 0 {
			if r.core[0] != "0" && r.core[0] != "1" {
				v.fail("6.1.21", historyAt, "the first version is %.32q, neither 0 nor 1", n)
			}
			continue
		}
		last := history[i-1]
		before := v.doc.Head.Tracking.RevisionHistory[last.index].Number
		switch c := r.compare(last.number); {
		case c < 0:
			v.fail("6.1.14", historyAt+at(r.index, "number"), "version %.32q has a later date than %.32q", n, before)
		case !r.follows(last.number):
			v.fail("6.1.21", historyAt+at(r.index, "number"), "version %.32q follows %.32q: one is missing", n, before)
		}
	}
}

// latest performs 6.1.16: the document's version is the newest of its history.
// Build metadata does not count, nor does a pre-release part of a draft.
func (v *validator) latest(history []revision) {
	tracking := &v.doc.Head.Tracking
	newest := history[len(history)-1]
	version, ok := parseVersion(tracking.Version)
	if !ok {
		return
	}
	a, b := version, newest.number
	if tracking.Status == "draft" {
		a.prerelease, b.prerelease = "", ""
	}
	if a.semantic != b.semantic || a.compare(b) != 0 {
		v.fail("6.1.16", "/document/tracking/version", "it is %.32q, the newest of the history is %.32q", tracking.Version, tracking.RevisionHistory[newest.index].Number)
	}
}

// prerelease performs 6.1.17 to 6.1.20: what is not released is a draft, and
// has no entry in the history.
func (v *validator) prerelease() {
	tracking := &v.doc.Head.Tracking
	released := tracking.Status == "final" || tracking.Status == "interim"
	if n, ok := parseVersion(tracking.Version); ok {
		if tracking.Status != "draft" && (n.initial() || n.prerelease != "") {
			v.fail("6.1.17", "/document/tracking/status", "version %.32q is a draft, the status is %.16q", tracking.Version, tracking.Status)
		}
		if released && n.prerelease != "" {
			v.fail("6.1.20", "/document/tracking/version", "version %.32q is a pre-release, the status is %.16q", tracking.Version, tracking.Status)
		}
	}
	for i, r := range tracking.RevisionHistory {
		n, ok := parseVersion(r.Number)
		if ok && released && n.initial() {
			v.fail("6.1.18", historyAt+at(i, "number"), "version %.32q is of before the first release, the status is %.16q", r.Number, tracking.Status)
		}
		if ok && n.prerelease != "" {
			v.fail("6.1.19", historyAt+at(i, "number"), "version %.32q is a pre-release", r.Number)
		}
	}
}

// numbers performs 6.1.22 and 6.1.30: no version is there twice, and all are
// of one kind.
func (v *validator) numbers() {
	tracking := &v.doc.Head.Tracking
	seen := map[string]int{}
	semantic, integer := "", ""
	kind := func(pointer, s string) {
		n, ok := parseVersion(s)
		if !ok {
			return
		}
		if n.semantic {
			semantic = pointer
		} else {
			integer = pointer
		}
	}
	kind("/document/tracking/version", tracking.Version)
	for i, r := range tracking.RevisionHistory {
		kind(historyAt+at(i, "number"), r.Number)
		if first, ok := seen[r.Number]; ok {
			v.fail("6.1.22", historyAt+at(i, "number"), "version %.32q is already at %s", r.Number, historyAt+at(first))
			continue
		}
		seen[r.Number] = i
	}
	if semantic != "" && integer != "" {
		v.fail("6.1.30", semantic, "it is a semantic version, %s is an integer", strings.TrimPrefix(integer, "/document/tracking"))
	}
}
