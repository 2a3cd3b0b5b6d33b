package npmwg

import (
	"errors"
	"fmt"
	"iter"
	"path"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/internal/jsonlist"
	"github.com/stella-ops/stella/advisory/internal/links"
	"github.com/stella-ops/stella/advisory/internal/spans"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// Parse yields the record of a file, whose name is "npm/<number>.json" or
// "core/<number>.json".
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		var f file
		if err := read(doc, &f); err != nil {
			yield(nil, fmt.Errorf("read Node.js advisory %s: %w", doc.Name, err))
			return
		}
		out := feedtext.Out{File: doc.Name, Yield: yield}
		digest := feedtext.Digest(doc.Content)
		id, isCore := f.recordID(doc.Name)
		r, err := f.record(id, isCore)
		if err != nil {
			out.Broken(id, digest, err)
			return
		}
		r.Digest = digest
		out.Record(r)
	}
}

func read(doc *advisory.Document, f *file) error {
	if len(doc.Content) > MaxBytes {
		return &fault.LimitError{What: "bytes", Where: "the document", Max: MaxBytes, Seen: int64(len(doc.Content))}
	}
	err := jsonlist.Decode(doc.Content, f, "")
	var at *advisory.RecordError
	if errors.As(err, &at) {
		return fmt.Errorf("at %q: %w", at.Pointer, at.Err)
	}
	return err
}

// file is what is read of a file.
type file struct {
	ID          int64          `json:"id"`
	Title       string         `json:"title"`
	Updated     string         `json:"updated_at"`
	Published   string         `json:"publish_date"`
	Description string         `json:"description"` // the title, in those about Node.js
	Module      string         `json:"module_name"`
	CVEs        []string       `json:"cves"`
	CVE         []string       `json:"cve"`
	Vulnerable  string         `json:"vulnerable_versions"`
	Patched     string         `json:"patched_versions"`
	Overview    string         `json:"overview"`
	References  jsontext.Value `json:"references"`
	Ref         string         `json:"ref"`
	Vector      string         `json:"cvss_vector"`
	Severity    string         `json:"severity"`
}

// recordID names the record of a document; "" where it has no number.
func (f *file) recordID(document string) (id string, isCore bool) {
	number := strings.TrimSuffix(path.Base(document), ".json")
	switch isCore = strings.Contains("/"+document, "/core/"); {
	case isCore && number != "" && strings.Trim(number, "0123456789") == "":
		return "NSWG-CORE-" + number, true
	case !isCore && f.ID > 0:
		return "NSWG-ECO-" + strconv.FormatInt(f.ID, 10), false
	}
	return "", isCore
}

func (f *file) record(id string, isCore bool) (*advisory.Record, error) {
	if id == "" {
		return nil, fmt.Errorf("it has no number: %w", fault.Invalid)
	}
	r := &advisory.Record{
		ID: id, Summary: advisory.Summarize(f.Title + f.Description), Details: f.Overview, Rating: f.Severity,
		Published: feedtext.Time(f.Published), Modified: feedtext.Time(f.Updated),
	}
	if r.Modified == "" {
		r.Modified = max(r.Published, feedtext.Undated)
	}
	if r.Summary == "" {
		r.Summary = advisory.Summarize(f.Overview)
	}
	for _, id := range append(f.CVEs, f.CVE...) {
		if id = strings.TrimSpace(id); feedtext.IsCVE(id) {
			r.Aliases = append(r.Aliases, id)
		}
	}
	if f.Vector != "" {
		r.Scores = []finding.Score{{Type: "CVSS_V" + vectorVersion(f.Vector), Value: f.Vector}}
	}
	var list links.List
	list.Add(f.Ref, "vendor-advisory")
	for _, address := range f.addresses() {
		list.Add(address)
	}
	if r.References = list.All; len(r.References) > 0 {
		r.URL = r.References[0].URL
	}
	if isCore {
		return r, nil
	}
	affected, err := f.affected()
	r.Affected = affected
	return r, err
}

// vectorVersion tells the version of CVSS by how a vector begins.
func vectorVersion(vector string) string {
	switch {
	case strings.HasPrefix(vector, "CVSS:4"):
		return "4"
	case strings.HasPrefix(vector, "CVSS:3"):
		return "3"
	}
	return "2"
}

// addresses returns the references, which files have as a list or as a text.
func (f *file) addresses() []string {
	var list []string
	var text string
	switch f.References.Kind() {
	case '[':
		if jsonlist.Decode(f.References, &list, "") != nil {
			return nil
		}
	case '"':
		if jsonlist.Decode(f.References, &text, "") != nil {
			return nil
		}
		list = strings.Fields(text)
	}
	return list
}

// affected returns which versions of the package are affected.
func (f *file) affected() ([]advisory.Affected, error) {
	if f.Module == "" {
		return nil, fmt.Errorf("it names no package: %w", fault.Invalid)
	}
	scheme, err := version.For("npm")
	if err != nil {
		return nil, err
	}
	set, err := span(scheme, f.Vulnerable)
	if strings.TrimSpace(f.Vulnerable) == "" {
		if set, err = span(scheme, f.Patched); err == nil {
			set = set.Not()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case set.IsEmpty():
		return nil, fmt.Errorf("no version is affected: %w", fault.Invalid)
	}
	return []advisory.Affected{{Ecosystem: "npm", Name: f.Module, Ranges: set.Ranges(advisory.RangeSemver, spans.Above(scheme))}}, nil
}

// span reads a range as npm does, with pre-releases in their place.
func span(scheme version.Scheme, text string) (spans.Set, error) {
	r, err := version.ParseNPMRange(text, &version.NPMOptions{Loose: true, IncludePrerelease: true})
	if err != nil {
		return spans.Set{}, err
	}
	return spans.Parse(scheme, r.String())
}
