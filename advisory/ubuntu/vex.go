package ubuntu

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
)

// vexDocument is what this package reads of OpenVEX.
type vexDocument struct {
	Context    string      `json:"@context"`
	Time       string      `json:"timestamp"`
	Updated    string      `json:"last_updated"`
	Statements []statement `json:"statements"`
}

type statement struct {
	Vulnerability struct {
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Aliases     []string `json:"aliases"`
	} `json:"vulnerability"`
	Products []struct {
		ID string `json:"@id"`
	} `json:"products"`
	Status string `json:"status"`
	Action string `json:"action_statement"`
	Time   string `json:"timestamp"`
}

// vex yields the records of a document in OpenVEX, one for each vulnerability,
// sorted by id.
func vex(name string, content []byte, yield func(advisory.Statement, error) bool) {
	var doc vexDocument
	err := json.Unmarshal(content, &doc)
	products := 0
	for i := range doc.Statements {
		products += len(doc.Statements[i].Products)
	}
	switch {
	case err != nil:
		err = fmt.Errorf("%v: %w", err, fault.Invalid)
	case !strings.HasPrefix(doc.Context, "https://openvex.dev/ns"):
		err = fmt.Errorf("its context is %.80q, not that of OpenVEX: %w", doc.Context, fault.Unsupported)
	case feedtext.Time(cmp.Or(doc.Updated, doc.Time)) == "":
		err = fmt.Errorf("it has no time: %w", fault.Invalid)
	case len(doc.Statements) == 0:
		err = fmt.Errorf("it has no statements: %w", fault.Invalid)
	case len(doc.Statements) > maxStatements:
		err = &fault.LimitError{What: "statements", Where: name, Max: maxStatements, Seen: int64(len(doc.Statements))}
	case products > maxProducts:
		err = &fault.LimitError{What: "products", Where: name, Max: maxProducts, Seen: int64(products)}
	}
	if err != nil {
		yield(nil, fmt.Errorf("read OpenVEX from %s: %w", name, err))
		return
	}
	slices.SortStableFunc(doc.Statements, func(a, b statement) int {
		return strings.Compare(a.Vulnerability.Name, b.Vulnerability.Name)
	})
	out := feedtext.Out{File: name, Yield: yield}
	for list := doc.Statements; len(list) > 0; {
		n := 1
		for n < len(list) && list[n].Vulnerability.Name == list[0].Vulnerability.Name {
			n++
		}
		r, err := vexRecord(&doc, list[:n])
		r.Digest = feedtext.Digest([]byte(r.ID), content)
		list = list[n:]
		if err != nil && !out.Broken(r.ID, r.Digest, err) || err == nil && !out.Record(r) {
			return
		}
	}
}

// vexRecord makes the record of one vulnerability.
func vexRecord(doc *vexDocument, list []statement) (*advisory.Record, error) {
	v := &list[0].Vulnerability
	r := &advisory.Record{
		ID: "UBUNTU-" + v.Name, Modified: feedtext.Time(cmp.Or(doc.Updated, doc.Time)), Published: feedtext.Time(list[0].Time),
		Details: v.Description, Summary: advisory.Summarize(v.Description), URL: "https://ubuntu.com/security/" + v.Name,
	}
	if !feedtext.IsCVE(v.Name) {
		r.URL = ""
		return r, fmt.Errorf("%.80q is no CVE id: %w", v.Name, fault.Invalid)
	}
	r.Upstream = []string{v.Name}
	r.References = append(r.References, advisory.Reference{Type: "REPORT", URL: r.URL})
	for _, a := range v.Aliases {
		if ref := (advisory.Reference{Type: "WEB", URL: a}); a != r.URL && len(a) <= advisory.MaxValue && strings.HasPrefix(a, "http") {
			r.References = append(r.References, ref)
		}
	}
	at := map[[2]string]bool{}
	for i := range list {
		s := &list[i]
		status, ok := statusOf(s)
		if !ok {
			return r, fmt.Errorf("the status %.40q is unknown: %w", s.Status, fault.Invalid)
		}
		if s.Status == "fixed" {
			continue
		}
		for _, p := range s.Products {
			a, err := product(p.ID, status)
			if err != nil {
				return r, err
			}
			if key := [2]string{a.Ecosystem, a.Name}; a.Name != "" && !at[key] {
				at[key] = true
				r.Affected = append(r.Affected, a)
			}
		}
	}
	slices.SortFunc(r.Affected, func(a, b advisory.Affected) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name))
	})
	return r, nil
}

// statusOf is what a statement decides.
func statusOf(s *statement) (advisory.Status, bool) {
	switch s.Status {
	case "not_affected":
		return advisory.NotAffected, true
	case "under_investigation":
		return advisory.UnderInvestigation, true
	case "fixed":
		return "", true
	case "affected":
		// What follows "CVE Notes" is anybody's text.
		action, _, _ := strings.Cut(s.Action, "CVE Notes")
		switch {
		case strings.Contains(action, "no longer supported"), strings.Contains(action, "end of life"):
			return advisory.EndOfLife, true
		case strings.Contains(action, "decided to not fix"), strings.Contains(action, "decided not to fix"):
			return advisory.WillNotFix, true
		case strings.Contains(action, "deferred"):
			return advisory.FixDeferred, true
		}
		return "", true
	}
	return "", false
}

// product is a source package that a statement is about; its name is empty for
// what is none.
func product(id string, status advisory.Status) (advisory.Affected, error) {
	u, err := purl.Parse(id)
	if err != nil {
		return advisory.Affected{}, fmt.Errorf("the product %.200q: %v: %w", id, err, fault.Invalid)
	}
	if u.Type != "deb" || u.Namespace != "ubuntu" || u.Qualifier("arch") != "source" {
		return advisory.Affected{}, nil
	}
	ecosystem, ok := ecosystemOf(u.Qualifier("distro"))
	if !ok {
		return advisory.Affected{}, fmt.Errorf("the product %.200q is of no release: %w", id, fault.Invalid)
	}
	a := advisory.Affected{Ecosystem: ecosystem, Name: u.Name, Status: status}
	if status != advisory.NotAffected {
		a.Ranges = []advisory.Range{{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}}}}
	}
	return a, nil
}

// ecosystemOf is the ecosystem of a package URL's distro, as Canonical's OSV
// records name it.
func ecosystemOf(distro string) (string, bool) {
	archive, code, ok := strings.Cut(distro, "/")
	if !ok {
		archive, code = "", distro
	}
	if archive == "trusty" && code == "esm" { // as it was once written
		archive, code = "esm-infra", "trusty"
	}
	release := releases[code]
	if release == "" {
		release = code // newer than this table
	}
	if release == "" {
		return "", false
	}
	switch {
	case archive == "":
		return "Ubuntu:" + release, true
	case strings.HasPrefix(archive, "esm-"), strings.HasPrefix(archive, "ros"):
		return "Ubuntu:Pro:" + release, true
	case strings.HasPrefix(archive, "fips"):
		return "Ubuntu:Pro:FIPS" + strings.TrimPrefix(archive, "fips") + ":" + release, true
	case archive == "realtime":
		return "Ubuntu:Pro:Realtime:" + release, true
	}
	return "Ubuntu:Pro:" + archive + ":" + release, true
}
