package csaf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/csaf"
)

// reader makes the records of one document.
type reader struct {
	publisher *publisher
	v         *verdict
	products  *csaf.Products
	places    map[string]place
	at        map[entryKey]int // packages of the record that is made
	single    bool             // the record is about one vulnerability, so that a score is the package's
	expanded  int
	digest    string
}

// parse yields the records of a document: one, or of a VEX document one for each
// vulnerability.
func (s *Source) parse(doc *advisory.Document, yield func(advisory.Statement, error) bool) {
	v, err := s.judge(doc)
	if err != nil {
		yield(nil, refusal(doc.Name, err))
		return
	}
	r := &reader{publisher: &s.publisher, v: v, products: csaf.NewProducts(v.doc.ProductTree), places: map[string]place{}, digest: feedtext.Digest(doc.Content)}
	out := feedtext.Out{File: doc.Name, Yield: yield}
	all := v.doc.Vulnerabilities
	if v.doc.Head.Category != csaf.CategoryVEX {
		r.emit(&out, r.name(), all)
		return
	}
	used := map[string]bool{}
	for i := range all {
		id := r.id(&all[i])
		if used[id] {
			id += fmt.Sprintf(":%d", i+1) // it has no name of its own
		}
		used[id] = true
		if !r.emit(&out, id, all[i:i+1]) {
			return
		}
	}
}

// emit makes one record about some vulnerabilities and passes it on, or says
// why it cannot be used.
func (r *reader) emit(out *feedtext.Out, id string, list []csaf.Vulnerability) bool {
	record := r.head(id, list)
	r.at, r.single = map[entryKey]int{}, len(list) == 1
	for i := range list {
		if err := r.affected(record, &list[i]); err != nil {
			return out.Broken(id, r.digest, err)
		}
	}
	return out.Record(record)
}

// name is the document's id as that of a record: without spaces, and none of the
// CVE program's own.
func (r *reader) name() string {
	id := word(r.v.doc.Head.Tracking.ID)
	if feedtext.IsCVE(id) {
		return r.publisher.prefix + id
	}
	return id
}

// id is the id of the record about a vulnerability of a VEX document.
func (r *reader) id(v *csaf.Vulnerability) string {
	if len(r.v.doc.Vulnerabilities) == 1 {
		return r.name()
	}
	for _, name := range namesOf(v) {
		return r.name() + ":" + word(name)
	}
	return r.name() + ":" + word(v.Title)
}

func word(text string) string { return strings.Join(strings.Fields(text), "_") }

// namesOf are the names of a vulnerability, its CVE id first.
func namesOf(v *csaf.Vulnerability) (out []string) {
	if v.CVE != "" {
		out = append(out, v.CVE)
	}
	for _, id := range v.IDs {
		if text := strings.TrimSpace(id.Text); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// head fills in all but the packages.
func (r *reader) head(id string, list []csaf.Vulnerability) *advisory.Record {
	h := &r.v.doc.Head
	out := &advisory.Record{ID: id, Digest: r.digest, Modified: feedtext.Time(h.Tracking.CurrentReleaseDate), Published: feedtext.Time(h.Tracking.InitialReleaseDate)}
	if out.Modified == "" {
		out.Modified = feedtext.Undated
	}
	title, notes := h.Title, h.Notes
	if h.Category == csaf.CategoryVEX && len(list) == 1 {
		if list[0].Title != "" {
			title = list[0].Title
		}
		if own := list[0].Notes; details(own) != "" {
			notes = own
		}
		if at := feedtext.Time(list[0].Released()); at != "" {
			out.Published = at
		}
	}
	out.Details = details(notes)
	if feedtext.IsCVE(title[strings.LastIndexByte(title, ' ')+1:]) && len(strings.Fields(title)) <= 3 {
		title = out.Details // it says no more than the id
	}
	out.Summary = advisory.Summarize(title)
	if h.AggregateSeverity != nil && len(strings.Fields(h.AggregateSeverity.Text)) > 0 {
		out.Rating = strings.Join(strings.Fields(h.AggregateSeverity.Text), " ")
	}
	for i := range list {
		v := &list[i]
		if feedtext.IsCVE(v.CVE) && v.CVE != id && !slices.Contains(out.Upstream, v.CVE) {
			out.Upstream = append(out.Upstream, v.CVE)
		}
		for _, w := range v.Weaknesses() {
			if strings.HasPrefix(w.ID, "CWE-") && !slices.Contains(out.CWEs, w.ID) {
				out.CWEs = append(out.CWEs, w.ID)
			}
		}
	}
	references(out, h.References)
	for i := range list {
		references(out, list[i].References)
	}
	r.scores(out, list)
	return out
}

// details are the notes that describe.
func details(notes []csaf.Note) string {
	var out []string
	for _, category := range []string{"description", "details", "summary", "general"} {
		for _, n := range notes {
			isText := n.Category != "general" || n.Title == "Details"
			if n.Category == category && isText && strings.TrimSpace(n.Text) != "" {
				out = append(out, strings.TrimSpace(n.Text))
			}
		}
	}
	return strings.Join(out, "\n\n")
}

func references(out *advisory.Record, list []csaf.Reference) {
	for _, ref := range list {
		if !strings.HasPrefix(ref.URL, "https://") && !strings.HasPrefix(ref.URL, "http://") {
			continue
		}
		if slices.ContainsFunc(out.References, func(have advisory.Reference) bool { return have.URL == ref.URL }) {
			continue
		}
		kind := "WEB"
		switch {
		case !ref.External():
			kind = "ADVISORY"
		case strings.Contains(ref.URL, "bugzilla"):
			kind = "REPORT"
		}
		out.References = append(out.References, advisory.Reference{Type: kind, URL: ref.URL})
		if out.URL == "" && kind == "ADVISORY" {
			out.URL = ref.URL
		}
	}
	if out.URL == "" && len(out.References) > 0 {
		out.URL = out.References[0].URL
	}
}

// vector is the score of some products.
type vector struct {
	score    finding.Score
	products []string
}

// vectors are the scores of a vulnerability, in its order; none of a document
// that fails a test about them.
func (r *reader) vectors(v *csaf.Vulnerability) (out []vector) {
	if r.v.noScores {
		return nil
	}
	add := func(kind string, c *csaf.CVSS, products []string) {
		if c != nil && c.Vector != "" {
			out = append(out, vector{finding.Score{Type: kind, Value: c.Vector}, products})
		}
	}
	for _, s := range v.Scores {
		add("CVSS_V3", s.CVSSv3, s.Products)
		add("CVSS_V2", s.CVSSv2, s.Products)
	}
	for _, m := range v.Metrics {
		add("CVSS_V4", m.Content.CVSSv4, m.Products)
		add("CVSS_V3", m.Content.CVSSv3, m.Products)
		add("CVSS_V2", m.Content.CVSSv2, m.Products)
	}
	return out
}

// scores fills in the scores of a record about one vulnerability, of which
// every product has the same. Those of others are of no one package.
func (r *reader) scores(out *advisory.Record, list []csaf.Vulnerability) {
	if len(list) != 1 {
		return
	}
	for _, v := range r.vectors(&list[0]) {
		switch i := slices.IndexFunc(out.Scores, func(s finding.Score) bool { return s.Type == v.score.Type }); {
		case i < 0:
			out.Scores = append(out.Scores, v.score)
		case out.Scores[i] != v.score:
			out.Scores = nil // they differ by product
			return
		}
	}
}
