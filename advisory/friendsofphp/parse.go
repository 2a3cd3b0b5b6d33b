package friendsofphp

import (
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/internal/links"
	"github.com/stella-ops/stella/advisory/internal/spans"
	"github.com/stella-ops/stella/advisory/internal/yamldoc"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// maxConditions bounds the conditions of one file.
const maxConditions = 1000

// Parse yields the record of a file, whose name is "<vendor>/<package>/<id>.yaml".
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		var f file
		if err := yamldoc.Decode(doc.Content, &f); err != nil {
			yield(nil, fmt.Errorf("read PHP advisory %s: %w", doc.Name, err))
			return
		}
		out := feedtext.Out{File: doc.Name, Yield: yield}
		digest := feedtext.Digest(doc.Content)
		r, err := f.record(doc.Name)
		if err != nil {
			out.Broken(recordID(doc.Name), digest, err)
			return
		}
		r.Digest = digest
		out.Record(r)
	}
}

// file is what is read of a file.
type file struct {
	Title      string            `yaml:"title"`
	Link       string            `yaml:"link"`
	CVE        string            `yaml:"cve"`
	Reference  string            `yaml:"reference"`
	Repository string            `yaml:"composer-repository"`
	Branches   map[string]branch `yaml:"branches"`
}

type branch struct {
	Time     string       `yaml:"time"`
	Versions yamldoc.List `yaml:"versions"`
}

// recordID names the record of a document.
func recordID(document string) string {
	dir, name := path.Split(strings.TrimSuffix(document, path.Ext(document)))
	return "FRIENDSOFPHP-" + strings.ReplaceAll(strings.TrimSuffix(dir, "/"), "/", ":") + "-" + name
}

func (f *file) record(document string) (*advisory.Record, error) {
	r := &advisory.Record{ID: recordID(document), Summary: advisory.Summarize(f.Title), Modified: feedtext.Undated}
	for _, id := range []string{f.CVE, strings.TrimSuffix(path.Base(document), path.Ext(document))} {
		if (feedtext.IsCVE(id) || strings.HasPrefix(id, "GHSA-")) && !slices.Contains(r.Aliases, id) {
			r.Aliases = append(r.Aliases, id)
		}
	}
	var list links.List
	list.Add(f.Link, "vendor-advisory")
	if r.References = list.All; r.References != nil {
		r.URL = f.Link
	}
	for _, b := range f.Branches {
		r.Modified = max(r.Modified, feedtext.Time(b.Time))
	}
	name, ok := strings.CutPrefix(f.Reference, "composer://")
	if !ok || strings.Count(name, "/") != 1 {
		return nil, fmt.Errorf("the reference %.80q is not that of a Composer package: %w", f.Reference, fault.Invalid)
	}
	ranges, err := f.ranges()
	r.Affected = []advisory.Affected{{Ecosystem: f.ecosystem(), Name: name, Ranges: ranges}}
	return r, err
}

// ecosystem is Packagist's, or that of another repository. "false" says that the
// package is in none.
func (f *file) ecosystem() string {
	if address := strings.TrimSuffix(f.Repository, "/"); strings.HasPrefix(address, "https://") && address != "https://packagist.org" && address != "https://repo.packagist.org" {
		return "Packagist:" + address
	}
	return "Packagist"
}

// ranges returns the affected versions of all branches.
func (f *file) ranges() ([]advisory.Range, error) {
	scheme, err := version.For("Packagist")
	if err != nil {
		return nil, err
	}
	var list []spans.Set
	n := 0
	for name, b := range f.Branches {
		if n += len(b.Versions) + 1; n > maxConditions {
			return nil, &fault.LimitError{What: "conditions", Where: "the advisory", Max: maxConditions}
		}
		if len(b.Versions) == 0 {
			return nil, fmt.Errorf("branch %.64q has no versions: %w", name, fault.Invalid)
		}
		set := spans.All()
		for _, text := range b.Versions {
			one, err := condition(scheme, text)
			if err != nil {
				return nil, fmt.Errorf("branch %.64q: %w", name, err)
			}
			set = set.And(one)
		}
		list = append(list, set)
	}
	set := spans.Union(list...)
	if set.IsEmpty() {
		return nil, fmt.Errorf("no version is affected: %w", fault.Invalid)
	}
	return set.Ranges(advisory.RangeEcosystem, spans.Above(scheme)), nil
}

// condition reads one condition, such as ">=3.0.0".
func condition(scheme version.Scheme, text string) (spans.Set, error) {
	text = strings.TrimSpace(text)
	n := 0
	for n < len(text) && strings.IndexByte("<>=!", text[n]) >= 0 {
		n++
	}
	op, v := text[:n], strings.TrimSpace(text[n:])
	if op == ">=" && strings.Trim(v, "0123456789.") == "" {
		v += "-dev"
	}
	set, err := spans.Compare(scheme, op, v)
	if err != nil {
		return set, fmt.Errorf("read condition %.64q: %w", text, err)
	}
	return set, nil
}
