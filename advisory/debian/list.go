package debian

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

// list yields the records of a list of advisories, in its order. An entry
// begins at the margin; what is indented belongs to it.
func list(name string, content []byte) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		out, seen := feedtext.Out{File: name, Yield: yield}, map[string]bool{}
		line, pos := 0, 0    // of the line at hand
		start, from := 0, -1 // of the entry at hand
		flush := func() bool {
			if from < 0 {
				return true
			}
			entry := content[from:pos]
			r, err := listRecord(entry)
			if err == nil && seen[r.ID] {
				err = fmt.Errorf("there is another entry of its id before it: %w", fault.Invalid)
			}
			if err != nil {
				return out.Broken(idOf(entry), feedtext.Digest(entry), &advisory.RecordError{Line: start, Err: err})
			}
			seen[r.ID] = true
			return out.Record(r)
		}
		for l := range bytes.Lines(content) {
			line++
			isHead := len(l) > 0 && l[0] != ' ' && l[0] != '\t' && l[0] != '\n' && l[0] != '\r'
			switch {
			case isHead:
				if !flush() {
					return
				}
				start, from = line, pos
			case from < 0 && len(bytes.TrimSpace(l)) > 0:
				if !out.Broken("", "", &advisory.RecordError{Line: line, Err: fmt.Errorf("it belongs to no entry: %w", fault.Invalid)}) {
					return
				}
			}
			pos += len(l)
		}
		if from < 0 {
			yield(nil, fmt.Errorf("read Debian's list %s: it has no entries: %w", name, fault.Invalid))
			return
		}
		flush()
	}
}

// idOf finds the id in the first line of an entry, for the error that says why
// the rest is not read.
func idOf(entry []byte) string {
	_, rest, _ := strings.Cut(string(entry[:min(len(entry), 200)]), "] ")
	id, _, _ := strings.Cut(rest, " ")
	if !isAdvisory(id) {
		return ""
	}
	return id
}

func isAdvisory(id string) bool {
	kind, number, _ := strings.Cut(id, "-")
	return (kind == "DSA" || kind == "DLA" || kind == "DTSA" || kind == "ELA") && number != "" && len(id) < 32 && strings.Trim(number, "0123456789-") == ""
}

// listRecord reads one entry:
//
//	[29 Mar 2023] DSA-5380-1 xorg-server - security update
//		{CVE-2023-1393}
//		[bullseye] - xorg-server 2:1.20.11-1+deb11u6
//		NOTE: …
func listRecord(entry []byte) (*advisory.Record, error) {
	head, body, _ := strings.Cut(string(entry), "\n")
	day, rest, ok := strings.Cut(strings.TrimSpace(head), "] ")
	date := feedtext.Time(strings.TrimPrefix(day, "["))
	if !ok || !strings.HasPrefix(day, "[") || date == "" {
		return nil, fmt.Errorf("%.64q does not begin with a date: %w", head, fault.Invalid)
	}
	id, title, _ := strings.Cut(rest, " ")
	if !isAdvisory(id) {
		return nil, fmt.Errorf("%.64q names no advisory: %w", head, fault.Invalid)
	}
	r := &advisory.Record{
		ID: id, Modified: date, Published: date, Summary: advisory.Summarize(title), URL: trackerPage + id,
		References: []advisory.Reference{{Type: "ADVISORY", URL: trackerPage + id}}, Digest: feedtext.Digest(entry),
	}
	var notes []string
	for l := range strings.Lines(body) {
		l = strings.TrimSpace(l)
		if err := listLine(r, l); err != nil {
			return nil, err
		}
		if note, ok := strings.CutPrefix(l, "NOTE:"); ok {
			notes = append(notes, strings.TrimSpace(note))
		}
	}
	r.Details = strings.Join(notes, "\n")
	return r, nil
}

// listLine reads one indented line of an entry.
func listLine(r *advisory.Record, l string) error {
	switch {
	case l == "", strings.HasPrefix(l, "NOTE:"), strings.HasPrefix(l, "TODO:"):
		return nil
	case l[0] == '{':
		ids, ok := strings.CutSuffix(l[1:], "}")
		if !ok {
			return fmt.Errorf("%.64q is not closed: %w", l, fault.Invalid)
		}
		for _, id := range strings.Fields(ids) {
			if len(r.Upstream) == maxIDs {
				return &fault.LimitError{What: "CVE ids", Where: r.ID, Max: maxIDs}
			}
			if feedtext.IsCVE(id) {
				if !slices.Contains(r.Upstream, id) {
					r.Upstream = append(r.Upstream, id)
				}
			} else if len(id) <= maxName && !slices.Contains(r.Related, id) {
				r.Related = append(r.Related, id)
			}
		}
		return nil
	case l[0] == '[':
		code, rest, ok := strings.Cut(l[1:], "] - ")
		if !ok {
			return fmt.Errorf("%.64q names no package: %w", l, fault.Invalid)
		}
		return listPackage(r, code, rest)
	}
	return fmt.Errorf("%.64q is none of the lines that a list has: %w", l, fault.Invalid)
}

// listPackage reads a package and its version, or the word that stands for it.
func listPackage(r *advisory.Record, code, rest string) error {
	fields := strings.Fields(rest)
	if len(fields) < 2 || code == "" || len(code) > maxName || len(fields[0]) > maxName {
		return fmt.Errorf("%.64q is not a package and a version: %w", rest, fault.Invalid)
	}
	if len(r.Affected) == maxPackages {
		return &fault.LimitError{What: "packages", Where: r.ID, Max: maxPackages}
	}
	a := advisory.Affected{Ecosystem: ecosystem(code), Name: fields[0]}
	switch fields[1] {
	case "<not-affected>", "<not-affacted>":
		a.Status = advisory.NotAffected
	case "<unfixed>", "<no-dsa>":
		a.Ranges = until("")
	case "<undetermined>":
		a.Status, a.Ranges = advisory.UnderInvestigation, until("")
	case "<end-of-life>":
		a.Status, a.Ranges = advisory.EndOfLife, until("")
	case "<ignored>":
		a.Status, a.Ranges = advisory.WillNotFix, until("")
	case "<postponed>":
		a.Status, a.Ranges = advisory.FixDeferred, until("")
	case "<removed>":
		a.Status, a.Ranges = advisory.WillNotFix, until("")
	default:
		if strings.HasPrefix(fields[1], "<") {
			return fmt.Errorf("%.64q is an unknown state: %w", fields[1], fault.Invalid)
		}
		a.Ranges = until(fields[1])
	}
	r.Affected = append(r.Affected, a)
	return nil
}
