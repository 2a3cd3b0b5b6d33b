package ghsa

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
)

// answer is an advisory as the interfaces write it. Where the two differ in a
// name, the one of REST follows.
type answer struct {
	GHSAID      string `json:"ghsaId"`
	RESTID      string `json:"ghsa_id"`
	Identifiers []struct {
		Value string `json:"value"`
	} `json:"identifiers"`
	References  []reference    `json:"references"`
	Description string         `json:"description"`
	Summary     string         `json:"summary"`
	Severity    string         `json:"severity"`
	CVSS        score          `json:"cvss"`
	Scores      scores         `json:"cvssSeverities"`
	RESTScores  scores         `json:"cvss_severities"`
	CWEs        list[weakness] `json:"cwes"`
	Permalink   string         `json:"permalink"`
	RESTPage    string         `json:"html_url"`
	Published   string         `json:"publishedAt"`
	RESTPublish string         `json:"published_at"`
	Updated     string         `json:"updatedAt"`
	RESTUpdate  string         `json:"updated_at"`
	Withdrawn   string         `json:"withdrawnAt"`
	RESTDraw    string         `json:"withdrawn_at"`
	Packages    list[affects]  `json:"vulnerabilities"`
}

type score struct {
	Vector string `json:"vectorString"`
	REST   string `json:"vector_string"`
}

type scores struct {
	V3     score `json:"cvssV3"`
	V4     score `json:"cvssV4"`
	RESTV3 score `json:"cvss_v3"`
	RESTV4 score `json:"cvss_v4"`
}

type weakness struct {
	ID   string `json:"cweId"`
	REST string `json:"cwe_id"`
}

type affects struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Range   string  `json:"vulnerableVersionRange"`
	REST    string  `json:"vulnerable_version_range"`
	Patched patched `json:"firstPatchedVersion"`
	RESTFix patched `json:"first_patched_version"`
}

// list is an array, or an object with one as nodes.
type list[T any] []T

// UnmarshalJSON reads either.
func (l *list[T]) UnmarshalJSON(text []byte) error {
	if strings.HasPrefix(string(text), "{") {
		var o struct {
			Nodes []T `json:"nodes"`
		}
		err := json.Unmarshal(text, &o)
		*l = o.Nodes
		return err
	}
	return json.Unmarshal(text, (*[]T)(l))
}

// reference is an address, or an object with one.
type reference string

// UnmarshalJSON reads either.
func (r *reference) UnmarshalJSON(text []byte) error { return oneOf(text, "url", (*string)(r)) }

// patched is a version, or an object with one.
type patched string

// UnmarshalJSON reads either.
func (p *patched) UnmarshalJSON(text []byte) error { return oneOf(text, "identifier", (*string)(p)) }

// oneOf reads a text, or the member of that name.
func oneOf(text []byte, member string, to *string) error {
	if !strings.HasPrefix(string(text), "{") {
		return json.Unmarshal(text, to)
	}
	var o map[string]jsontext.Value
	if err := json.Unmarshal(text, &o); err != nil || len(o[member]) == 0 {
		return err
	}
	return json.Unmarshal(o[member], to)
}

// convert writes an answer as a record. Gaps are packages that cannot be
// written.
func convert(text jsontext.Value) (r *advisory.Record, gaps []*advisory.RecordError, err error) {
	var a answer
	digest := feed.Digest(text)
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, nil, &advisory.RecordError{Digest: digest, Err: fmt.Errorf("%v: %w", err, fault.Invalid)}
	}
	r = &advisory.Record{
		ID: cmp.Or(a.GHSAID, a.RESTID), Digest: digest,
		Modified: cmp.Or(a.Updated, a.RESTUpdate), Published: cmp.Or(a.Published, a.RESTPublish), Withdrawn: cmp.Or(a.Withdrawn, a.RESTDraw),
		Summary: advisory.Summarize(cmp.Or(a.Summary, a.Description)), Details: a.Description,
		Rating: strings.ToUpper(a.Severity), URL: cmp.Or(a.Permalink, a.RESTPage),
	}
	if r.Rating == "MEDIUM" { // REST's word for what the database calls so
		r.Rating = "MODERATE"
	}
	for _, id := range a.Identifiers {
		if id.Value != "" && id.Value != r.ID {
			r.Aliases = append(r.Aliases, id.Value)
		}
	}
	for _, ref := range a.References {
		if ref != "" {
			r.References = append(r.References, advisory.Reference{Type: referenceType(string(ref)), URL: string(ref)})
		}
	}
	for _, w := range a.CWEs {
		if id := cmp.Or(w.ID, w.REST); id != "" {
			r.CWEs = append(r.CWEs, id)
		}
	}
	r.Scores = a.vectors()
	gaps = a.affected(r)
	for _, gap := range gaps {
		gap.ID, gap.Digest = r.ID, digest
	}
	if err := r.Validate(); err != nil {
		return nil, nil, err
	}
	return r, gaps, nil
}

// vectors returns the CVSS vectors, each version once.
func (a *answer) vectors() (out []finding.Score) {
	add := func(kind string, s score) {
		v := cmp.Or(s.Vector, s.REST)
		if v != "" && !slices.ContainsFunc(out, func(o finding.Score) bool { return o.Value == v }) {
			out = append(out, finding.Score{Type: kind, Value: v})
		}
	}
	for _, s := range []scores{a.Scores, a.RESTScores} {
		add("CVSS_V3", s.V3)
		add("CVSS_V3", s.RESTV3)
		add("CVSS_V4", s.V4)
		add("CVSS_V4", s.RESTV4)
	}
	kind := "CVSS_V3"
	if strings.HasPrefix(cmp.Or(a.CVSS.Vector, a.CVSS.REST), "CVSS:4") {
		kind = "CVSS_V4"
	}
	add(kind, a.CVSS)
	return out
}

// affected adds the packages, each once with all its ranges.
func (a *answer) affected(r *advisory.Record) (gaps []*advisory.RecordError) {
	for i, v := range a.Packages {
		fail := func(err error) {
			gaps = append(gaps, &advisory.RecordError{Pointer: fmt.Sprintf("/vulnerabilities/%d", i), Err: err})
		}
		eco, ok := ecosystems[strings.ToUpper(v.Package.Ecosystem)]
		if !ok || v.Package.Name == "" {
			fail(fmt.Errorf("the package %.100q is of the ecosystem %.100q, which is none: %w", v.Package.Name, v.Package.Ecosystem, fault.Unsupported))
			continue
		}
		events, err := events(cmp.Or(v.Range, v.REST), string(cmp.Or(v.Patched, v.RESTFix)), eco)
		if err != nil {
			fail(err)
			continue
		}
		rng := advisory.Range{Type: eco.typ, Events: events}
		at := slices.IndexFunc(r.Affected, func(p advisory.Affected) bool { return p.Ecosystem == eco.name && p.Name == v.Package.Name })
		if at < 0 {
			r.Affected = append(r.Affected, advisory.Affected{Ecosystem: eco.name, Name: v.Package.Name})
			at = len(r.Affected) - 1
		}
		r.Affected[at].Ranges = append(r.Affected[at].Ranges, rng)
	}
	return gaps
}

// referenceType tells what is at an address, as the database's own records do.
func referenceType(address string) string {
	switch {
	case strings.HasPrefix(address, "https://nvd.nist.gov/vuln/detail/"), strings.Contains(address, "github.com/advisories/"):
		return "ADVISORY"
	}
	return "WEB"
}
