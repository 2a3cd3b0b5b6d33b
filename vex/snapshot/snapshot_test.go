package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/vextest"
)

// each yields the statements of a set.
func each(list []*vex.Statement) iter.Seq2[*vex.Statement, error] {
	return func(yield func(*vex.Statement, error) bool) {
		for _, s := range vex.NewSet(list).All() {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func build(t testing.TB, list []*vex.Statement) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := snapshot.Build(t.Context(), &b, each(list)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.vex")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestView(t *testing.T) {
	t.Run("mapped", func(t *testing.T) {
		vextest.TestView(t, func(t testing.TB, list []*vex.Statement) vex.View {
			s, err := snapshot.Open(write(t, build(t, list)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		})
	})
	t.Run("reader", func(t *testing.T) {
		vextest.TestView(t, func(t testing.TB, list []*vex.Statement) vex.View {
			file := build(t, list)
			s, err := snapshot.New(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
}

// TestCanonical: the same statements give the same bytes, and others give others.
func TestCanonical(t *testing.T) {
	list := vextest.Statements(t)
	want := build(t, list)
	shuffled := slices.Clone(list)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if !bytes.Equal(want, build(t, append(shuffled, list[3]))) {
		t.Error("another order gives other bytes")
	}
	if bytes.Equal(want, build(t, list[1:])) {
		t.Error("fewer statements give the same bytes")
	}
	file := want
	s, err := snapshot.New(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), vex.NewSet(list).Digest()); err != nil {
		t.Error(err)
	}
	if err := s.Verify(t.Context(), vex.NewSet(nil).Digest()); !errors.Is(err, snapshot.ErrMismatch) {
		t.Errorf("another set: %v", err)
	}
	if i := s.Info(); i.Statements != len(list) || i.Size != int64(len(file)) || i.Digest != s.Digest() {
		t.Errorf("%+v", i)
	}
	n := 0
	for st, err := range s.All() {
		if err != nil || st.ID != vex.NewSet(list).All()[n].ID {
			t.Fatal(err)
		}
		n++
	}
}

func TestBuildRefuses(t *testing.T) {
	list := vex.NewSet(vextest.Statements(t)).All()
	in := func(list ...*vex.Statement) iter.Seq2[*vex.Statement, error] {
		return func(yield func(*vex.Statement, error) bool) {
			for _, s := range list {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
	var b bytes.Buffer
	for name, seq := range map[string]iter.Seq2[*vex.Statement, error]{"unsorted": in(list[1], list[0]), "twice": in(list[0], list[0]), "not prepared": in(&vex.Statement{Vulnerability: "x"})} {
		if _, err := snapshot.Build(t.Context(), &b, seq); !errors.Is(err, snapshot.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := func(yield func(*vex.Statement, error) bool) { yield(nil, vex.ErrUnavailable) }
	if _, err := snapshot.Build(t.Context(), &b, broken); !errors.Is(err, vex.ErrUnavailable) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := snapshot.Build(ctx, &b, in(list[0])); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if b.Len() > 0 {
		t.Error("something was written")
	}
}

// TestDamage: a bit that is turned anywhere is found when it is read, and nothing
// else is said than what was.
func TestDamage(t *testing.T) {
	list := vextest.Statements(t)
	file, want := build(t, list), vex.NewSet(list)
	random := rand.New(rand.NewPCG(1, 1))
	found := 0
	for range 300 {
		bad := bytes.Clone(file)
		bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
		s, err := snapshot.New(bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			found++
			if !errors.Is(err, snapshot.ErrMismatch) && !errors.Is(err, snapshot.ErrInvalid) && !errors.Is(err, vex.ErrUnsupported) {
				t.Fatal(err)
			}
			continue
		}
		for _, id := range []string{"CVE-2024-1", "CVE-2025-7", "CVE-2025-93"} {
			got, err := s.Statements(t.Context(), []string{id})
			if err != nil {
				if !errors.Is(err, snapshot.ErrMismatch) && !errors.Is(err, snapshot.ErrInvalid) {
					t.Fatal(err)
				}
				continue
			}
			right, err := want.Statements(t.Context(), []string{id})
			if err != nil || len(got) != len(right) {
				t.Fatalf("%s: %d statements, want %d, %v", id, len(got), len(right), err)
			}
		}
		if err := s.Verify(t.Context(), want.Digest()); err != nil {
			found++
		}
		s.Close()
	}
	if found != 300 {
		t.Errorf("%d of 300 are found", found)
	}
	for n := range 200 {
		cut := file[:n*len(file)/200]
		if _, err := snapshot.New(bytes.NewReader(cut), int64(len(cut))); !errors.Is(err, snapshot.ErrInvalid) {
			t.Errorf("%d bytes of it: %v", len(cut), err)
		}
	}
	if _, err := snapshot.Open(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, snapshot.ErrNotFound) {
		t.Error(err)
	}
}

// TestVerifyFindsOmission: a file that is whole and says less than its set is found
// out, whoever made it.
func TestVerifyFindsOmission(t *testing.T) {
	list := vextest.Statements(t)
	want := vex.NewSet(list).Digest()
	for name, forge := range map[string]func([]byte) []byte{
		"another set's digest": func([]byte) []byte { return snapshot.Forge(build(t, list[1:]), want) },
		"an index without":     func(f []byte) []byte { return snapshot.ForgeIndex(f) },
	} {
		f := forge(build(t, list))
		s, err := snapshot.New(bytes.NewReader(f), int64(len(f)))
		if err != nil {
			t.Fatalf("%s: it is not whole: %v", name, err)
		}
		if err := s.Verify(t.Context(), want); !errors.Is(err, snapshot.ErrMismatch) && !errors.Is(err, snapshot.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	list := vextest.Statements(f)
	f.Add(build(f, list[:3]), uint32(0), byte(0))
	f.Add(build(f, list[3:9]), uint32(99), byte(7))
	f.Add(build(f, nil), uint32(1), byte(1))
	f.Fuzz(func(t *testing.T, file []byte, at uint32, b byte) {
		if len(file) > 0 {
			file = bytes.Clone(file)
			file[int(at%uint32(len(file)))] ^= b
		}
		file = snapshot.Reseal(file) // so that its sums do not hide the rest
		s, err := snapshot.New(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		defer s.Close()
		for _, id := range []string{"CVE-2024-1", "CVE-2024-2", "x"} {
			got, err := s.Statements(t.Context(), []string{id})
			if err == nil {
				for _, st := range got {
					if st.ID == "" {
						t.Error("a statement without an ID")
					}
				}
			}
		}
		_ = s.Verify(t.Context(), s.Digest())
	})
}
