package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/store"
)

// TestNotify proves that a store keeps who is told what: the promises of any store of
// package notify, and those about messages, tenants and what outlives a process.
func TestNotify(t *testing.T, open func(testing.TB) *store.Root) {
	opened := func(t testing.TB) *store.Root {
		root := open(t)
		t.Cleanup(func() {
			if err := root.Close(); err != nil {
				t.Error(err)
			}
		})
		return root
	}
	t.Run("Store", func(t *testing.T) {
		root := opened(t) // one for all: tests must not see each other's tenants
		var n atomic.Int64
		notifytest.TestStore(t, func(t testing.TB) notifytest.Store {
			name := fmt.Sprint("tenant-", n.Add(1))
			return notifytest.Store{Kept: tenant(t, root, name).Notify(), Due: func(ctx context.Context, limit int) ([]notify.Due, error) {
				list, err := root.NotifyDue(ctx, 10_000)
				var out []notify.Due
				for _, d := range list {
					if d.Tenant == name && len(out) < limit {
						out = append(out, d)
					}
				}
				return out, err
			}}
		})
	})
	for name, test := range map[string]func(*noticeWorld){
		"Messages": testNoticeMessages, "Events": testNoticeEvents, "Many": testNoticeMany, "PutOff": testNoticePutOff, "Sweep": testNoticeSweep, "Lapsed": testNoticeLapsed, "Turns": testNoticeTurns, "Refuses": testNoticeRefuses,
		"Tenants": testNoticeTenants, "Retention": testNoticeRetention, "Scans": testNoticeScans, "Crashes": testNoticeCrashes, "Model": testNoticeModel,
	} {
		t.Run(name, func(t *testing.T) { test(newNoticeWorld(t, opened(t))) })
	}
}
