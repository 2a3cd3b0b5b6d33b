package accounttest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
)

func ExampleNewMemory() {
	s := accounttest.NewMemory()
	s.Now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	t := &account.Tenant{ID: "acme", Name: "Acme"}
	if err := s.PutTenant(context.Background(), t, "root"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Version, t.Created)
	// Output: 1 2026-01-02 03:04:05 +0000 UTC
}
