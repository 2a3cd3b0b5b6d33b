package advisory

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/advisory/version"
)

// Note is something that is wrong with a record and does not keep it from being
// used.
type Note struct {
	Pointer string `json:"pointer,omitempty"` // JSON pointer to the place in the record, or to near it
	Text    string `json:"text"`
}

// maxNotes bounds the notes about one record.
const maxNotes = 100

// Notes says what is wrong with a record that [Record.Validate] lets pass, and
// what is done about it: matching takes ranges as far as they can be compared,
// and links of a record to itself mean nothing. At most 100 are told, in the
// order of the record.
//
// Noted are: times that cannot be right; a record that names itself or an id
// twice; more than one CVE id among a record's names; control characters in its
// texts; vectors that no CVSS version knows; an ecosystem that has no order of
// versions; a range that ends before or where it starts, that has both fixed
// and last_affected events, that names no commits though it is of type GIT, or
// whose type is unknown; versions that their ecosystem cannot read; a record
// that affects nothing.
func (r *Record) Notes() []Note {
	n := noter{}
	n.times(r)
	n.links(r)
	if strings.ContainsFunc(r.Details, isStray) {
		n.add("/details", "it has control characters")
	}
	for i, s := range r.Scores {
		n.score(fmt.Sprintf("/severity/%d", i), s.Type, s.Value)
	}
	if len(r.Affected) == 0 && r.Withdrawn == "" {
		n.add("/affected", "it affects nothing")
	}
	for i := range r.Affected {
		if len(n.list) >= maxNotes {
			break
		}
		n.affected(fmt.Sprintf("/affected/%d", i), &r.Affected[i])
	}
	return n.list[:min(len(n.list), maxNotes)]
}

type noter struct{ list []Note }

func (n *noter) add(pointer, format string, args ...any) {
	n.list = append(n.list, Note{Pointer: pointer, Text: fmt.Sprintf(format, args...)})
}

func (n *noter) times(r *Record) {
	modified, _ := time.Parse(time.RFC3339, r.Modified)
	published, publishedErr := time.Parse(time.RFC3339, r.Published)
	withdrawn, withdrawnErr := time.Parse(time.RFC3339, r.Withdrawn)
	if modified.Year() < 1980 {
		n.add("/modified", "the time %s cannot be right", r.Modified)
	}
	if publishedErr == nil && published.Year() < 1980 {
		n.add("/published", "the time %s cannot be right", r.Published)
	}
	if publishedErr == nil && withdrawnErr == nil && withdrawn.Before(published) {
		n.add("/withdrawn", "it was withdrawn before it was published")
	}
}

func (n *noter) links(r *Record) {
	for _, l := range []struct {
		at   string
		list []string
	}{{"/aliases", r.Aliases}, {"/upstream", r.Upstream}, {"/related", r.Related}} {
		seen := map[string]bool{}
		for _, id := range l.list {
			switch {
			case id == r.ID:
				n.add(l.at, "it names itself")
			case seen[id]:
				n.add(l.at, "it names %.100q twice", id)
			case l.at == "/upstream" && slices.Contains(r.Aliases, id):
				n.add(l.at, "it names its alias %.100q", id)
			}
			seen[id] = true
		}
	}
	cves := map[string]bool{}
	for _, id := range append([]string{r.ID}, r.Aliases...) {
		if isCVE(id) {
			cves[id] = true
		}
	}
	if len(cves) > 1 {
		n.add("/aliases", "it is the same as %d CVE ids, which are kept apart", len(cves))
	}
}

// isStray reports whether c is a control character that no text needs.
func isStray(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r' }

func (n *noter) score(at, kind, value string) {
	if !strings.HasPrefix(kind, "CVSS") {
		return
	}
	if _, err := cvss.Parse(value); err != nil {
		n.add(at, "%v", err)
	}
}

func (n *noter) affected(at string, a *Affected) {
	for i, s := range a.Scores {
		n.score(fmt.Sprintf("%s/severity/%d", at, i), s.Type, s.Value)
	}
	var scheme version.Scheme
	known := false
	if a.Ecosystem != "" && a.Ecosystem != "CPE" {
		var err error
		if scheme, err = version.For(a.Ecosystem); err != nil {
			n.add(at, "the ecosystem %q has no order of versions: only enumerated versions match", a.Ecosystem)
		}
		known = err == nil
	}
	for i := range a.Ranges {
		n.versionRange(fmt.Sprintf("%s/ranges/%d", at, i), &a.Ranges[i], scheme, known)
	}
}

func (n *noter) versionRange(at string, r *Range, scheme version.Scheme, known bool) {
	switch r.Type {
	case RangeGit:
		n.commits(at, r)
		n.distinct(at, r)
		return
	case RangeEcosystem:
	case RangeSemver:
		// Data that says SEMVER of packages of another order is compared by its
		// ecosystem; a package without one has nothing to be compared by.
	default:
		n.add(at, "the type %q is unknown", r.Type)
		return
	}
	n.distinct(at, r)
	if has(r, func(e version.Event) string { return e.Fixed }) && has(r, func(e version.Event) string { return e.LastAffected }) {
		n.add(at, "it has both fixed and last_affected events: the earlier one ends it")
	}
	if known {
		n.order(at, r, scheme)
	}
}

// distinct notes a version at which the range starts and is fixed, which is not
// affected.
func (n *noter) distinct(at string, r *Range) {
	for _, e := range r.Events {
		if e.Introduced != "" && slices.ContainsFunc(r.Events, func(o version.Event) bool { return o.Fixed == e.Introduced }) {
			n.add(at, "it starts and is fixed at %.80q", e.Introduced)
			return
		}
	}
}

func has(r *Range, field func(version.Event) string) bool {
	return slices.ContainsFunc(r.Events, func(e version.Event) bool { return field(e) != "" })
}

func (n *noter) commits(at string, r *Range) {
	for _, e := range r.Events {
		hash := e.Introduced + e.Fixed + e.LastAffected + e.Limit
		if hash != "0" && hash != "*" && (len(hash) != 40 && len(hash) != 64 || strings.Trim(hash, "0123456789abcdefABCDEF") != "") {
			n.add(at, "%.80q is no commit", hash)
			return
		}
	}
}

// order notes versions that cannot be read, and ends without a start before
// them: such a range affects everything from its start on.
func (n *noter) order(at string, r *Range, scheme version.Scheme) {
	var starts, ends []version.Version
	fromStart := false
	for _, e := range r.Events {
		text := e.Introduced + e.Fixed + e.LastAffected
		if text == "" || e.Introduced == "0" {
			fromStart = fromStart || text == "0"
			continue
		}
		v, err := scheme.Parse(text)
		switch {
		case err != nil:
			n.add(at, "%v", err)
			return
		case e.Introduced != "":
			starts = append(starts, v)
		default:
			ends = append(ends, v)
		}
	}
	for _, end := range ends {
		if !fromStart && !slices.ContainsFunc(starts, func(s version.Version) bool { return s.Compare(end) <= 0 }) {
			n.add(at, "it ends at %q before it starts, which ends nothing", end)
			return
		}
	}
}
