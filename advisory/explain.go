package advisory

import (
	"context"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Explain says whether a vulnerability affects one package of a document, on
// which records and comparisons that rests, and why the other records about it
// do not apply. pkg is the package's id in the document, or its package URL; of
// several packages with one URL the first is explained. vulnerability is any id
// that records name: a CVE id, or the id or alias of a record.
//
// The conclusion is what Match does: the package is affected if and only if
// Match reports a finding about the vulnerability. It is not affected only if
// some record about the vulnerability speaks about the ecosystem that the
// package is asked in, and the data is not stale; otherwise it is not assessed.
//
// An error wraps ErrNotFound where the document has no such package, ErrInvalid
// where vulnerability is empty, or says that the view could not be read.
func (m Matcher) Explain(ctx context.Context, doc *sbom.Document, pkg, vulnerability string) (*finding.Explanation, error) {
	p := findPackage(doc, pkg)
	switch {
	case p == nil:
		return nil, fmt.Errorf("explain %s: the document has no package %.128q: %w", vulnerability, pkg, fault.NotFound)
	case vulnerability == "":
		return nil, fmt.Errorf("explain %s: no vulnerability is named: %w", pkg, fault.Invalid)
	}
	x := &finding.Explanation{Asked: vulnerability, Package: finding.PackageFact{ID: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String()}}
	if m.View == nil {
		x.Conclusion, x.Reason, x.Why = finding.NotAssessed, finding.ReasonNoData, "there is no advisory data"
		return x, nil
	}
	e := &explainer{run: m.start(ctx, doc), x: x, p: p}
	if err := e.explain(); err != nil {
		return nil, fmt.Errorf("explain %s for %s %s: %w", vulnerability, p.Name, p.Version, err)
	}
	return x, nil
}

// findPackage returns the package with an id or package URL, or nil.
func findPackage(doc *sbom.Document, pkg string) *sbom.Package {
	if at := slices.IndexFunc(doc.Packages, func(p sbom.Package) bool { return p.ID == pkg && pkg != "" }); at >= 0 {
		return &doc.Packages[at]
	}
	u, err := purl.Parse(pkg)
	if err != nil {
		return nil
	}
	text := u.String()
	if at := slices.IndexFunc(doc.Packages, func(p sbom.Package) bool { return p.PURL.String() == text }); at >= 0 {
		return &doc.Packages[at]
	}
	return nil
}

// explainer makes one explanation.
type explainer struct {
	run     *run
	x       *finding.Explanation
	p       *sbom.Package
	scope   *scope // nil for what is not a package
	topic   *topic
	entries map[*topicRecord][]finding.ConsideredEntry // about the package
}

func (e *explainer) explain() (err error) {
	r := e.run
	if err := r.match(e.p); err != nil {
		return err
	}
	r.finishGaps()
	r.report.Sort()
	e.x.Snapshot, e.x.Gaps = r.report.Snapshot, r.report.Gaps
	if e.topic, err = r.topicOf(e.x.Asked); err != nil {
		return err
	}
	if e.scope = r.scope(e.p); e.scope != nil && len(e.scope.ecosystems) == 0 && r.cpes != nil && len(r.cpes.ecosystems) > 0 {
		e.scope = r.cpes
	}
	questions := e.ask()
	if err := e.compare(questions); err != nil {
		return err
	}
	e.x.Vulnerabilities = e.topic.keys
	for _, f := range r.report.Findings {
		if e.topic.has(&f) {
			e.x.Findings = append(e.x.Findings, f)
		}
	}
	if e.cite() {
		if err := e.compare(questions); err != nil {
			return err
		}
	}
	if err := e.records(); err != nil {
		return err
	}
	e.conclude()
	return nil
}

// has reports whether a finding is about the topic.
func (t *topic) has(f *finding.Finding) bool {
	if len(t.records) == 0 {
		return false
	}
	if slices.Contains(t.keys, f.Vulnerability) || f.Vulnerability == t.asked || f.Advisory == t.asked || slices.Contains(f.Aliases, t.asked) {
		return true
	}
	// One about several vulnerabilities, or about none with a CVE id.
	return !isCVE(f.Vulnerability) && slices.ContainsFunc(t.keys, func(key string) bool { return slices.Contains(f.Aliases, key) })
}

// cite adds the records that findings rest on and that are not about the topic
// themselves: another record of the finding has the id that was asked for as an
// alias.
func (e *explainer) cite() (added bool) {
	for _, f := range e.x.Findings {
		for i := range e.run.hits {
			h := &e.run.hits[i]
			if h.record.ID != f.Advisory || e.topic.byRef[h.entry.Record] != nil {
				continue
			}
			path := append(directPath(f.Advisory, f.Vulnerability), e.x.Asked)
			e.topic.consider(&topicRecord{&chainNode{record: h.record, refs: []Ref{h.entry.Record}}, path})
			added = true
		}
	}
	return added
}

// ask fills in what is asked about the package, and returns it.
func (e *explainer) ask() []question {
	for _, r := range e.run.doc.Relationships {
		if r.Kind == sbom.OwnedBy && r.From == e.p.ID && e.x.Package.Owner == "" {
			e.x.Package.Owner = r.To
			if at := slices.IndexFunc(e.run.doc.Packages, func(p sbom.Package) bool { return p.ID == r.To }); at >= 0 && !e.run.doc.Packages[at].PURL.IsZero() {
				e.x.Package.Owner = e.run.doc.Packages[at].PURL.String()
			}
		}
	}
	s := e.scope
	if s == nil {
		return nil
	}
	out := &e.x.Scope
	if out.Name = s.name; len(s.ecosystems) == 0 {
		return nil
	}
	out.Scheme = s.scheme.String()
	for _, have := range e.run.view.Ecosystems() {
		if slices.Contains(s.ecosystems, have.Name) {
			out.Ecosystems = append(out.Ecosystems, finding.EcosystemFact{Name: have.Name, Modified: have.Modified})
		}
	}
	var questions []question
	if s == e.run.cpes {
		questions = e.run.cpeQuestions(s, e.p)
	} else {
		for _, q := range s.queries(e.p, nil) {
			for _, ecosystem := range s.ecosystems {
				questions = append(questions, question{q, ecosystem})
			}
		}
	}
	for _, q := range questions {
		l := finding.Lookup{Name: q.name, Version: q.version, Why: e.whyName(q.query)}
		if !slices.Contains(out.Lookups, l) {
			out.Lookups = append(out.Lookups, l)
		}
	}
	return questions
}

// whyName says which of a package's names a question asks by.
func (e *explainer) whyName(q query) string {
	switch up := e.p.Upstream; {
	case e.scope == e.run.cpes:
		return "vendor and product of its CPE name"
	case e.scope.naming == byPURL && q.name == languageName(e.p):
		return "the name of its package URL"
	case e.scope.naming == byPURL:
		return "the name of its package URL, as the ecosystem tells packages apart"
	case up != nil && q.name == up.Name && q.noEpoch:
		return "its source package, whose version comes without an epoch"
	case up != nil && q.name == up.Name:
		return "its source package"
	case e.scope.naming == bySource:
		return "its own name, which is that of its source package"
	}
	return "its own name"
}

// compare judges the entries about the package that are about the topic, as
// matching does.
func (e *explainer) compare(questions []question) error {
	e.entries = map[*topicRecord][]finding.ConsideredEntry{}
	if e.isOwned() {
		return nil
	}
	for _, q := range questions {
		entries, err := e.run.view.Affected(e.run.ctx, q.ecosystem, q.name)
		if err != nil {
			return err
		}
		c := comparison{scheme: e.scope.scheme, query: q.query}
		c.parse()
		for i := range entries {
			of, err := e.topic.entry(e.run, &entries[i], e.scope.isSystem)
			if err != nil {
				return err
			}
			if of == nil {
				continue
			}
			a, _, err := e.run.judge(&c, e.scope, e.p, entries, &entries[i])
			if err != nil {
				return err
			}
			e.entries[of] = append(e.entries[of], c.considered(&entries[i], a, of.record))
		}
	}
	return nil
}

// isOwned reports whether the package is left to the distribution.
func (e *explainer) isOwned() bool {
	return e.scope != nil && !e.scope.isSystem && e.run.owned[e.p.ID]
}
