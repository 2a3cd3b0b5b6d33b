package kit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/crashpoint/crashtest"
)

// live loads the kits of a folder one after the other, as far as the store is not
// there yet, and removes what is old.
func live(dir string) error {
	s := kit.Store{Dir: filepath.Join(dir, "store")}
	root, err := os.ReadFile(filepath.Join(dir, "root"))
	if err != nil {
		return err
	}
	if err := s.Trust(root); err != nil {
		return err
	}
	for n := int64(1); n <= 3; n++ {
		if a, err := s.Active(); err == nil && a.Version >= n {
			if _, err := s.Collect(ctx, 1); err != nil {
				return err
			}
			continue
		}
		f, err := os.Open(filepath.Join(dir, "kit"+string(rune('0'+n))))
		if err != nil {
			return err
		}
		if _, err := s.Load(ctx, f, now, nil); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		if _, err := s.Collect(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// crashFolder has a root and three kits, of which two are deltas.
func crashFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	p := newPublisher(t)
	if err := os.WriteFile(filepath.Join(dir, "root"), p.root, 0o600); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		e := p.publish(t, items(some(n)))
		if err := os.WriteFile(filepath.Join(dir, "kit"+string(rune('0'+n))), write(t, e, int64(n-1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestCrashChild is the process that dies; TestCrashes starts it.
func TestCrashChild(t *testing.T) { crashtest.Child(t, live) }

// TestCrashes kills a process at every point of loading kits. What it leaves serves
// one of the releases, whole; and the next process gets to where one that never died
// is, to the byte.
func TestCrashes(t *testing.T) {
	dir := crashFolder(t)
	if err := live(dir); err != nil {
		t.Fatal(err)
	}
	want := files(t, filepath.Join(dir, "store"))
	tried := 0
	for _, p := range crashpoint.All() {
		if !strings.HasPrefix(string(p), "kit.") {
			continue
		}
		tried++
		t.Run(string(p), func(t *testing.T) {
			passes := []int{1, 2}
			if long {
				passes = []int{1, 2, 3, 4, 5, 6, 7, 8}
			}
			for _, nth := range passes {
				dir := crashFolder(t)
				if !crashtest.Run(t, dir, p, nth) && nth <= 2 {
					t.Error("it is never passed")
				}
				s := kit.Store{Dir: filepath.Join(dir, "store")}
				if a, err := s.Active(); err == nil {
					if diff := cmp.Diff(some(int(a.Version)), active(t, s)); diff != "" {
						t.Errorf("pass %d: version %d is served in parts: %s", nth, a.Version, diff)
					}
				} else if nth > 1 && p != crashpoint.KitContent && p != crashpoint.KitNamed {
					t.Errorf("pass %d: nothing is served: %v", nth, err)
				}
				if err := live(dir); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, files(t, s.Dir)); diff != "" {
					t.Errorf("killed there at its pass %d, it leads to another store: %s", nth, diff)
				}
			}
		})
	}
	if tried != 8 {
		t.Errorf("%d points", tried)
	}
}

// TestPowerCut: where the power goes while contents are staged, their names may be
// lost. The old release serves, and loading again leads to the new one.
func TestPowerCut(t *testing.T) {
	p := newPublisher(t)
	one, two := p.full(t, some(1)), p.full(t, some(2))
	s := p.store(t)
	load(t, s, one)
	before := files(t, s.Dir)
	cut := func(at int) (stopped bool) { // at the point that is passed as number at
		defer crashpoint.Set(crashpoint.Set(func(p crashpoint.Point) {
			if at--; at == 0 && p != crashpoint.KitStaged {
				panic("power")
			}
		}))
		defer func() { stopped = recover() != nil }()
		load(t, s, two)
		return false
	}
	at := 1
	for ; cut(at); at++ {
		for name := range files(t, s.Dir) {
			if _, ok := before[name]; !ok && strings.HasPrefix(name, "sha256/") {
				if err := os.Remove(filepath.Join(s.Dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if diff := cmp.Diff(some(1), active(t, s)); diff != "" {
			t.Errorf("at point %d: %s", at, diff)
		}
	}
	if want := 2*3 + 1; at != want { // three contents were written and named
		t.Errorf("stopped at %d points, want %d", at-1, want-1)
	}
	if diff := cmp.Diff(some(2), active(t, s)); diff != "" {
		t.Error(diff)
	}
}
