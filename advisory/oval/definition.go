package oval

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

// definition is what this package reads of a definition.
type definition struct {
	ID         string `xml:"id,attr"`
	Class      string `xml:"class,attr"`
	Deprecated string `xml:"deprecated,attr"`
	Metadata   struct {
		Title      string `xml:"title"`
		References []struct {
			Source string `xml:"source,attr"`
			ID     string `xml:"ref_id,attr"`
			URL    string `xml:"ref_url,attr"`
		} `xml:"reference"`
		Description string   `xml:"description"`
		Advisory    notice   `xml:"advisory"`
		Platforms   []string `xml:"affected>platform"`
		// Azure's own.
		Patchable string `xml:"patchable"`
		Day       string `xml:"advisory_date"`
		Number    string `xml:"advisory_id"`
		Severity  string `xml:"severity"`
	} `xml:"metadata"`
	Criteria *criteria `xml:"criteria"`
}

// notice is the part of a definition that publishers define.
type notice struct {
	Severity string `xml:"severity"`
	Issued   date   `xml:"issued"`
	Updated  date   `xml:"updated"`
	CVEs     []struct {
		Text  string `xml:",chardata"`
		CVSS3 string `xml:"cvss3,attr"`
		CWE   string `xml:"cwe,attr"`
		URL   string `xml:"href,attr"`
	} `xml:"cve"`
	Resolutions []struct {
		State      string   `xml:"state,attr"`
		Components []string `xml:"component"`
	} `xml:"affected>resolution"`
	CPEs []string `xml:"affected_cpe_list>cpe"`
}

type date struct {
	Day string `xml:"date,attr"`
}

var errStop = errors.New("stop")

// parse yields the records of a document, in its order.
func (p *publisher) parse(name string, content []byte) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		t, err := readTables(name, content)
		if err != nil {
			yield(nil, fmt.Errorf("read OVAL definitions from %s: %w", name, err))
			return
		}
		out := feedtext.Out{File: name, Yield: yield}
		passed, seen := false, map[string]string{} // digests by id
		err = feedtext.Walk(name, content, maxDocument, root, 2, func(e *feedtext.Element) error {
			if e.List != "definitions" {
				if passed { // the rest was read before
					return errStop
				}
				return e.Skip()
			}
			passed = true
			var def definition
			if err := e.Decode(&def); err != nil {
				return err
			}
			if def.Class != "patch" && def.Class != "vulnerability" {
				return nil // of inventory and compliance
			}
			r, err := p.record(name, t, &def, e.Text())
			if before, known := seen[r.ID]; known && err == nil {
				if before == r.Digest {
					return nil // the same once more
				}
				err = fmt.Errorf("there is another definition of its id before it: %w", fault.Invalid)
			}
			seen[r.ID] = r.Digest
			if err != nil && !out.Broken(r.ID, r.Digest, err) || err == nil && !out.Record(r) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			yield(nil, fmt.Errorf("read OVAL definitions from %s: %w", name, err))
		}
	}
}

// record makes the record of a definition. With an error, it has the id and the
// digest.
func (p *publisher) record(doc string, t *tables, def *definition, text []byte) (*advisory.Record, error) {
	m := &def.Metadata
	title := strings.Join(strings.Fields(m.Title), " ")
	r := &advisory.Record{Modified: feedtext.Undated, Details: strings.TrimSpace(m.Description), Rating: strings.TrimSpace(m.Advisory.Severity + m.Severity), Digest: feedtext.Digest(text)}
	r.ID, title = p.name(def, title)
	r.Summary = advisory.Summarize(title)
	r.Published = feedtext.Time(m.Advisory.Issued.Day + m.Day)
	for _, s := range []string{r.Published, feedtext.Time(m.Advisory.Updated.Day)} {
		if s != "" {
			r.Modified = s
		}
	}
	if isTrue(def.Deprecated) {
		r.Withdrawn = r.Modified
	}
	if r.ID == "" {
		r.ID = def.ID
		return r, fmt.Errorf("its title %.80q names no advisory: %w", title, fault.Invalid)
	}
	p.references(r, def)
	if def.Criteria == nil {
		return r, fmt.Errorf("it has no criteria: %w", fault.Invalid)
	}
	ways, err := t.ways(def.Criteria, 0)
	if err != nil {
		return r, err
	}
	lines, err := p.affected(doc, r, def, ways)
	// What the definition refers to is part of its text.
	r.Digest = feedtext.Digest(text, []byte(strings.Join(lines, "\n")))
	if err == nil && len(r.Scores) > 0 && r.Rating != "" {
		// The publisher's word goes before a vector, which rates no package.
		for i := range r.Affected {
			r.Affected[i].Rating = r.Rating
		}
	}
	return r, err
}

// references fills in what the definition refers to.
func (p *publisher) references(r *advisory.Record, def *definition) {
	add := func(id string) {
		if i := strings.Index(id, "CVE-"); i >= 0 && feedtext.IsCVE(id[i:]) && !slices.Contains(r.Upstream, id[i:]) {
			r.Upstream = append(r.Upstream, id[i:])
		}
	}
	for _, ref := range def.Metadata.References {
		add(strings.TrimSpace(ref.ID))
		if strings.HasPrefix(ref.URL, "https://") || strings.HasPrefix(ref.URL, "http://") {
			r.References = append(r.References, advisory.Reference{Type: "ADVISORY", URL: ref.URL})
			if r.URL == "" {
				r.URL = ref.URL
			}
		}
	}
	cves := def.Metadata.Advisory.CVEs
	for _, c := range cves {
		add(strings.TrimSpace(c.Text))
		for _, cwe := range strings.FieldsFunc(c.CWE, func(c rune) bool { return !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '-') }) {
			if strings.HasPrefix(cwe, "CWE-") && !slices.Contains(r.CWEs, cwe) {
				r.CWEs = append(r.CWEs, cwe)
			}
		}
	}
	// A vector is of a CVE: it is the record's only if there is one.
	if len(cves) == 1 && len(r.Upstream) == 1 {
		if _, vector, ok := strings.Cut(cves[0].CVSS3, "/"); ok {
			r.Scores = []finding.Score{{Type: "CVSS_V3", Value: vector}}
		}
	}
}
