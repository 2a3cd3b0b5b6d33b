package deptrack

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
)

type project struct {
	UUID    string `json:"uuid"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Active  bool   `json:"active"`
	// LastBOMImport is when the newest SBOM was uploaded, in milliseconds since 1970.
	LastBOMImport int64 `json:"lastBomImport"`
}

func projectOf(p *scan.Project) project {
	return project{UUID: p.ID, Name: p.Name, Version: p.Version, Active: true, LastBOMImport: p.Updated.UnixMilli()}
}

// page reads which part of a list is wanted: by its number from 1, or by an offset.
func (c *call) page() (skip, limit int, err error) {
	number := func(key string, otherwise, least, most int) int {
		text := c.query.Get(key)
		if text == "" {
			return otherwise
		}
		n, e := strconv.Atoi(text)
		if e != nil || n < least || n > most {
			err = httpjson.BadRequest("query: %s %.20q: want %d to %d", key, text, least, most)
		}
		return n
	}
	const far = 1 << 30
	limit = number("limit", number("pageSize", firstPage, 1, MaxPage), 1, MaxPage)
	skip = number("offset", (number("pageNumber", 1, 1, far/MaxPage)-1)*limit, 0, far)
	return skip, limit, err
}

// total says how long the list is that a part was given of.
func (c *call) total(n int) { c.w.Header().Set("X-Total-Count", strconv.Itoa(n)) }

func (h *Handler) projects(c *call) error {
	skip, limit, err := c.page()
	if err != nil {
		return err
	}
	list, n, err := c.scans.Projects(c.r.Context(), skip, limit)
	if err != nil {
		return err
	}
	out := []project{}
	for i := range list {
		out = append(out, projectOf(&list[i]))
	}
	c.total(n)
	return c.answer(out)
}

func (h *Handler) lookup(c *call) error {
	p := scan.ProjectName{Name: strings.TrimSpace(c.query.Get("name")), Version: strings.TrimSpace(c.query.Get("version"))}
	if p.Name == "" {
		return httpjson.BadRequest("query: name is required")
	}
	return c.give(scan.ProjectID(c.who.Tenant, p))
}

func (h *Handler) project(c *call) error {
	id, err := c.id("project")
	if err != nil {
		return err
	}
	return c.give(id)
}

func (c *call) give(id string) error {
	p, err := c.find(id)
	if err != nil {
		return err
	}
	return c.answer(projectOf(p))
}

// find returns a project. The error names no id: a lookup has none.
func (c *call) find(id string) (*scan.Project, error) {
	p, err := c.scans.Project(c.r.Context(), id)
	if errors.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("the project could not be found: %w", fault.NotFound)
	}
	return p, err
}

// newest returns what was found in a project's newest upload. One that is not processed, or
// could not be, is a conflict: an empty list would say that nothing is wrong with it.
func (c *call) newest() (*scan.Project, *scan.Job, *finding.Report, error) {
	id, err := c.id("project")
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := c.find(id)
	if err != nil {
		return nil, nil, nil, err
	}
	job, err := c.scans.Job(c.r.Context(), p.ScanID)
	if err != nil {
		return nil, nil, nil, err
	}
	conflict := func(format string, args ...any) (*scan.Project, *scan.Job, *finding.Report, error) {
		return nil, nil, nil, fmt.Errorf("the newest SBOM of the project "+format+": %w", append(args, fault.Conflict)...)
	}
	switch {
	case !job.State.Terminal():
		c.w.Header().Set("Retry-After", fmt.Sprint(httpjson.RetryAfter))
		return conflict("is being processed")
	case job.State != scan.Completed || job.Summary == nil:
		return conflict("was not processed: %s: %s", job.State, cmp.Or(job.Reason, "no reason was given"))
	}
	report, err := c.scans.Findings(c.r.Context(), job.ID)
	if errors.Is(err, fault.NotFound) {
		return conflict("was not compared with advisories: there was no data")
	}
	return p, job, report, err
}

func (h *Handler) findings(c *call) error {
	skip, limit, err := c.page()
	if err != nil {
		return err
	}
	p, _, report, err := c.newest()
	if err != nil {
		return err
	}
	all := told(p, report)
	c.total(len(all))
	skip = min(skip, len(all))
	return c.answer(all[skip:min(skip+limit, len(all))])
}

type metrics struct {
	Critical        int   `json:"critical"`
	High            int   `json:"high"`
	Medium          int   `json:"medium"`
	Low             int   `json:"low"`
	Unassigned      int   `json:"unassigned"`
	Vulnerabilities int   `json:"vulnerabilities"`
	Vulnerable      int   `json:"vulnerableComponents"`
	Components      int   `json:"components"`
	Suppressed      int   `json:"suppressed"`
	Total           int   `json:"findingsTotal"`
	Audited         int   `json:"findingsAudited"`
	Unaudited       int   `json:"findingsUnaudited"`
	First           int64 `json:"firstOccurrence"`
	Last            int64 `json:"lastOccurrence"`
}

func (h *Handler) metrics(c *call) error {
	p, job, report, err := c.newest()
	if err != nil {
		return err
	}
	all := told(p, report)
	m := metrics{Components: job.Summary.Packages, Total: len(all), Unaudited: len(all), First: job.Summary.At.UnixMilli(), Last: job.Summary.At.UnixMilli()}
	counts := map[string]*int{"CRITICAL": &m.Critical, "HIGH": &m.High, "MEDIUM": &m.Medium, "LOW": &m.Low}
	packages := map[string]bool{}
	for i := range all {
		packages[all[i].Component.UUID] = true
		m.Vulnerabilities++
		if n := counts[all[i].Vulnerability.Severity]; n != nil {
			*n++
		} else {
			m.Unassigned++
		}
	}
	m.Vulnerable = len(packages)
	return c.answer(m)
}

type found struct {
	Component     component     `json:"component"`
	Vulnerability vulnerability `json:"vulnerability"`
	Analysis      analysis      `json:"analysis"`
	Matrix        string        `json:"matrix"`
}

type component struct {
	UUID    string `json:"uuid"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
	Project string `json:"project"`
}

type vulnerability struct {
	UUID           string  `json:"uuid"`
	Source         string  `json:"source"`
	ID             string  `json:"vulnId"`
	Severity       string  `json:"severity"`
	Rank           int     `json:"severityRank"`
	Description    string  `json:"description,omitempty"`
	Recommendation string  `json:"recommendation,omitempty"`
	Aliases        []alias `json:"aliases,omitempty"`
}

type alias struct {
	CVE  string `json:"cveId,omitempty"`
	GHSA string `json:"ghsaId,omitempty"`
	OSV  string `json:"osvId,omitempty"`
}

type analysis struct {
	Suppressed bool `json:"isSuppressed"`
}

// severities are those of the API with their ranks: by ours, the least first.
var severities = []struct {
	name string
	rank int
}{{"UNASSIGNED", 5}, {"INFO", 4}, {"LOW", 3}, {"MEDIUM", 2}, {"HIGH", 1}, {"CRITICAL", 0}}

// told makes one finding for each vulnerability of each package, in the report's order,
// with the highest severity of the records about it.
func told(p *scan.Project, r *finding.Report) []found {
	out, at := []found{}, map[string]int{}
	for i := range r.Findings {
		f := &r.Findings[i]
		s := severities[f.Severity.Rank()]
		componentID := scan.DerivedID("component", p.ID, f.Package)
		vulnID := scan.DerivedID("vulnerability", sourceOf(f.Vulnerability), f.Vulnerability)
		matrix := p.ID + ":" + componentID + ":" + vulnID
		if n, known := at[matrix]; known {
			if v := &out[n].Vulnerability; s.rank < v.Rank {
				v.Severity, v.Rank = s.name, s.rank
			}
			continue
		}
		at[matrix] = len(out)
		v := vulnerability{UUID: vulnID, Source: sourceOf(f.Vulnerability), ID: f.Vulnerability, Severity: s.name, Rank: s.rank, Description: f.Summary, Aliases: aliases(f)}
		if len(f.Fixed) > 0 {
			v.Recommendation = "Fixed in " + strings.Join(f.Fixed, ", ")
		}
		out = append(out, found{component{componentID, f.Name, f.Version, f.PURL, p.ID}, v, analysis{}, matrix})
	}
	return out
}

// sourceOf names the source that an id is known by.
func sourceOf(id string) string {
	switch {
	case strings.HasPrefix(id, "CVE-"):
		return "NVD"
	case strings.HasPrefix(id, "GHSA-"):
		return "GITHUB"
	}
	return "OSV"
}

func aliases(f *finding.Finding) (out []alias) {
	names := slices.Compact(slices.Sorted(slices.Values(append([]string{f.Advisory}, f.Aliases...))))
	for _, n := range names {
		switch {
		case n == f.Vulnerability || n == "":
		case strings.HasPrefix(n, "CVE-"):
			out = append(out, alias{CVE: n})
		case strings.HasPrefix(n, "GHSA-"):
			out = append(out, alias{GHSA: n})
		default:
			out = append(out, alias{OSV: n})
		}
	}
	return out
}
