package nvd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// configuration is a condition on what is installed together.
type configuration struct {
	Negate bool   `json:"negate"`
	Nodes  []node `json:"nodes"`
}

// node is one part of a configuration. Children are of the format before 2.0.
type node struct {
	Negate   bool    `json:"negate"`
	Matches  []match `json:"cpeMatch"`
	Children []node  `json:"children"`
}

// match names products. Those that are not vulnerable are what the others run
// on.
type match struct {
	Vulnerable     bool   `json:"vulnerable"`
	Criteria       string `json:"criteria"`
	StartIncluding string `json:"versionStartIncluding"`
	StartExcluding string `json:"versionStartExcluding"`
	EndIncluding   string `json:"versionEndIncluding"`
	EndExcluding   string `json:"versionEndExcluding"`
}

// products collects what is affected, by product in order of appearance.
type products struct {
	list    []product
	at      map[string]int // in list, by ecosystem and name
	matches int
}

type product struct {
	ecosystem, name string
	ranges          []advisory.Range
	versions        []string
	vague           bool // in versions that the match does not tell
}

func (p *products) configuration(c *configuration, at string) error {
	for i := range c.Nodes {
		if err := p.node(&c.Nodes[i], c.Negate, fmt.Sprintf("%s/nodes/%d", at, i), 1); err != nil {
			return err
		}
	}
	return nil
}

func (p *products) node(n *node, negated bool, at string, depth int) error {
	if depth > MaxDepth {
		return &advisory.RecordError{Pointer: at, Err: &fault.LimitError{What: "levels of nodes", Where: "the configuration", Max: MaxDepth}}
	}
	negated = negated != n.Negate
	for i := range n.Matches {
		m := &n.Matches[i]
		if p.matches++; p.matches > MaxMatches {
			return &advisory.RecordError{Pointer: at, Err: &fault.LimitError{What: "CPE matches", Where: "the record", Max: MaxMatches}}
		}
		if !m.Vulnerable || negated {
			continue
		}
		if err := p.match(m); err != nil {
			return &advisory.RecordError{Pointer: fmt.Sprintf("%s/cpeMatch/%d", at, i), Err: err}
		}
	}
	for i := range n.Children {
		if err := p.node(&n.Children[i], negated, fmt.Sprintf("%s/children/%d", at, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (p *products) match(m *match) error {
	name, err := cpe.Parse(m.Criteria)
	if err != nil {
		return err
	}
	if !name.HasProduct() {
		return fmt.Errorf("%s is the name of no one product: %w", name, fault.Invalid)
	}
	to := p.product(name)
	bounded, err := m.bounds()
	switch {
	case err != nil:
		return err
	case bounded != nil && isBackwards(bounded):
		to.vague = true // "from 3.3 to before 3.3.0.beta3" means something else
		return nil
	case bounded != nil:
		to.add(*bounded)
		return nil
	}
	switch v := name.Version; {
	case v == cpe.Any:
		to.add(ecosystemRange(version.Event{Introduced: "0"}))
	case v == cpe.NA:
		to.vague = true
	case cpe.HasWildcard(v):
		if r, ok := branch(v); ok {
			to.add(r)
		} else {
			to.vague = true
		}
	default:
		if full := name.FullVersion(); !slices.Contains(to.versions, full) {
			to.versions = append(to.versions, full)
		}
	}
	return nil
}

// product returns the entry of a name's product.
func (p *products) product(name cpe.Name) *product {
	key := name.Ecosystem() + "\x00" + name.Key()
	i, ok := p.at[key]
	if !ok {
		i = len(p.list)
		p.at[key] = i
		p.list = append(p.list, product{ecosystem: name.Ecosystem(), name: name.Key()})
	}
	return &p.list[i]
}

func (p *product) add(r advisory.Range) {
	if !slices.ContainsFunc(p.ranges, func(have advisory.Range) bool { return slices.Equal(have.Events, r.Events) }) {
		p.ranges = append(p.ranges, r)
	}
}

func ecosystemRange(events ...version.Event) advisory.Range {
	return advisory.Range{Type: advisory.RangeEcosystem, Events: events}
}

// bounds returns the range of a match with bounds; nil for one without.
func (m *match) bounds() (*advisory.Range, error) {
	if m.StartIncluding+m.StartExcluding+m.EndIncluding+m.EndExcluding == "" {
		return nil, nil
	}
	if m.StartIncluding != "" && m.StartExcluding != "" || m.EndIncluding != "" && m.EndExcluding != "" {
		return nil, fmt.Errorf("a bound both includes and excludes its version: %w", fault.Invalid)
	}
	r := ecosystemRange(version.Event{Introduced: "0"})
	switch {
	case m.StartIncluding != "":
		r.Events[0].Introduced = m.StartIncluding
	case m.StartExcluding != "":
		r.Events[0].Introduced = m.StartExcluding + "+"
	}
	switch {
	case m.EndIncluding != "":
		r.Events = append(r.Events, version.Event{LastAffected: m.EndIncluding})
	case m.EndExcluding != "":
		r.Events = append(r.Events, version.Event{Fixed: m.EndExcluding})
	}
	return &r, nil
}

// isBackwards reports whether a range ends before it starts, so that no version
// is in it.
func isBackwards(r *advisory.Range) bool {
	if len(r.Events) < 2 || r.Events[0].Introduced == "0" {
		return false
	}
	end := r.Events[1]
	c, err := version.Compare("CPE", r.Events[0].Introduced, end.Fixed+end.LastAffected)
	return err == nil && (c > 0 || c == 0 && end.Fixed != "")
}

// branch returns the range of a version such as "1.2.*".
func branch(v string) (advisory.Range, bool) {
	prefix, ok := strings.CutSuffix(v, ".*")
	last := prefix[strings.LastIndexByte(prefix, '.')+1:]
	n, err := strconv.ParseUint(last, 10, 62)
	if !ok || err != nil {
		return advisory.Range{}, false
	}
	end := strings.TrimSuffix(prefix, last) + strconv.FormatUint(n+1, 10)
	return ecosystemRange(version.Event{Introduced: cpe.Text(prefix)}, version.Event{Fixed: cpe.Text(end)}), true
}

// affected returns the entries. Ranges and versions of one product are entries
// of their own: versions beside ranges are compared as texts alone.
func (p *products) affected() (out []advisory.Affected) {
	for _, one := range p.list {
		a := advisory.Affected{Ecosystem: one.ecosystem, Name: one.name}
		if one.ranges != nil {
			b := a
			b.Ranges = one.ranges
			out = append(out, b)
		}
		if one.versions != nil {
			b := a
			b.Versions = advisory.NewVersionList(one.versions...)
			out = append(out, b)
		}
		if one.vague {
			out = append(out, a)
		}
	}
	return out
}
