package mirror_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB, seed byte) *dsse.PrivateKey {
	t.Helper()
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// site is a mirror and the root that leads to it.
type site struct {
	mirror.Publisher
	root []byte
}

func newSite(t testing.TB) *site {
	t.Helper()
	r := &role.Root{Feed: "advisories.test", Version: 1, Expires: start.AddDate(1, 0, 0), Roles: map[role.Role]role.Holders{}}
	s := &site{Publisher: mirror.Publisher{Dir: filepath.Join(t.TempDir(), "mirror"), Signers: map[role.Role][]dsse.Signer{}}}
	for i, name := range []role.Role{role.RoleRoot, role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp} {
		k := newKey(t, byte(i+1))
		r.Roles[name] = role.Keys(1, k.Public())
		s.Signers[name] = []dsse.Signer{k}
	}
	var err error
	if s.root, err = r.Sign(t.Context(), s.Signers[role.RoleRoot]...); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// records makes n records; those from changed on have another summary.
func records(source string, n int, changed ...int) []*advisory.Record {
	var list []*advisory.Record
	for i := range n {
		r := &advisory.Record{
			ID: fmt.Sprintf("GHSA-%04d", i), Source: source, Modified: "2024-05-20T16:03:47Z", Digest: fmt.Sprintf("sha256:%064x", i), Summary: "a summary of no. " + fmt.Sprint(i),
			Details: strings.Repeat("details of it. ", 20), Affected: []advisory.Affected{{Ecosystem: "npm", Name: fmt.Sprintf("p%d", i)}},
		}
		for _, c := range changed {
			if c == i {
				r.Summary = "changed"
			}
		}
		list = append(list, r)
	}
	return list
}

// snap is a snapshot of records of sources, all of which may be passed on but
// "secret".
func snap(t testing.TB, bySource map[string][]*advisory.Record) *snapshot.Snapshot {
	t.Helper()
	m := &snapshot.Manifest{}
	objects := map[string][]byte{}
	for source, list := range bySource {
		segment, object, err := snapshot.EncodeSegment(advisory.Part{Source: source, Database: "GHSA", Ecosystem: "npm"}, func(yield func(*advisory.Record, error) bool) {
			for _, r := range list {
				_ = yield(r, nil)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		objects[segment.Digest] = object
		m.Segments = append(m.Segments, *segment)
		if source != "" {
			m.Sources = append(m.Sources, snapshot.Origin{Name: source, Redistribute: source != "secret"})
		}
	}
	text, _, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := snapshot.Assemble(&b, text, func(digest string) ([]byte, error) { return objects[digest], nil }); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) publish(t testing.TB, at time.Time, sn *snapshot.Snapshot) *mirror.Published {
	t.Helper()
	p, err := s.Publish(t.Context(), at, sn, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *site) client(t testing.TB) *mirror.Client {
	return &mirror.Client{Source: role.FS(os.DirFS(s.Dir)), Store: snapshot.Store{Dir: filepath.Join(t.TempDir(), "db")}, Root: s.root}
}

func TestUpdate(t *testing.T) {
	s, ctx := newSite(t), context.Background()
	c := s.client(t)
	if _, err := c.Update(ctx, start); !errors.Is(err, role.ReasonMissing) {
		t.Errorf("a mirror without a release: %v", err)
	}
	first := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 2000)})
	s.publish(t, start, first)
	second := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 2001, 7)})
	steps := []struct {
		at      time.Time
		publish *snapshot.Snapshot
		how     string
		digest  string
	}{
		{start, nil, mirror.ByObjects, first.Digest()},
		{start.Add(time.Hour), nil, mirror.Unchanged, first.Digest()},
		{start.Add(2 * time.Hour), second, mirror.ByDelta, second.Digest()},
		{start.Add(3 * time.Hour), first, mirror.ByDelta, first.Digest()}, // what is true may be true again
	}
	for i, step := range steps {
		if step.publish != nil {
			s.publish(t, step.at, step.publish)
		}
		u, err := c.Update(ctx, step.at)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if u.How != step.how || u.Digest != step.digest || u.Feed != "advisories.test" {
			t.Errorf("step %d: %+v", i, u)
		}
		if u.How == mirror.ByDelta && u.Bytes > 3000 {
			t.Errorf("step %d: the delta has %d bytes", i, u.Bytes)
		}
		got, err := c.Store.Open()
		if err != nil || got.Digest() != step.digest {
			t.Fatalf("step %d: %v", i, err)
		}
		got.Close()
	}
}

func TestAwayTooLong(t *testing.T) {
	s, ctx := newSite(t), context.Background()
	s.Deltas = 1
	c := s.client(t)
	s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 50), "osv": records("osv", 500)}))
	if _, err := c.Update(ctx, start); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 51+i), "osv": records("osv", 500)}))
	}
	u, err := c.Update(ctx, start)
	if err != nil || u.How != mirror.ByObjects {
		t.Fatalf("%+v, %v", u, err)
	}
	// The segment that stayed is not read again.
	files, err := os.ReadDir(filepath.Join(s.Dir, "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if u.Bytes > total/3 {
		t.Errorf("%d of %d bytes were read", u.Bytes, total)
	}
	if len(files) > 8 { // two manifests, three segments, a delta
		t.Errorf("%d contents are kept", len(files))
	}
}

func TestLicences(t *testing.T) {
	s := newSite(t)
	all := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 3), "secret": records("secret", 3), "": records("", 3)})
	p := s.publish(t, start, all)
	if diff := cmp.Diff([]string{"", "secret"}, p.Omitted); diff != "" || p.Digest == all.Digest() || p.Objects != 1 {
		t.Errorf("published %+v", p)
	}
	s.Everything = true
	if p := s.publish(t, start, all); p.Digest != all.Digest() || p.Objects != 3 || p.Omitted != nil {
		t.Errorf("published %+v", p)
	}
}

// view is a copy of the mirror's files.
func view(t testing.TB, dir string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAttacks(t *testing.T) {
	s, ctx := newSite(t), context.Background()
	first, second := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 20)}), snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 21)})
	s.publish(t, start, first)
	old := view(t, s.Dir)
	s.publish(t, start.Add(time.Hour), second)
	now := view(t, s.Dir)
	at := start.Add(2 * time.Hour)
	fresh := func(source fstest.MapFS) *mirror.Client {
		return &mirror.Client{Source: role.FS(source), Store: snapshot.Store{Dir: filepath.Join(t.TempDir(), "db")}, Root: s.root}
	}
	c := fresh(now)
	if _, err := c.Update(ctx, at); err != nil {
		t.Fatal(err)
	}
	mixed := fstest.MapFS{}
	for name, f := range now {
		mixed[name] = f
	}
	mixed["2.targets.json"] = old["1.targets.json"]
	for name, tt := range map[string]struct {
		client *mirror.Client
		at     time.Time
		want   error
	}{
		"rollback":            {&mirror.Client{Source: role.FS(old), Store: c.Store, Root: s.root}, at, role.ReasonRollback},
		"freeze":              {fresh(now), start.AddDate(0, 0, 3), role.ReasonExpired},
		"mix-and-match":       {fresh(mixed), at, role.ReasonMixed},
		"a root of a thief":   {&mirror.Client{Source: role.FS(now), Store: snapshot.Store{Dir: t.TempDir()}, Root: newSiteOf(t, 9).root}, at, role.ReasonThreshold},
		"no root":             {&mirror.Client{Source: role.FS(now), Store: snapshot.Store{Dir: t.TempDir()}}, at, mirror.ErrNotFound},
		"an empty folder":     {fresh(fstest.MapFS{}), at, role.ReasonMissing},
		"a folder cut in two": {fresh(without(now, "sha256/")), at, role.ReasonMissing},
	} {
		if _, err := tt.client.Update(ctx, tt.at); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	got, err := c.Store.Open()
	if err != nil || got.Digest() != second.Digest() {
		t.Errorf("after the attacks the current snapshot is another: %v", err)
	}
	got.Close()
	// A changed byte in any file is refused, or was not read.
	for name := range now {
		damaged := fstest.MapFS{}
		for n, f := range now {
			damaged[n] = f
		}
		data := bytes.Clone(now[name].Data)
		data[len(data)/2] ^= 0x20
		damaged[name] = &fstest.MapFile{Data: data}
		c := fresh(damaged)
		u, err := c.Update(ctx, at)
		if err == nil && u.Digest != second.Digest() {
			t.Errorf("%s damaged: made %s", name, u.Digest)
		}
	}
}

func without(all fstest.MapFS, prefix string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range all {
		if !strings.HasPrefix(name, prefix) {
			out[name] = f
		}
	}
	return out
}

func newSiteOf(t testing.TB, seed byte) *site {
	t.Helper()
	k := newKey(t, seed)
	r := &role.Root{Feed: "advisories.test", Version: 1, Expires: start.AddDate(1, 0, 0), Roles: map[role.Role]role.Holders{}}
	for _, name := range []role.Role{role.RoleRoot, role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp} {
		r.Roles[name] = role.Keys(1, k.Public())
	}
	root, err := r.Sign(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return &site{root: root}
}

func TestRenewAndRotate(t *testing.T) {
	s, ctx := newSite(t), context.Background()
	s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 3)}))
	c := s.client(t)
	if err := s.Renew(ctx, start.AddDate(0, 0, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Update(ctx, start.AddDate(0, 0, 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(s.root); !errors.Is(err, mirror.ErrConflict) {
		t.Errorf("begun twice: %v", err)
	}
	r, err := role.DecodeRoot(s.root)
	if err != nil {
		t.Fatal(err)
	}
	next := newKey(t, 42)
	r.Version++
	r.Roles[role.RoleTimestamp] = role.Keys(1, next.Public())
	root, err := r.Sign(ctx, s.Signers[role.RoleRoot]...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(root); err != nil {
		t.Fatal(err)
	}
	s.Signers[role.RoleTimestamp] = []dsse.Signer{next}
	if err := s.Renew(ctx, start.AddDate(0, 0, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Update(ctx, start.AddDate(0, 0, 3)); err != nil {
		t.Fatal(err)
	}
}
