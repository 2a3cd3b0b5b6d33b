package sqlite_test

import (
	"testing"

	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
)

func TestAccounts(t *testing.T) {
	accounttest.TestStore(t, func(t testing.TB) account.Store {
		root := open(t)
		t.Cleanup(func() {
			if err := root.Close(); err != nil {
				t.Error(err)
			}
		})
		return root.Accounts()
	})
}

func TestPing(t *testing.T) {
	root := open(t)
	if err := root.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	if err := root.Ping(t.Context()); err == nil {
		t.Error("a store that is closed answers")
	}
}
