// Package crashpoint names the places in the SDK where a crash matters: between
// two effects that cannot be one transaction, and around each commit. In
// production a point does nothing. A test installs a [Hook] and kills, stops or
// delays the process at any of them; embedders use the same points to prove
// their own backends.
package crashpoint

import (
	"slices"
	"sync/atomic"
)

// A Point is the name of one place, such as "scan.submit.committed".
type Point string

// Hook is told each point that is passed. It may kill or delay the process. It
// is called from many goroutines.
type Hook func(Point)

var hook atomic.Pointer[Hook]

// Set installs h for the whole process; nil removes it. It returns what was
// installed before. It is meant for tests.
func Set(h Hook) Hook {
	var next *Hook
	if h != nil {
		next = &h
	}
	if before := hook.Swap(next); before != nil {
		return *before
	}
	return nil
}

// Hit passes p. Without a hook it costs one atomic load.
func Hit(p Point) {
	if h := hook.Load(); h != nil {
		(*h)(p)
	}
}

// All lists every point, sorted. A test that asserts something of each point
// also asserts that each was reached.
func All() []Point {
	out := slices.Clone(points)
	slices.Sort(out)
	return out
}
