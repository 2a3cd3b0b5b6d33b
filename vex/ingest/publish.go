package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// Heads is where heads are kept; a store.VEX is one.
type Heads interface {
	vex.Heads
	// IDs yields the IDs of what is in force as of the runs of a head, sorted and each
	// once.
	IDs(ctx context.Context, at *vex.Head) iter.Seq2[string, error]
	// Trust returns the trust in force, for "".
	Trust(ctx context.Context, digest string) (*vex.Trust, error)
	// NextChange returns the earliest time at which something may be decided otherwise
	// without a new statement; the zero time means never.
	NextChange(ctx context.Context) (time.Time, error)
}

// Publisher decides what follows from what was released, and makes heads of it. Any
// number of processes may run one: of two at once one is refused.
type Publisher struct {
	Heads Heads
	// Snapshot is given each set of statements, by its digest and sorted by ID, before
	// its head is committed. Nil means that nobody keeps snapshots.
	Snapshot func(ctx context.Context, digest string, statements iter.Seq2[*vex.Statement, error]) error
	// Now is the clock; nil means the machine's.
	Now func() time.Time
}

// decideAtOnce is how many vulnerabilities are decided with one look into the store.
const decideAtOnce = 200

// Publish commits a head if anything differs from the newest: the statements, the
// trust in force, or what is decided now that time has passed. It returns nil where
// nothing does. An error wraps ErrConflict when another head was committed, or the
// trust changed, meanwhile; it may be tried again at once.
func (p *Publisher) Publish(ctx context.Context) (*vex.Head, error) {
	c, err := p.decide(ctx)
	if err != nil || c == nil {
		return nil, err
	}
	if p.Snapshot != nil {
		if err := p.Snapshot(ctx, c.Head.Digest, p.Heads.Statements(ctx, &c.Head, nil)); err != nil {
			return nil, fmt.Errorf("keep the statements of VEX head %d: %w", c.Head.Number, err)
		}
	}
	crashpoint.Hit(crashpoint.VEXDecided)
	if err := p.Heads.Commit(ctx, c); err != nil {
		return nil, err
	}
	return &c.Head, nil
}

// decide works out a head; nil where there is nothing new.
func (p *Publisher) decide(ctx context.Context) (*vex.Commit, error) {
	base, err := p.Heads.Head(ctx, 0)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	if base == nil {
		base = new(vex.Head)
	}
	trust, err := p.Heads.Trust(ctx, "")
	if err != nil {
		return nil, err
	}
	judge, err := trust.Judge()
	if err != nil {
		return nil, fmt.Errorf("the trust in force: %w", err)
	}
	c := &vex.Commit{Head: vex.Head{Number: base.Number + 1, Trust: judge.Digest(), Runs: map[string]int64{}, At: p.now()}}
	if c.Head.At.Before(base.At) { // a clock that went back does not take back what has expired
		c.Head.At = base.At
	}
	sources, err := p.Heads.Sources(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if s.Released > 0 {
			c.Head.Runs[s.Source] = s.Released
		}
	}
	names, err := p.names(ctx, base, c)
	if err != nil {
		return nil, err
	}
	if base.Number > 0 && len(names) == 0 && base.Trust == c.Head.Trust {
		return nil, nil
	}
	for chunk := range slices.Chunk(names, decideAtOnce) {
		if err := p.decideAbout(ctx, judge, c, chunk); err != nil {
			return nil, err
		}
	}
	if base.Number == 0 || base.Trust != c.Head.Trust {
		c.Said = nil // with another trust anything may be decided otherwise
	}
	if c.Head.Digest, err = p.digest(ctx, &c.Head); err != nil {
		return nil, err
	}
	if base.Number > 0 && c.Head.Digest == base.Digest && base.Trust == c.Head.Trust && len(c.Vulnerabilities) == 0 {
		return nil, nil
	}
	return c, nil
}

func (p *Publisher) now() time.Time {
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	return now().UTC().Truncate(time.Microsecond)
}

// names returns the vulnerabilities to decide: those that changed, or all of them
// with another trust.
func (p *Publisher) names(ctx context.Context, base *vex.Head, c *vex.Commit) ([]string, error) {
	since := base
	if base.Number == 0 || base.Trust != c.Head.Trust {
		since = nil
	}
	names, err := p.Heads.Changed(ctx, since, c.Head.At)
	if err != nil || since != nil {
		return names, err
	}
	decided, err := p.Heads.Consensus(ctx, nil)
	for i := range decided {
		names = append(names, decided[i].Vulnerability)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

func (p *Publisher) digest(ctx context.Context, h *vex.Head) (string, error) {
	var ids []string
	for id, err := range p.Heads.IDs(ctx, h) {
		if err != nil {
			return "", err
		}
		ids = append(ids, id)
	}
	return vex.SetDigest(ids), nil
}

// decideAbout decides vulnerabilities, and adds to c what differs from before.
func (p *Publisher) decideAbout(ctx context.Context, judge *vex.Judge, c *vex.Commit, names []string) error {
	var about []*vex.Statement
	for s, err := range p.Heads.Statements(ctx, &c.Head, names) {
		if err != nil {
			return err
		}
		about = append(about, s)
	}
	before, err := p.Heads.Consensus(ctx, names)
	if err != nil {
		return err
	}
	old, now := map[string][]vex.Decision{}, Decide(about, names, judge, c.Head.At)
	for _, d := range before {
		old[d.Vulnerability] = append(old[d.Vulnerability], d)
	}
	for _, name := range names {
		same, net := compare(old[name], now[name])
		if !net {
			c.Said = append(c.Said, name)
		}
		if same {
			continue
		}
		c.Vulnerabilities = append(c.Vulnerabilities, name)
		c.Decisions = append(c.Decisions, now[name]...)
		if net {
			c.Net = append(c.Net, name)
		}
	}
	return nil
}

// compare reports whether decisions are the same, and whether they differ in more
// than when they change next.
func compare(a, b []vex.Decision) (same, net bool) {
	same = len(a) == len(b)
	net = !same
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		same = same && x.NextChange.Equal(y.NextChange)
		x.NextChange, y.NextChange = time.Time{}, time.Time{}
		if !equal(&x, &y) {
			same, net = false, true
		}
	}
	return same, net
}

func equal(x, y *vex.Decision) bool {
	return x.Vulnerability == y.Vulnerability && x.Product == y.Product && x.Status == y.Status && x.Value == y.Value && x.Tier == y.Tier && x.Disputed == y.Disputed &&
		x.Signed == y.Signed && slices.Equal(x.Deciding, y.Deciding) && slices.Equal(x.Against, y.Against)
}

// Decide resolves statements about vulnerabilities, which are named in upper case,
// product by product as the statements name them: by the product's first identifier
// and its range of versions, and those of the subcomponent. It returns the decisions
// about each, sorted by product. It is pure, and the order of the statements does not
// matter.
func Decide(statements []*vex.Statement, names []string, judge *vex.Judge, at time.Time) map[string][]vex.Decision {
	wanted := make(map[string]map[string][]vex.Claim, len(names))
	for _, n := range names {
		wanted[n] = map[string][]vex.Claim{}
	}
	for _, s := range statements {
		for _, id := range append([]string{s.Vulnerability}, s.Aliases...) {
			id = strings.ToValidUTF8(strings.ReplaceAll(strings.ToUpper(id), "\x00", "\ufffd"), "\ufffd")
			if groups := wanted[id]; groups != nil { // a claim that is there twice counts once
				addClaims(groups, s)
			}
		}
	}
	out := make(map[string][]vex.Decision, len(wanted))
	for name, groups := range wanted {
		for _, product := range slices.Sorted(maps.Keys(groups)) {
			if d, ok := decision(judge.Resolve(groups[product], at)); ok {
				d.Vulnerability, d.Product = name, product
				out[name] = append(out[name], d)
			}
		}
	}
	return out
}

// decision is a consensus as it is stored; ok is false where nobody who is entitled
// says anything, now or later.
func decision(c *vex.Consensus) (d vex.Decision, ok bool) {
	d = vex.Decision{Status: c.Status, Value: c.Value.String(), Tier: c.Tier, Disputed: c.Disputed, Signed: c.Signed, NextChange: c.NextChange}
	for _, i := range c.Deciding {
		d.Deciding = append(d.Deciding, c.Claims[i].Statement.ID)
	}
	for _, i := range c.Against {
		d.Against = append(d.Against, c.Claims[i].Statement.ID)
	}
	if !d.NextChange.IsZero() {
		// Stores keep microseconds: rounded up, the time has come when it is reached.
		d.NextChange = d.NextChange.Add(time.Microsecond - 1).Truncate(time.Microsecond).UTC()
	}
	return d, c.Status != "" || !c.NextChange.IsZero()
}
