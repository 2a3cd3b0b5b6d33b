package drift

import (
	"context"
	"fmt"
	"strconv"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
)

// batch is how many distinct packages are matched at a time.
const batch = 1000

// comparer matches candidates with the snapshot before and the one after.
type comparer struct {
	ctx           context.Context
	before, after advisory.Matcher
	tenants       map[string]turned
	packages      int // that turned
	// Those that wait: tenants' packages by fact.
	facts   []string
	waiting map[string][]Candidate
}

// add takes a candidate. Equal packages of many tenants are matched once.
func (c *comparer) add(p Candidate) error {
	if c.waiting == nil {
		c.waiting = map[string][]Candidate{}
	}
	if _, known := c.waiting[p.Fact]; !known {
		if len(c.facts) == batch {
			if err := c.flush(); err != nil {
				return err
			}
		}
		c.facts = append(c.facts, p.Fact)
	}
	c.waiting[p.Fact] = append(c.waiting[p.Fact], p)
	return nil
}

// flush matches those that wait.
func (c *comparer) flush() error {
	docs, err := advisory.Recall(c.facts)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		before, err := c.before.Match(c.ctx, doc)
		if err != nil {
			return err
		}
		after, err := c.after.Match(c.ctx, doc)
		if err != nil {
			return err
		}
		for _, d := range finding.Compare(before.Findings, after.Findings) {
			i, err := strconv.Atoi(d.Package)
			if err != nil || i >= len(c.facts) {
				return fmt.Errorf("a finding about package %q, which is none of %d: %w", d.Package, len(c.facts), fault.Invalid)
			}
			for _, p := range c.waiting[c.facts[i]] {
				if err := c.turn(p, d); err != nil {
					return err
				}
			}
		}
	}
	c.facts, c.waiting = c.facts[:0], map[string][]Candidate{}
	return nil
}

// turn notes that a vulnerability turned for a package. Noting it again changes
// nothing.
func (c *comparer) turn(p Candidate, d finding.Difference) error {
	tenant := c.tenants[p.Tenant]
	if tenant == nil {
		tenant = turned{}
		c.tenants[p.Tenant] = tenant
	}
	v := tenant[d.Vulnerability]
	if v == nil {
		v = &vulnerability{Difference: d, packages: map[int64]finding.Turn{}}
		tenant[d.Vulnerability] = v
	}
	if d.Severity.Rank() > v.Severity.Rank() {
		v.Severity, v.Summary = d.Severity, d.Summary
	}
	v.Exploited, v.Fixed = v.Exploited || d.Exploited, v.Fixed || d.Fixed
	if _, known := v.packages[p.Package]; !known {
		if c.packages++; c.packages > MaxTurned {
			return &fault.LimitError{What: "packages that turned", Where: "head", Max: MaxTurned, Seen: int64(c.packages)}
		}
	}
	v.packages[p.Package] |= d.Turn
	return nil
}
