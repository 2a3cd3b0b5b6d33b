package notify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
)

func TestMemory(t *testing.T) {
	notifytest.TestStore(t, func(testing.TB) notifytest.Store {
		m := notify.NewMemory(time.Now, nil)
		return notifytest.Store{Kept: m, Due: func(_ context.Context, limit int) ([]notify.Due, error) { return m.Due("acme", limit), nil }}
	})
}
