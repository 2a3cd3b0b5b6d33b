package kit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
)

var (
	ctx = context.Background()
	now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
)

const (
	day  = 24 * time.Hour
	feed = "kits.example"
)

func key(name string) *dsse.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	return k
}

func signers(names ...string) (out []dsse.Signer) {
	for _, n := range names {
		out = append(out, key(n))
	}
	return out
}

func holders(threshold int, names ...string) role.Holders {
	h := role.Holders{Threshold: threshold}
	for _, n := range names {
		h.Keys = append(h.Keys, key(n).Public())
	}
	return h
}

// firstRoot is held by two of r1, r2, r3, targets by both t1 and t2, snapshot by s1,
// timestamp by m1.
func firstRoot() *role.Root {
	return &role.Root{Feed: feed, Version: 1, Expires: now.Add(365 * day), Roles: map[role.Role]role.Holders{
		role.RoleRoot: holders(2, "r1", "r2", "r3"), role.RoleTargets: holders(2, "t1", "t2"),
		role.RoleSnapshot: holders(1, "s1"), role.RoleTimestamp: holders(1, "m1"),
	}}
}

func sealRoot(t testing.TB, r *role.Root, names ...string) []byte {
	t.Helper()
	file, err := r.Sign(ctx, signers(names...)...)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// publisher makes editions one after the other.
type publisher struct {
	state role.State
	root  []byte // the first
	roots [][]byte
	at    time.Time
	signs map[role.Role][]dsse.Signer
}

func newPublisher(t testing.TB) *publisher {
	t.Helper()
	root := sealRoot(t, firstRoot(), "r1", "r2")
	state, err := role.Trust(root)
	if err != nil {
		t.Fatal(err)
	}
	return &publisher{state: state, root: root, at: now, signs: map[role.Role][]dsse.Signer{
		role.RoleTargets: signers("t1", "t2"), role.RoleSnapshot: signers("s1"), role.RoleTimestamp: signers("m1"),
	}}
}

// rotate makes the next root.
func (p *publisher) rotate(t testing.TB, change func(r *role.Root), keys ...string) {
	t.Helper()
	r, err := role.DecodeRoot(p.state.Root)
	if err != nil {
		t.Fatal(err)
	}
	r.Version++
	change(r)
	p.roots = append(p.roots, p.state.Root)
	if p.state, err = p.state.Rotate(sealRoot(t, r, keys...)); err != nil {
		t.Fatal(err)
	}
}

func items(contents map[string]string) (out []kit.Item) {
	out = []kit.Item{}
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		k, n, _ := strings.Cut(name, "/")
		out = append(out, kit.Item{Kind: k, Name: n, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(contents[name])), nil }})
	}
	return out
}

func (p *publisher) draft(list []kit.Item) *kit.Draft {
	d := &kit.Draft{Previous: p.state, Roots: p.roots, At: p.at, Items: list, Signers: p.signs, Expires: map[role.Role]time.Time{role.RoleTimestamp: p.at.Add(30 * day)}}
	if list != nil {
		d.Expires[role.RoleTargets], d.Expires[role.RoleSnapshot] = p.at.Add(90*day), p.at.Add(60*day)
	}
	return d
}

func (p *publisher) publish(t testing.TB, list []kit.Item) *kit.Edition {
	t.Helper()
	e, err := kit.Publish(ctx, p.draft(list))
	if err != nil {
		t.Fatal(err)
	}
	p.state = e.State
	return e
}

func write(t testing.TB, e *kit.Edition, base int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := e.Write(ctx, &b, base)
	if err != nil {
		t.Fatal(err)
	}
	if w.Size != int64(b.Len()) {
		t.Fatalf("%d bytes were written, %d were promised", b.Len(), w.Size)
	}
	return b.Bytes()
}

// full publishes contents and returns the kit.
func (p *publisher) full(t testing.TB, contents map[string]string) []byte {
	t.Helper()
	return write(t, p.publish(t, items(contents)), 0)
}

// client is what a site knows at first.
func (p *publisher) client(t testing.TB) role.State {
	t.Helper()
	s, err := role.Trust(p.root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *publisher) store(t testing.TB) kit.Store {
	t.Helper()
	s := kit.Store{Dir: filepath.Join(t.TempDir(), "kit")}
	if err := s.Trust(p.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// some are the contents of release n.
func some(n int) map[string]string {
	return map[string]string{
		"advisory/manifest.json": fmt.Sprintf(`{"head":%d}`, n),
		"advisory/objects/npm":   strings.Repeat("npm", 500),
		"advisory/objects/go":    strings.Repeat("go", 300+n),
		"vex/set":                fmt.Sprint("vex ", n/2),
		"policy/default":         "policy",
		"engine/linux/amd64":     "\x7fELF engine",
		"trust/empty":            "",
	}
}

// active returns the contents that a store serves.
func active(t testing.TB, s kit.Store) map[string]string {
	t.Helper()
	a, err := s.Active()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range a.Entries {
		b, err := a.Read(ctx, e.Kind, e.Name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		out[e.Target()] = string(b)
	}
	return out
}

func load(t testing.TB, s kit.Store, file []byte) *kit.Loaded {
	t.Helper()
	l, err := s.Load(ctx, bytes.NewReader(file), now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// files returns every file of a folder by its name.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		name, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
