package kit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/sum"
)

// TestRotation: a kit has the roots, so a site follows without a network.
func TestRotation(t *testing.T) {
	p := newPublisher(t)
	s := p.store(t)
	old := p.full(t, some(1))
	load(t, s, old)
	p.rotate(t, func(r *role.Root) { r.Roles[role.RoleTimestamp] = holders(1, "m2") }, "r1", "r2")
	p.signs[role.RoleTimestamp] = signers("m2")
	p.rotate(t, func(r *role.Root) { r.Roles[role.RoleRoot] = holders(2, "q1", "q2") }, "r1", "r3", "q1", "q2")
	two := p.full(t, some(2))
	if l := load(t, s, two); l.Version != 2 {
		t.Errorf("%+v", l)
	}
	if _, err := s.Load(ctx, bytes.NewReader(old), now, nil); role.ReasonOf(err) != role.ReasonThreshold {
		t.Errorf("what keys signed that were replaced: %v", err)
	}
	if _, err := s.Load(ctx, bytes.NewReader(old), now, &kit.LoadOptions{AllowOlder: "please"}); role.ReasonOf(err) != role.ReasonThreshold {
		t.Errorf("and allowed: %v", err)
	}
	// A site that begins with the newest root takes the same kit.
	fresh := kit.Store{Dir: filepath.Join(t.TempDir(), "kit")}
	if err := fresh.Trust(p.state.Root); err != nil {
		t.Fatal(err)
	}
	load(t, fresh, two)
	// One that lacks a root between is told so.
	p.roots = p.roots[2:]
	short := p.full(t, some(3))
	if _, err := p.store(t).Load(ctx, bytes.NewReader(short), now, nil); role.ReasonOf(err) != role.ReasonSkipped {
		t.Errorf("roots are missing: %v", err)
	}
	load(t, s, short)
}

func TestTrust(t *testing.T) {
	p := newPublisher(t)
	s := kit.Store{Dir: filepath.Join(t.TempDir(), "a", "kit")}
	file := p.full(t, some(1))
	if _, err := s.Load(ctx, bytes.NewReader(file), now, nil); !errors.Is(err, kit.ErrNotFound) {
		t.Errorf("nobody is trusted: %v", err)
	}
	root, err := kit.FindRoot(ctx, bytes.NewReader(file), sum.Of(p.root))
	if err != nil || !bytes.Equal(root, p.root) {
		t.Fatalf("%q, %v", root, err)
	}
	if _, err := kit.FindRoot(ctx, bytes.NewReader(file), sum.Of(nil)); !errors.Is(err, kit.ErrNotFound) {
		t.Errorf("another digest: %v", err)
	}
	if _, err := kit.FindRoot(ctx, bytes.NewReader(file[:900]), sum.Of(p.root)); role.ReasonOf(err) != role.ReasonTruncated {
		t.Errorf("half a kit: %v", err)
	}
	if err := s.Trust([]byte("{}")); err == nil {
		t.Error("no root is trusted")
	}
	for range 2 {
		if err := s.Trust(root); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(s.Dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	other := firstRoot()
	other.Expires = other.Expires.Add(time.Hour)
	if err := s.Trust(sealRoot(t, other, "r1", "r2")); !errors.Is(err, kit.ErrConflict) {
		t.Errorf("another root: %v", err)
	}
	other.Feed = "other.example"
	if err := s.Trust(sealRoot(t, other, "r1", "r2")); !errors.Is(err, kit.ErrConflict) {
		t.Errorf("another feed: %v", err)
	}
	p.rotate(t, func(*role.Root) {}, "r1", "r2")
	if err := s.Trust(p.state.Root); err != nil {
		t.Errorf("the next: %v", err)
	}
	if err := s.Trust(root); err != nil {
		t.Errorf("the one before: %v", err)
	}
	third := firstRoot()
	third.Version = 4
	if err := s.Trust(sealRoot(t, third, "r1", "r2")); role.ReasonOf(err) != role.ReasonSkipped {
		t.Errorf("one too far: %v", err)
	}
}

func TestActive(t *testing.T) {
	p := newPublisher(t)
	s := p.store(t)
	load(t, s, p.full(t, some(1)))
	a, err := s.Active()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range a.List(kit.KindAdvisory) {
		names = append(names, e.Name)
	}
	if diff := cmp.Diff([]string{"manifest.json", "objects/go", "objects/npm"}, names); diff != "" {
		t.Error(diff)
	}
	r, err := a.Open(kit.KindVEX, "set")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || string(text) != "vex 0" || r.Close() != nil {
		t.Errorf("%q, %v", text, err)
	}
	f, err := a.File(ctx, kit.KindTrust, "empty")
	if err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(f); err != nil || len(text) > 0 || f.Close() != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := a.Read(ctx, kit.KindVEX, "set", 4); !errors.Is(err, kit.ErrLimit) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := a.Open(kit.KindVEX, "../state.json"); !errors.Is(err, kit.ErrNotFound) {
		t.Errorf("another name: %v", err)
	}
	e, err := a.Entry(kit.KindVEX, "set")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, "sha256", e.Digest[len("sha256:"):])
	for text, want := range map[string]role.Reason{"vex 1": role.ReasonContent, "vex": role.ReasonTruncated, "vex 00": role.ReasonEndless} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(ctx, kit.KindVEX, "set", 100); role.ReasonOf(err) != want {
			t.Errorf("%q: %v", text, err)
		}
		if f, err := a.File(ctx, kit.KindVEX, "set"); role.ReasonOf(err) != want || f != nil {
			t.Errorf("%q as a file: %v", text, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Open(kit.KindVEX, "set"); role.ReasonOf(err) != role.ReasonMissing {
		t.Errorf("gone: %v", err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := a.Read(done, kit.KindPolicy, "default", 100); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestDamage: what is wrong in the store is told, and the next kit heals it; what was
// seen of versions is never forgotten silently.
func TestDamage(t *testing.T) {
	p := newPublisher(t)
	file := p.full(t, some(1))
	for name, heals := range map[string]bool{"current.json": true, "releases/*": true, "sha256/*": true, "state.json": false} {
		s := p.store(t)
		load(t, s, file)
		found, err := filepath.Glob(filepath.Join(s.Dir, name))
		if err != nil || len(found) == 0 {
			t.Fatal(name, err)
		}
		for _, f := range found {
			if err := os.WriteFile(f, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		a, err := s.Active()
		if err == nil && name != "state.json" {
			if _, err = a.Read(ctx, kit.KindVEX, "set", 100); err == nil {
				t.Errorf("%s: nobody saw it", name)
			}
		}
		if _, err := s.Load(ctx, bytes.NewReader(file), now, nil); (err == nil) != heals {
			t.Errorf("%s: %v", name, err)
		}
		if heals {
			if diff := cmp.Diff(some(1), active(t, s)); diff != "" {
				t.Error(name, diff)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	p := newPublisher(t)
	s := p.store(t)
	if _, err := s.Status(now); !errors.Is(err, kit.ErrNotFound) {
		t.Error(err)
	}
	list := items(some(1))
	for i := range list {
		if list[i].Name == "objects/npm" {
			list[i].Time = now.Add(-5 * day)
		}
	}
	load(t, s, write(t, p.publish(t, list), 0))
	p.at = now.Add(day)
	changed := some(1)
	changed["policy/default"] = "another policy"
	if _, err := s.Load(ctx, bytes.NewReader(p.full(t, changed)), now.Add(2*day), nil); err != nil {
		t.Fatal(err)
	}
	got, err := s.Status(now.Add(3 * day))
	if err != nil {
		t.Fatal(err)
	}
	want := &kit.Status{
		Active: kit.Activation{Feed: feed, Version: 2, Release: got.Active.Release, Expires: now.Add(31 * day), At: now.Add(2 * day)},
		Known:  2, Before: got.Before,
		Kinds: []kit.KindStatus{
			{Kind: "advisory", Entries: 3, Bytes: 10 + 1500 + 602, Oldest: now.Add(-5 * day), Newest: now},
			{Kind: "engine", Entries: 1, Bytes: 11, Oldest: now, Newest: now},
			{Kind: "policy", Entries: 1, Bytes: 14, Oldest: now.Add(day), Newest: now.Add(day)},
			{Kind: "trust", Entries: 1, Oldest: now, Newest: now},
			{Kind: "vex", Entries: 1, Bytes: 5, Oldest: now, Newest: now},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := s.Status(now.Add(31 * day)); err != nil || !got.Expired {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCollect(t *testing.T) {
	p := newPublisher(t)
	s := p.store(t)
	if _, err := s.Collect(ctx, 1); !errors.Is(err, kit.ErrNotFound) {
		t.Errorf("nothing is active: %v", err)
	}
	for n := 1; n <= 4; n++ {
		load(t, s, p.full(t, some(n)))
	}
	second, err := s.Active()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"partial/" + strings.Repeat("0", 64), ".tmp-1", "releases/.tmp-2"} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load(t, s, p.full(t, some(5)))
	got, err := s.Collect(ctx, 2)
	if err != nil || got.Releases != 4 || got.Contents != 9 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := second.Read(ctx, kit.KindAdvisory, "manifest.json", 100); err != nil {
		t.Errorf("the one before is kept: %v", err)
	}
	if got, err = s.Collect(ctx, 0); err != nil || got.Releases != 1 || got.Contents != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := second.Read(ctx, kit.KindAdvisory, "manifest.json", 100); role.ReasonOf(err) != role.ReasonMissing {
		t.Errorf("it is not kept: %v", err)
	}
	if diff := cmp.Diff(some(5), active(t, s)); diff != "" {
		t.Error(diff)
	}
	if n := len(files(t, s.Dir)); n != 7+4 { // contents, state, current, release, lock
		t.Errorf("%d files are left", n)
	}
}

func TestCheckEngine(t *testing.T) {
	p := newPublisher(t)
	s := p.store(t)
	load(t, s, p.full(t, some(1)))
	a, err := s.Active()
	if err != nil {
		t.Fatal(err)
	}
	e, err := kit.CheckEngine(ctx, strings.NewReader("\x7fELF engine"), a.Entries)
	if err != nil || e.Name != "linux/amd64" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := kit.CheckEngine(ctx, strings.NewReader("\x7fELF virus"), a.Entries); !errors.Is(err, kit.ErrMismatch) {
		t.Error(err)
	}
	if _, err := kit.CheckEngine(ctx, strings.NewReader("policy"), a.Entries); !errors.Is(err, kit.ErrMismatch) {
		t.Errorf("a policy is no engine: %v", err)
	}
	if _, err := kit.CheckEngine(ctx, strings.NewReader("x"), a.List(kit.KindVEX)); !errors.Is(err, kit.ErrNotFound) {
		t.Error(err)
	}
}

func TestPublishRefuses(t *testing.T) {
	open := func(text string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	}
	good := kit.Item{Kind: "vex", Name: "a", Open: open("a")}
	for name, change := range map[string]func(d *kit.Draft){
		"no root":        func(d *kit.Draft) { d.Previous = role.State{} },
		"a strange kind": func(d *kit.Draft) { d.Items[0].Kind = "V" },
		"a path":         func(d *kit.Draft) { d.Items[0].Name = "../a" },
		"twice":          func(d *kit.Draft) { d.Items = append(d.Items, good) },
		"no content":     func(d *kit.Draft) { d.Items[0].Open = nil },
		"no JSON":        func(d *kit.Draft) { d.Items[0].About = []byte("{") },
		"expired":        func(d *kit.Draft) { d.Expires[role.RoleTargets] = now },
		"one signer": func(d *kit.Draft) {
			d.Signers = map[role.Role][]dsse.Signer{role.RoleTargets: signers("t1"), role.RoleSnapshot: signers("s1"), role.RoleTimestamp: signers("m1")}
		},
		"no items":     func(d *kit.Draft) { d.Items = nil },
		"another root": func(d *kit.Draft) { d.Roots = [][]byte{[]byte("{}")} },
		"its own root": func(d *kit.Draft) { d.Roots = [][]byte{d.Previous.Root} },
		"a year":       func(d *kit.Draft) { d.Items[0].Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		p := newPublisher(t)
		d := p.draft([]kit.Item{good})
		change(d)
		if e, err := kit.Publish(ctx, d); err == nil {
			t.Errorf("%s: %+v", name, e.Entries)
		}
	}
	p := newPublisher(t)
	content := "before"
	e := p.publish(t, []kit.Item{{Kind: "vex", Name: "a", About: []byte(`{"b": 1}`), Open: func() (io.ReadCloser, error) { return open(content)() }}})
	if got := string(e.Entries[0].About); got != `{"b":1}` {
		t.Errorf("about %s", got)
	}
	for _, content = range []string{"after!", "longer", "short", "much longer"} {
		if _, err := e.Write(ctx, io.Discard, 0); !errors.Is(err, kit.ErrMismatch) {
			t.Errorf("%q: %v", content, err)
		}
	}
}
