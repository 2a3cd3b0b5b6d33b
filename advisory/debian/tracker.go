package debian

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

const trackerPage = "https://security-tracker.debian.org/tracker/"

// part is what the tracker says about one package and one CVE.
type part struct {
	cve, pkg string
	text     []byte // JSON, of the document
}

// tracker yields the records of the tracker's JSON, sorted by id. The document
// is by package, records are by CVE: it is gone through once for the places of
// the parts, which are then read in the order of the records.
func tracker(name string, content []byte) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		parts, err := split(content)
		if err != nil {
			yield(nil, fmt.Errorf("read Debian's tracker from %s: %w", name, err))
			return
		}
		slices.SortFunc(parts, func(a, b part) int {
			return cmp.Or(strings.Compare(a.cve, b.cve), strings.Compare(a.pkg, b.pkg))
		})
		out := feedtext.Out{File: name, Yield: yield}
		for len(parts) > 0 {
			n := 1
			for n < len(parts) && parts[n].cve == parts[0].cve {
				n++
			}
			r, err := trackerRecord(parts[:n])
			parts = parts[n:]
			if err != nil && !out.Broken("", "", err) || err == nil && !out.Record(r) {
				return
			}
		}
	}
}

// split finds the parts of the document, and with that checks its syntax.
func split(content []byte) (parts []part, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(content))
	open := func() (bool, error) {
		if dec.PeekKind() != '{' {
			if err := dec.SkipValue(); err != nil {
				return false, err
			}
			return false, nil
		}
		_, err := dec.ReadToken()
		return true, err
	}
	if ok, err := open(); err != nil || !ok {
		return nil, syntax(cmp.Or(err, errors.New("it is not an object")))
	}
	known := map[string]string{} // CVE ids, each stored once
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, syntax(err)
		}
		pkg := token.String()
		ok, err := open()
		if err != nil {
			return nil, syntax(err)
		}
		for ok && dec.PeekKind() == '"' {
			token, err := dec.ReadToken()
			if err != nil {
				return nil, syntax(err)
			}
			id := token.String()
			if kept, ok := known[id]; ok {
				id = kept
			} else {
				known[id] = id
			}
			value, err := dec.ReadValue()
			if err != nil {
				return nil, syntax(err)
			}
			if len(parts) == maxParts {
				return nil, &fault.LimitError{What: "pairs of a package and a CVE", Where: "the document", Max: maxParts}
			}
			end := int(dec.InputOffset())
			parts = append(parts, part{id, pkg, content[end-len(value) : end]})
		}
		if ok {
			if _, err := dec.ReadToken(); err != nil {
				return nil, syntax(err)
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, syntax(err)
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, syntax(errors.New("something follows it"))
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("it names no vulnerability: %w", fault.Invalid)
	}
	return parts, nil
}

func syntax(err error) error { return fmt.Errorf("%v: %w", err, fault.Invalid) }

// pair is the tracker's value for a package and a CVE.
type pair struct {
	Description string         `json:"description"`
	Bug         jsontext.Value `json:"debianbug"`
	Releases    jsontext.Value `json:"releases"` // an object, or an empty array
}

// standing is how one release stands.
type standing struct {
	Status string `json:"status"`
	Fixed  string `json:"fixed_version"`
	// Urgency of the issue in this release.
	Urgency string `json:"urgency"`
	NoDSA   string `json:"nodsa"`
	Reason  string `json:"nodsa_reason"`
}

// trackerRecord reads the parts about one CVE. An error is a
// [*advisory.RecordError].
func trackerRecord(parts []part) (*advisory.Record, error) {
	id := parts[0].cve
	r := &advisory.Record{ID: "DEBIAN-" + id, Modified: feedtext.Undated, URL: trackerPage + id}
	texts := make([][]byte, 0, 2*len(parts))
	fail := func(p part, err error) error {
		return &advisory.RecordError{ID: r.ID, Pointer: string(jsontext.Pointer("").AppendToken(p.pkg).AppendToken(p.cve)), Digest: feedtext.Digest(texts...), Err: err}
	}
	for _, p := range parts {
		texts = append(texts, []byte(p.pkg), p.text)
	}
	if len(id) > maxName || id == "" || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, fail(parts[0], fmt.Errorf("%.64q is no id: %w", id, fault.Invalid))
	}
	if feedtext.IsCVE(id) {
		r.Upstream = []string{id}
	}
	for _, p := range parts {
		if err := addPart(r, p); err != nil {
			return nil, fail(p, err)
		}
	}
	r.Summary = advisory.Summarize(r.Details)
	r.Digest = feedtext.Digest(texts...)
	r.References = append([]advisory.Reference{{Type: "ADVISORY", URL: r.URL}}, r.References...)
	return r, nil
}

// addPart adds one part to a record.
func addPart(r *advisory.Record, p part) error {
	var v pair
	if err := json.Unmarshal(p.text, &v); err != nil {
		return syntax(err)
	}
	if p.pkg == "" || len(p.pkg) > maxName {
		return fmt.Errorf("%.64q is no name of a package: %w", p.pkg, fault.Invalid)
	}
	if r.Details == "" {
		r.Details = v.Description
	}
	if bug, err := strconv.Atoi(string(v.Bug)); err == nil {
		ref := advisory.Reference{Type: "REPORT", URL: "https://bugs.debian.org/" + strconv.Itoa(bug)}
		if !slices.Contains(r.References, ref) {
			r.References = append(r.References, ref)
		}
	}
	if k := v.Releases.Kind(); k != '{' {
		if k == '[' && len(bytes.TrimSpace(v.Releases[1:len(v.Releases)-1])) > 0 || k == '"' || k == '0' {
			return fmt.Errorf("its releases are not an object: %w", fault.Invalid)
		}
		return nil // it stands nowhere
	}
	releases := map[string]standing{}
	if err := json.Unmarshal(v.Releases, &releases); err != nil {
		return syntax(err)
	}
	if len(releases) > maxReleases {
		return &fault.LimitError{What: "releases", Where: "one package", Max: maxReleases, Seen: int64(len(releases))}
	}
	codes := make([]string, 0, len(releases))
	for code := range releases {
		if code == "" || len(code) > maxName {
			return fmt.Errorf("%.64q is no name of a release: %w", code, fault.Invalid)
		}
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		a, err := affected(p.pkg, code, releases[code])
		if err != nil {
			return err
		}
		r.Affected = append(r.Affected, a)
	}
	return nil
}

// affected is how a package stands in a release.
func affected(pkg, code string, s standing) (advisory.Affected, error) {
	a := advisory.Affected{Ecosystem: ecosystem(code), Name: pkg, Rating: s.Urgency}
	switch s.Status {
	case "resolved", "open", "undetermined":
	default:
		return a, fmt.Errorf("the status %.64q of release %s is unknown: %w", s.Status, code, fault.Invalid)
	}
	if s.Fixed == "0" {
		a.Status = advisory.NotAffected
		return a, nil
	}
	if s.Fixed == "" && s.Status == "resolved" {
		return a, fmt.Errorf("release %s is resolved without a version: %w", code, fault.Invalid)
	}
	a.Ranges = until(s.Fixed)
	switch {
	case s.Urgency == "end-of-life":
		a.Status = advisory.EndOfLife
	case s.Urgency == "unimportant":
		a.Status = advisory.Unimportant
	case s.Fixed != "":
	case s.Status == "undetermined":
		a.Status = advisory.UnderInvestigation
	case s.Reason == "ignored":
		a.Status = advisory.WillNotFix
	case s.Reason == "postponed":
		a.Status = advisory.FixDeferred
	}
	return a, nil
}

// until is the range of all versions before fixed, and of all where that is
// empty.
func until(fixed string) []advisory.Range {
	events := []version.Event{{Introduced: "0"}}
	if fixed != "" {
		events = append(events, version.Event{Fixed: fixed})
	}
	return []advisory.Range{{Type: advisory.RangeEcosystem, Events: events}}
}
