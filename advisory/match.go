package advisory

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// Matcher finds the packages of documents that advisories affect. It is safe
// for concurrent use if its View is.
type Matcher struct {
	// View is what is known. Without one nothing is assessed, which the report
	// says.
	View    View
	Options Options
}

// Options change what is matched.
type Options struct {
	// MatchOwned also asks the language ecosystem about packages that an
	// operating system package installed.
	MatchOwned bool
	// CPE also asks about packages that no ecosystem has data for by their CPE
	// names. Names of products are guessed more often than package URLs: expect
	// findings that are wrong.
	CPE bool
	// At is the time of the evaluation, by which the age of data and the end of
	// a distribution's support are judged. The zero time judges neither.
	At time.Time
}

// Match reports which packages of doc are affected. An error means that the
// view could not be read, or that ctx ended; everything else that could not be
// assessed is a gap of the report. The document is not changed.
func (m Matcher) Match(ctx context.Context, doc *sbom.Document) (*finding.Report, error) {
	if m.View == nil {
		return &finding.Report{Findings: []finding.Finding{}, Gaps: []sbom.Gap{{Code: sbom.GapNoData, Blocking: true, Where: "advisories",
			What: fmt.Sprintf("there is no advisory data: %d packages were not assessed", len(doc.Packages))}}}, nil
	}
	r := m.start(ctx, doc)
	if err := r.prefetch(); err != nil {
		return nil, fmt.Errorf("match packages with advisories: %w", err)
	}
	for i := range doc.Packages {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("match packages with advisories: %w", ctx.Err())
		}
		if err := r.match(&doc.Packages[i]); err != nil {
			return nil, fmt.Errorf("match %s %s with advisories: %w", doc.Packages[i].Name, doc.Packages[i].Version, err)
		}
	}
	r.finishGaps()
	r.report.Sort()
	return r.report, nil
}

// start begins to match a document.
func (m Matcher) start(ctx context.Context, doc *sbom.Document) *run {
	r := &run{ctx: ctx, view: m.View, opts: m.Options, doc: doc, scopes: map[scopeKey]*scope{}}
	r.report = &finding.Report{Snapshot: m.View.Digest(), Findings: []finding.Finding{}}
	if !m.Options.MatchOwned {
		r.owned = owned(doc)
	}
	return r
}

// prefetch tells a view that wants to know it what it will be asked.
func (r *run) prefetch() error {
	view, ok := r.view.(Prefetcher)
	if !ok {
		return nil
	}
	var list []Lookup
	seen := map[Lookup]bool{}
	for i := range r.doc.Packages {
		p := &r.doc.Packages[i]
		s := r.scope(p)
		if s == nil || len(s.ecosystems) == 0 || !s.isSystem && r.owned[p.ID] {
			continue
		}
		var queries [2]query
		for _, q := range s.queries(p, queries[:0]) {
			for _, ecosystem := range s.ecosystems {
				if l := (Lookup{ecosystem, q.name}); !seen[l] {
					seen[l] = true
					list = append(list, l)
				}
			}
		}
	}
	return view.Prefetch(r.ctx, list)
}

// owned returns the ids of packages that belong to others.
func owned(doc *sbom.Document) map[string]bool {
	ids := map[string]bool{}
	for _, r := range doc.Relationships {
		if r.Kind == sbom.OwnedBy {
			ids[r.From] = true
		}
	}
	return ids
}

// run is the state of one Match.
type run struct {
	ctx    context.Context
	view   View
	opts   Options
	doc    *sbom.Document
	report *finding.Report
	owned  map[string]bool
	scopes map[scopeKey]*scope
	order  []*scope // as they came up
	hits   []hit    // of the package at hand; reused
	cpes   *scope   // what is asked about by CPE names; nil until then
	known  map[string]known
	chains map[recordKey][]place // what records without a CVE id are about
}

// query is one question to a view: a name and the version to compare.
type query struct {
	name, version string
	// noEpoch says that the version came without its epoch: it is compared with
	// the versions of records as if they had none.
	noEpoch bool
}

// match finds what affects one package.
func (r *run) match(p *sbom.Package) error {
	s := r.scope(p)
	if s == nil || !s.isSystem && r.owned[p.ID] {
		return nil
	}
	if len(s.ecosystems) == 0 {
		if r.opts.CPE && len(p.CPEs) > 0 {
			return r.matchCPE(p, s)
		}
		s.packages++
		return nil
	}
	s.packages++
	r.hits = r.hits[:0]
	var doubts doubts
	var queries [2]query
	for _, q := range s.queries(p, queries[:0]) {
		for _, ecosystem := range s.ecosystems {
			entries, err := r.view.Affected(r.ctx, ecosystem, q.name)
			if err != nil {
				return err
			}
			if len(entries) > 0 {
				if err := r.compare(s, q, p, entries, &doubts); err != nil {
					return err
				}
			}
		}
	}
	return r.finish(s, p, &doubts)
}

// finish reports what came up about a package.
func (r *run) finish(s *scope, p *sbom.Package, doubts *doubts) error {
	if p.Version == "" && doubts.noVersion == 0 {
		r.gap(sbom.GapNoVersion, false, p, "it has no version; no advisory names it")
	}
	doubts.report(r, p)
	if len(r.hits) == 0 {
		return nil
	}
	return r.appendFindings(p, s)
}

// compare adds the hits among entries about one name.
func (r *run) compare(s *scope, q query, p *sbom.Package, entries []Entry, doubts *doubts) error {
	c := comparison{scheme: s.scheme, query: q}
	c.parse()
	for i := range entries {
		e := &entries[i]
		a, record, err := r.judge(&c, s, p, entries, e)
		if err != nil {
			return err
		}
		switch a.outcome {
		case applies:
			r.hit(q, e, record, a)
		case noVersion:
			doubts.noVersion++
		case badVersion:
			doubts.add(&doubts.badVersion, a.doubt)
		case badRange:
			doubts.add(&doubts.badRange, a.doubt)
		}
	}
	return nil
}

// outcome is what becomes of one entry about a package.
type outcome uint8

const (
	outside         outcome = iota // it does not affect the version
	applies                        // it does
	withdrawn                      // its record was taken back
	noVersion                      // there is no version to compare
	badVersion                     // the version cannot be compared
	badRange                       // the entry cannot be compared
	noVulnerability                // an erratum that names none
	otherStreams                   // an erratum for another stream of a module
	rebuilt                        // another build of a release that fixes it
)

// judge decides about one of the entries about a name. It returns the record
// where it had to look at it.
func (r *run) judge(c *comparison, s *scope, p *sbom.Package, entries []Entry, e *Entry) (a verdict, record *Record, err error) {
	switch {
	case e.Withdrawn:
		a.outcome = withdrawn
		return a, nil, nil
	case c.query.version == "":
		a.outcome = noVersion
		return a, nil, nil
	}
	a = c.decide(e)
	switch {
	case a.affected:
		if record, err = r.view.Record(r.ctx, e.Record); err != nil {
			return a, nil, err
		}
		switch {
		case namesNothing(record):
			a.outcome = noVulnerability
		case otherStream(record, e, p, s.ecosystemBase()):
			a.outcome = otherStreams
		case s.ecosystemBase() == "AlmaLinux" && c.isRebuild(entries, e):
			a.outcome = rebuilt
		default:
			a.outcome = applies
		}
	case a.doubt != "" && c.invalid:
		a.outcome = badVersion
	case a.doubt != "":
		a.outcome = badRange
	}
	return a, record, nil
}

// hit adds a record that affects the package.
func (r *run) hit(q query, e *Entry, record *Record, a verdict) {
	for i := range r.hits {
		if h := &r.hits[i]; h.record.ID == record.ID {
			h.fixed = append(h.fixed, a.fixed...)
			return
		}
	}
	r.hits = append(r.hits, hit{record: record, entry: *e, query: q, span: a.span, fixed: a.fixed})
}
