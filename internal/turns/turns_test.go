package turns_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/turns"
)

// run does what it is given for a while, and returns what was done at which minute.
func run(t *testing.T, minutes int, list func(at func(name string)) []turns.Turn) []string {
	var out []string
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(minutes)*time.Minute+time.Second)
		defer cancel()
		turns.Clock{}.Run(ctx, list(func(name string) {
			out = append(out, fmt.Sprintf("%s %v", name, time.Since(began).Minutes()))
		}))
	})
	return out
}

func TestRun(t *testing.T) {
	for name, test := range map[string]struct {
		minutes int
		list    func(at func(string)) []turns.Turn
		want    []string
	}{
		"by turns": {30, func(at func(string)) []turns.Turn {
			return []turns.Turn{{10 * time.Minute, does(at, "a")}, {15 * time.Minute, does(at, "b")}}
		}, []string{"a 0", "b 0", "a 10", "b 15", "a 20", "a 30", "b 30"}}, // of two that are due at once the first
		"each hour": {125, func(at func(string)) []turns.Turn {
			return []turns.Turn{{0, does(at, "a")}}
		}, []string{"a 0", "a 60", "a 120"}},
		"from its start": {30, func(at func(string)) []turns.Turn {
			return []turns.Turn{{10 * time.Minute, func(context.Context) error {
				at("a")
				time.Sleep(4 * time.Minute)
				return nil
			}}}
		}, []string{"a 0", "a 10", "a 20", "a 30"}},
		"failures": {30, func(at func(string)) []turns.Turn {
			return []turns.Turn{{5 * time.Minute, does(at, "a", errors.New("1"), errors.New("2"), errors.New("3"), errors.New("4"), nil, errors.New("1"))}}
		}, []string{"a 0", "a 1", "a 3", "a 7", "a 12", "a 17", "a 18", "a 23", "a 28"}},
		"somebody else does it": {6, func(at func(string)) []turns.Turn {
			return []turns.Turn{{5 * time.Minute, does(at, "a", fault.Conflict, fault.Fenced, fault.Conflict, errors.New("1"), errors.New("2"))}}
		}, []string{"a 0", "a 1", "a 2", "a 3", "a 4", "a 6"}},
		"nothing": {30, func(func(string)) []turns.Turn { return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, run(t, test.minutes, test.list)); diff != "" {
				t.Errorf("want - got +\n%s", diff)
			}
		})
	}
}

// does notes what it does, and returns the errors one after the other.
func does(at func(string), name string, errs ...error) func(context.Context) error {
	return func(context.Context) error {
		at(name)
		if len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	}
}

// A clock of another kind is asked for everything.
func TestClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	ctx, cancel := context.WithCancel(t.Context())
	var waited []time.Duration
	c := turns.Clock{
		Now:  func() time.Time { return now },
		Wait: func(_ context.Context, d time.Duration) { waited, now = append(waited, d), now.Add(d) },
	}
	done := 0
	c.Run(ctx, []turns.Turn{{Every: 24 * time.Hour, Do: func(context.Context) error {
		if done++; done == 3 {
			cancel()
		}
		return nil
	}}})
	if diff := cmp.Diff([]time.Duration{24 * time.Hour, 24 * time.Hour}, waited); done != 3 || diff != "" {
		t.Errorf("done %d times\n%s", done, diff)
	}
}
