package csaf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/fault"
)

// builder collects the packages of one vulnerability, one for each ecosystem,
// stream and name.
type builder struct {
	*reader
	record   *advisory.Record
	statuses map[string]advisory.Status // of products without a fix
	impacts  map[string]string          // words for the severity of products
	scores   map[string][]finding.Score // of products, where they differ
	settled  map[string]bool            // products that are in a list that says how they stand
	// fixed are the packages that a release has a fix of, and sources the source
	// packages of those.
	fixed, sources map[[2]string]bool
}

// affected fills in the packages of a vulnerability.
func (r *reader) affected(out *advisory.Record, v *csaf.Vulnerability) error {
	b := &builder{reader: r, record: out, scores: map[string][]finding.Score{}, settled: map[string]bool{}}
	if err := b.decisions(v); err != nil {
		return err
	}
	if r.single && len(out.Scores) == 0 {
		for _, s := range r.vectors(v) {
			for _, id := range s.products {
				b.scores[id] = append(b.scores[id], s.score)
			}
		}
	}
	lists := v.ProductStatus.Lists()
	for _, l := range lists {
		if l.Group != csaf.NoGroup {
			for _, id := range l.IDs {
				b.settled[id] = true
			}
		}
	}
	if err := b.repair(lists); err != nil {
		return err
	}
	for _, l := range lists {
		for _, id := range l.IDs {
			if err := b.product(l, id); err != nil {
				return fmt.Errorf("product %.200q in %s: %w", id, l.Name, err)
			}
		}
	}
	return nil
}

// product adds one product of a list.
func (b *builder) product(l csaf.StatusList, id string) error {
	p, err := b.place(id)
	if err != nil || p.name == "" {
		return err
	}
	group := b.group(l, id)
	if b.publisher.recommended && group != csaf.Fixed {
		p.name, p.version = p.bare, ""
		if group == csaf.Affected && b.isRepaired(id, p) {
			return nil
		}
	}
	switch {
	case group == csaf.NoGroup:
		return nil
	case p.distribution:
		return b.rpm(group, id, p)
	case group == csaf.Affected:
		return b.other(l.Name, id, p)
	}
	return nil // which versions are not affected, or fixed, tells none that are
}

// group is the group of a list, and that of fixes for what SUSE recommends.
func (b *builder) group(l csaf.StatusList, id string) csaf.StatusGroup {
	if l.Name == "recommended" && b.publisher.recommended && !b.settled[id] {
		return csaf.Fixed
	}
	return l.Group
}

// repair notes what there is a fix of.
func (b *builder) repair(lists []csaf.StatusList) error {
	if !b.publisher.recommended {
		return nil
	}
	b.fixed, b.sources = map[[2]string]bool{}, map[[2]string]bool{}
	for _, l := range lists {
		for _, id := range l.IDs {
			if b.group(l, id) != csaf.Fixed {
				continue
			}
			p, err := b.place(id)
			if err != nil {
				return fmt.Errorf("product %.200q in %s: %w", id, l.Name, err)
			}
			if p.name != "" {
				b.fixed[[2]string{release(p.ecosystem), p.name}] = true
				b.sources[[2]string{release(p.ecosystem), p.source}] = true
			}
		}
	}
	return nil
}

// isRepaired reports whether a package that is affected has a fix in its
// release: SUSE goes on to list it, and its source package, as affected. What it
// says it will not fix is the source package of others that it did.
func (b *builder) isRepaired(id string, p place) bool {
	key := [2]string{release(p.ecosystem), p.name}
	return b.fixed[key] || b.statuses[id] == "" && b.sources[key]
}

// release is the release of SUSE's that an ecosystem is of: long-term support
// is of the same packages.
func release(ecosystem string) string {
	i := strings.LastIndexByte(ecosystem, '-')
	if i > 0 && strings.ToUpper(ecosystem[i:]) == ecosystem[i:] {
		return ecosystem[:i]
	}
	return ecosystem
}

// rpm adds a package of a distribution.
func (b *builder) rpm(group csaf.StatusGroup, id string, p place) error {
	switch group {
	case csaf.NotAffected:
		if b.v.noExcuse {
			return nil
		}
		_, err := b.entry(id, p, advisory.NotAffected)
		return err
	case csaf.Fixed:
		if p.version == "" {
			return fmt.Errorf("it is fixed in no version: %w", fault.Invalid)
		}
		a, err := b.entry(id, p, "")
		if err == nil {
			b.add(a, version.Event{Introduced: "0"}, version.Event{Fixed: p.version})
		}
		return err
	case csaf.UnderInvestigation:
		a, err := b.entry(id, p, advisory.UnderInvestigation)
		if err == nil {
			b.add(a, version.Event{Introduced: "0"})
		}
		return err
	}
	a, err := b.entry(id, p, b.statuses[id])
	if err == nil {
		b.add(a, version.Event{Introduced: "0"})
	}
	return err
}

// other adds a product that is known by a package URL of a language or by a CPE
// name.
func (b *builder) other(list, id string, p place) error {
	v := p.version
	if p.cpe.Version != "" && p.cpe.Version != cpe.Any {
		if p.cpe.Version == cpe.NA || cpe.HasWildcard(p.cpe.Version) {
			return nil
		}
		v = p.cpe.FullVersion()
	}
	a, err := b.entry(id, p, b.statuses[id])
	switch {
	case err != nil:
		return err
	case list == "first_affected" && v != "":
		b.add(a, version.Event{Introduced: v})
	case list == "last_affected" && v != "":
		b.add(a, version.Event{Introduced: "0"}, version.Event{LastAffected: v})
	case v == "":
		b.add(a, version.Event{Introduced: "0"})
	case !a.Versions.Has(v):
		a.Versions = advisory.VersionList(advisory.AppendVersion([]byte(a.Versions), v))
	}
	return nil
}

// entryKey tells entries of one record apart.
type entryKey struct {
	ecosystem, stream, name string
	// modular says that the version is one of a build for a module. Documents
	// from before 2024 do not say which: such builds are then apart from others at
	// least, as matching takes them.
	modular bool
}

func (p place) key() entryKey {
	return entryKey{p.ecosystem, p.stream, p.name, p.stream == "" && strings.Contains(p.version, ".module+el")}
}

// entry returns the package of a place. The status of one that is affected in
// one way or another goes before that of one that is not.
func (b *builder) entry(id string, p place, status advisory.Status) (*advisory.Affected, error) {
	key := p.key()
	i, ok := b.at[key]
	if !ok {
		if len(b.record.Affected) == advisory.MaxAffected {
			return nil, &fault.LimitError{What: "affected packages", Where: b.record.ID, Max: advisory.MaxAffected}
		}
		i = len(b.record.Affected)
		b.at[key] = i
		rating := b.impacts[id]
		if rating == "" && len(b.record.Scores) > 0 {
			rating = b.record.Rating // the publisher's word goes before a vector
		}
		b.record.Affected = append(b.record.Affected, advisory.Affected{
			Ecosystem: p.ecosystem, Name: p.name, Stream: p.stream, Status: status, Rating: rating, Scores: b.scores[id],
		})
		return &b.record.Affected[i], nil
	}
	a := &b.record.Affected[i]
	a.Status = worse(a.Status, status, len(a.Ranges) > 0 || a.Versions != "")
	return a, nil
}

// worse is the status of a package that has two. No status is that of one that
// is affected or fixed in a version.
func worse(have, more advisory.Status, isAffected bool) advisory.Status {
	switch {
	case have == advisory.NotAffected && !isAffected:
		return more
	case more == advisory.NotAffected, more == advisory.UnderInvestigation, more == "":
		return have
	case have == advisory.UnderInvestigation, have == "":
		return more
	}
	return have
}

func (b *builder) add(a *advisory.Affected, events ...version.Event) {
	if !slices.ContainsFunc(a.Ranges, func(r advisory.Range) bool { return slices.Equal(r.Events, events) }) {
		a.Ranges = append(a.Ranges, advisory.Range{Type: advisory.RangeEcosystem, Events: events})
	}
}

// decisions reads what the publisher decided about products without a fix, and
// its words for how bad it is in which.
func (b *builder) decisions(v *csaf.Vulnerability) error {
	b.statuses, b.impacts = map[string]advisory.Status{}, map[string]string{}
	for i := range v.Remediations {
		rem := &v.Remediations[i]
		status := decision(rem)
		if status == "" {
			continue
		}
		ids, err := b.expand(rem.ProductIDs, rem.GroupIDs)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if b.statuses[id] == "" {
				b.statuses[id] = status
			}
		}
	}
	for i := range v.Threats {
		threat := &v.Threats[i]
		word := strings.TrimSpace(threat.Details)
		if threat.Category != "impact" || word == "" || len(strings.Fields(word)) > 1 {
			continue
		}
		ids, err := b.expand(threat.ProductIDs, threat.GroupIDs)
		if err != nil {
			return err
		}
		for _, id := range ids {
			b.impacts[id] = word
		}
	}
	return nil
}

// decision is what a remediation says about a fix that there is not. Red Hat
// says in the details which of its "fix states" it is.
func decision(r *csaf.Remediation) advisory.Status {
	details := strings.ToLower(strings.TrimSpace(r.Details))
	switch r.Category {
	case "no_fix_planned":
		if details == "out of support scope" {
			return advisory.EndOfLife
		}
		return advisory.WillNotFix
	case "none_available":
		if details == "fix deferred" || details == "defer" {
			return advisory.FixDeferred
		}
	case "fix_planned": // 2.1
		return advisory.FixDeferred
	}
	return ""
}

// expand resolves groups, and bounds what all lists of a document name.
func (r *reader) expand(ids, groups []string) ([]string, error) {
	out := r.products.Expand(ids, groups)
	if r.expanded += len(out); r.expanded > maxExpanded {
		return nil, &fault.LimitError{What: "products that remediations and threats name", Where: r.v.doc.Head.Tracking.ID, Max: maxExpanded}
	}
	return out, nil
}
