package harbor

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/advisory/finding"
)

// severities are those of the API, the least first. Unknown is what nobody has judged.
var severities = []string{"Unknown", "Negligible", "Low", "Medium", "High", "Critical"}

func rank(severity string) int { return slices.Index(severities, severity) }

// severityOf maps severities by their rank: none is Negligible.
func severityOf(s finding.Severity) string { return severities[s.Rank()] }

// items makes one item for each vulnerability of a package's version, as Harbor keeps
// them: several records about one are told together.
func items(found []finding.Finding) []item {
	type key struct{ id, name, version string }
	at := map[key]int{}
	out := []item{}
	var fixed [][]string
	for i := range found {
		f := &found[i]
		k := key{f.Vulnerability, f.Name, f.Version}
		n, known := at[k]
		if !known {
			n = len(out)
			at[k] = n
			out = append(out, item{ID: f.Vulnerability, Package: f.Name, Version: f.Version, Severity: severities[0], Links: []string{}})
			fixed = append(fixed, nil)
		}
		it := &out[n]
		it.add(f)
		for _, v := range f.Fixed {
			if !slices.Contains(fixed[n], v) {
				fixed[n] = append(fixed[n], v)
			}
		}
		it.FixVersion = strings.Join(fixed[n], ", ")
	}
	return out
}

func (it *item) add(f *finding.Finding) {
	if s := severityOf(f.Severity); rank(s) > rank(it.Severity) {
		it.Severity = s
	}
	it.Description = cmp.Or(it.Description, f.Summary)
	if it.CVSS == nil {
		it.CVSS = preferred(f.Scores)
	}
	for _, link := range []string{f.URL, pageOf(f.Vulnerability)} {
		if isLink(link) && !slices.Contains(it.Links, link) {
			it.Links = append(it.Links, link)
		}
	}
	own := map[string]any{"advisories": []string{f.Advisory}}
	if before, ok := it.Attributes["stella"].(map[string]any); ok {
		own = before
		list := own["advisories"].([]string)
		if !slices.Contains(list, f.Advisory) {
			own["advisories"] = append(list, f.Advisory)
		}
	}
	for name, value := range map[string]string{"fix_status": f.FixStatus, "exploited": f.Exploited, "epss": f.EPSS, "purl": f.PURL} {
		if value != "" && own[name] == nil {
			own[name] = value
		}
	}
	it.Attributes = map[string]any{"stella": own}
}

// pageOf is where a vulnerability can be read of by its id.
func pageOf(id string) string {
	switch {
	case strings.HasPrefix(id, "CVE-"):
		return "https://nvd.nist.gov/vuln/detail/" + url.PathEscape(id)
	case strings.HasPrefix(id, "GHSA-"):
		return "https://github.com/advisories/" + url.PathEscape(id)
	}
	return ""
}

// isLink reports whether a browser may be sent there.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// preferred takes the first vector of version 3, and the first of version 2; nil where
// there is none.
func preferred(scores []finding.Score) *cvssDetails {
	var d cvssDetails
	for _, s := range scores {
		v, err := cvss.Parse(s.Value)
		if err != nil {
			continue
		}
		score := jsontext.Value(v.Base().String())
		switch {
		case strings.HasPrefix(v.Version(), "3") && d.VectorV3 == "":
			d.VectorV3, d.ScoreV3 = v.String(), score
		case strings.HasPrefix(v.Version(), "2") && d.VectorV2 == "":
			d.VectorV2, d.ScoreV2 = v.String(), score
		}
	}
	if d.VectorV3 == "" && d.VectorV2 == "" {
		return nil
	}
	return &d
}
