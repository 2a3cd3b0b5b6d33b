package advisory

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// Limits on one record, which Validate holds. They are far above what any
// database has.
const (
	MaxID         = 256       // bytes of an id, of a word, or of the name of an ecosystem
	MaxName       = 1024      // bytes of a package's or a document's name
	MaxValue      = 4096      // bytes of a version, vector or address
	MaxSummary    = 300       // bytes of a summary
	MaxLong       = 4 << 20   // bytes of a record's details
	MaxIDs        = 20_000    // aliases, upstream or related ids of a record
	MaxReferences = 200_000   // references of a record
	MaxAffected   = 200_000   // affected packages of a record
	MaxScores     = 100       // severities of a record or package
	MaxRanges     = 20_000    // ranges of a package
	MaxEvents     = 200_000   // events of a range
	MaxVersions   = 1 << 20   // enumerated versions of a package
	maxPacked     = 256 << 20 // bytes of enumerated versions
)

// Validate says why a record must not be used, as a [*RecordError] whose kind
// is ErrInvalid or ErrLimit; nil if it may. What is wrong and does not make it
// useless is told by [Record.Notes]. It looks at the form alone: it does not
// compare versions.
func (r *Record) Validate() error {
	v := validator{id: r.ID, i: -1, j: -1}
	v.word("/id", r.ID, MaxID)
	if r.ID == "" {
		v.fail("", "it has no id")
	}
	if r.Modified == "" {
		v.fail("", "it has no time of modification")
	}
	v.time("/modified", r.Modified)
	v.time("/published", r.Published)
	v.time("/withdrawn", r.Withdrawn)
	v.ids("/aliases", r.Aliases)
	v.ids("/upstream", r.Upstream)
	v.ids("/related", r.Related)
	v.ids("/cwes", r.CWEs)
	v.text("/summary", r.Summary, MaxSummary+len("…"))
	if strings.ContainsFunc(r.Summary, unicode.IsControl) {
		v.fail("/summary", "the summary has a line break or another control character")
	}
	v.text("/details", r.Details, MaxLong)
	v.text("/rating", r.Rating, MaxID)
	v.text("/url", r.URL, MaxValue)
	v.count("/references", "references", len(r.References), MaxReferences)
	v.count("/severity", "severities", len(r.Scores), MaxScores)
	v.count("/affected", "affected packages", len(r.Affected), MaxAffected)
	if r.Digest != "" && !isDigest(r.Digest) {
		v.fail("/digest", "the digest %.80q is not sha256: and 64 hex digits", r.Digest)
	}
	for i := range r.Affected {
		if v.err != nil {
			break
		}
		v.i = i
		v.affected(&r.Affected[i])
	}
	if v.err == nil {
		return nil
	}
	return v.err
}

// validator keeps the first thing that is wrong.
type validator struct {
	id   string
	i, j int // the affected package and the range that are looked at; -1 for none
	err  *RecordError
}

// broken keeps an error; pointer is below what is looked at.
func (v *validator) broken(pointer string, err error) {
	if v.err != nil {
		return
	}
	if v.j >= 0 {
		pointer = fmt.Sprintf("/ranges/%d%s", v.j, pointer)
	}
	if v.i >= 0 {
		pointer = fmt.Sprintf("/affected/%d%s", v.i, pointer)
	}
	v.err = &RecordError{ID: v.id, Pointer: pointer, Err: err}
}

func (v *validator) fail(pointer, format string, args ...any) {
	v.broken(pointer, fmt.Errorf(format+": %w", append(args, fault.Invalid)...))
}

func (v *validator) count(pointer, what string, n, most int) {
	if n > most {
		v.broken(pointer, &fault.LimitError{What: what, Where: "the record", Max: int64(most), Seen: int64(n)})
	}
}

// text checks any text.
func (v *validator) text(pointer, s string, most int) {
	v.count(pointer, "bytes of a text", len(s), most)
	if !utf8.ValidString(s) {
		v.fail(pointer, "the text is not UTF-8")
	}
}

// word checks a text without spaces.
func (v *validator) word(pointer, s string, most int) {
	if len(s) <= most && isVisible(s) {
		return
	}
	v.text(pointer, s, most)
	if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || unicode.IsControl(c) || unicode.IsSpace(c) }) {
		v.fail(pointer, "%.80q has a space or control character", s)
	}
}

// isVisible reports whether s is ASCII without spaces and control characters,
// which most words are.
func isVisible(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

func (v *validator) time(pointer, s string) {
	if s == "" {
		return
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		v.fail(pointer, "the time %.80q is not of RFC 3339", s)
	}
}

func (v *validator) ids(pointer string, list []string) {
	v.count(pointer, "ids", len(list), MaxIDs)
	for _, id := range list {
		if id == "" {
			v.fail(pointer, "an id is empty")
		}
		v.word(pointer, id, MaxID)
	}
}

func (v *validator) affected(a *Affected) {
	if (a.Ecosystem == "") != (a.Name == "") {
		v.fail("", "a package has the ecosystem %.80q and the name %.80q", a.Ecosystem, a.Name)
	}
	v.plain("", a.Ecosystem, MaxID)
	v.plain("", a.Name, MaxName)
	v.plain("", a.Stream, MaxName)
	v.plain("", a.Rating, MaxID)
	switch a.Status {
	case "", NotAffected, UnderInvestigation, WillNotFix, FixDeferred, EndOfLife, Unimportant:
	default:
		v.fail("", "the status %.80q is none", a.Status)
	}
	v.count("", "severities", len(a.Scores), MaxScores)
	v.count("", "ranges", len(a.Ranges), MaxRanges)
	v.count("", "bytes of versions", len(a.Versions), maxPacked)
	n, size := 0, 0
	for s := range a.Versions.All() {
		n, size = n+1, max(size, len(s))
	}
	v.count("/versions", "versions", n, MaxVersions)
	v.count("/versions", "bytes of a version", size, MaxValue)
	for v.j = range a.Ranges {
		v.versionRange(&a.Ranges[v.j])
	}
	v.j = -1
}

// plain checks a text of one line.
func (v *validator) plain(pointer, s string, most int) {
	if len(s) <= most && isVisible(s) {
		return
	}
	v.text(pointer, s, most)
	if strings.ContainsFunc(s, unicode.IsControl) {
		v.fail(pointer, "%.80q has a control character", s)
	}
}

func (v *validator) versionRange(r *Range) {
	v.count("", "events", len(r.Events), MaxEvents)
	starts := false
	for k, e := range r.Events {
		n := 0
		for _, s := range [...]string{e.Introduced, e.Fixed, e.LastAffected, e.Limit} {
			if s != "" {
				n++
				v.plain("", s, MaxValue)
			}
		}
		starts = starts || e.Introduced != ""
		if n != 1 {
			v.fail(fmt.Sprintf("/events/%d", k), "an event sets %d of introduced, fixed, last_affected and limit", n)
		}
	}
	if !starts {
		v.fail("", "a range has no introduced event")
	}
	if r.Type == "" {
		v.fail("", "a range has no type")
	}
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

// Validate says why a signal must not be used; nil if it may. An error wraps
// ErrInvalid.
func (s *Signal) Validate() error {
	fail := func(what, value string) error {
		return fmt.Errorf("signal about %.80q: %s %.80q: %w", s.Vulnerability, what, value, fault.Invalid)
	}
	if !isCVEID(s.Vulnerability) {
		return fail("it is not about a CVE id, but", s.Vulnerability)
	}
	for _, day := range []string{s.Exploited, s.Due, s.Day} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return fail("this is not a day:", day)
		}
	}
	for _, p := range []string{s.EPSS, s.Percentile} {
		if p != "" && !isProbability(p) {
			return fail("this is not a decimal from 0 to 1:", p)
		}
	}
	if s.Exploited == "" && s.EPSS == "" {
		return fail("it says nothing beside", "the id")
	}
	return nil
}

// isProbability reports whether s is a decimal from 0 to 1 without an exponent.
func isProbability(s string) bool {
	whole, fraction, dotted := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !digits(whole) || dotted && !digits(fraction) || len(s) > 40 {
		return false
	}
	whole = strings.TrimLeft(whole, "0")
	return whole == "" || whole == "1" && strings.Trim(fraction, "0") == ""
}

// isCVEID reports whether s has the form of the CVE program's ids.
func isCVEID(s string) bool {
	rest, ok := strings.CutPrefix(s, "CVE-")
	year, number, _ := strings.Cut(rest, "-")
	return ok && len(year) == 4 && len(number) >= 4 && len(number) <= 19 && strings.Trim(year+number, "0123456789") == ""
}

// Validate says why a document must not be kept; nil if it may. An error wraps
// ErrInvalid.
func (d *Document) Validate() error {
	if err := checkName(d.Name); err != nil {
		return fmt.Errorf("document %.200q of source %.80q: %w: %w", d.Name, d.Source, err, fault.Invalid)
	}
	switch {
	case d.Gone && d.Content != nil:
		return fmt.Errorf("document %q of source %.80q: it is gone and has content: %w", d.Name, d.Source, fault.Invalid)
	case !d.Gone && d.Content == nil:
		return fmt.Errorf("document %q of source %.80q: it has no content: %w", d.Name, d.Source, fault.Invalid)
	}
	switch d.Signature {
	case "", Unsigned, Unchecked, Verified:
		return nil
	}
	return fmt.Errorf("document %q of source %.80q: no state of a signature is %.80q: %w", d.Name, d.Source, d.Signature, fault.Invalid)
}

// checkName says why a text is no document's name.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > MaxName:
		return fmt.Errorf("its name has %d bytes, want 1 to %d", len(name), MaxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsRune(name, '\\'):
		return fmt.Errorf("its name has a backslash or control character, or is not UTF-8")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("its name is not a clean path")
		}
	}
	return nil
}
