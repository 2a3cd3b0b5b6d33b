package accounttest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/store/account"
)

// TestStore proves that a store keeps accounts as package account says. open returns a new
// one with nothing in it; the suite does not close it.
func TestStore(t *testing.T, open func(testing.TB) account.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, account.Store)
	}{
		{"Tenants", testTenants}, {"Users", testUsers}, {"Clients", testClients}, {"Keys", testKeys}, {"APIKeys", testAPIKeys}, {"Failed", testFailed}, {"FailedAtOnce", testFailedAtOnce},
		{"Lists", testLists}, {"Journal", testJournal}, {"Refuses", testRefuses}, {"StrangeText", testStrangeText}, {"PutAtOnce", testPutAtOnce},
		{"Grants", testGrants}, {"Device", testDevice}, {"TakeAtOnce", testTakeAtOnce}, {"Replace", testReplace}, {"ReplaceAtOnce", testReplaceAtOnce}, {"DecideAtOnce", testDecideAtOnce},
		{"Revoke", testRevoke}, {"Revocations", testRevocations}, {"RevokeDuring", testRevokeDuring}, {"RevocationOrder", testRevocationOrder}, {"Purge", testPurge},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var (
	later = time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	past  = time.Date(2001, 2, 3, 4, 5, 6, 7000, time.UTC)
)

// hash is what a store keeps of a secret.
func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// want compares; what a list has none of may be nil.
func want[T any](t *testing.T, what string, got, want T, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, append(opts, cmpopts.EquateEmpty())...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ok fails the test for an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// have fails the test for an error, and returns the value.
func have[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// fails wants an error of a kind.
func fails(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// refuses is fails for what returns a value as well.
func refuses[T any](t *testing.T, what string, kind error) func(T, error) {
	return func(_ T, err error) {
		t.Helper()
		fails(t, what, err, kind)
	}
}

// atOnce calls f so many times at once, and returns how many had no error. All others must
// be conflicts.
func atOnce(t *testing.T, n int, f func(i int) error) int {
	t.Helper()
	start := make(chan struct{})
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else if !errors.Is(err, account.ErrConflict) {
			t.Errorf("at once: %v", err)
		}
	}
	return done
}

// putTenant makes a tenant.
func putTenant(t *testing.T, s account.Store, id string) {
	t.Helper()
	ok(t, s.PutTenant(t.Context(), &account.Tenant{ID: id, Name: "The " + id}, "root"))
}

// putUser makes a user of a tenant that is there.
func putUser(t *testing.T, s account.Store, tenant, id string) *account.User {
	t.Helper()
	u := &account.User{Tenant: tenant, ID: id, Login: id + "@example.test", Name: "N. " + id, Email: id + "@example.test", Password: "$argon2id$x", Scopes: []string{"scan.read", "scan.write"}}
	ok(t, s.PutUser(t.Context(), u, "root"))
	return u
}

func newClient(tenant, id string) *account.Client {
	return &account.Client{ID: id, Tenant: tenant, Name: "C", Keys: []byte(`{"keys":[]}`), Redirects: []string{"http://127.0.0.1/cb"}, Grants: []string{"authorization_code", "refresh_token"}, Scopes: []string{"scan.read"}}
}

// newGrant is an open one of a family, whose hash is of secret.
func newGrant(kind, secret, family string) *account.Grant {
	return &account.Grant{Hash: hash(secret), Kind: kind, State: account.Open, Family: family, Tenant: "acme", Client: "cli", User: "u1", Scopes: []string{"scan.read"}, JKT: "thumb",
		Data: []byte(`{"n":1}`), AuthTime: past.Add(time.Hour), Expires: later}
}

// newDevice is a pending one.
func newDevice(secret, userCode string) *account.Grant {
	return &account.Grant{Hash: hash(secret), Kind: account.KindDevice, State: account.Pending, UserCode: userCode, Family: "family of " + secret, Client: "cli", Expires: later}
}

func secret(i int) string { return fmt.Sprint("secret ", i) }
