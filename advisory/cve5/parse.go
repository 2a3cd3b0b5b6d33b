package cve5

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// Parse yields the record of a document, and what it signals.
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		r, digest, err := read(doc)
		if err != nil {
			yield(nil, fmt.Errorf("read CVE record %s: %w", doc.Name, err))
			return
		}
		out := feedtext.Out{File: doc.Name, Yield: yield}
		record, err := r.record()
		if err != nil {
			out.Broken(r.Meta.ID, digest, err)
			return
		}
		record.Digest = digest
		if !out.Record(record) || record.Withdrawn != "" {
			return
		}
		if signal := r.signal(); signal != nil {
			if err := signal.Validate(); err != nil {
				out.Broken(r.Meta.ID, digest, err)
				return
			}
			yield(signal, nil)
		}
	}
}

// read decodes a document.
func read(doc *advisory.Document) (*record, string, error) {
	in, err := feedtext.Unpack(doc.Name, doc.Content, MaxBytes)
	if err != nil {
		return nil, "", err
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, "", err
	}
	r := new(record)
	if err := jsonlist.Decode(bytes.TrimSpace(text), r, ""); err != nil {
		var at *advisory.RecordError
		if errors.As(err, &at) {
			err = fmt.Errorf("at %q: %w", at.Pointer, at.Err)
		}
		return nil, "", err
	}
	switch {
	case r.DataType != "CVE_RECORD":
		return nil, "", fmt.Errorf("its data type is %.40q, not CVE_RECORD: %w", r.DataType, fault.Invalid)
	case !strings.HasPrefix(r.DataVersion, "5."):
		return nil, "", fmt.Errorf("it is of version %.40q of the format, not of 5: %w", r.DataVersion, fault.Unsupported)
	}
	return r, feedtext.Digest(text), nil
}

// record is what is read of a document.
type record struct {
	DataType    string `json:"dataType"`
	DataVersion string `json:"dataVersion"`
	Meta        struct {
		ID        string `json:"cveId"`
		State     string `json:"state"`
		Updated   string `json:"dateUpdated"`
		Published string `json:"datePublished"`
		Rejected  string `json:"dateRejected"`
	} `json:"cveMetadata"`
	Containers struct {
		CNA container   `json:"cna"`
		ADP []container `json:"adp"`
	} `json:"containers"`
}

// container is what one provider says.
type container struct {
	Provider struct {
		OrgID   string `json:"orgId"`
		Name    string `json:"shortName"`
		Updated string `json:"dateUpdated"`
	} `json:"providerMetadata"`
	Title        string        `json:"title"`
	Descriptions []description `json:"descriptions"`
	Reasons      []description `json:"rejectedReasons"`
	Affected     []product     `json:"affected"`
	Metrics      []metric      `json:"metrics"`
	Problems     []struct {
		Descriptions []struct {
			Text string `json:"description"`
			CWE  string `json:"cweId"`
		} `json:"descriptions"`
	} `json:"problemTypes"`
	References []struct {
		URL  string   `json:"url"`
		Tags []string `json:"tags"`
	} `json:"references"`
}

type description struct {
	Lang string `json:"lang"`
	Text string `json:"value"`
}

type metric struct {
	V40   *vector `json:"cvssV4_0"`
	V31   *vector `json:"cvssV3_1"`
	V30   *vector `json:"cvssV3_0"`
	V2    *vector `json:"cvssV2_0"`
	Other *struct {
		Type    string         `json:"type"`
		Content jsontext.Value `json:"content"`
	} `json:"other"`
}

type vector struct {
	Text string `json:"vectorString"`
}

// containers returns what everybody says, the authority first.
func (r *record) containers() []container {
	return append([]container{r.Containers.CNA}, r.Containers.ADP...)
}

// record makes the advisory.
func (r *record) record() (*advisory.Record, error) {
	if !feedtext.IsCVE(r.Meta.ID) {
		return nil, &advisory.RecordError{Pointer: "/cveMetadata/cveId", Err: fmt.Errorf("%.80q is no CVE id: %w", r.Meta.ID, fault.Invalid)}
	}
	cna := &r.Containers.CNA
	out := &advisory.Record{
		ID: r.Meta.ID, URL: "https://www.cve.org/CVERecord?id=" + r.Meta.ID, Published: feedtext.Time(r.Meta.Published),
		Modified: firstTime(r.Meta.Updated, cna.Provider.Updated, r.Meta.Rejected, r.Meta.Published, feedtext.Undated),
		Details:  english(cna.Descriptions),
	}
	if out.Summary = advisory.Summarize(cna.Title); out.Summary == "" {
		out.Summary = advisory.Summarize(out.Details)
	}
	switch r.Meta.State {
	case "", "PUBLISHED":
	case "REJECTED":
		out.Withdrawn = firstTime(r.Meta.Rejected, out.Modified)
		if out.Details == "" {
			out.Details = english(cna.Reasons)
			out.Summary = advisory.Summarize(out.Details)
		}
		return out, nil
	default:
		return nil, &advisory.RecordError{Pointer: "/cveMetadata/state", Err: fmt.Errorf("the state %.40q is neither PUBLISHED nor REJECTED: %w", r.Meta.State, fault.Invalid)}
	}
	var list links.List
	cwes := map[string]bool{}
	for _, c := range r.containers() {
		for _, ref := range c.References {
			list.Add(ref.URL, ref.Tags...)
		}
		for _, id := range c.cwes() {
			if !cwes[id] {
				cwes[id] = true
				out.CWEs = append(out.CWEs, id)
			}
		}
		out.Scores = append(out.Scores, c.scores()...)
		if out.Rating == "" {
			out.Rating = c.rating()
		}
	}
	out.References = list.All
	affected, err := r.affected()
	out.Affected = affected
	return out, err
}

// firstTime returns the first text that is a time, as RFC 3339.
func firstTime(list ...string) string {
	for _, s := range list {
		if t := feedtext.Time(s); t != "" {
			return t
		}
	}
	return ""
}

// english returns the English text, or else the first.
func english(list []description) string {
	for _, d := range list {
		if lang := strings.ToLower(d.Lang); lang == "en" || strings.HasPrefix(lang, "en-") || lang == "eng" {
			return d.Text
		}
	}
	if len(list) > 0 {
		return list[0].Text
	}
	return ""
}

// name is who says so.
func (c *container) name() string {
	if c.Provider.Name != "" {
		return c.Provider.Name
	}
	return c.Provider.OrgID
}

func (c *container) scores() (out []finding.Score) {
	for _, m := range c.Metrics {
		for _, one := range []struct {
			typ string
			v   *vector
		}{{"CVSS_V4", m.V40}, {"CVSS_V3", m.V31}, {"CVSS_V3", m.V30}, {"CVSS_V2", m.V2}} {
			if one.v != nil && one.v.Text != "" {
				out = append(out, finding.Score{Type: one.typ, Value: one.v.Text, Source: c.name()})
			}
		}
	}
	return out
}

// rating returns the provider's word for the severity, where it has its own.
func (c *container) rating() string {
	for _, m := range c.Metrics {
		if m.Other == nil {
			continue
		}
		var words struct {
			Value, Text jsontext.Value
		}
		if jsonlist.Decode(m.Other.Content, &words, "") != nil {
			continue
		}
		for _, v := range []jsontext.Value{words.Value, words.Text} {
			if v.Kind() != '"' {
				continue
			}
			b, err := jsontext.AppendUnquote(nil, v)
			if err != nil {
				continue
			}
			if _, ok := finding.ParseSeverity(string(b)); ok {
				return string(b)
			}
		}
	}
	return ""
}

func (c *container) cwes() (out []string) {
	for _, p := range c.Problems {
		for _, d := range p.Descriptions {
			id := d.CWE
			if id == "" {
				id, _, _ = strings.Cut(d.Text, " ")
				id = strings.TrimRight(id, ":")
			}
			if number, ok := strings.CutPrefix(id, "CWE-"); ok && number != "" && strings.Trim(number, "0123456789") == "" {
				out = append(out, id)
			}
		}
	}
	return out
}

// signal returns what the record says of exploitation; nil for nothing.
func (r *record) signal() *advisory.Signal {
	for _, c := range r.Containers.ADP {
		for _, m := range c.Metrics {
			if m.Other == nil || m.Other.Type != "kev" {
				continue
			}
			var kev struct {
				Added string `json:"dateAdded"`
			}
			if jsonlist.Decode(m.Other.Content, &kev, "") == nil && kev.Added != "" {
				return &advisory.Signal{Vulnerability: r.Meta.ID, Exploited: kev.Added[:min(len(kev.Added), len("2006-01-02"))]}
			}
		}
	}
	return nil
}
