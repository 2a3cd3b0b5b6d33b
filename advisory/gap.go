package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// doubts counts, for one package, the advisories that could not be compared.
type doubts struct {
	noVersion, badVersion, badRange int
	why                             string // of the first
}

func (d *doubts) add(to *int, why string) {
	if *to++; d.why == "" {
		d.why = why
	}
}

// report turns doubts into gaps. Each is about an advisory that names the
// package, so each is blocking.
func (d *doubts) report(r *run, p *sbom.Package) {
	if d.noVersion > 0 {
		r.gap(sbom.GapNoVersion, true, p, fmt.Sprintf("it has no version to compare with %d advisories", d.noVersion))
	}
	if d.badVersion > 0 {
		r.gap(sbom.GapNoVersion, true, p, fmt.Sprintf("its version cannot be compared with %d advisories: %s", d.badVersion, d.why))
	}
	if d.badRange > 0 {
		r.gap(sbom.GapUnreadable, true, p, fmt.Sprintf("%d advisories cannot be compared: %s", d.badRange, d.why))
	}
}

// gap adds a gap about a package.
func (r *run) gap(code sbom.GapCode, blocking bool, p *sbom.Package, what string) {
	where := p.PURL.String()
	if where == "" {
		where = p.Name
		if p.Version != "" {
			where += " " + p.Version
		}
	}
	r.report.Gaps = append(r.report.Gaps, sbom.Gap{Code: code, Blocking: blocking, Where: where, What: what})
}

// finishGaps adds a gap for each scope without data, and sorts: blocking gaps
// first, then by place and code.
func (r *run) finishGaps() {
	for _, s := range r.order {
		if len(s.ecosystems) > 0 || s.packages == 0 {
			continue
		}
		r.report.Gaps = append(r.report.Gaps, sbom.Gap{
			Code: s.code, Blocking: s.blocking, Where: s.name,
			What: fmt.Sprintf("%s: %d packages were not assessed", s.why, s.packages),
		})
	}
	slices.SortFunc(r.report.Gaps, func(a, b sbom.Gap) int {
		return cmp.Or(falseFirst(!a.Blocking, !b.Blocking), strings.Compare(a.Where, b.Where), cmp.Compare(a.Code, b.Code), strings.Compare(a.What, b.What))
	})
}
