package role_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/role"
)

// typed reports whether err is of a kind that the package promises.
func typed(err error) bool {
	for _, kind := range []error{role.ErrInvalid, role.ErrUnsupported, role.ErrNotFound, role.ErrConflict, role.ErrUnavailable, role.ErrLimit, role.ErrMismatch} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// FuzzUpdate puts text into a role's place, signed by its real keys: what a
// client meets when keys are stolen.
func FuzzUpdate(f *testing.F) {
	w := three(f)
	keys := map[role.Role][]string{role.RoleRoot: {"r1", "r2"}, role.RoleTimestamp: {"m1"}, role.RoleSnapshot: {"s1"}, role.RoleTargets: {"t1", "t2"}}
	for r := range keys {
		name, _ := w.files.newest(r)
		f.Add(string(r), canonical(payloadOf(w.files[name])))
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		r := role.Role(name)
		if keys[r] == nil {
			return
		}
		m := maps.Clone(w.files)
		file := seal(r, text, keys[r]...)
		switch r {
		case role.RoleRoot:
			m["2.root.json"] = file
		case role.RoleTimestamp:
			m["timestamp.json"] = file
		default:
			m[role.File(r, 4)] = file
			m.link(r)
		}
		after, release, err := w.past[2].Update(ctx, now, m)
		if err == nil == (release == nil) || err != nil && !typed(err) {
			t.Fatalf("%v, %v", release, err)
		}
		if err == nil && release.Version < 2 {
			t.Fatalf("back to version %d", release.Version)
		}
		state, err := after.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := role.DecodeState(state)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(after, again); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzDecodeRoot reads files that nobody vouches for.
func FuzzDecodeRoot(f *testing.F) {
	w := three(f)
	for _, b := range w.files {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := role.DecodeRoot(file)
		if err != nil {
			if !typed(err) {
				t.Fatal(err)
			}
			return
		}
		if _, err := r.Sign(ctx, key("r1")); err != nil {
			t.Fatalf("a root that was read cannot be written: %v", err)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	w := three(f)
	for _, s := range w.past {
		text, err := s.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := role.DecodeState(text)
		if err != nil {
			if !typed(err) {
				t.Fatal(err)
			}
			return
		}
		if _, err := s.Encode(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Release(now); err != nil && !typed(err) {
			t.Fatal(err)
		}
	})
}
