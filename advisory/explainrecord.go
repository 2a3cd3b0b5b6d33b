package advisory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
)

// considered writes down what became of an entry.
func (c *comparison) considered(e *Entry, a verdict, r *Record) finding.ConsideredEntry {
	out := finding.ConsideredEntry{
		Ecosystem: e.Ecosystem, Name: e.Name, Version: c.query.version, Stream: e.Stream, Status: string(e.Status), Applies: a.outcome == applies,
		Compared: c.explain(e), Fixed: fixedVersions(&e.Affected),
	}
	switch a.outcome {
	case applies:
		out.Reason, out.Why = finding.ReasonInRange, fmt.Sprintf("%s is in %s", c.query.version, a.span)
		if a.span == spanVersions {
			out.Why = c.query.version + " is one of the enumerated versions"
		}
	case withdrawn:
		out.Reason, out.Why = finding.ReasonWithdrawn, "the record was taken back at "+r.Withdrawn
	case noVersion:
		out.Reason, out.Why = finding.ReasonNoVersion, "the package has no version to compare"
	case badVersion:
		out.Reason, out.Why = finding.ReasonBadVersion, a.doubt
	case badRange:
		out.Reason, out.Why = finding.ReasonBadRange, a.doubt
	case noVulnerability:
		out.Reason, out.Why = finding.ReasonNoVulnerable, "an erratum that fixes bugs or adds features"
	case otherStreams:
		out.Reason, out.Why = finding.ReasonOtherStream, "it is about another stream of the module than the package is of"
	case rebuilt:
		out.Reason, out.Why = finding.ReasonFixed, c.query.version+" is another build of a release that fixes it"
	default:
		out.Reason, out.Why = c.outside(e)
	}
	return out
}

// outside says why an entry does not affect a version.
func (c *comparison) outside(e *Entry) (finding.Reason, string) {
	if e.Status == NotAffected {
		return finding.ReasonStatus, "the database looked at it, and it is not affected"
	}
	if v := c.fixedBy(e); v != "" {
		return finding.ReasonFixed, fmt.Sprintf("%s >= %s, which fixes it", c.query.version, v)
	}
	return finding.ReasonOutside, c.query.version + " is in none of its versions"
}

// rank orders reasons by how much they say about the package: the first that a
// record has is the record's, and the first that records have the explanation's.
func rank(r finding.Reason) int {
	return slices.Index([]finding.Reason{
		finding.ReasonInRange, finding.ReasonNoVersion, finding.ReasonBadVersion, finding.ReasonBadRange, finding.ReasonFixed, finding.ReasonStatus, finding.ReasonOutside,
		finding.ReasonOtherStream, finding.ReasonNoVulnerable, finding.ReasonWithdrawn, finding.ReasonOwned, finding.ReasonOtherPackage, finding.ReasonOtherRelease, finding.ReasonOtherEcosystem,
		finding.ReasonNoPackages, finding.ReasonNoData,
	}, r)
}

// records fills in the records about the topic.
func (e *explainer) records() error {
	for _, t := range e.topic.records {
		r := t.record
		out := finding.ConsideredRecord{ID: r.ID, Source: r.Source, Digest: r.Digest, Withdrawn: r.Withdrawn, Path: t.path, Entries: e.entries[t]}
		affected, err := e.affected(t)
		if err != nil {
			return err
		}
		out.Elsewhere, out.More = e.elsewhere(affected, out.Entries)
		out.Reason, out.Why = e.place(affected)
		for i := range out.Entries {
			entry := &out.Entries[i]
			if i == 0 || rank(entry.Reason) < rank(out.Reason) {
				out.Reason, out.Why = entry.Reason, entry.Why
			}
			out.Applies = out.Applies || entry.Applies
		}
		e.x.Records = append(e.x.Records, out)
		e.fixes(r.ID, affected)
	}
	e.backport()
	return nil
}

// affected returns the packages of a record, of all its parts.
func (e *explainer) affected(t *topicRecord) ([]Affected, error) {
	var out []Affected
	for _, ref := range t.refs {
		text, err := e.run.view.Text(e.run.ctx, ref)
		if err != nil {
			return nil, err
		}
		out = append(out, text.Affected...)
	}
	return out, nil
}

// place says what a record is about that has no entry about the package.
func (e *explainer) place(affected []Affected) (finding.Reason, string) {
	s := e.scope
	named := slices.ContainsFunc(affected, func(a Affected) bool { return a.Ecosystem != "" })
	switch {
	case e.isOwned():
		return finding.ReasonOwned, "the package is left to the distribution that installed it"
	case !named:
		return finding.ReasonNoPackages, "it names no package of an ecosystem"
	case s == nil || len(s.ecosystems) == 0:
		return finding.ReasonNoData, "nothing is asked about the package"
	case slices.ContainsFunc(affected, func(a Affected) bool { return slices.Contains(s.ecosystems, a.Ecosystem) }):
		return finding.ReasonOtherPackage, "it is about other packages of " + s.name
	case slices.ContainsFunc(affected, func(a Affected) bool { return BaseEcosystem(a.Ecosystem) == s.ecosystemBase() }):
		return finding.ReasonOtherRelease, "it is about other releases than " + s.name
	}
	return finding.ReasonOtherEcosystem, "it says nothing about " + s.name
}

// elsewhere lists what a record names beside the entries about the package:
// first other releases of the same names, then others.
func (e *explainer) elsewhere(affected []Affected, entries []finding.ConsideredEntry) (list []string, more int) {
	var same, other []string
	for _, a := range affected {
		if a.Ecosystem == "" || slices.ContainsFunc(entries, func(c finding.ConsideredEntry) bool { return c.Ecosystem == a.Ecosystem && c.Name == a.Name }) {
			continue
		}
		label := a.Ecosystem + "/" + a.Name
		if slices.ContainsFunc(e.x.Scope.Lookups, func(l finding.Lookup) bool { return l.Name == CanonicalName(a.Ecosystem, a.Name) }) {
			same = append(same, label)
		} else {
			other = append(other, label)
		}
	}
	slices.Sort(same)
	slices.Sort(other)
	list = distinct(append(same, other...))
	if more = len(list) - finding.MaxElsewhere; more > 0 {
		return list[:finding.MaxElsewhere:finding.MaxElsewhere], more
	}
	return list, 0
}

// fixes notes what a record says about fixed versions, for a package of a
// distribution: its own name's, and those of others.
func (e *explainer) fixes(id string, affected []Affected) {
	if e.scope == nil || !e.scope.isSystem {
		return
	}
	for i := range affected {
		a := &affected[i]
		versions := fixedVersions(a)
		if len(versions) == 0 {
			continue
		}
		b := e.x.Backport
		if b == nil {
			b = &finding.Backport{}
			e.x.Backport = b
		}
		fix := finding.FixedIn{Record: id, Ecosystem: a.Ecosystem, Name: a.Name, Versions: versions}
		switch {
		case !isSystemEcosystem(a.Ecosystem):
			b.Upstream = append(b.Upstream, fix)
		case slices.Contains(e.scope.ecosystems, a.Ecosystem) && slices.ContainsFunc(e.x.Scope.Lookups, func(l finding.Lookup) bool { return l.Name == a.Name }):
			b.Distribution = append(b.Distribution, fix)
		}
	}
}

// backport ends the comparison of fixes: without both sides there is none.
func (e *explainer) backport() {
	b := e.x.Backport
	if b == nil || len(b.Upstream) == 0 || len(b.Distribution) == 0 {
		e.x.Backport = nil
		return
	}
	b.Upstream = b.Upstream[:min(len(b.Upstream), finding.MaxElsewhere)]
	b.Distribution = b.Distribution[:min(len(b.Distribution), finding.MaxElsewhere)]
	up, own := b.Upstream[0], b.Distribution[0]
	b.Why = fmt.Sprintf("%s says that %s is fixed in %s; %s fixed it in %s, and only that decides about its packages",
		up.Record, up.Name, strings.Join(up.Versions, ", "), e.scope.name, strings.Join(own.Versions, ", "))
}
