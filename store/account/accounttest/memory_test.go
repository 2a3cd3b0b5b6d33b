package accounttest_test

import (
	"testing"

	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
)

func TestMemory(t *testing.T) {
	accounttest.TestStore(t, func(testing.TB) account.Store { return accounttest.NewMemory() })
}
