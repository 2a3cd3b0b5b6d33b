package secdb

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// parse yields the records of a document, sorted by id.
func (s *Source) parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		d, err := s.open(doc)
		if err != nil {
			yield(nil, fmt.Errorf("read the security database %s: %w", doc.Name, err))
			return
		}
		out := feedtext.Out{File: doc.Name, Yield: yield}
		scheme, err := version.For(s.ecosystem(d))
		if err != nil {
			yield(nil, fmt.Errorf("read the security database %s: %w", doc.Name, err))
			return
		}
		byID := map[string][]claim{}
		for _, f := range d.fixes {
			if !s.claims(byID, &out, f) {
				return
			}
		}
		ids := make([]string, 0, len(byID))
		for id := range byID {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			if !out.Record(s.record(id, s.ecosystem(d), scheme, byID[id])) {
				return
			}
		}
	}
}

func (s *Source) open(doc *advisory.Document) (*database, error) {
	in, err := feedtext.Unpack(doc.Name, doc.Content, maxDocument)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	d, err := read(text)
	if err != nil {
		return nil, err
	}
	if s.fixed == "" && d.release == "" {
		return nil, invalid("it names no release")
	}
	return d, nil
}

// ecosystem is what the packages of a database belong to.
func (s *Source) ecosystem(d *database) string {
	if s.fixed != "" {
		return s.fixed
	}
	return "Alpine:" + d.release
}

// claim is a fix of the vulnerability that a record is about.
type claim struct {
	fix
	upstream string
	related  []string
	note     string
}

// claims reads an entry, which names a vulnerability or several, and what else
// it is called: "CVE-2018-10982 XSA-261", "CVE-2018-16451 (SMB)".
func (s *Source) claims(byID map[string][]claim, out *feedtext.Out, f fix) bool {
	fail := func(why string) bool {
		return out.Broken("", feedtext.Digest([]byte(f.pkg), []byte(f.version), []byte(f.entry)),
			fmt.Errorf("%.80q, which %.80q of %.80q is said to fix: %s: %w", f.entry, f.version, f.pkg, why, fault.Invalid))
	}
	words, note := f.entry, ""
	if i := strings.IndexAny(words, "(#"); i >= 0 {
		words, note = words[:i], strings.TrimSpace(words[i:])
	}
	list := strings.Fields(strings.ReplaceAll(words, ",", " "))
	if len(list) == 0 || len(list) > maxWords || f.pkg == "" || f.version == "" {
		return fail("it names nothing")
	}
	var mains, others []string
	for _, w := range list {
		if isMain(w) {
			mains = append(mains, w)
		} else {
			others = append(others, w)
		}
	}
	if len(mains) == 0 {
		mains, others = list[:1], list[1:]
	}
	for _, m := range mains {
		id := m
		upstream := ""
		if cve := cveOf(m); cve != "" {
			id, upstream = cve, cve
		} else if strings.HasPrefix(m, "GHSA-") {
			upstream = m
		}
		if !strings.HasPrefix(id, s.prefix) {
			id = s.prefix + id
		}
		byID[id] = append(byID[id], claim{f, upstream, others, note})
	}
	return true
}

// isMain reports whether a word is an id that has a record of its own, where
// others stand beside it.
func isMain(w string) bool { return cveOf(w) != "" || strings.HasPrefix(w, "GHSA-") }

// cveOf returns the CVE id that a word begins with: people number the parts of
// a fix ("CVE-2017-17434-1"), mistake the hyphen ("CVE_2019-2426") and name the
// file ("CVE-2017-8073.patch").
func cveOf(w string) string {
	w = strings.Replace(w, "CVE_", "CVE-", 1)
	if len(w) > 9 {
		if i := strings.IndexFunc(w[9:], func(c rune) bool { return c < '0' || c > '9' }); i >= 0 && strings.IndexByte("-.:;", w[9+i]) >= 0 {
			w = w[:9+i]
		}
	}
	if !feedtext.IsCVE(w) {
		return ""
	}
	return w
}

// record makes the record of one vulnerability.
func (s *Source) record(id, ecosystem string, scheme version.Scheme, claims []claim) *advisory.Record {
	slices.SortStableFunc(claims, func(a, b claim) int {
		return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.version, b.version), strings.Compare(a.entry, b.entry))
	})
	r := &advisory.Record{ID: id, Modified: feedtext.Undated}
	var text [][]byte
	var notes []string
	for _, c := range claims {
		text = append(text, []byte(c.pkg), []byte(c.version), []byte(c.entry))
		if c.upstream != "" && !slices.Contains(r.Upstream, c.upstream) {
			r.Upstream = append(r.Upstream, c.upstream)
		}
		for _, o := range c.related {
			if !slices.Contains(r.Related, o) {
				r.Related = append(r.Related, o)
			}
		}
		if c.note != "" && !slices.Contains(notes, c.pkg+": "+c.note) {
			notes = append(notes, c.pkg+": "+c.note)
		}
	}
	slices.Sort(r.Related)
	r.Digest = feedtext.Digest(append(text, []byte(ecosystem))...)
	r.Details = strings.Join(notes, "\n")
	if s.page != "" && len(r.Upstream) > 0 {
		r.URL = s.page + r.Upstream[0]
		r.References = []advisory.Reference{{Type: "ADVISORY", URL: r.URL}}
	}
	for len(claims) > 0 {
		n := 1
		for n < len(claims) && claims[n].pkg == claims[0].pkg {
			n++
		}
		r.Affected = append(r.Affected, affected(ecosystem, scheme, claims[:n]))
		claims = claims[n:]
	}
	return r
}

// affected is one package, up to the last of the versions that fixed it. A
// version that is none, as some databases have, is kept: matching says that it
// cannot compare it.
func affected(ecosystem string, scheme version.Scheme, claims []claim) advisory.Affected {
	a := advisory.Affected{Ecosystem: ecosystem, Name: claims[0].pkg}
	last := ""
	var unreadable []string
	for _, c := range claims {
		if c.version == "0" {
			continue
		}
		if _, err := scheme.Parse(c.version); err != nil {
			unreadable = append(unreadable, c.version)
			continue
		}
		if o, err := scheme.Compare(last, c.version); last == "" || err == nil && o < 0 {
			last = c.version
		}
	}
	if last != "" {
		unreadable = append([]string{last}, unreadable...)
	}
	for _, fixed := range slices.Compact(unreadable) {
		a.Ranges = append(a.Ranges, advisory.Range{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}, {Fixed: fixed}}})
	}
	if len(a.Ranges) == 0 {
		a.Status = advisory.NotAffected
	}
	return a
}
