package cve5

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/spans"
	"github.com/stella-ops/stella/advisory/version"
)

// versionEntry is what a product says of one version, or of a range.
type versionEntry struct {
	Version string `json:"version"`
	Status  string `json:"status"`
	Type    string `json:"versionType"`
	Before  string `json:"lessThan"`
	Through string `json:"lessThanOrEqual"`
	Changes []struct {
		At     string `json:"at"`
		Status string `json:"status"`
	} `json:"changes"`
}

// maxChanges bounds the changes of one entry that are read.
const maxChanges = 1000

const (
	affected   = "affected"
	unaffected = "unaffected"
)

// entries returns what the product's versions say of a target.
func (p *product) entries(t target) (out []advisory.Affected) {
	a := advisory.Affected{Ecosystem: t.ecosystem, Name: t.name}
	scheme, err := version.For(t.ecosystem)
	if err != nil {
		return []advisory.Affected{a}
	}
	set, vague := p.set(scheme)
	if !set.IsEmpty() {
		b := a
		b.Ranges = set.Ranges(rangeType(scheme), spans.Above(scheme))
		out = append(out, b)
	}
	if vague {
		out = append(out, a)
	}
	return out
}

// rangeType says how OSV types ranges of a scheme.
func rangeType(s version.Scheme) advisory.RangeType {
	switch s.String() {
	case "semver", "npm", "golang", "pub", "julia":
		return advisory.RangeSemver
	}
	return advisory.RangeEcosystem
}

// set returns which versions are affected; vague says that there are others,
// which nobody can tell.
//
// Source: CVE Record Format, "versions.md".
func (p *product) set(scheme version.Scheme) (set spans.Set, vague bool) {
	var yeses, noes []spans.Set
	told := 0
	for i := range p.Versions {
		e := &p.Versions[i]
		if e.isCommit() {
			continue
		}
		told++
		yes, no, ok := e.read(scheme)
		if !ok {
			vague = vague || e.Status == affected
			continue
		}
		yeses, noes = append(yeses, yes), append(noes, no)
	}
	good := spans.Union(noes...)
	switch {
	case p.Default == affected:
		return good.Not(), false
	case told == 0 && p.Default != unaffected:
		return set, true
	}
	return spans.Union(yeses...).And(good.Not()), vague
}

// read returns which versions an entry says are affected and which are not.
func (e *versionEntry) read(scheme version.Scheme) (yes, no spans.Set, ok bool) {
	all, ok := e.span(scheme)
	if !ok || len(e.Changes) > maxChanges {
		return yes, no, false
	}
	yes, no = assign(yes, no, e.Status, all)
	// From each change on, until the next, its status holds.
	for _, c := range e.Changes {
		from, err := spans.Compare(scheme, ">=", c.At)
		if err != nil {
			return yes, no, false
		}
		part := all.And(from)
		yes, no = yes.And(part.Not()), no.And(part.Not())
		yes, no = assign(yes, no, c.Status, part)
	}
	return yes, no, true
}

func assign(yes, no spans.Set, status string, part spans.Set) (spans.Set, spans.Set) {
	switch status {
	case affected:
		return yes.Or(part), no
	case unaffected:
		return yes, no.Or(part)
	}
	return yes, no
}

// span returns the versions that an entry is about.
func (e *versionEntry) span(scheme version.Scheme) (spans.Set, bool) {
	if e.Before == "" && e.Through == "" {
		return single(scheme, e.Version)
	}
	set := spans.All()
	if v := strings.TrimSpace(e.Version); !isStart(v) {
		low, err := spans.Compare(scheme, ">=", v)
		if err != nil {
			return set, false
		}
		set = low
	}
	for _, bound := range []struct{ op, v string }{{"<", e.Before}, {"<=", e.Through}} {
		v := strings.TrimSpace(bound.v)
		switch prefix, isBranch := strings.CutSuffix(v, ".*"); {
		case v == "" || v == "*":
			continue
		case isBranch:
			// Of a branch, both bounds mean its end.
			end, ok := nextBranch(scheme, prefix)
			if !ok {
				return set, false
			}
			bound.op, v = "<", end
		case !isSimple(v):
			return set, false
		}
		high, err := spans.Compare(scheme, bound.op, v)
		if err != nil {
			return set, false
		}
		set = set.And(high)
	}
	return set, !set.IsEmpty() // one that ends before it starts means something else
}

// isStart reports whether a text stands for the start of all versions.
func isStart(v string) bool {
	switch strings.ToLower(v) {
	case "", "0", "*", "-", "all", "unspecified", "n/a", "unknown", "none", "any":
		return true
	}
	return false
}

// isSimple reports whether a text can be a version, and is not prose.
func isSimple(v string) bool {
	return v != "" && !strings.ContainsAny(v, " ,;()[]{}/*\"'") && strings.ContainsAny(v, "0123456789")
}

// single returns the versions that a text without bounds is about.
func single(scheme version.Scheme, v string) (spans.Set, bool) {
	v = strings.TrimSpace(v)
	switch strings.ToLower(v) {
	case "*", "all", "all versions", "any":
		return spans.All(), true
	case "0": // without an end it says nothing
		return spans.Set{}, false
	}
	if strings.ContainsAny(v, "<>=") {
		set, err := spans.Parse(scheme, v) // ">= 1.0, < 1.4": conditions that all hold
		return set, err == nil && !set.IsEmpty()
	}
	for _, end := range []string{".x", ".*", ".X"} {
		if prefix, ok := strings.CutSuffix(v, end); ok {
			next, ok := nextBranch(scheme, prefix)
			low, err := spans.Compare(scheme, ">=", padded(scheme, prefix))
			high, errHigh := spans.Compare(scheme, "<", next)
			return low.And(high), ok && err == nil && errHigh == nil
		}
	}
	if !isSimple(v) {
		return spans.Set{}, false
	}
	set, err := spans.Compare(scheme, "=", v)
	return set, err == nil
}

// nextBranch returns the version that follows a branch: 5.11 after 5.10.
func nextBranch(scheme version.Scheme, prefix string) (string, bool) {
	last := prefix[strings.LastIndexByte(prefix, '.')+1:]
	n, err := strconv.ParseUint(last, 10, 62)
	return padded(scheme, strings.TrimSuffix(prefix, last)+strconv.FormatUint(n+1, 10)), err == nil
}

// padded adds zeros to a version, for schemes that want three numbers.
func padded(scheme version.Scheme, v string) string {
	for _, zeros := range []string{"", ".0", ".0.0"} {
		if _, err := scheme.Parse(v + zeros); err == nil {
			return v + zeros
		}
	}
	return v
}

// isCommit reports whether an entry is about commits.
func (e *versionEntry) isCommit() bool { return e.Type == "git" }

// isHash reports whether a text can name a commit.
func isHash(s string) bool {
	return len(s) >= 7 && len(s) <= 64 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

// commits returns the ranges of commits of the product's repository.
func (p *product) commits() []advisory.Affected {
	if p.Repo == "" || len(p.Repo) > advisory.MaxValue {
		return nil
	}
	r := advisory.Range{Type: advisory.RangeGit, Repo: p.Repo}
	for i := range p.Versions {
		e := &p.Versions[i]
		if !e.isCommit() || e.Status != affected {
			continue
		}
		start, end := e.Version, e.Before+e.Through
		if isStart(start) {
			start = "0"
		}
		switch {
		case start != "0" && !isHash(start), end != "" && end != "*" && !isHash(end), e.Before != "" && e.Through != "":
			continue
		case end == "" && start != "0":
			r.Events = append(r.Events, version.Event{Introduced: start}, version.Event{LastAffected: start})
			continue
		}
		r.Events = append(r.Events, version.Event{Introduced: start})
		switch {
		case end == "*":
		case e.Before != "":
			r.Events = append(r.Events, version.Event{Fixed: end})
		case e.Through != "":
			r.Events = append(r.Events, version.Event{LastAffected: end})
		}
	}
	if r.Events == nil {
		return nil
	}
	r.Events = slices.Compact(r.Events)
	return []advisory.Affected{{Ranges: []advisory.Range{r}}}
}
