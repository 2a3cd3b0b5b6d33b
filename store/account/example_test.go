package account_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
)

// A refresh token is used once: the second use of it shows that somebody has a copy, and
// ends all that came of it.
func Example() {
	ctx := context.Background()
	var s account.Store = accounttest.NewMemory() // in a program, the Accounts of a store.Root
	hash := func(token string) []byte { h := sha256.Sum256([]byte(token)); return h[:] }
	refresh := func(token string) *account.Grant {
		return &account.Grant{Hash: hash(token), Kind: account.KindRefresh, State: account.Open, Family: "login-1", Tenant: "acme", Client: "cli", User: "u1", Expires: time.Now().Add(time.Hour)}
	}
	if err := s.Add(ctx, refresh("first")); err != nil {
		log.Fatal(err)
	}
	rotate := func(old, next string) {
		g, err := s.Replace(ctx, account.KindRefresh, hash(old), func(*account.Grant) (*account.Grant, error) { return refresh(next), nil })
		if errors.Is(err, account.ErrConflict) && g.State == account.Used {
			fmt.Println(old, "was used before: its family ends")
			err = s.Revoke(ctx, &account.Revocation{Kind: account.RevokeFamily, ID: g.Family, Tenant: g.Tenant, Until: time.Now().Add(time.Hour), Reason: "reuse"})
		} else if err == nil {
			fmt.Println(old, "became", next)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	rotate("first", "second")
	rotate("first", "third")
	_, err := s.Take(ctx, account.KindRefresh, hash("second"))
	fmt.Println("second can be used:", err == nil)
	// Output:
	// first became second
	// first was used before: its family ends
	// second can be used: false
}
