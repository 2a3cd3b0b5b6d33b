package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

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

// stale adds a gap for each source of a scope that was not asked for too long.
func (r *run) stale(s *scope) {
	if r.opts.At.IsZero() {
		return
	}
	var seen []string
	for _, e := range r.view.Ecosystems() {
		if !slices.Contains(s.ecosystems, e.Name) {
			continue
		}
		for _, o := range e.Origins {
			checked, err := time.Parse(time.RFC3339, o.Checked)
			age := r.opts.At.Sub(checked)
			if o.StaleAfter == 0 || slices.Contains(seen, o.Source) || err == nil && age <= time.Duration(o.StaleAfter)*time.Hour {
				continue
			}
			seen = append(seen, o.Source)
			r.report.Gaps = append(r.report.Gaps, sbom.Gap{Code: sbom.GapStale, Blocking: true, Where: s.name, What: fmt.Sprintf(
				"its source %s was last read at %s, more than %d hours before: what became known since was not assessed for %d packages", o.Source, cmp.Or(o.Checked, "an unknown time"), o.StaleAfter, s.packages)})
		}
	}
}

// finishGaps adds a gap for each scope without data, with data that is too old,
// or whose support has ended, and sorts: blocking gaps first, then by place and
// code.
func (r *run) finishGaps() {
	for _, s := range r.order {
		if s.packages == 0 {
			continue
		}
		if day := s.support; day != "" && !r.opts.At.IsZero() && r.opts.At.UTC().Format(time.DateOnly) > day {
			r.report.Gaps = append(r.report.Gaps, sbom.Gap{Code: sbom.GapEndOfLife, Blocking: true, Where: s.name,
				What: fmt.Sprintf("its security support ended on %s: what became known since was not assessed for %d packages", day, s.packages)})
		}
		if len(s.ecosystems) > 0 {
			r.stale(s)
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
