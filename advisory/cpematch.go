package advisory

import (
	"cmp"
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/scan/sbom"
)

// matchCPE finds what affects a package by its CPE names. fallback is the scope
// that cannot say anything about it.
func (r *run) matchCPE(p *sbom.Package, fallback *scope) error {
	if r.cpes == nil {
		r.cpes = &scope{name: "CPE", naming: byPURL, code: sbom.GapNoData, blocking: true, why: "there is no advisory data by CPE names"}
		r.find(r.cpes, func(e string) bool { return e == "CPE" || strings.HasPrefix(e, "CPE:") })
	}
	s := r.cpes
	if len(s.ecosystems) == 0 {
		fallback.packages++
		return nil
	}
	r.hits = r.hits[:0]
	var doubts doubts
	for _, q := range r.cpeQuestions(s, p) {
		entries, err := r.view.Affected(r.ctx, q.ecosystem, q.name)
		if err != nil {
			return err
		}
		if err := r.compare(s, q.query, p, entries, &doubts); err != nil {
			return err
		}
	}
	return r.finish(s, p, &doubts)
}

// question is a query about one ecosystem.
type question struct {
	query
	ecosystem string
}

// cpeQuestions returns what is asked about a package's CPE names. Those that
// cannot be read are gaps.
func (r *run) cpeQuestions(s *scope, p *sbom.Package) []question {
	var list []question
	asked := map[query]bool{}
	for _, text := range p.CPEs {
		name, err := cpe.Parse(text)
		if err != nil {
			r.gap(sbom.GapUnreadable, true, p, err.Error())
			continue
		}
		q := query{name: name.Key(), version: cmp.Or(name.FullVersion(), p.Version)}
		if asked[q] {
			continue
		}
		asked[q] = true
		for _, ecosystem := range s.ecosystems {
			if name.Of(ecosystem) {
				list = append(list, question{q, ecosystem})
			}
		}
	}
	return list
}
