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
	affected bool
	span     string   // the range or "versions", where affected
	fixed    []string // versions from which on it is not, where affected
	doubt    string   // why that cannot be said, where it cannot
}

// spanVersions is the evidence of an enumerated version.
const spanVersions = "versions"

// decide answers for one entry.
//
// Source: OSV schema, "Evaluation". Beyond it, an entry that enumerates
// versions and has no range that can be compared is compared by the order of
// the ecosystem, so that 1.0 means 1.0.0 where that is one version.
func (c *comparison) decide(e *Entry) verdict {
	var out verdict
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

// simple answers for the range that most records have, from one version to
// another; it says what [version.NewRange] does, without building a range.
func (c *comparison) simple(events []version.Event) (version.Answer, bool) {
	if c.invalid || len(events) != 2 || events[0].Introduced == "" || events[1].Fixed == "" || c.scheme.String() == "composer" { // whose branches have no order
		return version.Answer{}, false
	}
	before, err := c.scheme.Compare(c.query.version, events[1].Fixed)
	if err != nil {
		return version.Answer{}, false
	}
	if events[0].Introduced == "0" {
		return answer(before < 0), true
	}
	after, err := c.scheme.Compare(c.query.version, events[0].Introduced)
	if err != nil {
		return version.Answer{}, false
	}
	if order, err := c.scheme.Compare(events[0].Introduced, events[1].Fixed); err != nil || order >= 0 {
		return version.Answer{}, false
	}
	return answer(after >= 0 && before < 0), true
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
