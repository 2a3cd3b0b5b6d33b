package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// parts lists what a registry would keep of the mirror.
func (s *site) parts(t testing.TB) []mirror.Part {
	t.Helper()
	list, err := s.Parts(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func source(t testing.TB, parts []mirror.Part) role.Source {
	t.Helper()
	src, err := mirror.FromParts(parts)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func read(t testing.TB, p mirror.Part) []byte {
	t.Helper()
	rc, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// with replaces the bytes of a part, under the digest that was promised.
func with(parts []mirror.Part, name string, b []byte) []mirror.Part {
	parts = slices.Clone(parts)
	for i := range parts {
		if parts[i].Name == name {
			parts[i].Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
		}
	}
	return parts
}

func TestParts(t *testing.T) {
	s := newSite(t)
	if _, err := s.Parts(t.Context(), start); !errors.Is(err, role.ReasonMissing) {
		t.Errorf("nothing was published: %v", err)
	}
	first := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 30), "osv": records("osv", 31)})
	s.publish(t, start, first)
	before := s.parts(t)
	var types []string
	for _, p := range before {
		types = append(types, p.MediaType)
		if b := read(t, p); int64(len(b)) != p.Size || len(p.Digest) != 71 {
			t.Errorf("%s has %d bytes, not %d", p.Name, len(b), p.Size)
		}
	}
	want := []string{
		mirror.TypeManifest, mirror.TypeObject, mirror.TypeObject, "application/vnd.stella.role.root.dsse.v1+json", "application/vnd.stella.role.targets.dsse.v1+json",
		"application/vnd.stella.role.snapshot.dsse.v1+json", "application/vnd.stella.role.timestamp.dsse.v1+json",
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
	c := &mirror.Client{Source: source(t, before), Store: snapshot.Store{Dir: filepath.Join(t.TempDir(), "db")}, Root: s.root}
	if u, err := c.Update(t.Context(), start); err != nil || u.Digest != first.Digest() {
		t.Fatal(u, err)
	}
	second := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 30, 7), "osv": records("osv", 31)})
	s.publish(t, start, second)
	after := s.parts(t)
	shared := 0
	for _, p := range after {
		if slices.ContainsFunc(before, func(q mirror.Part) bool { return q.Digest == p.Digest }) {
			shared++
		}
	}
	if shared != 2 { // the segment that stayed, and the root
		t.Errorf("%d parts are shared", shared)
	}
	// A registry that mixes versions up, loses, or sends something else.
	name := func(kind string) string {
		i := slices.IndexFunc(after, func(p mirror.Part) bool { return p.MediaType == kind })
		return after[i].Name
	}
	dropped := func(kind string) []mirror.Part {
		return slices.DeleteFunc(slices.Clone(after), func(p mirror.Part) bool { return p.MediaType == kind })
	}
	mixed := with(after, "2.targets.json", read(t, before[4]))
	for what, tt := range map[string]struct {
		parts []mirror.Part
		want  error
	}{
		"rollback":      {before, role.ReasonRollback},
		"mix-and-match": {mixed, role.ReasonMixed},
		"no timestamp":  {dropped("application/vnd.stella.role.timestamp.dsse.v1+json"), role.ReasonMissing},
		"no manifest":   {with(dropped(mirror.TypeManifest), name(mirror.TypeDelta), nil), role.ReasonMissing},
		"endless":       {with(with(after, name(mirror.TypeDelta), nil), name(mirror.TypeManifest), make([]byte, 1<<20)), role.ReasonEndless},
		"other content": {with(with(after, name(mirror.TypeDelta), nil), name(mirror.TypeManifest), make([]byte, sizeOf(after, mirror.TypeManifest))), role.ReasonContent},
		"cut":           {with(with(after, name(mirror.TypeDelta), nil), name(mirror.TypeManifest), nil), role.ReasonTruncated},
	} {
		store := snapshot.Store{Dir: filepath.Join(t.TempDir(), "db")}
		old := &mirror.Client{Source: source(t, before), Store: store, Root: s.root}
		if _, err := old.Update(t.Context(), start); err != nil {
			t.Fatal(err)
		}
		if what == "rollback" {
			if _, err := (&mirror.Client{Source: source(t, after), Store: store}).Update(t.Context(), start); err != nil {
				t.Fatal(err)
			}
		}
		was, err := store.Status()
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&mirror.Client{Source: source(t, tt.parts), Store: store}).Update(t.Context(), start)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", what, err)
		}
		if is, err := store.Status(); err != nil || is.Digest != was.Digest {
			t.Errorf("%s: the data is another: %v", what, err)
		}
	}
	if _, err := mirror.FromParts(append(slices.Clone(after), after[len(after)-1])); !errors.Is(err, mirror.ErrInvalid) {
		t.Errorf("a name twice: %v", err)
	}
	if _, err := source(t, after).Open(t.Context(), "sha256/"+strings.Repeat("0", 64)); !errors.Is(err, mirror.ErrNotFound) {
		t.Errorf("no such content: %v", err)
	}
}

func sizeOf(parts []mirror.Part, kind string) int64 {
	for _, p := range parts {
		if p.MediaType == kind {
			return p.Size
		}
	}
	return 0
}

// copyFolder takes a picture of a folder, as it would be found after a power cut.
func copyFolder(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// cutting is a source that fails from its nth reading on; each reading takes a picture
// of the folder first.
type cutting struct {
	role.Source
	left    int
	picture func()
}

var errPower = errors.New("the power is gone")

func (c *cutting) spend() error {
	c.picture()
	if c.left--; c.left < 0 {
		return errPower
	}
	return nil
}

func (c *cutting) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := c.spend(); err != nil {
		return nil, err
	}
	rc, err := c.Source.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{readerFunc(func(b []byte) (int, error) {
		if err := c.spend(); err != nil {
			return 0, err
		}
		return rc.Read(b)
	}), rc}, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestPowerCut: wherever an update from parts ends, the old data is served and signed, and
// the next update makes it the new. What the disk has at each reading is good too.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Deltas = -1
	first, second := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 20)}), snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 21)})
	s.publish(t, start, first)
	c := s.client(t)
	if _, err := c.Update(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	s.publish(t, start, second)
	src := source(t, s.parts(t))
	serves := func(dir, want string) {
		t.Helper()
		got, err := snapshot.Store{Dir: dir}.Open()
		if err != nil || got.Digest() != want || got.Verify() != nil {
			t.Fatalf("%v", err)
		}
		got.Close()
		signed, err := mirror.SignedBy(snapshot.Store{Dir: dir}, want, start)
		if err != nil || (signed.Version == 1) != (want == first.Digest()) {
			t.Errorf("%+v, %v", signed, err)
		}
	}
	steps, pictures, every := 0, []string{}, 3 // each place is seen by several
	if testing.Short() {
		every = 8
	}
	for ; ; steps++ {
		dir := copyFolder(t, c.Store.Dir)
		cut := &cutting{Source: src, left: steps, picture: func() {
			if steps%every == 0 {
				pictures = append(pictures, copyFolder(t, dir))
			}
		}}
		_, err := (&mirror.Client{Source: cut, Store: snapshot.Store{Dir: dir}}).Update(t.Context(), start)
		if err == nil {
			serves(dir, second.Digest())
			break
		}
		if !errors.Is(err, errPower) {
			t.Fatalf("step %d: %v", steps, err)
		}
		serves(dir, first.Digest())
		u, err := (&mirror.Client{Source: src, Store: snapshot.Store{Dir: dir}}).Update(t.Context(), start)
		if err != nil || u.Digest != second.Digest() {
			t.Fatalf("step %d, again: %v", steps, err)
		}
	}
	if steps < 12 {
		t.Errorf("only %d steps", steps)
	}
	for _, dir := range pictures {
		serves(dir, first.Digest())
		u, err := (&mirror.Client{Source: src, Store: snapshot.Store{Dir: dir}}).Update(t.Context(), start)
		if err != nil || u.Digest != second.Digest() {
			t.Fatalf("after a power cut: %v", err)
		}
	}
}

// again is the same publisher without its folder.
func (s *site) again(t testing.TB) *mirror.Publisher {
	t.Helper()
	p := &mirror.Publisher{Dir: filepath.Join(t.TempDir(), "lost"), Signers: s.Signers, Everything: s.Everything}
	if err := p.Begin(s.root); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestResume(t *testing.T) {
	s := newSite(t)
	first, second := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 20)}), snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 21)})
	s.publish(t, start, first)
	src := source(t, s.parts(t))
	c := &mirror.Client{Source: src, Store: snapshot.Store{Dir: filepath.Join(t.TempDir(), "db")}, Root: s.root}
	if _, err := c.Update(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	p := s.again(t)
	if resumed, err := p.Resume(t.Context(), src); err != nil || !resumed {
		t.Fatal(resumed, err)
	}
	if resumed, err := p.Resume(t.Context(), src); err != nil || resumed {
		t.Error("again:", resumed, err)
	}
	late := start.AddDate(0, 2, 0) // what was published has expired since
	out, err := p.Publish(t.Context(), late, second, 0)
	if err != nil || out.Version != 2 {
		t.Fatal(out, err)
	}
	parts, err := p.Parts(t.Context(), late)
	if err != nil {
		t.Fatal(err)
	}
	c.Source = source(t, parts)
	if u, err := c.Update(t.Context(), late); err != nil || u.Version != 2 || u.Digest != second.Digest() {
		t.Fatal(u, err)
	}
	// The folder is ahead of the registry; and two places have published one version.
	if _, err := p.Resume(t.Context(), src); !errors.Is(err, role.ReasonRollback) {
		t.Errorf("older: %v", err)
	}
	s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 22)}))
	if _, err := p.Resume(t.Context(), source(t, s.parts(t))); !errors.Is(err, role.ReasonEquivocation) {
		t.Errorf("two publishers: %v", err)
	}
	if _, err := s.again(t).Resume(t.Context(), source(t, nil)); !errors.Is(err, role.ReasonMissing) {
		t.Errorf("nothing: %v", err)
	}
	thief := newKey(t, 77)
	r := &role.Root{Feed: "advisories.test", Version: 1, Expires: start.AddDate(1, 0, 0), Roles: map[role.Role]role.Holders{}}
	for _, name := range []role.Role{role.RoleRoot, role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp} {
		r.Roles[name] = role.Keys(1, thief.Public())
	}
	other, err := r.Sign(t.Context(), thief)
	if err != nil {
		t.Fatal(err)
	}
	stolen := &mirror.Publisher{Dir: filepath.Join(t.TempDir(), "stolen")}
	if err := stolen.Begin(other); err != nil {
		t.Fatal(err)
	}
	if _, err := stolen.Resume(t.Context(), src); !errors.Is(err, role.ReasonThreshold) {
		t.Errorf("another's: %v", err)
	}
}

// TestResumeRoots: who knows only the first root still follows, although the publisher
// that goes on began with a later one. A root that led nowhere is not taken over.
func TestResumeRoots(t *testing.T) {
	s := newSite(t)
	s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 3)}))
	r, err := role.DecodeRoot(s.root)
	if err != nil {
		t.Fatal(err)
	}
	r.Version++
	r.Roles[role.RoleTimestamp] = role.Keys(1, newKey(t, 42).Public())
	next, err := r.Sign(t.Context(), s.Signers[role.RoleRoot]...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(next); err != nil {
		t.Fatal(err)
	}
	s.Signers[role.RoleTimestamp] = []dsse.Signer{newKey(t, 42)}
	s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 4)}))
	parts := s.parts(t)
	for _, tt := range []struct {
		name  string
		parts []mirror.Part
		roots int
	}{{"whole", parts, 2}, {"forged", with(parts, "1.root.json", newSiteOf(t, 9).root), 1}} {
		p := &mirror.Publisher{Dir: filepath.Join(t.TempDir(), "lost"), Signers: s.Signers, Everything: true}
		if err := p.Begin(next); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Resume(t.Context(), source(t, tt.parts)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Publish(t.Context(), start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 5)}), 0); err != nil {
			t.Fatal(err)
		}
		list, err := p.Parts(t.Context(), start)
		if err != nil {
			t.Fatal(err)
		}
		roots := 0
		for _, part := range list {
			if strings.HasSuffix(part.Name, ".root.json") {
				roots++
			}
		}
		if roots != tt.roots {
			t.Errorf("%s: %d roots", tt.name, roots)
		}
		c := &mirror.Client{Source: source(t, list), Store: snapshot.Store{Dir: filepath.Join(t.TempDir(), "db")}, Root: s.root}
		if _, err := c.Update(t.Context(), start); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestVEX(t *testing.T) {
	s := newSite(t)
	one := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 3)})
	s.publish(t, start, one)
	c := s.client(t)
	if _, err := c.Update(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if _, err := c.VEX(start); !errors.Is(err, mirror.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	s.VEX = filepath.Join(t.TempDir(), "set")
	if _, err := s.Publish(t.Context(), start, one, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	if err := os.WriteFile(s.VEX, []byte("statements"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.publish(t, start, one)
	parts := s.parts(t)
	c.Source = source(t, parts)
	if u, err := c.Update(t.Context(), start); err != nil || u.How != mirror.Unchanged {
		t.Fatal(u, err)
	}
	target, err := c.VEX(start)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := target.Read(t.Context(), c.Source, 100); err != nil || string(b) != "statements" {
		t.Errorf("%q, %v", b, err)
	}
	i := slices.IndexFunc(parts, func(p mirror.Part) bool { return p.MediaType == mirror.TypeVEX })
	if i < 0 || parts[i].Digest != target.Digest {
		t.Errorf("part %d", i)
	}
	if _, err := c.VEX(start.AddDate(1, 0, 0)); !errors.Is(err, role.ReasonExpired) {
		t.Errorf("expired: %v", err)
	}
}
