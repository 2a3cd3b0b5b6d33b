package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// rule is a compiled Rule.
type rule struct {
	*Rule
	match    *matcher
	by       Field // GroupBy, or its default
	digest   digest
	quiet    *quiet
	throttle time.Duration
	burst    int
	steps    []time.Duration
}

// maintenance and inhibition are compiled settings.
type maintenance struct {
	*Maintenance
	match *matcher
}

type inhibition struct {
	*Inhibition
	source, target *matcher
	length         time.Duration
}

// compiled are settings that are ready to decide by. They are immutable.
type compiled struct {
	*Settings
	rules       []*rule // of the tenant, and preferences that watch more than their owner's scans
	own         map[string][]*rule
	byID        map[string]*rule
	endpoints   map[string]*Endpoint
	windows     []maintenance
	inhibitions []inhibition
	labels      bool
	shared      map[Target]bool // that several rules tell
}

// compile compiles settings. What cannot be compiled was kept by an older release with
// other rules: it is left out, and errs say so.
func compile(s *Settings) (c *compiled, errs []error) {
	c = &compiled{Settings: s, own: map[string][]*rule{}, shared: map[Target]bool{}, byID: map[string]*rule{}, endpoints: map[string]*Endpoint{}}
	for i := range s.Endpoints {
		c.endpoints[s.Endpoints[i].ID] = &s.Endpoints[i]
	}
	told := map[Target]bool{}
	for i := range s.Rules {
		r, err := s.Rules[i].compile()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.byID[r.ID] = r
		if r.Disabled {
			continue
		}
		c.labels = c.labels || r.match.labels
		for _, t := range r.To {
			c.shared[t] = told[t]
			told[t] = true
		}
		if r.Owner != "" && !r.Watch {
			c.own[r.Owner] = append(c.own[r.Owner], r)
		} else {
			c.rules = append(c.rules, r)
		}
	}
	byID := func(a, b *rule) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(c.rules, byID)
	for _, list := range c.own {
		slices.SortFunc(list, byID)
	}
	for i := range s.Windows {
		m, err := s.Windows[i].Match.compile()
		if err != nil {
			errs = append(errs, fmt.Errorf("maintenance %.80q: %w", s.Windows[i].ID, err))
			continue
		}
		if len(s.Windows[i].Match.Types) == 0 {
			m.types = Types() // alerts of all kinds
		}
		c.labels = c.labels || m.labels
		c.windows = append(c.windows, maintenance{&s.Windows[i], m})
	}
	for i := range s.Inhibitions {
		h, err := s.Inhibitions[i].compile()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.labels = c.labels || h.source.labels || h.target.labels
		c.inhibitions = append(c.inhibitions, h)
	}
	slices.SortFunc(c.windows, func(a, b maintenance) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(c.inhibitions, func(a, b inhibition) int { return strings.Compare(a.ID, b.ID) })
	return c, errs
}

func (r *Rule) compile() (*rule, error) {
	out := &rule{Rule: r, burst: cmp.Or(r.Burst, DefaultBurst)}
	fail := func(err error) (*rule, error) { return nil, fmt.Errorf("rule %.80q: %w", r.ID, err) }
	var err error
	if out.match, err = r.Match.compile(); err != nil {
		return fail(err)
	}
	l, err := zone(r.Zone)
	if err != nil {
		return fail(err)
	}
	if out.digest, err = parseDigest(r.Digest, r.DigestAt, l); err != nil {
		return fail(err)
	}
	if out.by = r.GroupBy; out.by == "" && out.digest.every > 0 {
		out.by = GroupRule // one digest, not one for each vulnerability
	}
	if out.quiet, err = parseQuiet(r.Quiet, l); err != nil {
		return fail(err)
	}
	if out.throttle, err = duration("throttle", cmp.Or(r.Throttle, DefaultThrottle), minThrottle, maxThrottle); err != nil {
		return fail(err)
	}
	for _, s := range r.Escalation {
		d, err := duration("escalation.after", s.After, minThrottle, maxStep)
		if err != nil {
			return fail(err)
		}
		out.steps = append(out.steps, d)
	}
	return out, nil
}

func (h *Inhibition) compile() (out inhibition, err error) {
	out.Inhibition = h
	if out.source, err = h.Source.compile(); err != nil {
		return out, fmt.Errorf("inhibition %.80q: source: %w", h.ID, err)
	}
	if out.target, err = h.Target.compile(); err != nil {
		return out, fmt.Errorf("inhibition %.80q: target: %w", h.ID, err)
	}
	if out.length, err = duration("for", h.For, time.Second, maxInhibit); err != nil {
		return out, fmt.Errorf("inhibition %.80q: %w", h.ID, err)
	}
	for _, f := range h.Equal {
		if !slices.Contains(equalFields, f) {
			return out, fmt.Errorf("inhibition %.80q: equal %.40q: want %s: %w", h.ID, f, or(equalFields), fault.Invalid)
		}
	}
	return out, nil
}

var equalFields = []Field{FieldImage, FieldRepository, FieldNamespace, FieldScan, FieldVulnerability, FieldEnvironment, FieldOwner, FieldEvent}

// hits yields the rules that a notice matches, by their ids: the owner's preferences
// first.
func (c *compiled) hits(n *Notice, yield func(*rule)) {
	if n.Owner != "" {
		for _, r := range c.own[n.Owner] {
			if r.match.matches(n) {
				yield(r)
			}
		}
	}
	for _, r := range c.rules {
		if r.match.matches(n) {
			yield(r)
		}
	}
}

// key is what a rule groups a notice by.
func (r *rule) key(n *Notice) string {
	switch r.by {
	case GroupRule:
		return ""
	case "":
		return string(n.Type) + " " + cmp.Or(n.Vulnerability, n.Image, n.Subject, n.Event)
	}
	return n.value(r.by)
}
