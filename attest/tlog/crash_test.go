package tlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/crashpoint/crashtest"
)

// lives is what the process that dies does: it appends entries over the edge of a
// tile, and notes each that was acknowledged.
func lives(path string) error {
	s, c, err := tlog.NewDir(path)
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := tlog.Open(ctx, s, logSigner(origin), &tlog.Options{MaxDelay: -1})
	if err != nil {
		return err
	}
	defer l.Close()
	notes, err := os.OpenFile(filepath.Join(path, "acknowledged"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer notes.Close()
	for i := range 4 {
		e := fmt.Sprintf("process %d entry %d", os.Getpid(), i)
		r, err := l.Submit(ctx, []byte(e))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(notes, "%d %s\n", r.Index, e); err != nil {
			return err
		}
	}
	return nil
}

func TestCrashChild(t *testing.T) { crashtest.Child(t, lives) }

// TestCrashes kills a writer at each point, and wants the next one to find a log that
// is consistent with every checkpoint that was ever shown, and all entries that were
// acknowledged.
func TestCrashes(t *testing.T) {
	for _, p := range crashpoint.All() {
		if !strings.HasPrefix(string(p), "log.") && !slices.Contains([]crashpoint.Point{crashpoint.BlobWritten, crashpoint.BlobSynced, crashpoint.BlobNamed}, p) {
			continue
		}
		t.Run(string(p), func(t *testing.T) {
			path := t.TempDir()
			s := dir(t, path)
			l := open(t, s, nil)
			for i := range 6 {
				submit(t, l, entry(i))
			}
			fill(t, l, 6, tlog.Width-2) // so that the process crosses a tile
			l.Close()
			memory := tlog.NewMemHead()
			killed := 0
			for nth := 1; nth <= 2; nth++ {
				if crashtest.Run(t, path, p, nth) {
					killed++
				}
				l := open(t, dir(t, path), nil)
				m := tlog.NewMonitor(tlog.NewReader(s.Source(), trusting(origin)), memory)
				c, err := m.Update(ctx)
				if err != nil {
					t.Fatalf("killed for time %d: %v", nth, err)
				}
				acknowledged(t, path, s, c)
				submit(t, l, fmt.Sprintf("after %d", nth))
				l.Close()
				if left, _ := filepath.Glob(filepath.Join(path, "staging", "*")); len(left) > nth {
					t.Errorf("%d staged files are left", len(left))
				}
			}
			if killed == 0 {
				t.Error("never reached")
			}
		})
	}
}

func fill(t *testing.T, l *tlog.Log, from, to int) {
	t.Helper()
	errs := make(chan error)
	for i := from; i < to; i++ {
		go func() {
			_, err := l.Submit(ctx, []byte(entry(i)))
			errs <- err
		}()
	}
	for i := from; i < to; i++ {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// acknowledged looks for what the dead processes were told.
func acknowledged(t *testing.T, path string, s tlog.Storage, c *tlog.Checkpoint) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path, "acknowledged"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	r := tlog.NewReader(s.Source(), trusting(origin))
	for _, note := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if note == "" {
			continue
		}
		var index int64
		if _, err := fmt.Sscan(note, &index); err != nil {
			t.Fatal(err)
		}
		_, want, _ := strings.Cut(note, " ")
		if got, err := r.Entry(ctx, c.Tree, index); err != nil || string(got) != want {
			t.Errorf("entry %d is %q, %v, want %q", index, got, err, want)
		}
	}
	var all []string
	for at := int64(0); at < c.Size; {
		entries, err := r.Entries(ctx, c.Tree, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, string(e))
		}
		at += int64(len(entries))
	}
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) {
		t.Errorf("%d entries, but %d distinct ones", len(all), n)
	}
}
