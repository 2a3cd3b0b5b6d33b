package accounttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

// ended reports whether a revocation ends a grant; the lock is held.
func (m *Memory) ended(g *account.Grant) bool {
	return slices.ContainsFunc(m.revocations, func(r account.Revocation) bool { return r.Until.After(m.now()) && r.Ends(g) })
}

// add keeps a grant; the lock is held.
func (m *Memory) add(g *account.Grant) error {
	if err := g.CheckNew(); err != nil {
		return fmt.Errorf("add grant: %w", err)
	}
	kept := copyGrant(*g)
	kept.Created = m.now()
	if _, there := m.grants[string(g.Hash)]; there {
		return conflict("grant of family", g.Family, "its hash is there")
	}
	if m.ended(kept) {
		return conflict("grant of family", g.Family, "it was revoked")
	}
	for h, o := range m.grants {
		if g.UserCode == "" || o.UserCode != g.UserCode {
			continue
		}
		if o.Expires.After(m.now()) {
			return conflict("grant of family", g.Family, "its user code is there")
		}
		o.UserCode = ""
		m.grants[h] = o
	}
	m.grants[string(g.Hash)] = *kept
	g.Created = kept.Created
	return nil
}

// Add keeps a grant.
func (m *Memory) Add(ctx context.Context, g *account.Grant) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(g)
}

// find returns a grant that is not over; the lock is held.
func (m *Memory) find(kind string, hash []byte) (*account.Grant, error) {
	g, there := m.grants[string(hash)]
	if !there || g.Kind != kind || !g.Expires.After(m.now()) {
		return nil, fmt.Errorf("take %.40s: there is none: %w", kind, fault.NotFound)
	}
	return copyGrant(g), nil
}

// Take uses a grant up.
func (m *Memory) Take(ctx context.Context, kind string, hash []byte) (*account.Grant, error) {
	return m.Replace(ctx, kind, hash, nil)
}

// Replace uses a grant up and adds what is made of it.
func (m *Memory) Replace(ctx context.Context, kind string, old []byte, next func(*account.Grant) (*account.Grant, error)) (*account.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, err := m.find(kind, old)
	if err != nil {
		return nil, err
	}
	switch g.State {
	case account.Used:
		return g, conflict("take "+kind+" of family", g.Family, "it was used or revoked")
	case account.Pending, account.Denied:
		return g, nil
	}
	if next != nil {
		n, err := next(copyGrant(*g))
		if err != nil {
			return g, fmt.Errorf("replace %s of family %.80q: %w", kind, g.Family, err)
		}
		if n != nil {
			if err := m.add(n); err != nil {
				return g, err
			}
		}
	}
	used := *copyGrant(*g)
	used.State = account.Used
	m.grants[string(old)] = used
	return g, nil
}

// Pending returns what nobody has decided about.
func (m *Memory) Pending(ctx context.Context, userCode string) (*account.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.grants {
		if userCode != "" && g.UserCode == userCode && g.State == account.Pending && g.Expires.After(m.now()) {
			return copyGrant(g), nil
		}
	}
	return nil, fmt.Errorf("grant of a user code: there is none: %w", fault.NotFound)
}

// Decide opens or denies a pending grant.
func (m *Memory) Decide(ctx context.Context, d *account.Grant) error {
	if err := d.CheckDecided(); err != nil {
		return fmt.Errorf("decide about a grant: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	g, there := m.grants[string(d.Hash)]
	if !there || !g.Expires.After(m.now()) {
		return fmt.Errorf("decide about a grant: there is none: %w", fault.NotFound)
	}
	if g.State != account.Pending {
		return conflict("grant of family", g.Family, "somebody has decided")
	}
	g.State, g.Tenant, g.User, g.Scopes, g.AuthTime, g.UserCode = d.State, d.Tenant, d.User, list(d.Scopes), moment(d.AuthTime), ""
	if m.ended(&g) {
		return conflict("grant of family", g.Family, "it was revoked")
	}
	m.grants[string(d.Hash)] = g
	return nil
}

// Revoke ends grants.
func (m *Memory) Revoke(ctx context.Context, r *account.Revocation) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := *r
	if kept.Before.IsZero() {
		kept.Before = m.now()
	}
	kept.Before, kept.Until = moment(kept.Before), moment(kept.Until)
	m.revocations = slices.DeleteFunc(m.revocations, func(o account.Revocation) bool {
		same := o.Kind == r.Kind && o.ID == r.ID
		if same && o.Before.After(kept.Before) {
			kept.Before = o.Before
		}
		if same && o.Until.After(kept.Until) {
			kept.Until = o.Until
		}
		return same
	})
	m.seq++
	kept.Seq = m.seq
	m.revocations = append(m.revocations, kept)
	for h, g := range m.grants {
		if kept.Ends(&g) && g.State != account.Denied {
			g.State, g.UserCode = account.Used, ""
			m.grants[h] = g
		}
	}
	m.note(account.RevokeEntry(&kept))
	r.Seq, r.Before, r.Until = kept.Seq, kept.Before, kept.Until
	return nil
}

// Revocations returns those that are not over.
func (m *Memory) Revocations(ctx context.Context, after int64, limit int) ([]account.Revocation, error) {
	limit, err := account.Limit(limit)
	if err != nil {
		return nil, fmt.Errorf("list revocations: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.Revocation
	for _, r := range m.revocations {
		if r.Seq > after && r.Until.After(m.now()) && len(out) < limit {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b account.Revocation) int { return cmp.Compare(a.Seq, b.Seq) })
	return out, nil
}
