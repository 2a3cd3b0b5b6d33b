package accounttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/store/account"
)

func testTenants(t *testing.T, s account.Store) {
	ctx := t.Context()
	refuses[*account.Tenant](t, "one that is not there", account.ErrNotFound)(s.Tenant(ctx, "acme"))
	v := &account.Tenant{ID: "acme", Name: "Acme"}
	fails(t, "another version than none", s.PutTenant(ctx, &account.Tenant{ID: "acme", Version: 1}, "root"), account.ErrConflict)
	ok(t, s.PutTenant(ctx, v, "root"))
	if v.Version != 1 || v.Created.IsZero() || !v.Updated.Equal(v.Created) || v.Created.Nanosecond()%1000 != 0 {
		t.Errorf("what is set of a new one: %+v", v)
	}
	want(t, "as it is read", have[*account.Tenant](t)(s.Tenant(ctx, "acme")), v)
	fails(t, "the same again", s.PutTenant(ctx, &account.Tenant{ID: "acme"}, "root"), account.ErrConflict)
	v.Name, v.Disabled = "Acme Inc.", true
	created := v.Created
	ok(t, s.PutTenant(ctx, v, "root"))
	if v.Version != 2 || !v.Created.Equal(created) || v.Updated.Before(created) {
		t.Errorf("what is set of the second version: %+v", v)
	}
	want(t, "the second version", have[*account.Tenant](t)(s.Tenant(ctx, "acme")), v)
	fails(t, "the version before", s.PutTenant(ctx, &account.Tenant{ID: "acme", Version: 1}, "root"), account.ErrConflict)
	refuses[*account.Tenant](t, "another case", account.ErrNotFound)(s.Tenant(ctx, "ACME"))
}

func testUsers(t *testing.T, s account.Store) {
	ctx := t.Context()
	fails(t, "of no tenant", s.PutUser(ctx, &account.User{Tenant: "acme", ID: "u1", Login: "a"}, "root"), account.ErrNotFound)
	putTenant(t, s, "acme")
	putTenant(t, s, "other")
	u := putUser(t, s, "acme", "u1")
	want(t, "by ID", have[*account.User](t)(s.User(ctx, "acme", "u1")), u)
	want(t, "by login", have[*account.User](t)(s.Login(ctx, "acme", "u1@example.test")), u)
	for _, c := range [][2]string{{"other", "u1"}, {"", "u1"}, {"acme", "U1"}, {"acme", "u1@example.test"}} {
		refuses[*account.User](t, fmt.Sprint("user ", c), account.ErrNotFound)(s.User(ctx, c[0], c[1]))
	}
	for _, c := range [][2]string{{"other", "u1@example.test"}, {"", "u1@example.test"}, {"acme", "U1@example.test"}, {"acme", "u1@example.test "}, {"acme", "u1"}} {
		refuses[*account.User](t, fmt.Sprint("login ", c), account.ErrNotFound)(s.Login(ctx, c[0], c[1]))
	}
	fails(t, "a login that is taken", s.PutUser(ctx, &account.User{Tenant: "acme", ID: "u2", Login: u.Login}, "root"), account.ErrConflict)
	ok(t, s.PutUser(ctx, &account.User{Tenant: "other", ID: "u1", Login: u.Login}, "root"))
	u2 := putUser(t, s, "acme", "u2")
	u2.Login = u.Login
	fails(t, "a login that becomes another's", s.PutUser(ctx, u2, "root"), account.ErrConflict)
	want(t, "it is as it was", have[*account.User](t)(s.User(ctx, "acme", "u2")).Login, "u2@example.test")
	u.Login, u.Scopes, u.Disabled, u.Password = "new", nil, true, ""
	ok(t, s.PutUser(ctx, u, "root"))
	want(t, "the second version", have[*account.User](t)(s.Login(ctx, "acme", "new")), u)
	refuses[*account.User](t, "the login before", account.ErrNotFound)(s.Login(ctx, "acme", "u1@example.test"))
}

func testClients(t *testing.T, s account.Store) {
	ctx := t.Context()
	putTenant(t, s, "acme")
	putTenant(t, s, "other")
	c := newClient("acme", "ci")
	fails(t, "of a tenant that is not there", s.PutClient(ctx, newClient("nobody", "ci"), "root"), account.ErrNotFound)
	ok(t, s.PutClient(ctx, c, "root"))
	want(t, "as it is read", have[*account.Client](t)(s.Client(ctx, "ci")), c)
	public := &account.Client{ID: "cli", Public: true, Plain: true, Scopes: []string{"scan.read"}, Grants: []string{"urn:ietf:params:oauth:grant-type:device_code"}}
	ok(t, s.PutClient(ctx, public, "root"))
	want(t, "of no tenant", have[*account.Client](t)(s.Client(ctx, "cli")), public)
	for _, tenant := range []string{"other", ""} {
		stolen := newClient(tenant, "ci")
		fails(t, "the ID of another tenant's", s.PutClient(ctx, stolen, "root"), account.ErrConflict)
		stolen.Version = 1
		fails(t, "a client that changes its tenant", s.PutClient(ctx, stolen, "root"), account.ErrConflict)
	}
	c.Keys, c.Secret, c.Disabled, c.Redirects = nil, "$argon2id$y", true, nil
	ok(t, s.PutClient(ctx, c, "root"))
	want(t, "the second version", have[*account.Client](t)(s.Client(ctx, "ci")), c)
	fails(t, "the version before", s.PutClient(ctx, &account.Client{ID: "cli", Public: true}, "root"), account.ErrConflict)
}

func testKeys(t *testing.T, s account.Store) {
	ctx := t.Context()
	key := func(id string, active time.Time) *account.Key {
		return &account.Key{ID: id, Algorithm: "ES256", Public: []byte(`{"kty":"EC"}`), Sealed: []byte("sealed " + id), Active: active}
	}
	second, first, third := key("b", past.Add(time.Minute)), key("c", past), key("a", later)
	for _, k := range []*account.Key{second, first, third} {
		ok(t, s.PutKey(ctx, k, "root"))
	}
	want(t, "by Active", have[[]account.Key](t)(s.Keys(ctx)), []account.Key{*first, *second, *third})
	first.Ended = later
	ok(t, s.PutKey(ctx, first, "root"))
	want(t, "one that ends", have[[]account.Key](t)(s.Keys(ctx)), []account.Key{*first, *second, *third})
	first.Ended = past
	ok(t, s.PutKey(ctx, first, "root"))
	want(t, "one that ended", have[[]account.Key](t)(s.Keys(ctx)), []account.Key{*second, *third})
	first.Ended = time.Time{}
	fails(t, "one that ended and goes on", s.PutKey(ctx, first, "root"), account.ErrConflict)
	first.Ended = later
	fails(t, "one that ends later", s.PutKey(ctx, first, "root"), account.ErrConflict)
	third.Active = past.Add(time.Second)
	ok(t, s.PutKey(ctx, third, "root"))
	want(t, "another Active", have[[]account.Key](t)(s.Keys(ctx)), []account.Key{*third, *second})
	for _, change := range []func(*account.Key){
		func(k *account.Key) { k.Sealed = []byte("x") }, func(k *account.Key) { k.Public = []byte("x") }, func(k *account.Key) { k.Algorithm = "EdDSA" },
	} {
		other := *second
		change(&other)
		fails(t, "another key of the same ID", s.PutKey(ctx, &other, "root"), account.ErrConflict)
	}
}

func testAPIKeys(t *testing.T, s account.Store) {
	ctx := t.Context()
	k := &account.APIKey{ID: "k1", Tenant: "acme", Subject: "u1", Name: "jenkins", Hash: hash("x"), Scopes: []string{"scan.write"}, Expires: later}
	fails(t, "of no tenant", s.PutAPIKey(ctx, k, "root"), account.ErrNotFound)
	putTenant(t, s, "acme")
	putTenant(t, s, "other")
	ok(t, s.PutAPIKey(ctx, k, "root"))
	want(t, "as it is read", have[*account.APIKey](t)(s.APIKey(ctx, "k1")), k)
	refuses[*account.APIKey](t, "one that is not there", account.ErrNotFound)(s.APIKey(ctx, "K1"))
	for _, change := range []func(*account.APIKey){
		func(k *account.APIKey) { k.Hash = hash("y") }, func(k *account.APIKey) { k.Tenant = "other" }, func(k *account.APIKey) { k.Subject = "u2" },
		func(k *account.APIKey) { k.Scopes = nil }, func(k *account.APIKey) { k.Expires = later.Add(time.Hour) }, func(k *account.APIKey) { k.Name = "" },
	} {
		other := *k
		change(&other)
		fails(t, "another key of the same ID", s.PutAPIKey(ctx, &other, "root"), account.ErrConflict)
	}
	k.Revoked = past
	ok(t, s.PutAPIKey(ctx, k, "root"))
	want(t, "revoked", have[*account.APIKey](t)(s.APIKey(ctx, "k1")), k)
	ok(t, s.PutAPIKey(ctx, k, "root"))
	for _, at := range []time.Time{{}, later} {
		k.Revoked = at
		fails(t, "one that is revoked no more", s.PutAPIKey(ctx, k, "root"), account.ErrConflict)
	}
}

func testLists(t *testing.T, s account.Store) {
	ctx := t.Context()
	ids := []string{"-", "A", "B.b", "Zz", "_", "a", "b", "zz"} // by their bytes
	for _, i := range []int{5, 1, 7, 0, 3, 4, 6, 2} {
		putTenant(t, s, ids[i])
	}
	for _, i := range []int{2, 6, 0, 4, 3, 7, 1, 5} {
		putUser(t, s, "a", ids[i])
		ok(t, s.PutClient(ctx, newClient("a", ids[i]), "root"))
		ok(t, s.PutAPIKey(ctx, &account.APIKey{ID: ids[i], Tenant: "a", Subject: "s", Hash: hash(ids[i]), Expires: later}, "root"))
	}
	putUser(t, s, "b", "other")
	ok(t, s.PutClient(ctx, newClient("", "installation"), "root"))
	ok(t, s.PutAPIKey(ctx, &account.APIKey{ID: "other", Tenant: "b", Subject: "s", Hash: hash("o"), Expires: later}, "root"))
	for name, read := range map[string]func(after string, limit int) ([]string, error){
		"tenants": func(after string, limit int) (out []string, err error) {
			list, err := s.Tenants(ctx, after, limit)
			for _, v := range list {
				out = append(out, v.ID)
			}
			return out, err
		},
		"users": func(after string, limit int) (out []string, err error) {
			list, err := s.Users(ctx, "a", after, limit)
			for _, v := range list {
				out = append(out, v.ID)
			}
			return out, err
		},
		"clients": func(after string, limit int) (out []string, err error) {
			list, err := s.Clients(ctx, "a", after, limit)
			for _, v := range list {
				out = append(out, v.ID)
			}
			return out, err
		},
		"API keys": func(after string, limit int) (out []string, err error) {
			list, err := s.APIKeys(ctx, "a", after, limit)
			for _, v := range list {
				out = append(out, v.ID)
			}
			return out, err
		},
	} {
		want(t, name, have[[]string](t)(read("", 0)), ids)
		var paged []string
		for after := ""; ; after = paged[len(paged)-1] {
			p := have[[]string](t)(read(after, 3))
			if len(p) == 0 {
				break
			}
			paged = append(paged, p...)
		}
		want(t, name+" in pages", paged, ids)
		refuses[[]string](t, name, account.ErrInvalid)(read("", -1))
		refuses[[]string](t, name, account.ErrInvalid)(read("", account.MaxList+1))
	}
	list := have[[]account.Client](t)(s.Clients(ctx, "", "", 0))
	if len(list) != 1 || list[0].ID != "installation" {
		t.Errorf("clients of no tenant: %v", list)
	}
}

func testJournal(t *testing.T, s account.Store) {
	ctx := t.Context()
	putTenant(t, s, "acme")
	u := putUser(t, s, "acme", "u1")
	u.Disabled = true
	ok(t, s.PutUser(ctx, u, "alice"))
	fails(t, "a conflict", s.PutUser(ctx, &account.User{Tenant: "acme", ID: "u1", Login: "x"}, "bob"), account.ErrConflict)
	ok(t, s.PutClient(ctx, newClient("acme", "ci"), "alice"))
	e := &account.Entry{Tenant: "acme", Action: "login.failed", Subject: "u\x00\xff1\n", Client: strings.Repeat("c", 10_000), Detail: strings.Repeat("é", account.MaxDetail)}
	ok(t, s.Note(ctx, e))
	if e.Seq == 0 || e.Time.IsZero() {
		t.Errorf("what is set of an entry: %+v", e)
	}
	ok(t, s.Revoke(ctx, &account.Revocation{Kind: account.RevokeToken, ID: "jti", Tenant: "acme", Until: later, By: "alice", Reason: "lost"}))
	ok(t, s.Note(ctx, &account.Entry{Action: "elsewhere"}))
	all := have[[]account.Entry](t)(s.Journal(ctx, "acme", 0, 0))
	want(t, "entries", all, []account.Entry{
		{Tenant: "acme", Action: "tenant.put", Subject: "root", Detail: "acme version 1"},
		{Tenant: "acme", Action: "user.put", Subject: "root", Detail: "u1 version 1"},
		{Tenant: "acme", Action: "user.put", Subject: "alice", Detail: "u1 version 2, ended"},
		{Tenant: "acme", Action: "client.put", Subject: "alice", Client: "ci", Detail: "version 1"},
		{Tenant: "acme", Action: "login.failed", Subject: "u1", Client: strings.Repeat("c", account.MaxID), Detail: strings.Repeat("é", account.MaxDetail/2)},
		{Tenant: "acme", Action: "revoke.token", Subject: "alice", Detail: "jti: lost"},
	}, cmpopts.IgnoreFields(account.Entry{}, "Seq", "Time"))
	if !slices.IsSortedFunc(all, func(a, b account.Entry) int { return int(a.Seq - b.Seq) }) {
		t.Errorf("not in order: %+v", all)
	}
	rest := have[[]account.Entry](t)(s.Journal(ctx, "acme", all[1].Seq, 2))
	want(t, "a page", rest, all[2:4])
	none := have[[]account.Entry](t)(s.Journal(ctx, "", 0, 0))
	if len(none) != 1 || none[0].Action != "elsewhere" {
		t.Errorf("entries of no tenant: %+v", none)
	}
}

// testRefuses holds the bounds: what is not valid is refused whole.
func testRefuses(t *testing.T, s account.Store) {
	ctx := t.Context()
	putTenant(t, s, "acme")
	before := have[[]account.Entry](t)(s.Journal(ctx, "acme", 0, 0))
	user := func(change func(*account.User)) error {
		u := &account.User{Tenant: "acme", ID: "u", Login: "l"}
		change(u)
		return s.PutUser(ctx, u, "root")
	}
	client := func(change func(*account.Client)) error {
		c := newClient("acme", "c")
		change(c)
		return s.PutClient(ctx, c, "root")
	}
	grant := func(change func(*account.Grant)) error {
		g := newGrant(account.KindCode, "x", "f")
		change(g)
		return s.Add(ctx, g)
	}
	long := strings.Repeat("x", 100_000)
	for i, c := range []struct{ err, kind error }{
		{s.PutTenant(ctx, &account.Tenant{ID: ""}, "root"), account.ErrInvalid},
		{s.PutTenant(ctx, &account.Tenant{ID: "a/b"}, "root"), account.ErrInvalid},
		{s.PutTenant(ctx, &account.Tenant{ID: ".."}, "root"), account.ErrInvalid},
		{s.PutTenant(ctx, &account.Tenant{ID: long}, "root"), account.ErrInvalid},
		{s.PutTenant(ctx, &account.Tenant{ID: "x", Name: long}, "root"), account.ErrLimit},
		{s.PutTenant(ctx, &account.Tenant{ID: "x", Version: -1}, "root"), account.ErrInvalid},
		{user(func(u *account.User) { u.ID = "" }), account.ErrInvalid},
		{user(func(u *account.User) { u.Login = "" }), account.ErrInvalid},
		{user(func(u *account.User) { u.Login = "a\x00b" }), account.ErrInvalid},
		{user(func(u *account.User) { u.Name = "\xff" }), account.ErrInvalid},
		{user(func(u *account.User) { u.Password = "hunter2" }), account.ErrInvalid},
		{user(func(u *account.User) { u.Password = "$" + long }), account.ErrLimit},
		{user(func(u *account.User) { u.Scopes = []string{"a b"} }), account.ErrInvalid},
		{user(func(u *account.User) { u.Scopes = []string{"a", "a"} }), account.ErrInvalid},
		{user(func(u *account.User) { u.Scopes = make([]string, account.MaxScopes+1) }), account.ErrLimit},
		{client(func(c *account.Client) { c.Public = true }), account.ErrInvalid},
		{client(func(c *account.Client) { c.Keys = nil }), account.ErrInvalid},
		{client(func(c *account.Client) { c.Secret = "$x" }), account.ErrInvalid},
		{client(func(c *account.Client) { c.Keys = []byte("no JSON") }), account.ErrInvalid},
		{client(func(c *account.Client) { c.Redirects = make([]string, account.MaxRedirects+1) }), account.ErrLimit},
		{client(func(c *account.Client) { c.Redirects = []string{long} }), account.ErrLimit},
		{s.PutKey(ctx, &account.Key{ID: "k", Algorithm: "ES256", Public: []byte("x"), Sealed: []byte("y")}, "root"), account.ErrInvalid},
		{s.PutKey(ctx, &account.Key{ID: "k", Algorithm: "ES256", Public: []byte(long), Sealed: []byte("y"), Active: past}, "root"), account.ErrLimit},
		{s.PutAPIKey(ctx, &account.APIKey{ID: "k", Tenant: "acme", Subject: "s", Hash: hash("x")}, "root"), account.ErrInvalid},
		{s.PutAPIKey(ctx, &account.APIKey{ID: "k", Tenant: "acme", Subject: "s", Hash: []byte("secret"), Expires: later}, "root"), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.Hash = []byte("a secret as it is") }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.Kind = "token" }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.State = account.Used }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.State = "" }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.UserCode = "open" }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.Family = "" }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.Expires = time.Time{} }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.Data = []byte("no JSON") }), account.ErrInvalid},
		{grant(func(g *account.Grant) { g.Data = []byte(`"` + long + `"`) }), account.ErrLimit},
		{s.Revoke(ctx, &account.Revocation{Kind: "session", ID: "x", Until: later}), account.ErrInvalid},
		{s.Revoke(ctx, &account.Revocation{Kind: account.RevokeUser, ID: "u1", Until: later}), account.ErrInvalid},
		{s.Revoke(ctx, &account.Revocation{Kind: account.RevokeFamily, Until: later}), account.ErrInvalid},
		{s.Revoke(ctx, &account.Revocation{Kind: account.RevokeFamily, ID: "f"}), account.ErrInvalid},
		{s.Decide(ctx, &account.Grant{Hash: hash("x"), State: account.Used}), account.ErrInvalid},
	} {
		fails(t, fmt.Sprint("case ", i), c.err, c.kind)
		if c.err != nil && (strings.Contains(c.err.Error(), "hunter2") || len(c.err.Error()) > 1000) {
			t.Errorf("case %d: the error shows what it must not: %.200s", i, c.err)
		}
	}
	after := have[[]account.Entry](t)(s.Journal(ctx, "acme", 0, 0))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what was refused is in the journal:\n%s", diff)
	}
}

// testStrangeText looks for what no engine can keep: there is none, and that is all.
func testStrangeText(t *testing.T, s account.Store) {
	ctx := t.Context()
	putTenant(t, s, "acme")
	putUser(t, s, "acme", "u1")
	for _, x := range []string{"", "\x00", "u1\x00", "\xff\xfe", "u1\n", "' OR 1=1 --", strings.Repeat("x", 1<<20), "%", "_1"} {
		refuses[*account.Tenant](t, "tenant", account.ErrNotFound)(s.Tenant(ctx, x))
		refuses[*account.User](t, "user", account.ErrNotFound)(s.User(ctx, "acme", x))
		refuses[*account.User](t, "user", account.ErrNotFound)(s.User(ctx, x, "u1"))
		refuses[*account.User](t, "login", account.ErrNotFound)(s.Login(ctx, "acme", x))
		refuses[*account.User](t, "login", account.ErrNotFound)(s.Login(ctx, x, "u1@example.test"))
		refuses[*account.Client](t, "client", account.ErrNotFound)(s.Client(ctx, x))
		refuses[*account.APIKey](t, "API key", account.ErrNotFound)(s.APIKey(ctx, x))
		refuses[*account.Grant](t, "user code", account.ErrNotFound)(s.Pending(ctx, x))
		refuses[*account.Grant](t, "grant", account.ErrNotFound)(s.Take(ctx, x, hash("x")))
		refuses[*account.Grant](t, "grant", account.ErrNotFound)(s.Take(ctx, account.KindCode, []byte(x)))
		refuses[*account.User](t, "failed", account.ErrNotFound)(s.Failed(ctx, "acme", x, false, func(int) time.Time { return time.Time{} }))
		for _, list := range [][]string{{x, ""}, {"acme", x}} {
			_, err := s.Users(ctx, list[0], list[1], 0)
			ok(t, err)
			_, err = s.Clients(ctx, list[0], list[1], 0)
			ok(t, err)
			_, err = s.APIKeys(ctx, list[0], list[1], 0)
			ok(t, err)
			_, err = s.Journal(ctx, list[0], 0, 0)
			ok(t, err)
		}
		_, err := s.Tenants(ctx, x, 0)
		ok(t, err)
	}
}
