package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/sqlite"
)

// Those that wait to write share a transaction: each is there, or says why not, whatever
// the others do.
func TestTogether(t *testing.T) {
	root, err := sqlite.Open(t.Context(), t.TempDir()+"/stella.db")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	tenants := make([]*store.Tenant, 3)
	for i := range tenants {
		if tenants[i], err = root.Tenant(fmt.Sprint("tenant-", i)); err != nil {
			t.Fatal(err)
		}
	}
	refused := errors.New("refused")
	const n = 600
	var wg sync.WaitGroup
	var cancelled atomic.Int64
	want := map[string]bool{} // announced
	for i := range n {
		id := fmt.Sprint("e-", i)
		want[fmt.Sprint(i%3, " ", id)] = i%5 > 2
		wg.Go(func() {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			defer func() {
				if p := recover(); (p != nil) != (i%5 == 2) || p != nil && p != "it panics" {
					t.Errorf("%s: panic %v", id, p)
				}
			}()
			done, err := tenants[i%3].Once(ctx, "test", id, func(tx *store.Tx) error {
				if err := tx.Announce("test:events", event.Event{ID: id, Type: "test", Source: "test"}); err != nil {
					return err
				}
				switch i % 5 {
				case 0:
					return refused
				case 1: // a statement that breaks
					_, err := tx.Exec("INSERT INTO transport.nothing (a) VALUES ($1)", 1)
					return err
				case 2:
					panic("it panics")
				case 3: // who stops waiting may have been done all the same
					if i%2 == 0 {
						stop()
					}
				}
				return nil
			})
			switch i % 5 {
			case 0:
				if !errors.Is(err, refused) {
					t.Errorf("%s: %v", id, err)
				}
			case 1:
				if err == nil {
					t.Errorf("%s is there", id)
				}
			case 3:
				if errors.Is(err, context.Canceled) {
					cancelled.Add(1)
					return
				}
				fallthrough
			default:
				if err != nil || !done {
					t.Errorf("%s: %v %v", id, done, err)
				}
			}
		})
	}
	wg.Wait()
	for key, there := range want {
		var who int
		var id string
		if _, err := fmt.Sscan(key, &who, &id); err != nil {
			t.Fatal(err)
		}
		fresh, err := tenants[who].Once(t.Context(), "test", id, func(*store.Tx) error { return nil })
		if err != nil || fresh == there && (!there || cancelled.Load() == 0) {
			t.Errorf("%s: noted before: %v (%v), want %v", key, !fresh, err, there)
		}
	}
	b, err := root.Backlog(t.Context(), "test:events")
	if err != nil || b.Pending > n*2/5 || b.Pending < n*2/5-int(cancelled.Load()) {
		t.Errorf("%d are announced, %v; %d gave up", b.Pending, err, cancelled.Load())
	}
}

// With another program about, each writes by itself, and both come to their turns.
func TestTogetherWithOthers(t *testing.T) {
	path := t.TempDir() + "/stella.db"
	var wg sync.WaitGroup
	for p := range 2 {
		root, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		tenant, err := root.Tenant("acme")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			wg.Go(func() {
				if done, err := tenant.Once(t.Context(), "test", fmt.Sprint(p, "/", i), func(*store.Tx) error { return nil }); err != nil || !done {
					t.Errorf("%d/%d: %v %v", p, i, done, err)
				}
			})
		}
	}
	wg.Wait()
}
