package lease_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lease"
)

var errWork = errors.New("it went wrong")

// held is a lease of a minute that notes how it was finished.
type held struct {
	extended int
	finished []string
	ends     time.Time // when work was told to stop
}

// do works for five minutes, or as long as it is let.
func (h *held) do(ctx context.Context, extend func(n int) error, finish func(cause string) error, work error) error {
	l := lease.Held{
		Length: time.Minute,
		Extend: func(context.Context) error {
			h.extended++
			return extend(h.extended)
		},
		Finish: func(ctx context.Context, cause string) error {
			h.finished = append(h.finished, cause)
			return errors.Join(ctx.Err(), finish(cause))
		},
	}
	return l.Do(ctx, "work", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			h.ends = time.Now()
			return ctx.Err()
		case <-time.After(5*time.Minute + time.Second):
			return work
		}
	})
}

func TestDo(t *testing.T) {
	unreachable := fmt.Errorf("no answer: %w", fault.Unavailable)
	fenced := fmt.Errorf("somebody else has it: %w", fault.Fenced)
	good := func(int) error { return nil }
	fine := func(string) error { return nil }
	for name, test := range map[string]struct {
		extend   func(n int) error
		finish   func(cause string) error
		work     error
		want     []error // all in the error; none is success
		text     string
		ends     time.Duration // after which work is told to stop; 0 for never
		finished []string
	}{
		"success":     {good, fine, nil, nil, "", 0, []string{""}},
		"work fails":  {good, fine, errWork, []error{errWork}, "work: it went wrong", 0, []string{"work: it went wrong"}},
		"one failure": {func(n int) error { return map[bool]error{true: unreachable}[n == 2] }, fine, nil, nil, "", 0, []string{""}},
		"lost": {func(n int) error { return map[bool]error{true: fenced}[n == 2] }, fine, nil,
			[]error{fault.Fenced}, "work: somebody else has it: fenced", 40 * time.Second, nil},
		"no answer for long": {func(n int) error { return map[bool]error{true: unreachable}[n > 1] }, fine, nil,
			[]error{fault.Unavailable}, "work: the lease could not be extended: no answer: unavailable", 80 * time.Second,
			[]string{"work: the lease could not be extended: no answer: unavailable"}},
		"lost at its end": {good, func(string) error { return fenced }, nil, []error{fault.Fenced}, "work: somebody else has it: fenced", 0, []string{""}},
		"cannot be finished": {good, func(string) error { return unreachable }, nil, []error{fault.Unavailable},
			"work: no answer: unavailable\nno answer: unavailable", 0, []string{"", "work: no answer: unavailable"}},
		"lost after a failure": {good, func(string) error { return fenced }, errWork, []error{errWork}, "work: it went wrong", 0, []string{"work: it went wrong"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, h := time.Now(), new(held)
				err := h.do(t.Context(), test.extend, test.finish, test.work)
				if (err == nil) != (test.want == nil) || err != nil && err.Error() != test.text {
					t.Errorf("error %v, want %q", err, test.text)
				}
				for _, want := range test.want {
					if !errors.Is(err, want) {
						t.Errorf("error %v is not %v", err, want)
					}
				}
				if !slices.Equal(h.finished, test.finished) {
					t.Errorf("finished with %q, want %q", h.finished, test.finished)
				}
				if got := h.ends.Sub(began); test.ends == 0 && !h.ends.IsZero() || test.ends > 0 && got != test.ends {
					t.Errorf("told to stop after %v, want %v", got, test.ends)
				}
				if test.ends == 0 && h.extended != 15 {
					t.Errorf("extended %d times in five minutes, want each 20 seconds", h.extended)
				}
			})
		})
	}
}

// Who is told to stop says so, although its context is over.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Second, cancel)
		h := new(held)
		err := h.do(ctx, func(int) error { return nil }, func(string) error { return nil }, nil)
		if !errors.Is(err, context.Canceled) || !slices.Equal(h.finished, []string{"work: context canceled"}) {
			t.Errorf("%v, finished with %q", err, h.finished)
		}
	})
}
