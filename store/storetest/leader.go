package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/store"
)

// LeadConfig says how leaders are tested.
type LeadConfig struct {
	// Open returns stores on the same database, as several programs have it.
	Open func(t testing.TB, n int) []*store.Root
	// Cut takes from whoever leads under a name what it leads by: its connection, or its
	// lease.
	Cut func(t testing.TB, name string)
}

// TestLead proves that one leads at a time, and what becomes of one who does no longer.
func TestLead(t *testing.T, c LeadConfig) {
	for name, test := range map[string]func(*testing.T, LeadConfig){"Takeover": testLeadTakeover, "Cut": testLeaderCut, "Ends": testLeadEnds, "Names": testLeadNames} {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

func (c *LeadConfig) open(t testing.TB, n int) []*store.Root {
	roots := c.Open(t, n)
	t.Cleanup(func() {
		for _, r := range roots {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return roots
}

var quick = &store.LeadOptions{Look: 20 * time.Millisecond, Lease: 6 * time.Second}

// reign is one term as a test sees it.
type reign struct {
	who  int
	term int64
	ctx  context.Context
	end  context.CancelFunc // of who leads
}

// candidates lead by turns; each that begins is told of.
func candidates(t *testing.T, roots []*store.Root) (began chan reign, wait func()) {
	began = make(chan reign)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, root := range roots {
		wg.Go(func() {
			for ctx.Err() == nil {
				err := root.LeadWith(ctx, "test", quick, func(led context.Context, term int64) error {
					led, end := context.WithCancel(led)
					defer end()
					select {
					case began <- reign{i, term, led, end}:
						<-led.Done()
					case <-led.Done():
					}
					return nil
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	return began, func() { cancel(); wg.Wait() }
}

// testLeadTakeover: whoever steps down is followed, terms grow, and nobody leads beside another.
func testLeadTakeover(t *testing.T, c LeadConfig) {
	roots := c.open(t, 3)
	began, wait := candidates(t, roots)
	defer wait()
	var terms []int64
	for range 6 {
		r := <-began
		terms = append(terms, r.term)
		select {
		case other := <-began:
			if <-r.ctx.Done(); other.term <= r.term { // a machine that stood still lost its lease
				t.Fatalf("%d leads in term %d, and %d in term %d", r.who, r.term, other.who, other.term)
			}
			other.end()
		case <-time.After(150 * time.Millisecond):
		}
		r.end()
	}
	if !slices.IsSorted(terms) || len(slices.Compact(terms)) != 6 {
		t.Errorf("terms %v", terms)
	}
}

// testLeaderCut: who loses what it leads by is told, somebody else begins a later term, and
// what the first one still writes is refused.
func testLeaderCut(t *testing.T, c LeadConfig) {
	roots := c.open(t, 2)
	term := func(root *store.Root, term int64) error { return root.GuardTerm(t.Context(), "test", term) }
	began, wait := candidates(t, roots)
	defer wait()
	r := <-began
	for range 3 {
		for err := term(roots[r.who], r.term); err != nil; err = term(roots[r.who], r.term) {
			if !errors.Is(err, store.ErrFenced) {
				t.Fatal(err)
			}
			<-r.ctx.Done() // a machine that stood still lost its lease, and is told
			r = <-began
		}
		c.Cut(t, "test")
		next := <-began
		if next.term <= r.term {
			t.Errorf("term %d follows %d", next.term, r.term)
		}
		<-r.ctx.Done() // or the test does not end
		if err := term(roots[r.who], r.term); !errors.Is(err, store.ErrFenced) {
			t.Errorf("after term %d has begun, one of term %d writes: %v", next.term, r.term, err)
		}
		r = next
	}
}

func testLeadEnds(t *testing.T, c LeadConfig) {
	root := c.open(t, 1)[0]
	wrong := errors.New("wrong")
	if err := root.LeadWith(t.Context(), "test", quick, func(context.Context, int64) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("it failed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := root.LeadWith(ctx, "test", quick, func(led context.Context, _ int64) error {
		cancel()
		<-led.Done()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended from outside: %v", err)
	}
	if err := root.LeadWith(ctx, "test", quick, func(context.Context, int64) error { t.Error("led"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("ended before: %v", err)
	}
	for _, o := range []*store.LeadOptions{{Look: -1}, {Look: time.Second, Lease: time.Second}} {
		if err := root.LeadWith(t.Context(), "test", o, nil); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := root.Lead(t.Context(), "", nil); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("without a name: %v", err)
	}
}

// testLeadNames: leaders of other names are none of each other's business.
func testLeadNames(t *testing.T, c LeadConfig) {
	root := c.open(t, 1)[0]
	nested := func(name string, f func() error) error {
		return root.LeadWith(t.Context(), name, quick, func(context.Context, int64) error { return f() })
	}
	depth := 0
	var down func() error
	down = func() error {
		if depth++; depth > 3 {
			return nil
		}
		return nested(fmt.Sprint("name ", depth), down)
	}
	if err := down(); err != nil || depth != 4 {
		t.Errorf("%d lead at once, %v", depth-1, err)
	}
}
