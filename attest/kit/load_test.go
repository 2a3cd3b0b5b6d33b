package kit_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
)

// TestDeltas: five deltas one after the other lead to what the whole kit does.
func TestDeltas(t *testing.T) {
	p := newPublisher(t)
	first := p.full(t, some(1))
	step, jump := p.store(t), p.store(t)
	load(t, step, first)
	load(t, jump, first)
	var whole, leap []byte
	for n := 2; n <= 6; n++ {
		e := p.publish(t, items(some(n)))
		whole, leap = write(t, e, 0), write(t, e, 1)
		delta := write(t, e, int64(n-1))
		if len(delta) >= len(whole)-1000 {
			t.Errorf("delta %d has %d bytes of %d", n, len(delta), len(whole))
		}
		k, err := kit.Verify(ctx, bytes.NewReader(delta), p.client(t), now)
		if err != nil || k.Base != int64(n-1) && k.Base != int64(n-2) && k.Base != 1 {
			t.Fatalf("delta %d: %+v, %v", n, k, err)
		}
		l := load(t, step, delta)
		if l.Version != int64(n) || l.Base == 0 || l.Read == 0 {
			t.Errorf("delta %d: %+v", n, l)
		}
		if diff := cmp.Diff(some(n), active(t, step)); diff != "" {
			t.Error(diff)
		}
	}
	load(t, jump, leap)
	direct := p.store(t)
	load(t, direct, whole)
	want, err := direct.Active()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]kit.Store{"in steps": step, "at once": jump} {
		if _, err := s.Collect(ctx, 1); err != nil {
			t.Fatal(err)
		}
		got, err := s.Active()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Activation, got.Activation); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		a, b := files(t, direct.Dir), files(t, s.Dir)
		delete(a, "current.json") // has what was active before
		delete(b, "current.json")
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s the store is another: %s", name, diff)
		}
	}
}

func TestDeltaWithoutBase(t *testing.T) {
	p := newPublisher(t)
	first := p.full(t, some(1))
	e := p.publish(t, items(some(2)))
	delta := write(t, e, 1)
	s := p.store(t)
	_, err := s.Load(ctx, bytes.NewReader(delta), now, nil)
	var lacks *kit.BaseError
	if !errors.As(err, &lacks) || !errors.Is(err, kit.ErrNotFound) || lacks.Base != 1 || len(lacks.Missing) != 4 || lacks.Feed != feed {
		t.Fatalf("%v", err)
	}
	if _, err := s.Active(); !errors.Is(err, kit.ErrNotFound) {
		t.Error(err)
	}
	// What damages a content in the store, the delta does not bring: but the base does.
	load(t, s, first)
	a, err := s.Active()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := a.Entry("policy", "default")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, "sha256", policy.Digest[len("sha256:"):])
	if err := os.WriteFile(path, []byte("POLICY"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(ctx, "policy", "default", 100); role.ReasonOf(err) != role.ReasonContent {
		t.Errorf("a damaged content is read: %v", err)
	}
	if _, err = s.Load(ctx, bytes.NewReader(delta), now, nil); !errors.As(err, &lacks) || len(lacks.Missing) != 1 || lacks.Missing[0].Target() != "policy/default" {
		t.Errorf("a damaged content: %v", err)
	}
	load(t, s, write(t, e, 0))
	if diff := cmp.Diff(some(2), active(t, s)); diff != "" {
		t.Error(diff)
	}
}

// TestRenewal: a kit without contents only says that the release is still current.
func TestRenewal(t *testing.T) {
	p := newPublisher(t)
	s := p.store(t)
	load(t, s, p.full(t, some(1)))
	p.at = now.Add(20 * day)
	e := p.publish(t, nil)
	if _, err := e.Write(ctx, io.Discard, 0); !errors.Is(err, kit.ErrInvalid) {
		t.Errorf("a whole kit without items: %v", err)
	}
	file := write(t, e, 1)
	l := load(t, s, file)
	if l.Version != 1 || l.Read != 0 || l.Unchanged || !l.Expires.Equal(p.at.Add(30*day)) {
		t.Errorf("%+v", l)
	}
	if diff := cmp.Diff(some(1), active(t, s)); diff != "" {
		t.Error(diff)
	}
	if _, err := e.Write(ctx, io.Discard, 2); !errors.Is(err, kit.ErrInvalid) {
		t.Errorf("a base that there is not: %v", err)
	}
}

func TestAllowOlder(t *testing.T) {
	p := newPublisher(t)
	one, two, three := p.full(t, some(1)), p.full(t, some(2)), p.full(t, some(3))
	s := p.store(t)
	load(t, s, three)
	l, err := s.Load(ctx, bytes.NewReader(one), now, &kit.LoadOptions{AllowOlder: "release 3 broke the matcher"})
	if err != nil || l.Version != 1 || l.Older != "release 3 broke the matcher" {
		t.Fatalf("%+v, %v", l, err)
	}
	if diff := cmp.Diff(some(1), active(t, s)); diff != "" {
		t.Error(diff)
	}
	status, err := s.Status(now)
	if err != nil || status.Active.Older == "" || status.Known != 3 || len(status.Before) != 1 || status.Before[0].Version != 3 {
		t.Errorf("%+v, %v", status, err)
	}
	if _, err := s.Load(ctx, bytes.NewReader(two), now, nil); role.ReasonOf(err) != role.ReasonRollback {
		t.Errorf("an older one was allowed once, not for ever: %v", err)
	}
	if l := load(t, s, three); l.Version != 3 || l.Older != "" {
		t.Errorf("%+v", l)
	}
	// A reason is noted where it was one, and turns nothing else off.
	if l, err := s.Load(ctx, bytes.NewReader(p.full(t, some(4))), now, &kit.LoadOptions{AllowOlder: "in case"}); err != nil || l.Older != "" {
		t.Errorf("%+v, %v", l, err)
	}
	bad := slices.Clone(one)
	bad[len(bad)-1600] ^= 1
	for _, o := range []string{"please", strings.Repeat("x", kit.MaxReason+1)} {
		if _, err := s.Load(ctx, bytes.NewReader(bad), now, &kit.LoadOptions{AllowOlder: o}); err == nil {
			t.Error("loaded")
		}
	}
}

// cut ends a reader with an error after n bytes, and counts what was read.
type cut struct {
	*bytes.Reader
	left int
	read int
}

func (c *cut) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, errDisk
	}
	n, err := c.Reader.Read(b[:min(len(b), c.left)])
	c.left -= n
	c.read += n
	return n, err
}

// big are contents that are worth going on with.
func big(n int) map[string]string {
	out := map[string]string{}
	for i := range 6 {
		out[fmt.Sprint("advisory/", i)] = strings.Repeat(fmt.Sprint("content ", i, n), 20_000+i)
	}
	return out
}

// TestResume cuts a load at random points: it goes on, reads nothing again that is
// there, and the old release serves until all is.
func TestResume(t *testing.T) {
	p := newPublisher(t)
	before := p.full(t, map[string]string{"vex/a": "one"})
	file := p.full(t, big(0))
	if !long { // each makes many files durable
		if err := flag.Set("rapid.checks", "15"); err != nil {
			t.Fatal(err)
		}
		defer flag.Set("rapid.checks", "100")
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		s := kit.Store{Dir: dir}
		if err := s.Trust(p.root); err != nil {
			rt.Fatal(err)
		}
		load(t, s, before)
		seeks := rapid.Bool().Draw(rt, "seeks")
		total, garbage := 0, 0
		for range rapid.IntRange(1, 4).Draw(rt, "cuts") {
			c := &cut{Reader: bytes.NewReader(file), left: rapid.IntRange(0, len(file)-1).Draw(rt, "after")}
			var r io.Reader = c
			if !seeks {
				r = struct{ io.Reader }{c}
			}
			_, err := s.Load(ctx, r, now, nil)
			total += c.read
			if err == nil && c.left > 0 {
				return // it was short of nothing
			}
			if !errors.Is(err, errDisk) {
				rt.Fatal(err)
			}
			if got := active(t, s)["vex/a"]; got != "one" {
				rt.Fatalf("%q is active", got)
			}
			if rapid.IntRange(0, 3).Draw(rt, "power") == 0 { // what was not made durable is garbage
				for _, name := range glob(rt, s.Dir, "partial") {
					text, err := os.ReadFile(name)
					if err != nil {
						rt.Fatal(err)
					}
					clear(text)
					if err := os.WriteFile(name, text, 0o600); err != nil {
						rt.Fatal(err)
					}
					garbage += 2 * len(file) / 6 // is read, found wrong, and read again
				}
			}
		}
		c := &cut{Reader: bytes.NewReader(file), left: 2 * len(file)}
		var r io.Reader = c
		if !seeks {
			r = struct{ io.Reader }{c}
		}
		if _, err := s.Load(ctx, r, now, nil); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(big(0), active(t, s)); diff != "" {
			rt.Fatal(diff)
		}
		if left := glob(rt, s.Dir, "partial"); len(left) > 0 {
			rt.Fatalf("left over: %q", left)
		}
		const metadata = 16 << 10 // are read each time, and headers
		if total += c.read; seeks && total > len(file)+5*metadata+garbage {
			rt.Fatalf("%d bytes were read of %d", total, len(file))
		}
	})
}

func glob(t interface{ Fatal(...any) }, dir, sub string) []string {
	names, err := filepath.Glob(filepath.Join(dir, sub, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestCopy goes on with a copy of a file that stopped anywhere, or went wrong.
func TestCopy(t *testing.T) {
	p := newPublisher(t)
	file := p.full(t, big(0))
	client := p.client(t)
	rapid.Check(t, func(rt *rapid.T) {
		local := slices.Clone(file[:rapid.IntRange(0, len(file)).Draw(rt, "bytes")])
		if rapid.Bool().Draw(rt, "damaged") && len(local) > 0 {
			local[rapid.IntRange(0, len(local)-1).Draw(rt, "at")] ^= 4
		}
		offset := int64(0)
		if progress, err := kit.Resume(ctx, bytes.NewReader(local), client, now); err == nil {
			offset = progress.Offset
		} else if role.ReasonOf(err) == "" {
			rt.Fatal(err)
		}
		if got := append(local[:offset:offset], file[offset:]...); !bytes.Equal(got, file) {
			rt.Fatalf("going on at %d makes another file", offset)
		}
	})
}

func TestLock(t *testing.T) {
	p := newPublisher(t)
	file := p.full(t, some(1))
	s := p.store(t)
	inside := false
	r := readFunc(func(b []byte) (int, error) {
		if !inside {
			inside = true
			if _, err := s.Load(ctx, bytes.NewReader(file), now, nil); !errors.Is(err, kit.ErrConflict) {
				t.Errorf("two at once: %v", err)
			}
			if _, err := s.Collect(ctx, 1); !errors.Is(err, kit.ErrConflict) {
				t.Errorf("a collection meanwhile: %v", err)
			}
		}
		return 0, errDisk
	})
	if _, err := s.Load(ctx, r, now, nil); !errors.Is(err, errDisk) || !inside {
		t.Error(err)
	}
	load(t, s, file)
}

type readFunc func(b []byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }
