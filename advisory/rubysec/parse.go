package rubysec

import (
	"fmt"
	"iter"
	"path"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/internal/links"
	"github.com/stella-ops/stella/advisory/internal/spans"
	"github.com/stella-ops/stella/advisory/internal/yamldoc"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// Parse yields the record of a file, whose name is
// "gems/<gem>/<id>.yml" or "rubies/<implementation>/<id>.yml".
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		var f file
		if err := yamldoc.Decode(doc.Content, &f); err != nil {
			yield(nil, fmt.Errorf("read Ruby advisory %s: %w", doc.Name, err))
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
	Gem         string       `yaml:"gem"`
	Engine      string       `yaml:"engine"`
	CVE         string       `yaml:"cve"`
	OSVDB       string       `yaml:"osvdb"`
	GHSA        string       `yaml:"ghsa"`
	URL         string       `yaml:"url"`
	Title       string       `yaml:"title"`
	Date        string       `yaml:"date"`
	Description string       `yaml:"description"`
	CVSS2       string       `yaml:"cvss_v2"`
	CVSS3       string       `yaml:"cvss_v3"`
	CVSS4       string       `yaml:"cvss_v4"`
	Unaffected  yamldoc.List `yaml:"unaffected_versions"`
	Patched     yamldoc.List `yaml:"patched_versions"`
	Related     struct {
		CVE   yamldoc.List `yaml:"cve"`
		OSVDB yamldoc.List `yaml:"osvdb"`
		GHSA  yamldoc.List `yaml:"ghsa"`
		URL   yamldoc.List `yaml:"url"`
	} `yaml:"related"`
}

// recordID names the record of a document.
func recordID(document string) string {
	dir, name := path.Split(strings.TrimSuffix(document, path.Ext(document)))
	return "RUBYSEC-" + path.Base(dir) + "-" + name
}

func (f *file) record(document string) (*advisory.Record, error) {
	r := &advisory.Record{
		ID: recordID(document), Summary: advisory.Summarize(f.Title), Details: f.Description,
		Published: feedtext.Time(f.Date), Modified: feedtext.Time(f.Date), Rating: f.rating(),
		Aliases: ids([]string{f.CVE}, []string{f.GHSA}, []string{f.OSVDB}),
		Related: ids(f.Related.CVE, f.Related.GHSA, f.Related.OSVDB),
	}
	if r.Modified == "" {
		return nil, fmt.Errorf("the date %.40q is none: %w", f.Date, fault.Invalid)
	}
	if r.Summary == "" {
		r.Summary = advisory.Summarize(f.Description)
	}
	var list links.List
	list.Add(f.URL, "vendor-advisory")
	for _, address := range f.Related.URL {
		list.Add(address)
	}
	r.References = list.All
	if links.Is(f.URL) {
		r.URL = f.URL
	}
	switch {
	case f.Gem == "" && f.Engine == "":
		return nil, fmt.Errorf("it names neither a gem nor an engine: %w", fault.Invalid)
	case f.Gem == "":
		return r, nil
	}
	affected, err := f.affected()
	r.Affected = affected
	return r, err
}

// affected returns what is neither repaired nor never was affected.
func (f *file) affected() ([]advisory.Affected, error) {
	scheme, err := version.For("RubyGems")
	if err != nil {
		return nil, err
	}
	if n := len(f.Patched) + len(f.Unaffected); n > maxRequirements {
		return nil, &fault.LimitError{What: "requirements", Where: "the advisory", Max: maxRequirements, Seen: int64(n)}
	}
	var good []spans.Set
	for _, list := range [][]string{f.Patched, f.Unaffected} {
		for _, text := range list {
			one, err := requirement(scheme, text)
			if err != nil {
				return nil, err
			}
			good = append(good, one)
		}
	}
	bad := spans.Union(good...).Not()
	if bad.IsEmpty() {
		return nil, fmt.Errorf("no version is affected: %w", fault.Invalid)
	}
	return []advisory.Affected{{
		Ecosystem: "RubyGems", Name: f.Gem, Ranges: bad.Ranges(advisory.RangeEcosystem, spans.Above(scheme)),
	}}, nil
}

// ids writes ids of CVE, GHSA and OSVDB, which the files have without their
// beginnings.
func ids(cve, ghsa, osvdb []string) (out []string) {
	for _, list := range []struct {
		prefix string
		ids    []string
	}{{"CVE-", cve}, {"GHSA-", ghsa}, {"OSVDB-", osvdb}} {
		for _, id := range list.ids {
			if id = strings.TrimSpace(strings.TrimPrefix(id, list.prefix)); id != "" && !strings.ContainsAny(id, " \t\r\n") {
				out = append(out, list.prefix+id)
			}
		}
	}
	return out
}

// rating returns the word for the newest score that the file has.
func (f *file) rating() string {
	for _, score := range []string{f.CVSS4, f.CVSS3, f.CVSS2} {
		tenths, ok := parseTenths(score)
		switch {
		case !ok:
		case tenths == 0:
			return "NONE"
		case tenths < 40:
			return "LOW"
		case tenths < 70:
			return "MEDIUM"
		case tenths < 90 || score == f.CVSS2 && f.CVSS3+f.CVSS4 == "":
			return "HIGH"
		default:
			return "CRITICAL"
		}
	}
	return ""
}

// parseTenths reads a score from 0 to 10 with at most one decimal.
func parseTenths(s string) (int, bool) {
	whole, tenth, _ := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole+(tenth + "0")[:1], 10, 8)
	return int(n), err == nil && whole != "" && len(tenth) <= 1 && n <= 100
}
