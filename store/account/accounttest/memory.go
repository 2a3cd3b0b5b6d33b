// Package accounttest proves stores of accounts, with [TestStore], and has one in memory for
// the tests of what uses them.
//
// The suite demands what logins hang on: a code, a refresh token or an assertion is used
// once, whoever asks at the same time; a change names the number that it was read with, or
// is refused; what was revoked stays so; a tenant's users, clients and keys are not found
// under another tenant; and each change is in the journal, with who made it.
//
// [NewMemory] makes a store that passes it, without a database. Nothing of it outlives
// the process, so it is for tests: installations keep accounts in package store.
package accounttest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

// Memory is an account.Store in memory: nothing of it outlives the process. It is safe for
// concurrent use.
type Memory struct {
	// Now is the store's clock; nil is time.Now. Set it before the first use.
	Now func() time.Time

	mu          sync.Mutex
	tenants     map[string]account.Tenant
	users       map[[2]string]account.User
	clients     map[string]account.Client
	keys        map[string]account.Key
	apiKeys     map[string]account.APIKey
	grants      map[string]account.Grant
	revocations []account.Revocation // by Seq
	journal     []account.Entry
	seq         int64
}

var _ account.Store = (*Memory)(nil)

// NewMemory returns a store with nothing in it.
func NewMemory() *Memory {
	return &Memory{
		tenants: map[string]account.Tenant{}, users: map[[2]string]account.User{}, clients: map[string]account.Client{},
		keys: map[string]account.Key{}, apiKeys: map[string]account.APIKey{}, grants: map[string]account.Grant{},
	}
}

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return moment(time.Now())
	}
	return moment(m.Now())
}

// moment is a time as stores keep it.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func missing(what, id string) error {
	return fmt.Errorf("%s %.80q: there is none: %w", what, id, fault.NotFound)
}

func conflict(what, id, why string) error {
	return fmt.Errorf("%s %.80q: %s: %w", what, id, why, fault.Conflict)
}

// list clones one, and turns an empty one into none.
func list[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

func copyUser(u account.User) *account.User {
	u.Scopes, u.Locked, u.Created, u.Updated = list(u.Scopes), moment(u.Locked), moment(u.Created), moment(u.Updated)
	return &u
}

func copyClient(c account.Client) *account.Client {
	c.Keys, c.Redirects, c.Grants, c.Scopes = list(c.Keys), list(c.Redirects), list(c.Grants), list(c.Scopes)
	return &c
}

func copyKey(k account.Key) account.Key {
	k.Public, k.Sealed, k.Active, k.Ended = list(k.Public), list(k.Sealed), moment(k.Active), moment(k.Ended)
	return k
}

func copyAPIKey(k account.APIKey) *account.APIKey {
	k.Hash, k.Scopes, k.Expires, k.Revoked = list(k.Hash), list(k.Scopes), moment(k.Expires), moment(k.Revoked)
	return &k
}

func copyGrant(g account.Grant) *account.Grant {
	g.Hash, g.Scopes, g.Data, g.AuthTime, g.Expires = list(g.Hash), list(g.Scopes), list(g.Data), moment(g.AuthTime), moment(g.Expires)
	return &g
}

// note writes to the journal; the lock is held.
func (m *Memory) note(e account.Entry) {
	m.seq++
	e = e.Fit()
	e.Seq, e.Time = m.seq, m.now()
	m.journal = append(m.journal, e)
}

// next is the version after the one that a Put names, or an error where it names another.
func next(what, id string, kept, given int64) (int64, error) {
	if kept != given {
		return 0, conflict(what, id, "version "+strconv.FormatInt(kept, 10)+" is kept, and version "+strconv.FormatInt(given, 10)+" was to be replaced")
	}
	return kept + 1, nil
}

// page sorts what is after one, and cuts it.
func page[T any](all []T, limit int, key func(*T) string) []T {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(key(&a), key(&b)) })
	return all[:min(len(all), limit)]
}

func sameKey(a, b *account.Key) bool {
	return a.Algorithm == b.Algorithm && bytes.Equal(a.Public, b.Public) && bytes.Equal(a.Sealed, b.Sealed)
}

func sameAPIKey(a, b *account.APIKey) bool {
	return a.Tenant == b.Tenant && a.Subject == b.Subject && a.Name == b.Name && bytes.Equal(a.Hash, b.Hash) && slices.Equal(a.Scopes, b.Scopes) && a.Expires.Equal(b.Expires)
}
