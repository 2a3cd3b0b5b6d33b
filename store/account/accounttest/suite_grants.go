package accounttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/store/account"
)

func testGrants(t *testing.T, s account.Store) {
	ctx := t.Context()
	g := newGrant(account.KindCode, "code", "f")
	ok(t, s.Add(ctx, g))
	if g.Created.IsZero() || g.Created.Nanosecond()%1000 != 0 {
		t.Errorf("created %v", g.Created)
	}
	fails(t, "the same hash", s.Add(ctx, newGrant(account.KindRefresh, "code", "g")), account.ErrConflict)
	refuses[*account.Grant](t, "another kind", account.ErrNotFound)(s.Take(ctx, account.KindRefresh, hash("code")))
	refuses[*account.Grant](t, "another hash", account.ErrNotFound)(s.Take(ctx, account.KindCode, hash("Code")))
	want(t, "as it is taken", have[*account.Grant](t)(s.Take(ctx, account.KindCode, hash("code"))), g)
	for range 2 {
		used, err := s.Take(ctx, account.KindCode, hash("code"))
		fails(t, "the second use", err, account.ErrConflict)
		was := *g
		was.State = account.Used
		want(t, "as it was used", used, &was)
	}
	over := newGrant(account.KindCode, "over", "f")
	over.Expires = past
	ok(t, s.Add(ctx, over))
	refuses[*account.Grant](t, "one that is over", account.ErrNotFound)(s.Take(ctx, account.KindCode, hash("over")))
	bare := &account.Grant{Hash: hash("bare"), Kind: account.KindRequest, State: account.Open, Family: "b", Client: "cli", Expires: later}
	ok(t, s.Add(ctx, bare))
	want(t, "with as little as possible", have[*account.Grant](t)(s.Take(ctx, account.KindRequest, hash("bare"))), bare)
}

func testDevice(t *testing.T, s account.Store) {
	ctx := t.Context()
	d := newDevice("device", "ABCD-EFGH")
	ok(t, s.Add(ctx, d))
	fails(t, "the same user code", s.Add(ctx, newDevice("second", "ABCD-EFGH")), account.ErrConflict)
	want(t, "while nobody has decided", have[*account.Grant](t)(s.Take(ctx, account.KindDevice, hash("device"))), d)
	want(t, "by user code", have[*account.Grant](t)(s.Pending(ctx, "ABCD-EFGH")), d)
	refuses[*account.Grant](t, "another case", account.ErrNotFound)(s.Pending(ctx, "abcd-efgh"))
	refuses[*account.Grant](t, "no user code", account.ErrNotFound)(s.Pending(ctx, ""))

	open := &account.Grant{Hash: d.Hash, State: account.Open, Tenant: "acme", User: "u1", Scopes: []string{"scan.read"}, AuthTime: past.Add(time.Minute)}
	ok(t, s.Decide(ctx, open))
	fails(t, "a second decision", s.Decide(ctx, &account.Grant{Hash: d.Hash, State: account.Denied}), account.ErrConflict)
	refuses[*account.Grant](t, "by user code", account.ErrNotFound)(s.Pending(ctx, "ABCD-EFGH"))
	wanted := *d
	wanted.State, wanted.UserCode, wanted.Tenant, wanted.User, wanted.Scopes, wanted.AuthTime = account.Open, "", "acme", "u1", open.Scopes, open.AuthTime
	want(t, "as it is taken", have[*account.Grant](t)(s.Take(ctx, account.KindDevice, hash("device"))), &wanted)
	_, err := s.Take(ctx, account.KindDevice, hash("device"))
	fails(t, "the second use", err, account.ErrConflict)

	again := newDevice("again", "ABCD-EFGH")
	ok(t, s.Add(ctx, again))
	ok(t, s.Decide(ctx, &account.Grant{Hash: again.Hash, State: account.Denied, Tenant: "acme", User: "u1"}))
	for range 2 {
		if g := have[*account.Grant](t)(s.Take(ctx, account.KindDevice, hash("again"))); g.State != account.Denied || g.User != "u1" {
			t.Errorf("denied: %+v", g)
		}
	}
	over := newDevice("over", "OVER")
	over.Expires = past
	ok(t, s.Add(ctx, over))
	refuses[*account.Grant](t, "the user code of one that is over", account.ErrNotFound)(s.Pending(ctx, "OVER"))
	fails(t, "a decision about one that is over", s.Decide(ctx, &account.Grant{Hash: over.Hash, State: account.Open}), account.ErrNotFound)
	fails(t, "a decision about none", s.Decide(ctx, &account.Grant{Hash: hash("none"), State: account.Open}), account.ErrNotFound)
	ok(t, s.Add(ctx, newDevice("next", "OVER")))
	want(t, "a user code whose grant was over", have[*account.Grant](t)(s.Pending(ctx, "OVER")).Hash, hash("next"))
}

func testTakeAtOnce(t *testing.T, s account.Store) {
	for i := range 5 {
		ok(t, s.Add(t.Context(), newGrant(account.KindRefresh, secret(i), "f")))
		if n := atOnce(t, 20, func(int) error {
			g, err := s.Take(t.Context(), account.KindRefresh, hash(secret(i)))
			if g == nil || (err == nil) != (g.State == account.Open) {
				return fmt.Errorf("grant %+v with %w", g, err)
			}
			return err
		}); n != 1 {
			t.Errorf("of 20 calls %d succeeded", n)
		}
	}
}

func testReplace(t *testing.T, s account.Store) {
	ctx := t.Context()
	old := newGrant(account.KindCode, "code", "f")
	ok(t, s.Add(ctx, old))
	refused := errors.New("no")
	got, err := s.Replace(ctx, account.KindCode, hash("code"), func(g *account.Grant) (*account.Grant, error) {
		want(t, "what next sees", g, old)
		g.State = "changed" // which changes nothing
		return nil, refused
	})
	fails(t, "next fails", err, refused)
	want(t, "what is returned with it", got, old)
	got, err = s.Replace(ctx, account.KindCode, hash("code"), func(*account.Grant) (*account.Grant, error) { return newGrant("wrong", "x", "f"), nil })
	fails(t, "what is not valid", err, account.ErrInvalid)
	want(t, "what is returned with it", got, old)
	got, err = s.Replace(ctx, account.KindCode, hash("code"), func(*account.Grant) (*account.Grant, error) {
		return newGrant(account.KindRefresh, "code", "f"), nil
	})
	fails(t, "a hash that is there", err, account.ErrConflict)
	want(t, "what is returned with it", got, old)

	first := newGrant(account.KindRefresh, "refresh", "f")
	got = have[*account.Grant](t)(s.Replace(ctx, account.KindCode, hash("code"), func(*account.Grant) (*account.Grant, error) { return first, nil }))
	want(t, "what was used up", got, old)
	if first.Created.IsZero() {
		t.Error("what was added has no time")
	}
	used, err := s.Replace(ctx, account.KindCode, hash("code"), func(*account.Grant) (*account.Grant, error) {
		t.Error("next of what was used")
		return nil, nil
	})
	fails(t, "the second use", err, account.ErrConflict)
	if used == nil || used.State != account.Used || used.Family != "f" {
		t.Errorf("what was used: %+v", used)
	}
	want(t, "what was added", have[*account.Grant](t)(s.Replace(ctx, account.KindRefresh, hash("refresh"), func(*account.Grant) (*account.Grant, error) { return nil, nil })), first)
	_, err = s.Take(ctx, account.KindRefresh, hash("refresh"))
	fails(t, "what was replaced by nothing", err, account.ErrConflict)

	d := newDevice("device", "CODE")
	ok(t, s.Add(ctx, d))
	pending := have[*account.Grant](t)(s.Replace(ctx, account.KindDevice, hash("device"), func(*account.Grant) (*account.Grant, error) {
		t.Error("next of what is pending")
		return nil, nil
	}))
	want(t, "what is pending", pending, d)
	refuses[*account.Grant](t, "none", account.ErrNotFound)(s.Replace(ctx, account.KindRefresh, hash("none"), func(*account.Grant) (*account.Grant, error) {
		t.Error("next of none")
		return nil, nil
	}))
}

// testReplaceAtOnce has one chain only: whoever loses adds nothing.
func testReplaceAtOnce(t *testing.T, s account.Store) {
	ctx := t.Context()
	const calls = 12
	ok(t, s.Add(ctx, newGrant(account.KindRefresh, "0", "f")))
	at := "0"
	for round := range 4 {
		name := func(i int) string { return fmt.Sprint(round, " ", i) }
		won := make([]bool, calls)
		n := atOnce(t, calls, func(i int) error {
			_, err := s.Replace(ctx, account.KindRefresh, hash(at), func(*account.Grant) (*account.Grant, error) {
				return newGrant(account.KindRefresh, name(i), "f"), nil
			})
			won[i] = err == nil
			return err
		})
		if n != 1 {
			t.Fatalf("of %d calls %d succeeded", calls, n)
		}
		for i, w := range won {
			if w {
				at = name(i)
				continue
			}
			refuses[*account.Grant](t, "what a loser made", account.ErrNotFound)(s.Take(ctx, account.KindRefresh, hash(name(i))))
		}
	}
	ok(t, func() error { _, err := s.Take(ctx, account.KindRefresh, hash(at)); return err }())
}

func testDecideAtOnce(t *testing.T, s account.Store) {
	ctx := t.Context()
	ok(t, s.Add(ctx, newDevice("d", "CODE")))
	var winner sync.Map
	if n := atOnce(t, 12, func(i int) error {
		g := &account.Grant{Hash: hash("d"), State: account.Open, Tenant: "acme", User: fmt.Sprint("u", i)}
		if i%2 == 1 {
			g.State = account.Denied
		}
		err := s.Decide(ctx, g)
		if err == nil {
			winner.Store("w", g)
		}
		return err
	}); n != 1 {
		t.Fatalf("of 12 decisions %d stood", n)
	}
	w, _ := winner.Load("w")
	g := have[*account.Grant](t)(s.Take(ctx, account.KindDevice, hash("d")))
	if g.User != w.(*account.Grant).User || g.State != w.(*account.Grant).State {
		t.Errorf("decided %+v, kept %+v", w, g)
	}
}

func testRevoke(t *testing.T, s account.Store) {
	ctx := t.Context()
	grant := func(name string, change func(*account.Grant)) {
		g := newGrant(account.KindRefresh, name, "family "+name)
		g.AuthTime = time.Time{}
		change(g)
		ok(t, s.Add(ctx, g))
	}
	all := []string{"family", "client", "user", "tenant", "other", "family2"}
	grant("family", func(g *account.Grant) { g.Family, g.Client, g.User = "f", "c0", "u0" })
	grant("family2", func(g *account.Grant) { g.Family, g.Client, g.User = "f", "c0", "u0" })
	grant("client", func(g *account.Grant) { g.Client, g.User = "c1", "u0" })
	grant("user", func(g *account.Grant) { g.User, g.Client = "u1", "c0" })
	grant("tenant", func(g *account.Grant) { g.Tenant, g.User, g.Client = "gone", "u1", "c0" })
	grant("other", func(g *account.Grant) { g.Tenant, g.User, g.Client = "other", "u1", "c0" })
	standing := func(what string, names ...string) {
		t.Helper()
		var got []string
		for _, name := range all { // looked at without being used up
			g, err := s.Replace(ctx, account.KindRefresh, hash(name), func(*account.Grant) (*account.Grant, error) { return nil, errLook })
			switch {
			case errors.Is(err, errLook):
				got = append(got, name)
			case !errors.Is(err, account.ErrConflict) || g == nil || g.State != account.Used:
				t.Errorf("%s, grant %s: %+v, %v", what, name, g, err)
			}
		}
		want(t, what, got, names)
	}
	revoke := func(kind, id string, before time.Time) *account.Revocation {
		t.Helper()
		r := &account.Revocation{Kind: kind, ID: id, Before: before, Until: later, By: "root"}
		ok(t, s.Revoke(ctx, r))
		return r
	}
	standing("all", all...)
	r := revoke(account.RevokeToken, "f", time.Time{})
	if r.Seq == 0 || r.Before.IsZero() {
		t.Errorf("what is set: %+v", r)
	}
	for _, kind := range []string{account.RevokeClient, account.RevokeUser, account.RevokeTenant} {
		revoke(kind, map[string]string{account.RevokeClient: "c1", account.RevokeUser: "acme/u1", account.RevokeTenant: "gone"}[kind], past)
	}
	standing("those made before nothing was", all...)
	revoke(account.RevokeFamily, "f", past)
	standing("a family, whenever it was made", "client", "user", "tenant", "other")
	revoke(account.RevokeClient, "c1", time.Time{})
	standing("a client", "user", "tenant", "other")
	revoke(account.RevokeUser, "acme/u1", time.Time{})
	standing("a user, and not one of another tenant", "tenant", "other")
	revoke(account.RevokeTenant, "gone", time.Time{})
	standing("a tenant", "other")

	late := newGrant(account.KindRefresh, "late", "f")
	fails(t, "a grant of a family that was revoked", s.Add(ctx, late), account.ErrConflict)
	early := newGrant(account.KindCode, "early", "fresh")
	early.AuthTime = r.Before
	fails(t, "a grant by a login from before", s.Add(ctx, early), account.ErrConflict)
	early.AuthTime = later
	ok(t, s.Add(ctx, early))
	d := newDevice("device", "CODE")
	ok(t, s.Add(ctx, d))
	fails(t, "a decision by a login from before", s.Decide(ctx, &account.Grant{Hash: d.Hash, State: account.Open, Tenant: "acme", User: "u1", AuthTime: past}), account.ErrConflict)
	revoke(account.RevokeFamily, d.Family, time.Time{})
	refuses[*account.Grant](t, "a device code that was revoked", account.ErrNotFound)(s.Pending(ctx, "CODE"))
	_, err := s.Take(ctx, account.KindDevice, d.Hash)
	fails(t, "a device code that was revoked", err, account.ErrConflict)
}

var errLook = errors.New("only looked at")

func testRevocations(t *testing.T, s account.Store) {
	ctx := t.Context()
	var all []account.Revocation
	for i := range 5 {
		r := account.Revocation{Kind: account.RevokeToken, ID: secret(i), Tenant: "acme", Before: past, Until: later, By: "root", Reason: "lost"}
		if i == 2 {
			r.Until = past // over already
		}
		ok(t, s.Revoke(ctx, &r))
		if i != 2 {
			all = append(all, r)
		}
	}
	want(t, "all", have[[]account.Revocation](t)(s.Revocations(ctx, 0, 0)), all)
	want(t, "a page", have[[]account.Revocation](t)(s.Revocations(ctx, all[0].Seq, 2)), all[1:3])
	last := all[3].Seq
	want(t, "no more", have[[]account.Revocation](t)(s.Revocations(ctx, last, 0)), nil)
	refuses[[]account.Revocation](t, "a limit", account.ErrInvalid)(s.Revocations(ctx, 0, account.MaxList+1))

	again := account.Revocation{Kind: account.RevokeToken, ID: secret(0), Before: past.Add(time.Hour), Until: later.Add(-time.Minute), By: "alice"}
	ok(t, s.Revoke(ctx, &again))
	if again.Seq <= last || !again.Until.Equal(later) || !again.Before.Equal(past.Add(time.Hour)) {
		t.Errorf("the second one of a token: %+v", again)
	}
	want(t, "those after", have[[]account.Revocation](t)(s.Revocations(ctx, last, 0)), []account.Revocation{again})
	if n := len(have[[]account.Revocation](t)(s.Revocations(ctx, 0, 0))); n != 4 {
		t.Errorf("%d are kept, want 4", n)
	}
}

// testRevokeDuring rotates a family while it is revoked: nothing of it is left, whoever is
// first.
func testRevokeDuring(t *testing.T, s account.Store) {
	ctx := t.Context()
	for round := range 8 {
		family := fmt.Sprint("family ", round)
		name := func(i int) string { return fmt.Sprint(family, " ", i) }
		ok(t, s.Add(ctx, newGrant(account.KindRefresh, name(0), family)))
		var wg sync.WaitGroup
		last := 0
		wg.Go(func() {
			for ; last < 200; last++ {
				_, err := s.Replace(ctx, account.KindRefresh, hash(name(last)), func(*account.Grant) (*account.Grant, error) {
					return newGrant(account.KindRefresh, name(last+1), family), nil
				})
				if errors.Is(err, account.ErrConflict) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			if err := s.Revoke(ctx, &account.Revocation{Kind: account.RevokeFamily, ID: family, Until: later}); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for i := range last + 2 {
			if _, err := s.Take(ctx, account.KindRefresh, hash(name(i))); err == nil {
				t.Errorf("round %d: grant %d of %d outlived its family", round, i, last)
			}
		}
	}
}

// testRevocationOrder follows revocations while many are made: none is missed by who never
// looks back.
func testRevocationOrder(t *testing.T, s account.Store) {
	const writers, each = 4, 12
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := s.Revoke(ctx, &account.Revocation{Kind: account.RevokeToken, ID: fmt.Sprint(w, " ", i), Until: later}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	seen := map[string]bool{}
	var after int64
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true // and a last look
		default:
		}
		for _, r := range have[[]account.Revocation](t)(s.Revocations(ctx, after, 0)) {
			seen[r.ID], after = true, r.Seq
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d of %d revocations were seen", len(seen), writers*each)
	}
}

func testPurge(t *testing.T, s account.Store) {
	ctx := t.Context()
	putTenant(t, s, "acme")
	ok(t, s.Add(ctx, newGrant(account.KindCode, "stays", "f")))
	for i := range 3 {
		g := newGrant(account.KindCode, secret(i), "f")
		g.Expires = past
		ok(t, s.Add(ctx, g))
	}
	standing := account.Revocation{Kind: account.RevokeToken, ID: "a", Until: later}
	ok(t, s.Revoke(ctx, &standing))
	over := account.Revocation{Kind: account.RevokeToken, ID: "b", Until: past}
	ok(t, s.Revoke(ctx, &over))
	entries := len(have[[]account.Entry](t)(s.Journal(ctx, "", 0, 0))) + len(have[[]account.Entry](t)(s.Journal(ctx, "acme", 0, 0)))
	if n := have[int](t)(s.Purge(ctx, past)); n != 4 {
		t.Errorf("%d were forgotten, want 4", n)
	}
	ok(t, s.Add(ctx, newGrant(account.KindCode, secret(0), "f"))) // its hash is free
	if n := have[int](t)(s.Purge(ctx, later)); n != entries {
		t.Errorf("%d entries were forgotten, want %d", n, entries)
	}
	want(t, "what is left", have[[]account.Revocation](t)(s.Revocations(ctx, 0, 0)), []account.Revocation{standing})
	want(t, "of the journal", have[[]account.Entry](t)(s.Journal(ctx, "acme", 0, 0)), nil)
	ok(t, func() error { _, err := s.Take(ctx, account.KindCode, hash("stays")); return err }())
	next := account.Revocation{Kind: account.RevokeToken, ID: "c", Until: later}
	ok(t, s.Revoke(ctx, &next))
	if next.Seq <= over.Seq {
		t.Errorf("number %d was given again", next.Seq)
	}
}

func testFailed(t *testing.T, s account.Store) {
	ctx := t.Context()
	putTenant(t, s, "acme")
	u := putUser(t, s, "acme", "u1")
	until := func(at time.Time) func(int) time.Time { return func(int) time.Time { return at } }
	refuses[*account.User](t, "another tenant's", account.ErrNotFound)(s.Failed(ctx, "other", "u1", false, until(later)))
	refuses[*account.User](t, "none", account.ErrNotFound)(s.Failed(ctx, "acme", "u2", true, nil))
	for i := 1; i <= 3; i++ {
		u.Failures = i
		got := have[*account.User](t)(s.Failed(ctx, "acme", "u1", false, func(n int) time.Time {
			if n != i {
				t.Errorf("failure %d is number %d", i, n)
			}
			return time.Time{}
		}))
		want(t, "a failure", got, u)
	}
	u.Failures = 0
	want(t, "a success", have[*account.User](t)(s.Failed(ctx, "acme", "u1", true, nil)), u)
	want(t, "a success again", have[*account.User](t)(s.Failed(ctx, "acme", "u1", true, nil)), u)
	u.Failures, u.Locked = 1, past
	want(t, "a lock that is over", have[*account.User](t)(s.Failed(ctx, "acme", "u1", false, until(past))), u)
	u.Failures, u.Locked = 0, time.Time{}
	want(t, "a success after it", have[*account.User](t)(s.Failed(ctx, "acme", "u1", true, nil)), u)
	u.Failures, u.Locked = 1, later
	want(t, "a lock", have[*account.User](t)(s.Failed(ctx, "acme", "u1", false, until(later))), u)
	u.Failures = 2
	want(t, "a shorter lock", have[*account.User](t)(s.Failed(ctx, "acme", "u1", false, until(past))), u)
	want(t, "a success while it is locked", have[*account.User](t)(s.Failed(ctx, "acme", "u1", true, nil)), u)
	want(t, "as it is read", have[*account.User](t)(s.User(ctx, "acme", "u1")), u)

	change := *u
	change.Name, change.Failures, change.Locked = "other", 0, time.Time{}
	ok(t, s.PutUser(ctx, &change, "root")) // failures are no new version
	if change.Failures != 2 || !change.Locked.Equal(later) {
		t.Errorf("another name clears the lock: %+v", change)
	}
	change.Password = "$argon2id$new"
	ok(t, s.PutUser(ctx, &change, "root"))
	if change.Failures != 0 || !change.Locked.IsZero() {
		t.Errorf("another password keeps the lock: %+v", change)
	}
	want(t, "as it is read", have[*account.User](t)(s.User(ctx, "acme", "u1")), &change)
	var locks int
	for _, e := range have[[]account.Entry](t)(s.Journal(ctx, "acme", 0, 0)) {
		if e.Action == "user.locked" && e.Subject == "u1" {
			locks++
		}
	}
	if locks != 2 {
		t.Errorf("%d locks are in the journal, want 2", locks)
	}
}

func testFailedAtOnce(t *testing.T, s account.Store) {
	ctx := t.Context()
	putTenant(t, s, "acme")
	putUser(t, s, "acme", "u1")
	var mu sync.Mutex
	counts := map[int]bool{}
	if n := atOnce(t, 20, func(int) error {
		u, err := s.Failed(ctx, "acme", "u1", false, func(n int) time.Time {
			if n >= 15 {
				return later
			}
			return time.Time{}
		})
		if err == nil {
			mu.Lock()
			counts[u.Failures] = true
			mu.Unlock()
		}
		return err
	}); n != 20 {
		t.Fatalf("%d of 20 were counted", n)
	}
	u := have[*account.User](t)(s.User(ctx, "acme", "u1"))
	if len(counts) != 20 || u.Failures != 20 || !u.Locked.Equal(later) {
		t.Errorf("counted %v, and kept %+v", counts, u)
	}
}

func testPutAtOnce(t *testing.T, s account.Store) {
	ctx := t.Context()
	if n := atOnce(t, 8, func(i int) error {
		return s.PutTenant(ctx, &account.Tenant{ID: "acme", Name: fmt.Sprint(i)}, "root")
	}); n != 1 {
		t.Errorf("%d made one tenant", n)
	}
	if n := atOnce(t, 8, func(i int) error {
		return s.PutUser(ctx, &account.User{Tenant: "acme", ID: fmt.Sprint(i), Login: "one"}, "root")
	}); n != 1 {
		t.Errorf("%d have one login", n)
	}
	ok(t, s.PutClient(ctx, newClient("acme", "ci"), "root"))
	if n := atOnce(t, 8, func(i int) error {
		c := newClient("acme", "ci")
		c.Version, c.Name = 1, fmt.Sprint(i)
		return s.PutClient(ctx, c, "root")
	}); n != 1 {
		t.Errorf("%d replaced one version", n)
	}
	want(t, "one entry for each", have[[]account.Entry](t)(s.Journal(ctx, "acme", 0, 0)), []account.Entry{{Action: "tenant.put"}, {Action: "user.put"}, {Action: "client.put"}, {Action: "client.put"}},
		cmpopts.IgnoreFields(account.Entry{}, "Seq", "Time", "Tenant", "Subject", "Client", "Detail"))
}
