package crashpoint_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/store/crashpoint"
)

func TestAll(t *testing.T) {
	all := crashpoint.All()
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) || len(all) < 30 {
		t.Errorf("not sorted, or something twice, or too few: %v", all)
	}
	all[0] = "changed"
	if crashpoint.All()[0] == "changed" {
		t.Error("a caller changed the list")
	}
}

func TestSet(t *testing.T) {
	var n atomic.Int64
	outer := func(crashpoint.Point) { n.Add(1) }
	if before := crashpoint.Set(outer); before != nil {
		t.Error("somebody left a hook")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { crashpoint.Hit(crashpoint.Received) })
	}
	wg.Wait()
	inner := crashpoint.Set(func(crashpoint.Point) { n.Add(100) })
	if inner == nil {
		t.Error("the hook before was not returned")
	}
	crashpoint.Hit(crashpoint.Received)
	crashpoint.Set(inner)
	crashpoint.Hit(crashpoint.Received)
	crashpoint.Set(nil)
	crashpoint.Hit(crashpoint.Received)
	if n.Load() != 109 {
		t.Errorf("hooks counted %d, want 109", n.Load())
	}
}
