package role_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// counting says what was opened.
type counting struct {
	role.Source
	opened []string
}

func (c *counting) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	c.opened = append(c.opened, name)
	return c.Source.Open(ctx, name)
}

func TestUpdate(t *testing.T) {
	w := three(t)
	for from, want := range [][]string{
		{"2.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json"},
		{"2.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json"},
		{"2.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json"},
		{"2.root.json", "timestamp.json"}, // nothing new
	} {
		src := &counting{Source: w.files}
		after, release, err := w.past[from].Update(ctx, now, src)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, src.opened); d != "" {
			t.Errorf("from %d: %s", from, d)
		}
		if d := cmp.Diff(w.state, after); d != "" {
			t.Errorf("from %d, the publisher's and the client's state: %s", from, d)
		}
		held, err := after.Release(now)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(release, held); d != "" {
			t.Error(d)
		}
		if release.Version != 3 || release.Feed != feed || !release.Expires.Equal(now.Add(day)) || len(release.Targets) != 2 {
			t.Errorf("release %+v", release)
		}
		head, err := release.Target("head.json")
		if err != nil {
			t.Fatal(err)
		}
		text, err := head.Read(ctx, w.files, 1<<10)
		if err != nil || string(text) != `{"head":3}` || string(head.Custom) != `{"number":3}` {
			t.Errorf("%s, %s, %v", text, head.Custom, err)
		}
		if _, err := release.Target("head"); !errors.Is(err, role.ErrNotFound) {
			t.Errorf("a target that is not there: %v", err)
		}
	}
}

// TestUpdateFromFileSystem: a folder or an archive is a source.
func TestUpdateFromFileSystem(t *testing.T) {
	w := three(t)
	files := fstest.MapFS{}
	for name, b := range w.files {
		files[name] = &fstest.MapFile{Data: b}
	}
	_, release, err := w.past[0].Update(ctx, now, role.FS(files))
	if err != nil || release.Version != 3 {
		t.Fatal(release, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := w.past[0].Update(cancelled, now, role.FS(files)); !errors.Is(err, context.Canceled) || role.ReasonOf(err) != "" {
		t.Errorf("cancelled: %v", err)
	}
}

// TestSourceErrors: what is wrong with the source is no attack, and a root of
// which cannot be told whether it is there ends the update.
func TestSourceErrors(t *testing.T) {
	w := three(t)
	away := errors.New("away")
	for name := range w.files {
		if strings.HasPrefix(name, "sha256/") || name < "3" || name == "1.root.json" {
			continue
		}
		for what, src := range map[string]role.Source{
			"open": odd{mirror: w.files, name: name, err: away},
			"read": odd{mirror: w.files, name: name, r: broken{away}},
		} {
			if _, r, err := w.past[2].Update(ctx, now, src); r != nil || !errors.Is(err, away) || role.ReasonOf(err) != "" || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: %v", what, name, err)
			}
		}
	}
	if _, r, err := w.past[2].Update(ctx, now, odd{mirror: w.files, name: "2.root.json", err: away}); r != nil || !errors.Is(err, away) {
		t.Errorf("root: %v", err)
	}
	if _, _, err := w.past[2].Update(ctx, time.Time{}, w.files); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("no time: %v", err)
	}
	if _, _, err := (role.State{}).Update(ctx, now, w.files); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("no root: %v", err)
	}
}

// TestEarlyEnd: an update that ends early keeps what it verified, refuses older
// versions from then on, and is completed by the next.
func TestEarlyEnd(t *testing.T) {
	w := three(t)
	m := maps.Clone(w.files)
	delete(m, "3.targets.json")
	after, release, err := w.past[2].Update(ctx, now, m)
	if release != nil || !errors.Is(err, role.ReasonMissing) {
		t.Fatal(release, err)
	}
	if _, err := after.Release(now); !errors.Is(err, role.ReasonMixed) {
		t.Errorf("the release in between: %v", err)
	}
	if _, _, err := after.Update(ctx, now, w.pastFile[2]); !errors.Is(err, role.ReasonRollback) {
		t.Errorf("the release before: %v", err)
	}
	if again, release, err := after.Update(ctx, now, w.files); err != nil || release.Version != 3 || cmp.Diff(w.state, again) != "" {
		t.Errorf("the next update: %v, %v", release, err)
	}
	if _, err := w.past[0].Release(now); !errors.Is(err, role.ReasonMissing) {
		t.Errorf("no release yet: %v", err)
	}
}

// TestReleaseOfState: a state is verified again each time it is asked.
func TestReleaseOfState(t *testing.T) {
	w := three(t)
	for name, c := range map[string]struct {
		change func(s *role.State)
		at     time.Time
		want   role.Reason
	}{
		"timestamp expired": {func(*role.State) {}, now.Add(day), role.ReasonExpired},
		"root expired":      {func(*role.State) {}, now.Add(400 * day), role.ReasonExpired},
		"older timestamp":   {func(s *role.State) { s.Timestamp = w.past[2].Timestamp }, now, role.ReasonMixed},
		"older snapshot":    {func(s *role.State) { s.Snapshot = w.past[2].Snapshot }, now, role.ReasonMixed},
		"older targets":     {func(s *role.State) { s.Targets = w.past[2].Targets }, now, role.ReasonMixed},
		"other targets of the version": {func(s *role.State) {
			p := payloadOf(s.Targets)
			p["targets"] = map[string]any{}
			s.Targets = seal(role.RoleTargets, canonical(p), "t1", "t2")
		}, now, role.ReasonMixed},
		"no targets":              {func(s *role.State) { s.Targets = nil }, now, role.ReasonMissing},
		"timestamp by a stranger": {func(s *role.State) { s.Timestamp = seal(role.RoleTimestamp, canonical(payloadOf(s.Timestamp)), "x") }, now, role.ReasonThreshold},
		"root by a stranger":      {func(s *role.State) { s.Root = seal(role.RoleRoot, canonical(payloadOf(s.Root)), "x") }, now, role.ReasonThreshold},
		"targets for timestamp":   {func(s *role.State) { s.Timestamp = s.Targets }, now, role.ReasonType},
	} {
		s := w.state
		c.change(&s)
		if r, err := s.Release(c.at); r != nil || role.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := w.state.Release(time.Time{}); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("no time: %v", err)
	}
}

// TestDamagedState: a state that cannot be read is an error, not a fresh start:
// what it had seen would be forgotten.
func TestDamagedState(t *testing.T) {
	w := three(t)
	other := func(r role.Role, file []byte, keys ...string) []byte {
		p := payloadOf(file)
		p["feed"] = "vex.example"
		return seal(r, canonical(p), keys...)
	}
	for name, c := range map[string]struct {
		change func(s *role.State)
		want   role.Reason
	}{
		"timestamp cut":           {func(s *role.State) { s.Timestamp = s.Timestamp[:99] }, role.ReasonTruncated},
		"timestamp of other feed": {func(s *role.State) { s.Timestamp = other(role.RoleTimestamp, s.Timestamp, "m1") }, role.ReasonFeed},
		"snapshot empty":          {func(s *role.State) { s.Snapshot = []byte{} }, role.ReasonTruncated},
		"snapshot for targets":    {func(s *role.State) { s.Targets = s.Snapshot }, role.ReasonType},
		"root cut":                {func(s *role.State) { s.Root = s.Root[:99] }, role.ReasonTruncated},
	} {
		s := w.past[2]
		c.change(&s)
		if after, r, err := s.Update(ctx, now, w.files); r != nil || role.ReasonOf(err) != c.want || cmp.Diff(s, after) != "" {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestFastForward: stolen keys run versions to the end. The real feed is
// refused, until a root without those keys is there.
func TestFastForward(t *testing.T) {
	const top = int64(role.MaxVersion)
	about := func(file []byte) map[string]any {
		tg, err := role.Describe("x", bytes.NewReader(file), nil)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]any{"version": top, "length": tg.Length, "digest": tg.Digest}
	}
	// file makes a role's metadata of the last version.
	file := func(m mirror, r role.Role, below []byte, member string, keys ...string) []byte {
		name, _ := m.newest(r)
		p := payloadOf(m[name])
		p["version"] = top
		if below != nil {
			p[member] = about(below)
		}
		return seal(r, canonical(p), keys...)
	}
	timestampKey := func(m mirror) {
		p := payloadOf(m["timestamp.json"])
		p["version"] = top
		p["snapshot"].(map[string]any)["version"] = top
		m["timestamp.json"] = seal(role.RoleTimestamp, canonical(p), "m1")
	}
	allKeys := func(m mirror) {
		tg := file(m, role.RoleTargets, nil, "", "t1", "t2")
		sn := file(m, role.RoleSnapshot, tg, "targets", "s1")
		m["timestamp.json"] = file(m, role.RoleTimestamp, sn, "snapshot", "m1")
		m[role.File(role.RoleSnapshot, top)], m[role.File(role.RoleTargets, top)] = sn, tg
	}
	newKeys := func(names ...role.Role) func(r *role.Root) {
		return func(r *role.Root) {
			for _, n := range names {
				r.Roles[n] = holders(1, "new "+string(n))
			}
		}
	}
	for name, c := range map[string]struct {
		steal   func(m mirror)
		replace []role.Role
		want    role.Reason // of the update after the replacement; "" means recovered
	}{
		"timestamp's key, none replaced":      {timestampKey, nil, role.ReasonRollback},
		"timestamp's key, snapshot replaced":  {timestampKey, []role.Role{role.RoleSnapshot}, role.ReasonRollback},
		"timestamp's key, timestamp replaced": {timestampKey, []role.Role{role.RoleTimestamp}, ""},
		"all keys, timestamp replaced":        {allKeys, []role.Role{role.RoleTimestamp}, role.ReasonRollback},
		"all keys, two replaced":              {allKeys, []role.Role{role.RoleTimestamp, role.RoleSnapshot}, role.ReasonRollback},
		"all keys, all replaced":              {allKeys, []role.Role{role.RoleTimestamp, role.RoleSnapshot, role.RoleTargets}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := three(t)
			m := maps.Clone(w.files)
			c.steal(m)
			client, _, _ := w.past[2].Update(ctx, now, m)
			if _, _, err := client.Update(ctx, now, w.files); !errors.Is(err, role.ReasonRollback) {
				t.Fatalf("the real feed after the theft: %v", err)
			}
			if c.replace != nil {
				w.rotate(t, newKeys(c.replace...), "r1", "r2")
			}
			d := draft([]role.Target{})
			for _, r := range c.replace {
				d.Signers[r] = signers("new " + string(r))
			}
			w.apply(t, d)
			_, release, err := client.Update(ctx, now, w.files)
			if role.ReasonOf(err) != c.want || (err == nil) != (c.want == "") || err == nil && release.Version != 4 {
				t.Errorf("got %v, %v, want %q", release, err, c.want)
			}
		})
	}
}

// TestKeptVersions: replacing one role's keys does not open the others to
// rollback.
func TestKeptVersions(t *testing.T) {
	replaced := func(r role.Role) *world {
		w := three(t)
		w.rotate(t, func(root *role.Root) { root.Roles[r] = holders(1, "new") }, "r1", "r2")
		return w
	}
	t.Run("snapshot is remembered without timestamp", func(t *testing.T) {
		w := replaced(role.RoleTimestamp)
		m := w.pastFile[1]
		m["2.root.json"] = w.files["2.root.json"]
		m.forge(role.RoleTimestamp, func(map[string]any) {}, "new")
		after, _, err := w.past[2].Update(ctx, now, m)
		if !errors.Is(err, role.ReasonRollback) || after.Snapshot == nil {
			t.Error(err)
		}
	})
	t.Run("snapshot is remembered, though the targets are the same", func(t *testing.T) {
		w := three(t)
		d := draft(nil)
		delete(d.Expires, role.RoleTargets)
		w.apply(t, d) // snapshot 4 of targets 3
		w.rotate(t, func(root *role.Root) { root.Roles[role.RoleTimestamp] = holders(1, "new") }, "r1", "r2")
		m := w.pastFile[3]
		m["2.root.json"] = w.files["2.root.json"]
		m.forge(role.RoleTimestamp, set("version", 9), "new") // still names snapshot 3
		if _, _, err := w.past[4].Update(ctx, now, m); !errors.Is(err, role.ReasonRollback) {
			t.Error(err)
		}
	})
	t.Run("targets are remembered without snapshot", func(t *testing.T) {
		w := replaced(role.RoleSnapshot)
		m := w.pastFile[2]
		m["2.root.json"] = w.files["2.root.json"]
		delete(m, "2.targets.json")
		m.forge(role.RoleSnapshot, func(p map[string]any) {
			p["targets"] = payloadOf(w.pastFile[1]["1.snapshot.json"])["targets"]
		}, "new")
		m.link(role.RoleSnapshot)
		if _, _, err := w.past[2].Update(ctx, now, m); !errors.Is(err, role.ReasonRollback) {
			t.Error(err)
		}
	})
	t.Run("a key more changes nothing", func(t *testing.T) {
		w := three(t)
		w.rotate(t, func(root *role.Root) { root.Roles[role.RoleTimestamp] = holders(1, "m1", "m2") }, "r1", "r2")
		m := w.pastFile[1]
		m["2.root.json"] = w.files["2.root.json"]
		if _, _, err := w.past[2].Update(ctx, now, m); !errors.Is(err, role.ReasonRollback) {
			t.Error(err)
		}
	})
}

// TestContent: what is not the target is refused, and never more is written
// than the target has.
func TestContent(t *testing.T) {
	w := three(t)
	release, err := w.state.Release(now)
	if err != nil {
		t.Fatal(err)
	}
	x, err := release.Target("snapshot/go")
	if err != nil {
		t.Fatal(err)
	}
	full, away := errors.New("disk full"), errors.New("away")
	with := func(b string) mirror { return mirror{x.File(): []byte(b)} }
	for name, c := range map[string]struct {
		src  role.Source
		want error // nil means that it is read
	}{
		"the target":        {w.files, nil},
		"other software":    {with("evil!!"), role.ReasonContent},
		"cut":               {with("gogo"), role.ReasonTruncated},
		"empty":             {with(""), role.ReasonTruncated},
		"one byte more":     {with("gogogo!"), role.ReasonEndless},
		"endless":           {odd{mirror: w.files, name: x.File(), r: zeros{}}, role.ReasonEndless},
		"withheld":          {mirror{}, role.ReasonMissing},
		"connection broken": {odd{mirror: with("gogo"), name: x.File(), r: broken{io.ErrUnexpectedEOF}}, role.ReasonTruncated},
		"broken at the end": {odd{mirror: w.files, name: x.File(), r: broken{io.ErrUnexpectedEOF}}, role.ReasonTruncated},
		"away":              {odd{mirror: w.files, name: x.File(), err: away}, away},
		"away in between":   {odd{mirror: with("go"), name: x.File(), r: broken{away}}, away},
	} {
		var b bytes.Buffer
		err := x.Copy(ctx, &b, c.src)
		if !errors.Is(err, c.want) || int64(b.Len()) > x.Length {
			t.Errorf("copy %s: %d bytes, %v, want %v", name, b.Len(), err, c.want)
		}
		got, err := x.Read(ctx, c.src, x.Length)
		if !errors.Is(err, c.want) || err == nil != (string(got) == "gogogo") {
			t.Errorf("read %s: %q, %v, want %v", name, got, err, c.want)
		}
	}
	if _, err := x.Read(ctx, w.files, x.Length-1); !errors.Is(err, role.ErrLimit) {
		t.Errorf("a target over the caller's limit: %v", err)
	}
	if err := x.Copy(ctx, failingWriter{full}, w.files); !errors.Is(err, full) || role.ReasonOf(err) != "" {
		t.Errorf("a writer that fails: %v", err)
	}
	if err := (role.Target{Name: "x"}).Copy(ctx, io.Discard, w.files); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("a target of nothing: %v", err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// TestReasons: every reason has a kind, and an error matches both.
func TestReasons(t *testing.T) {
	kinds := []error{role.ErrInvalid, role.ErrUnsupported, role.ErrNotFound, role.ErrConflict, role.ErrUnavailable, role.ErrLimit, role.ErrMismatch}
	for _, r := range []role.Reason{
		role.ReasonRollback, role.ReasonExpired, role.ReasonEquivocation, role.ReasonMixed, role.ReasonDeleted, role.ReasonSkipped, role.ReasonEndless,
		role.ReasonTruncated, role.ReasonType, role.ReasonFeed, role.ReasonThreshold, role.ReasonKeys, role.ReasonFormat, role.ReasonMalformed,
		role.ReasonContent, role.ReasonMissing,
	} {
		err := error(&role.Error{Reason: r, File: "f", Detail: "d", Err: fs.ErrClosed})
		n := 0
		for _, k := range kinds {
			if errors.Is(err, k) {
				n++
			}
		}
		if n != 1 || !errors.Is(err, r) || !errors.Is(err, fs.ErrClosed) || role.ReasonOf(err) != r || err.Error() != "f: "+string(r)+": d: file already closed" {
			t.Errorf("%s: %d kinds, %v", r, n, err)
		}
	}
	if role.ReasonOf(fs.ErrClosed) != "" {
		t.Error("a reason for a foreign error")
	}
}

// TestOneKeyForTwoFeeds: who holds two feeds with the same keys cannot have one
// passed off as the other.
func TestOneKeyForTwoFeeds(t *testing.T) {
	w := three(t)
	r := firstRoot()
	r.Feed = "vex.example"
	file, err := r.Sign(ctx, signers("r1", "r2")...)
	if err != nil {
		t.Fatal(err)
	}
	client, err := role.Trust(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Update(ctx, now, w.files); !errors.Is(err, role.ReasonFeed) {
		t.Error(err)
	}
}

// TestOtherKeys: ECDSA keys hold roles as well.
func TestOtherKeys(t *testing.T) {
	p, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), 7))
	if err != nil {
		t.Fatal(err)
	}
	k, err := dsse.NewPrivateKey(p)
	if err != nil {
		t.Fatal(err)
	}
	r := firstRoot()
	r.Roles[role.RoleTimestamp] = role.Keys(1, k.Public())
	file, err := r.Sign(ctx, signers("r1", "r2")...)
	if err != nil {
		t.Fatal(err)
	}
	state, err := role.Trust(file)
	if err != nil {
		t.Fatal(err)
	}
	d := draft([]role.Target{})
	d.Signers[role.RoleTimestamp] = []dsse.Signer{k}
	first, files, err := state.Publish(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	second, again, err := state.Publish(ctx, d)
	if err != nil || cmp.Diff(first, second) != "" || !slices.EqualFunc(files, again, func(a, b role.NamedFile) bool { return bytes.Equal(a.Data, b.Data) }) {
		t.Errorf("publishing twice gives two feeds: %v", err)
	}
}
