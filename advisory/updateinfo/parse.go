package updateinfo

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// update is what this package reads of an update.
type update struct {
	Status      string      `xml:"status,attr"`
	Type        string      `xml:"type,attr"`
	ID          string      `xml:"id"`
	Title       string      `xml:"title"`
	Issued      date        `xml:"issued"`
	Updated     date        `xml:"updated"`
	Severity    string      `xml:"severity"`
	Summary     string      `xml:"summary"`
	Description string      `xml:"description"`
	References  []reference `xml:"references>reference"`
	Collections []struct {
		Module *struct {
			Name   string `xml:"name,attr"`
			Stream string `xml:"stream,attr"`
		} `xml:"module"`
		Packages []pkg `xml:"package"`
	} `xml:"pkglist>collection"`
}

type date struct {
	Date string `xml:"date,attr"`
}

type reference struct {
	URL   string `xml:"href,attr"`
	ID    string `xml:"id,attr"`
	Type  string `xml:"type,attr"`
	Title string `xml:"title,attr"`
}

type pkg struct {
	Name    string `xml:"name,attr"`
	Epoch   string `xml:"epoch,attr"`
	Version string `xml:"version,attr"`
	Release string `xml:"release,attr"`
	Arch    string `xml:"arch,attr"`
	Source  string `xml:"src,attr"`
}

var errStop = errors.New("stop")

// parse yields the records of a document, in its order.
func (s *Source) parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		release, _, ok := strings.Cut(doc.Name, "/")
		if !ok || release == "" {
			yield(nil, fmt.Errorf("read updates from %s: its name does not begin with a release: %w", doc.Name, fault.Invalid))
			return
		}
		out := feedtext.Out{File: doc.Name, Yield: yield}
		seen := map[string]string{} // digests by id
		err := feedtext.Walk(doc.Name, doc.Content, maxDocument, "updates", 1, func(e *feedtext.Element) error {
			if e.Name.Local != "update" {
				return e.Skip()
			}
			var u update
			if err := e.Decode(&u); err != nil {
				return err
			}
			cves := u.cves()
			if u.Type != "security" && len(cves) == 0 {
				return nil
			}
			r, err := s.record(release, &u, cves, e.Text())
			if before, known := seen[r.ID]; known && err == nil {
				if before == r.Digest {
					return nil // the same once more
				}
				err = fmt.Errorf("there is another update of its id before it: %w", fault.Invalid)
			}
			seen[r.ID] = r.Digest
			if err != nil && !out.Broken(r.ID, r.Digest, err) || err == nil && !out.Record(r) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			yield(nil, fmt.Errorf("read updates from %s: %w", doc.Name, err))
		}
	}
}

// cves are the CVE ids that an update names.
func (u *update) cves() (out []string) {
	add := func(text string) {
		for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return !(c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z') }) {
			if feedtext.IsCVE(word) && !slices.Contains(out, word) {
				out = append(out, word)
			}
		}
	}
	for _, r := range u.References {
		add(r.ID)
		add(r.Title)
	}
	add(u.Title)
	return out
}

// record makes the record of an update. With an error, it has the id and the
// digest.
func (s *Source) record(release string, u *update, cves []string, text []byte) (*advisory.Record, error) {
	r := &advisory.Record{
		ID: strings.TrimSpace(u.ID), Modified: feedtext.Undated, Upstream: cves, Digest: feedtext.Digest(text),
		Summary: advisory.Summarize(u.Title), Details: strings.TrimSpace(u.Description), Rating: rating(u.Severity),
	}
	if r.Details == "" {
		r.Details = strings.TrimSpace(u.Summary)
	}
	r.Published = feedtext.Time(u.Issued.Date)
	for _, t := range []string{r.Published, feedtext.Time(u.Updated.Date)} {
		if t > r.Modified {
			r.Modified = t
		}
	}
	switch u.Status {
	case "retracted", "revoked", "withdrawn":
		r.Withdrawn = r.Modified
	}
	if r.ID == "" {
		return r, fmt.Errorf("it has no id: %w", fault.Invalid)
	}
	for _, ref := range u.References {
		if !strings.HasPrefix(ref.URL, "https://") && !strings.HasPrefix(ref.URL, "http://") {
			continue
		}
		kind := "REPORT"
		if ref.Type == "self" || strings.Contains(ref.URL, r.ID) {
			kind, r.URL = "ADVISORY", ref.URL
		}
		r.References = append(r.References, advisory.Reference{Type: kind, URL: ref.URL})
	}
	if r.URL == "" && s.page != nil {
		r.URL = s.page(release, r.ID)
		r.References = append([]advisory.Reference{{Type: "ADVISORY", URL: r.URL}}, r.References...)
	}
	return r, s.affected(r, release, u)
}

// rating is the severity, unless it says that there is none.
func rating(s string) string {
	switch s = strings.TrimSpace(s); strings.ToLower(s) {
	case "none", "unspecified", "n/a":
		return ""
	}
	return s
}

// affected fills in the packages of an update, one for each stream and name.
func (s *Source) affected(r *advisory.Record, release string, u *update) error {
	at := map[[2]string]int{}
	for _, c := range u.Collections {
		stream := ""
		if c.Module != nil {
			if stream = c.Module.Name + ":" + c.Module.Stream; c.Module.Name == "" || c.Module.Stream == "" {
				return fmt.Errorf("a module has no name or stream: %w", fault.Invalid)
			}
		}
		for i := range c.Packages {
			p := &c.Packages[i]
			if p.Arch == "src" || p.Arch == "nosrc" {
				continue
			}
			name, fixed, err := s.fixed(p)
			if err != nil {
				return err
			}
			key := [2]string{stream, name}
			n, known := at[key]
			if !known {
				if len(r.Affected) == advisory.MaxAffected {
					return &fault.LimitError{What: "affected packages", Where: r.ID, Max: advisory.MaxAffected}
				}
				n = len(r.Affected)
				at[key] = n
				r.Affected = append(r.Affected, advisory.Affected{Ecosystem: s.ecosystem + ":" + release, Name: name, Stream: stream})
			}
			a := &r.Affected[n]
			events := []version.Event{{Introduced: "0"}, {Fixed: fixed}}
			if !slices.ContainsFunc(a.Ranges, func(r advisory.Range) bool { return slices.Equal(r.Events, events) }) {
				a.Ranges = append(a.Ranges, advisory.Range{Type: advisory.RangeEcosystem, Events: events})
			}
		}
	}
	return nil
}

// fixed is the name by which a package is kept, and the version that has the
// fix.
func (s *Source) fixed(p *pkg) (name, fixed string, err error) {
	if p.Name == "" || p.Version == "" || p.Release == "" {
		return "", "", fmt.Errorf("a package has the name %.80q, version %.80q and release %.80q: %w", p.Name, p.Version, p.Release, fault.Invalid)
	}
	name, fixed = p.Name, p.Version+"-"+p.Release
	if s.bySource {
		if n, v, ok := splitSource(p.Source); ok {
			name, fixed = n, v
		}
	}
	if p.Epoch != "" && p.Epoch != "0" {
		fixed = p.Epoch + ":" + fixed
	}
	return name, fixed, nil
}

// splitSource splits "lz4-1.8.3-3.el8_4.src.rpm" into name, and version with
// release.
func splitSource(file string) (name, evr string, ok bool) {
	file = strings.TrimSuffix(file, ".rpm")
	nvr, ok := strings.CutSuffix(file, ".src")
	if !ok {
		nvr, ok = strings.CutSuffix(file, ".nosrc")
	}
	i := strings.LastIndexByte(nvr, '-')
	if !ok || i <= 0 || i+1 == len(nvr) {
		return "", "", false
	}
	j := strings.LastIndexByte(nvr[:i], '-')
	if j <= 0 || j+1 == i {
		return "", "", false
	}
	return nvr[:j], nvr[j+1:], true
}
