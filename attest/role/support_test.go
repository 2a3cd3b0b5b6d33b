package role_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

var (
	ctx = context.Background()
	now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
)

const (
	day  = 24 * time.Hour
	feed = "advisories.example"
)

// key makes a key of a name.
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

// mirror is a source of files in memory that says what it is told to.
type mirror map[string][]byte

func (m mirror) Open(_ context.Context, name string) (io.ReadCloser, error) {
	b, ok := m[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// newest returns the name and version of a role's newest file.
func (m mirror) newest(r role.Role) (string, int64) {
	if r == role.RoleTimestamp {
		return "timestamp.json", int64(payloadOf(m["timestamp.json"])["version"].(float64))
	}
	var last int64
	for name := range m {
		if n, ok := strings.CutSuffix(name, "."+string(r)+".json"); ok {
			v, _ := strconv.ParseInt(n, 10, 64)
			last = max(last, v)
		}
	}
	return role.File(r, last), last
}

func payloadOf(file []byte) map[string]any {
	e, err := dsse.Decode(file)
	if err != nil {
		panic(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(e.Payload, &out); err != nil {
		panic(err)
	}
	return out
}

func payloadType(r role.Role) string { return "application/vnd.stella.role." + string(r) + "+json" }

// seal signs any text as metadata of a role.
func seal(r role.Role, text string, keys ...string) []byte {
	e, err := dsse.Sign(ctx, payloadType(r), []byte(text), signers(keys...)...)
	if err != nil {
		panic(err)
	}
	b, err := e.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if err := (*jsontext.Value)(&b).Canonicalize(); err != nil {
		panic(err)
	}
	return string(b)
}

// forge takes the newest file of a role, changes its payload, raises the
// version by one, and puts it in place signed by these keys: what who has stolen
// them can do. A change may set the version itself.
func (m mirror) forge(r role.Role, change func(p map[string]any), keys ...string) {
	name, version := m.newest(r)
	p := payloadOf(m[name])
	p["version"] = version + 1
	change(p)
	m[role.File(r, version+1)] = seal(r, canonical(p), keys...)
}

// link makes the roles above name a role's newest file, with their real keys.
func (m mirror) link(below role.Role) {
	name, version := m.newest(below)
	file := m[name]
	sum := sha256.Sum256(file)
	about := map[string]any{"version": version, "length": len(file), "digest": "sha256:" + hex.EncodeToString(sum[:])}
	switch below {
	case role.RoleTargets:
		m.forge(role.RoleSnapshot, func(p map[string]any) { p["targets"] = about }, "s1")
		m.link(role.RoleSnapshot)
	case role.RoleSnapshot:
		m.forge(role.RoleTimestamp, func(p map[string]any) { p["snapshot"] = about }, "m1")
	}
}

// world is a feed and its publisher. The root is held by two of r1, r2, r3,
// targets by both t1 and t2, snapshot by s1, timestamp by m1.
type world struct {
	state role.State
	files mirror
	// past are the client's states, and the files, after each release; the first
	// is before any.
	past     []role.State
	pastFile []mirror
}

func firstRoot() *role.Root {
	return &role.Root{Feed: feed, Version: 1, Expires: now.Add(365 * day), Roles: map[role.Role]role.Holders{
		role.RoleRoot: holders(2, "r1", "r2", "r3"), role.RoleTargets: holders(2, "t1", "t2"),
		role.RoleSnapshot: holders(1, "s1"), role.RoleTimestamp: holders(1, "m1"),
	}}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	file, err := firstRoot().Sign(ctx, signers("r1", "r2")...)
	if err != nil {
		t.Fatal(err)
	}
	state, err := role.Trust(file)
	if err != nil {
		t.Fatal(err)
	}
	return &world{state: state, files: mirror{"1.root.json": file}, past: []role.State{state}, pastFile: []mirror{{"1.root.json": file}}}
}

func draft(targets []role.Target) *role.Draft {
	return &role.Draft{
		At: now, Targets: targets,
		Expires: map[role.Role]time.Time{role.RoleTargets: now.Add(90 * day), role.RoleSnapshot: now.Add(7 * day), role.RoleTimestamp: now.Add(day)},
		Signers: map[role.Role][]dsse.Signer{role.RoleTargets: signers("t1", "t2"), role.RoleSnapshot: signers("s1"), role.RoleTimestamp: signers("m1")},
	}
}

// publish makes a release of files by name and content.
func (w *world) publish(t testing.TB, contents map[string]string) {
	t.Helper()
	var list []role.Target
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		x, err := role.Describe(name, strings.NewReader(contents[name]), fmt.Appendf(nil, `{"number":%d}`, len(w.past)))
		if err != nil {
			t.Fatal(err)
		}
		w.files[x.File()] = []byte(contents[name])
		list = append(list, x)
	}
	w.apply(t, draft(list))
}

func (w *world) apply(t testing.TB, d *role.Draft) {
	t.Helper()
	state, files, err := w.state.Publish(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	w.state = state
	for _, f := range files {
		w.files[f.Name] = f.Data
	}
	w.past = append(w.past, state)
	w.pastFile = append(w.pastFile, maps.Clone(w.files))
}

// rotate publishes the next root.
func (w *world) rotate(t testing.TB, change func(r *role.Root), keys ...string) {
	t.Helper()
	r, err := role.DecodeRoot(w.state.Root)
	if err != nil {
		t.Fatal(err)
	}
	r.Version++
	change(r)
	file, err := r.Sign(ctx, signers(keys...)...)
	if err != nil {
		t.Fatal(err)
	}
	if w.state, err = w.state.Rotate(file); err != nil {
		t.Fatal(err)
	}
	w.files[role.File(role.RoleRoot, r.Version)] = file
}

// three is a world with three releases.
func three(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	for i := 1; i <= 3; i++ {
		w.publish(t, map[string]string{"head.json": fmt.Sprintf(`{"head":%d}`, i), "snapshot/go": strings.Repeat("go", i)})
	}
	return w
}

// names returns the name of every target and its content's digest.
func names(r *role.Release) map[string]string {
	out := map[string]string{}
	for _, t := range r.Targets {
		out[t.Name] = t.Digest
	}
	return out
}
