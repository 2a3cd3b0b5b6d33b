package advisory

import (
	"strings"

	"github.com/stella-ops/stella/advisory/version"
)

// comparison compares one version with entries.
type comparison struct {
	scheme  version.Scheme
	query   query
	version version.Version
	invalid bool // the scheme cannot read the version
}

func (c *comparison) parse() {
	v, err := c.scheme.Parse(c.query.version)
	c.version, c.invalid = v, err != nil
}

// verdict says whether an entry affects a version.
type verdict struct {
	outcome  outcome // what becomes of the entry; see judge
	affected bool
	span     string   // the range or "versions", where affected
	fixed    []string // versions from which on it is not, where affected
	doubt    string   // why that cannot be said, where it cannot
}

// spanVersions is the evidence of an enumerated version.
const spanVersions = "versions"

// spanAll is the evidence of an entry that affects every version.
const spanAll = ">= 0"

// decide answers for one entry.
//
// Source: OSV schema, "Evaluation". Beyond it, an entry that enumerates
// versions and has no range that can be compared is compared by the order of
// the ecosystem, so that 1.0 means 1.0.0 where that is one version; an entry
// whose database looked and found the package not affected affects no version;
// and one that says what becomes of a fix, without versions, affects all.
func (c *comparison) decide(e *Entry) verdict {
	var out verdict
	switch {
	case e.Status == NotAffected:
		return out
	case e.Status != "" && len(e.Ranges) == 0 && e.Versions == "":
		return verdict{affected: true, span: spanAll}
	}
	compared := false // with a range
	for i := range e.Ranges {
		r := &e.Ranges[i]
		if r.Type == RangeGit {
			continue
		}
		a := c.contains(r)
		switch a.State {
		case version.Yes:
			return verdict{affected: true, span: c.span(r.Events), fixed: c.fixes(e)}
		case version.No:
			compared = true
		default:
			out.doubt = a.Reason
		}
	}
	switch {
	case e.Versions == "" && compared:
		return out
	case e.Versions.Has(c.query.version):
		return verdict{affected: true, span: spanVersions, fixed: c.fixes(e)}
	case e.Versions != "" && !compared && out.doubt == "":
		switch a := c.enumerated(e.Versions); a.State {
		case version.Yes:
			return verdict{affected: true, span: spanVersions, fixed: c.fixes(e)}
		case version.Unknown:
			out.doubt = a.Reason
		}
	case e.Versions == "" && out.doubt == "" && len(e.Ranges) == 0:
		out.doubt = "an advisory names it without saying which versions"
	case e.Versions == "" && out.doubt == "":
		out.doubt = "an advisory says by commits alone which versions it affects"
	}
	return out
}

// contains answers for one range.
func (c *comparison) contains(r *Range) version.Answer {
	if r.Type != RangeEcosystem && r.Type != RangeSemver {
		return version.Answer{Reason: "an advisory has a range of the unknown type " + string(r.Type)}
	}
	events := r.Events
	if c.query.noEpoch {
		events = withoutEpochs(events)
	}
	if a, ok := c.simple(events); ok {
		return a
	}
	set, err := version.NewRange(c.scheme, events)
	if err != nil {
		return version.Answer{Reason: err.Error()}
	}
	if c.invalid {
		return set.Contains(c.query.version)
	}
	return set.ContainsVersion(c.version)
}

// simple answers for the ranges that most records have, whose events are
// introduced and fixed in turn and in order. It says what [version.NewRange]
// does, without building a range; ok is false for all other ranges.
func (c *comparison) simple(events []version.Event) (a version.Answer, ok bool) {
	if c.invalid || len(events) == 0 || c.scheme.String() == "composer" { // whose branches have no order
		return a, false
	}
	inside, last := false, ""
	for i, e := range events {
		v := e.Introduced
		if i%2 == 1 {
			v = e.Fixed
		}
		if i == 0 && v == "0" {
			inside = true
			continue
		}
		if v == "" || v == "0" && e.Introduced != "" {
			return a, false
		}
		if last != "" {
			if o, err := c.scheme.Compare(last, v); err != nil || o >= 0 {
				return a, false
			}
		}
		o, err := c.scheme.Compare(c.query.version, v)
		if err != nil {
			return a, false
		}
		if o >= 0 {
			inside = i%2 == 0
		}
		last = v
	}
	return answer(inside), true
}

func answer(yes bool) version.Answer {
	if yes {
		return version.Answer{State: version.Yes}
	}
	return version.Answer{State: version.No}
}

func (c *comparison) enumerated(list VersionList) version.Answer {
	var versions []string
	for v := range list.All() {
		versions = append(versions, v)
	}
	set := version.Enumerated(c.scheme, versions)
	if c.invalid {
		return set.Contains(c.query.version)
	}
	return set.ContainsVersion(c.version)
}

// withoutEpochs cuts the epochs off the versions of events.
func withoutEpochs(events []version.Event) []version.Event {
	out := make([]version.Event, len(events))
	for i, e := range events {
		out[i] = version.Event{Introduced: cutEpoch(e.Introduced), Fixed: cutEpoch(e.Fixed), LastAffected: cutEpoch(e.LastAffected), Limit: cutEpoch(e.Limit)}
	}
	return out
}

func cutEpoch(v string) string {
	if i := strings.IndexByte(v, ':'); i >= 0 && strings.Trim(v[:i], "0123456789") == "" {
		return v[i+1:]
	}
	return v
}
