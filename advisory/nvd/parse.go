package nvd

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/internal/jsonlist"
	"github.com/stella-ops/stella/advisory/internal/links"
	"github.com/stella-ops/stella/internal/fault"
)

// Parse yields the records of a document: one CVE, a page of the API, or a feed.
// A CVE that cannot be used is an [*advisory.RecordError].
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		out := feedtext.Out{File: doc.Name, Yield: yield}
		if err := read(doc, &out); err != nil && !errors.Is(err, jsonlist.ErrStop) {
			yield(nil, fmt.Errorf("read NVD document %s: %w", doc.Name, err))
		}
	}
}

func read(doc *advisory.Document, out *feedtext.Out) error {
	r, err := feedtext.Unpack(doc.Name, doc.Content, MaxBytes)
	if err != nil {
		return err
	}
	defer r.Close()
	dec := jsontext.NewDecoder(r)
	n, page, found, seen := 0, pageInfo{Size: -1}, false, map[string]bool{}
	err = jsonlist.Object(dec, func(name string) error {
		switch name {
		case "vulnerabilities":
			found = true
			return jsonlist.Elements(dec, MaxRecords, func(value jsontext.Value, pointer string) error {
				n++
				var e element
				err := jsonlist.Decode(value, &e, pointer)
				if err == nil && seen[e.CVE.ID] {
					err = &advisory.RecordError{Pointer: pointer, Err: fmt.Errorf("the CVE is there twice: %w", fault.Invalid)}
				}
				seen[e.CVE.ID] = true
				return pass(out, &e.CVE, value, pointer+"/cve", err)
			})
		case "cve":
			found = true
			value, err := dec.ReadValue()
			if err != nil {
				return jsonlist.Bad(err)
			}
			var c cve
			err = jsonlist.Decode(value, &c, "/cve")
			return pass(out, &c, value, "/cve", err)
		case "resultsPerPage":
			value, err := dec.ReadValue()
			if err != nil {
				return jsonlist.Bad(err)
			}
			return jsonlist.Decode(value, &page.Size, "/resultsPerPage")
		}
		return jsonlist.Bad(dec.SkipValue())
	})
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("it has neither a CVE nor a list of them: %w", fault.Invalid)
	case page.Size >= 0 && page.Size != n:
		return fmt.Errorf("it says that it has %d CVEs, and has %d: %w", page.Size, n, fault.Invalid)
	}
	return jsonlist.End(dec)
}

// pass passes one CVE on, or says why not.
func pass(out *feedtext.Out, c *cve, value []byte, pointer string, err error) error {
	digest := feedtext.Digest(value)
	var r *advisory.Record
	if err == nil {
		r, err = c.record(pointer)
	}
	more := true
	if err != nil {
		more = out.Broken(c.ID, digest, err)
	} else {
		r.Digest = digest
		more = out.Record(r)
	}
	if !more {
		return jsonlist.ErrStop
	}
	return nil
}

// element is one of a page's list.
type element struct {
	CVE cve `json:"cve"`
}

// cve is what is read of one CVE.
type cve struct {
	ID             string          `json:"id"`
	Published      string          `json:"published"`
	Modified       string          `json:"lastModified"`
	Status         string          `json:"vulnStatus"`
	Descriptions   []text          `json:"descriptions"`
	Metrics        metrics         `json:"metrics"`
	Weaknesses     []weakness      `json:"weaknesses"`
	Configurations []configuration `json:"configurations"`
	References     []reference     `json:"references"`
}

type text struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type metrics struct {
	V40 []metric `json:"cvssMetricV40"`
	V31 []metric `json:"cvssMetricV31"`
	V30 []metric `json:"cvssMetricV30"`
	V2  []metric `json:"cvssMetricV2"`
}

type metric struct {
	Source string `json:"source"`
	Data   struct {
		Vector string `json:"vectorString"`
	} `json:"cvssData"`
}

type weakness struct {
	Description []text `json:"description"`
}

type reference struct {
	URL  string   `json:"url"`
	Tags []string `json:"tags"`
}

// record makes the record of a CVE. pointer is where the CVE is.
func (c *cve) record(pointer string) (*advisory.Record, error) {
	if !feedtext.IsCVE(c.ID) {
		return nil, &advisory.RecordError{Pointer: pointer + "/id", Err: fmt.Errorf("%.80q is no CVE id: %w", c.ID, fault.Invalid)}
	}
	r := &advisory.Record{
		ID: c.ID, Modified: feedtext.Time(c.Modified), Published: feedtext.Time(c.Published),
		Details: english(c.Descriptions), URL: "https://nvd.nist.gov/vuln/detail/" + c.ID, Scores: c.Metrics.scores(),
	}
	if r.Modified == "" {
		return nil, &advisory.RecordError{Pointer: pointer + "/lastModified", Err: fmt.Errorf("%.80q is no time: %w", c.Modified, fault.Invalid)}
	}
	if c.Status == "Rejected" {
		r.Withdrawn = r.Modified
	}
	r.Summary = advisory.Summarize(r.Details)
	seen := map[string]bool{}
	for _, w := range c.Weaknesses {
		for _, d := range w.Description {
			// NVD-CWE-Other and NVD-CWE-noinfo are no weaknesses.
			if number, ok := strings.CutPrefix(d.Value, "CWE-"); ok && number != "" && strings.Trim(number, "0123456789") == "" && !seen[d.Value] {
				seen[d.Value] = true
				r.CWEs = append(r.CWEs, d.Value)
			}
		}
	}
	var list links.List
	for _, ref := range c.References {
		list.Add(ref.URL, ref.Tags...)
	}
	r.References = list.All
	p := products{at: map[string]int{}}
	for i, conf := range c.Configurations {
		if err := p.configuration(&conf, fmt.Sprintf("%s/configurations/%d", pointer, i)); err != nil {
			return nil, err
		}
	}
	r.Affected = p.affected()
	return r, nil
}

// english returns the English text, or else the first.
func english(list []text) string {
	for _, t := range list {
		if t.Lang == "en" {
			return t.Value
		}
	}
	if len(list) > 0 {
		return list[0].Value
	}
	return ""
}

// scores returns all vectors, the newest version first.
func (m *metrics) scores() (out []finding.Score) {
	for _, version := range []struct {
		typ  string
		list []metric
	}{{"CVSS_V4", m.V40}, {"CVSS_V3", m.V31}, {"CVSS_V3", m.V30}, {"CVSS_V2", m.V2}} {
		for _, one := range version.list {
			if one.Data.Vector != "" {
				out = append(out, finding.Score{Type: version.typ, Value: one.Data.Vector, Source: one.Source})
			}
		}
	}
	return out
}
