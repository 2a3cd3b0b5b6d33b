package role_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// fresh is a client that has seen the first root only.
const fresh = -1

// attack is what somebody does to a mirror of three releases. The client has
// seen the second one.
type attack struct {
	name string
	do   func(w *world, m mirror)
	want role.Reason
	at   time.Duration // after now
	from int           // the release that the client has seen; 0 means 2, fresh none
	src  func(m mirror) role.Source
	// sticks says that the real mirror does not help afterwards: the attacker
	// had a role's keys, and new ones are needed.
	sticks bool
}

func set(member string, v any) func(map[string]any) {
	return func(p map[string]any) { p[member] = v }
}

func setIn(outer, member string, v any) func(map[string]any) {
	return func(p map[string]any) { p[outer].(map[string]any)[member] = v }
}

func drop(member string) func(map[string]any) { return func(p map[string]any) { delete(p, member) } }

// run lets a client read from the attacked mirror, and then from the real one.
func (a attack) run(t *testing.T) {
	w := three(t)
	m := maps.Clone(w.files)
	if a.do != nil {
		a.do(w, m)
	}
	from := a.from
	switch from {
	case 0:
		from = 2
	case fresh:
		from = 0
	}
	var src role.Source = m
	if a.src != nil {
		src = a.src(m)
	}
	before := w.past[from]
	after, release, err := before.Update(ctx, now.Add(a.at), src)
	if release != nil || role.ReasonOf(err) != a.want || !errors.Is(err, a.want) {
		t.Fatalf("got %v, %v, want %q", release, err, a.want)
	}
	var e *role.Error
	if !errors.As(err, &e) || e.File == "" || !strings.Contains(err.Error(), e.File) {
		t.Errorf("%v names no file", err)
	}
	if after.Root == nil || after.Timestamp == nil && a.want != role.ReasonMissing && before.Timestamp != nil && bytes.Equal(after.Root, before.Root) {
		t.Error("the state forgot what was seen")
	}
	text, err := after.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := role.DecodeState(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(after, again); d != "" {
		t.Error(d)
	}
	_, release, err = again.Update(ctx, now, w.files)
	if a.sticks {
		return
	}
	if err != nil || release.Version != 3 {
		t.Errorf("the real mirror afterwards: %v, %v", release, err)
	}
}

func runAll(t *testing.T, attacks []attack) {
	seen := map[string]bool{}
	for _, a := range attacks {
		if seen[a.name] {
			t.Errorf("%s is there twice", a.name)
		}
		seen[a.name] = true
		t.Run(a.name, a.run)
	}
}

// odd is a mirror with a file that goes on, or breaks off, or cannot be opened.
type odd struct {
	mirror
	name string
	r    io.Reader
	err  error
}

func (o odd) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if name != o.name {
		return o.mirror.Open(ctx, name)
	}
	if o.err != nil {
		return nil, o.err
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(o.mirror[name]), o.r)), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func endless(name string) func(mirror) role.Source {
	return func(m mirror) role.Source { return odd{mirror: m, name: name, r: zeros{}} }
}

func cut(name string) func(w *world, m mirror) {
	return func(_ *world, m mirror) { m[name] = m[name][:len(m[name])/2] }
}

func resign(t *testing.T, file []byte, change func(e *dsse.Envelope)) []byte {
	t.Helper()
	e, err := dsse.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	change(e)
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTimestampAttacks(t *testing.T) {
	ts := "timestamp.json"
	forged := func(change func(map[string]any), keys ...string) func(*world, mirror) {
		return func(_ *world, m mirror) { m.forge(role.RoleTimestamp, change, keys...) }
	}
	text := func(edit func(s string) string) func(*world, mirror) {
		return func(_ *world, m mirror) {
			p := payloadOf(m[ts])
			m[ts] = seal(role.RoleTimestamp, edit(canonical(p)), "m1")
		}
	}
	keep := func(map[string]any) {}
	runAll(t, []attack{
		{name: "rollback", do: func(w *world, m mirror) { m[ts] = w.pastFile[1][ts] }, want: role.ReasonRollback},
		{name: "rollback of everything", do: func(w *world, m mirror) { clear(m); maps.Copy(m, w.pastFile[1]) }, want: role.ReasonRollback},
		{name: "rollback by one, from the newest", do: func(w *world, m mirror) { m[ts] = w.pastFile[2][ts] }, from: 3, want: role.ReasonRollback},
		{name: "same version, other expiry", do: forged(func(p map[string]any) { p["version"] = 2; p["expires"] = "2027-01-01T00:00:00Z" }, "m1"), want: role.ReasonEquivocation},
		{name: "same version, other snapshot", do: forged(set("version", 2), "m1"), want: role.ReasonEquivocation},
		{name: "stolen key names an older snapshot", do: forged(setIn("snapshot", "version", 1), "m1"), want: role.ReasonRollback},
		{name: "stolen key names another snapshot of the same version", do: forged(func(p map[string]any) {
			p["snapshot"].(map[string]any)["version"] = 2
		}, "m1"), want: role.ReasonEquivocation},
		{name: "freeze, new client", at: day, from: fresh, want: role.ReasonExpired},
		{name: "freeze, nothing new", at: 2 * day, from: 3, want: role.ReasonExpired},
		{name: "freeze, old files with old time", do: func(w *world, m mirror) { clear(m); maps.Copy(m, w.pastFile[2]) }, at: 2 * day, want: role.ReasonExpired},
		{name: "expired to the second", at: day, want: role.ReasonExpired},
		{name: "expired long ago", do: forged(set("expires", "2020-01-01T00:00:00Z"), "m1"), want: role.ReasonExpired},
		{name: "withheld", do: func(_ *world, m mirror) { delete(m, ts) }, want: role.ReasonMissing},
		{name: "endless", src: endless(ts), want: role.ReasonEndless},
		{name: "large", do: func(_ *world, m mirror) { m[ts] = append(m[ts], make([]byte, role.MaxTimestampFile)...) }, want: role.ReasonEndless},
		{name: "cut", do: cut(ts), want: role.ReasonTruncated},
		{name: "empty", do: func(_ *world, m mirror) { m[ts] = nil }, want: role.ReasonTruncated},
		{name: "connection broken", src: func(m mirror) role.Source { return odd{mirror: m, name: ts, r: broken{io.ErrUnexpectedEOF}} }, want: role.ReasonTruncated},
		{name: "web page", do: func(_ *world, m mirror) { m[ts] = []byte("<!doctype html>") }, want: role.ReasonMalformed},
		{name: "text after it", do: func(_ *world, m mirror) { m[ts] = append(m[ts], " x"...) }, want: role.ReasonMalformed},
		{name: "snapshot's metadata", do: func(_ *world, m mirror) { m[ts] = m["3.snapshot.json"] }, want: role.ReasonType},
		{name: "root's metadata", do: func(_ *world, m mirror) { m[ts] = m["1.root.json"] }, want: role.ReasonType},
		{name: "snapshot's metadata, relabelled", do: func(_ *world, m mirror) {
			m[ts] = resign(t, m["3.snapshot.json"], func(e *dsse.Envelope) { e.PayloadType = payloadType(role.RoleTimestamp) })
		}, want: role.ReasonThreshold},
		{name: "snapshot's metadata, signed by timestamp", do: func(_ *world, m mirror) {
			m[ts] = seal(role.RoleTimestamp, canonical(payloadOf(m["3.snapshot.json"])), "m1")
		}, want: role.ReasonMalformed},
		{name: "general type", do: func(_ *world, m mirror) {
			m[ts] = resign(t, m[ts], func(e *dsse.Envelope) { e.PayloadType = "application/json" })
		}, want: role.ReasonType},
		{name: "snapshot's key", do: forged(keep, "s1"), want: role.ReasonThreshold},
		{name: "root's keys", do: forged(keep, "r1", "r2", "r3"), want: role.ReasonThreshold},
		{name: "a stranger's key", do: forged(keep, "x"), want: role.ReasonThreshold},
		{name: "a stranger's key, labelled", do: func(_ *world, m mirror) {
			m.forge(role.RoleTimestamp, keep, "x")
			m[ts] = resign(t, m[ts], func(e *dsse.Envelope) { e.Signatures[0].KeyID = key("m1").KeyID() })
		}, want: role.ReasonThreshold},
		{name: "signature of another version", do: func(_ *world, m mirror) {
			old, _ := dsse.Decode(m[ts])
			m.forge(role.RoleTimestamp, keep, "x")
			m[ts] = resign(t, m[ts], func(e *dsse.Envelope) { e.Signatures = old.Signatures })
		}, want: role.ReasonThreshold},
		{name: "no signatures", do: func(_ *world, m mirror) {
			m[ts] = []byte(`{"payload":"e30=","payloadType":"` + payloadType(role.RoleTimestamp) + `","signatures":[]}`)
		}, want: role.ReasonMalformed},
		{name: "two payloads", do: func(_ *world, m mirror) { m[ts] = bytes.Replace(m[ts], []byte("{"), []byte(`{"payload":"e30=",`), 1) }, want: role.ReasonMalformed},
		{name: "unknown format", do: forged(set("format", 2), "m1"), want: role.ReasonFormat},
		{name: "unknown format with unknown members", do: forged(func(p map[string]any) { p["format"] = 3; p["only"] = "x" }, "m1"), want: role.ReasonFormat},
		{name: "no format", do: forged(drop("format"), "m1"), want: role.ReasonMalformed},
		{name: "format in a string", do: forged(set("format", "1"), "m1"), want: role.ReasonMalformed},
		{name: "unknown member", do: forged(set("only", "x"), "m1"), want: role.ReasonMalformed},
		{name: "member of other case", do: text(func(s string) string { return strings.Replace(s, `"feed"`, `"Feed"`, 1) }), want: role.ReasonMalformed},
		{name: "member twice", do: text(func(s string) string { return strings.Replace(s, `"format":1`, `"format":1,"format":1`, 1) }), want: role.ReasonMalformed},
		{name: "not canonical, blank", do: text(func(s string) string { return s + " " }), want: role.ReasonMalformed},
		{name: "not canonical, number", do: text(func(s string) string { return strings.Replace(s, `"format":1`, `"format":1.0`, 1) }), want: role.ReasonMalformed},
		{name: "not canonical, order", do: text(func(s string) string { return `{"version":9,` + strings.Replace(s[1:], `,"version":3`, "", 1) }), want: role.ReasonMalformed},
		{name: "payload an array", do: text(func(string) string { return `[]` }), want: role.ReasonMalformed},
		{name: "payload empty", do: text(func(string) string { return `` }), want: role.ReasonMalformed},
		{name: "other feed", do: forged(set("feed", "vex.example"), "m1"), want: role.ReasonFeed},
		{name: "no feed", do: forged(drop("feed"), "m1"), want: role.ReasonMalformed},
		{name: "version 0", do: forged(set("version", 0), "m1"), want: role.ReasonMalformed},
		{name: "version below 0", do: forged(set("version", -1), "m1"), want: role.ReasonMalformed},
		{name: "version of a half", do: forged(set("version", 3.5), "m1"), want: role.ReasonMalformed},
		{name: "version beyond", do: forged(set("version", int64(role.MaxVersion+1)), "m1"), want: role.ReasonMalformed},
		{name: "version missing", do: forged(drop("version"), "m1"), want: role.ReasonMalformed},
		{name: "time in another zone", do: forged(set("expires", "2027-01-01T00:00:00+01:00"), "m1"), want: role.ReasonMalformed},
		{name: "time with fractions", do: forged(set("expires", "2027-01-01T00:00:00.5Z"), "m1"), want: role.ReasonMalformed},
		{name: "time that is none", do: forged(set("expires", "2027-02-30T00:00:00Z"), "m1"), want: role.ReasonMalformed},
		{name: "time missing", do: forged(drop("expires"), "m1"), want: role.ReasonMalformed},
		{name: "names no snapshot", do: forged(drop("snapshot"), "m1"), want: role.ReasonDeleted},
		{name: "snapshot null", do: forged(set("snapshot", nil), "m1"), want: role.ReasonDeleted},
		{name: "snapshot over the limit", do: forged(setIn("snapshot", "length", role.MaxSnapshotFile+1), "m1"), want: role.ReasonEndless},
		{name: "snapshot of no bytes", do: forged(setIn("snapshot", "length", 0), "m1"), want: role.ReasonMalformed},
		{name: "snapshot of version 0", do: forged(setIn("snapshot", "version", 0), "m1"), want: role.ReasonMalformed},
		{name: "digest in capitals", do: forged(setIn("snapshot", "digest", "sha256:"+strings.Repeat("A", 64)), "m1"), want: role.ReasonMalformed},
		{name: "digest of another kind", do: forged(setIn("snapshot", "digest", "md5:"+strings.Repeat("a", 32)), "m1"), want: role.ReasonMalformed},
		{name: "fast-forward by a stranger", do: forged(set("version", int64(role.MaxVersion)), "x"), want: role.ReasonThreshold},
	})
}

func TestSnapshotAttacks(t *testing.T) {
	name := "3.snapshot.json"
	forged := func(change func(map[string]any), keys ...string) func(*world, mirror) {
		return func(_ *world, m mirror) {
			m.forge(role.RoleSnapshot, change, keys...)
			m.link(role.RoleSnapshot)
		}
	}
	keep := func(map[string]any) {}
	runAll(t, []attack{
		{name: "withheld", do: func(_ *world, m mirror) { delete(m, name) }, want: role.ReasonMissing},
		{name: "cut", do: cut(name), want: role.ReasonTruncated},
		{name: "empty", do: func(_ *world, m mirror) { m[name] = nil }, want: role.ReasonTruncated},
		{name: "endless", src: endless(name), want: role.ReasonEndless},
		{name: "one byte more", do: func(_ *world, m mirror) { m[name] = append(m[name], '\n') }, want: role.ReasonEndless},
		{name: "mix-and-match, older", do: func(_ *world, m mirror) { m[name] = m["2.snapshot.json"] }, want: role.ReasonMixed},
		{name: "mix-and-match, of another time", do: func(_ *world, m mirror) { m[name] = m["1.snapshot.json"] }, want: role.ReasonMixed, from: 1},
		{name: "other bytes of the same length", do: func(_ *world, m mirror) {
			b := bytes.Clone(m[name])
			b[len(b)/2] ^= 1
			m[name] = b
		}, want: role.ReasonMixed},
		{name: "old one under a new version", do: func(_ *world, m mirror) {
			m["4.snapshot.json"] = m["2.snapshot.json"]
			m.link(role.RoleSnapshot)
		}, want: role.ReasonMixed, sticks: true},
		{name: "timestamp's key only", do: forged(keep, "m1"), want: role.ReasonThreshold, sticks: true},
		{name: "targets' keys", do: forged(keep, "t1", "t2"), want: role.ReasonThreshold, sticks: true},
		{name: "targets' metadata", do: func(_ *world, m mirror) {
			m["4.snapshot.json"] = m["3.targets.json"]
			m.link(role.RoleSnapshot)
		}, want: role.ReasonType, sticks: true},
		{name: "rollback of targets", do: forged(func(p map[string]any) { p["targets"].(map[string]any)["version"] = 1 }, "s1"), want: role.ReasonRollback, sticks: true},
		{name: "other targets of a version", do: forged(func(p map[string]any) {
			p["targets"].(map[string]any)["version"] = 2
		}, "s1"), want: role.ReasonEquivocation, sticks: true},
		{name: "targets deleted", do: forged(drop("targets"), "s1"), want: role.ReasonDeleted, sticks: true},
		{name: "targets null", do: forged(set("targets", nil), "s1"), want: role.ReasonDeleted, sticks: true},
		{name: "targets over the limit", do: forged(setIn("targets", "length", role.MaxTargetsFile+1), "s1"), want: role.ReasonEndless, sticks: true},
		{name: "more roles than there are", do: forged(set("vex", map[string]any{}), "s1"), want: role.ReasonMalformed, sticks: true},
		{name: "expired", do: forged(set("expires", "2026-11-28T12:00:00Z"), "s1"), want: role.ReasonExpired, sticks: true},
		{name: "freeze of the snapshot", do: func(_ *world, m mirror) {
			m.forge(role.RoleTimestamp, set("expires", "2027-06-01T00:00:00Z"), "m1")
		}, at: 8 * day, want: role.ReasonExpired, sticks: true},
		{name: "unknown format", do: forged(set("format", 2), "s1"), want: role.ReasonFormat, sticks: true},
		{name: "other feed", do: forged(set("feed", "vex.example"), "s1"), want: role.ReasonFeed, sticks: true},
		{name: "two versions in one file name", do: forged(set("version", 9), "s1"), want: role.ReasonMixed, sticks: true},
	})
}

func TestTargetsAttacks(t *testing.T) {
	name := "3.targets.json"
	forged := func(change func(map[string]any), keys ...string) func(*world, mirror) {
		return func(_ *world, m mirror) {
			m.forge(role.RoleTargets, change, keys...)
			m.link(role.RoleTargets)
		}
	}
	signatures := func(change func(e *dsse.Envelope), keys ...string) func(*world, mirror) {
		return func(_ *world, m mirror) {
			m.forge(role.RoleTargets, func(map[string]any) {}, keys...)
			m["4.targets.json"] = resign(t, m["4.targets.json"], change)
			m.link(role.RoleTargets)
		}
	}
	target := func(name string, v map[string]any) func(*world, mirror) {
		return forged(setIn("targets", name, v), "t1", "t2")
	}
	digest := "sha256:" + strings.Repeat("a", 64)
	keep := func(map[string]any) {}
	attacks := []attack{
		{name: "withheld", do: func(_ *world, m mirror) { delete(m, name) }, want: role.ReasonMissing},
		{name: "cut", do: cut(name), want: role.ReasonTruncated},
		{name: "endless", src: endless(name), want: role.ReasonEndless},
		{name: "mix-and-match", do: func(_ *world, m mirror) { m[name] = m["2.targets.json"] }, want: role.ReasonMixed},
		{name: "old one under a new version", do: func(_ *world, m mirror) {
			m["4.targets.json"] = m["1.targets.json"]
			m.link(role.RoleTargets)
		}, want: role.ReasonMixed, sticks: true},
		{name: "one key of two", do: forged(keep, "t1"), want: role.ReasonThreshold, sticks: true},
		{name: "one key twice", do: signatures(func(e *dsse.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }, "t1"), want: role.ReasonThreshold, sticks: true},
		{name: "one key under two ids", do: signatures(func(e *dsse.Envelope) {
			e.Signatures = append(e.Signatures, dsse.Signature{KeyID: key("t2").KeyID(), Sig: e.Signatures[0].Sig})
		}, "t1"), want: role.ReasonThreshold, sticks: true},
		{name: "one key without ids", do: signatures(func(e *dsse.Envelope) {
			e.Signatures[0].KeyID = ""
			e.Signatures = append(e.Signatures, e.Signatures[0], e.Signatures[0])
		}, "t2"), want: role.ReasonThreshold, sticks: true},
		{name: "one key and a stranger's", do: forged(keep, "t1", "x"), want: role.ReasonThreshold, sticks: true},
		{name: "one key and snapshot's", do: forged(keep, "t1", "s1"), want: role.ReasonThreshold, sticks: true},
		{name: "all keys of the other roles", do: forged(keep, "r1", "r2", "r3", "s1", "m1"), want: role.ReasonThreshold, sticks: true},
		{name: "second signature of other targets", do: func(_ *world, m mirror) {
			old, _ := dsse.Decode(m[name])
			m.forge(role.RoleTargets, keep, "t1")
			m["4.targets.json"] = resign(t, m["4.targets.json"], func(e *dsse.Envelope) { e.Signatures = append(e.Signatures, old.Signatures...) })
			m.link(role.RoleTargets)
		}, want: role.ReasonThreshold, sticks: true},
		{name: "snapshot's metadata", do: func(_ *world, m mirror) {
			m["4.targets.json"] = m["3.snapshot.json"]
			m.link(role.RoleTargets)
		}, want: role.ReasonType, sticks: true},
		{name: "expired", do: forged(set("expires", "2026-11-28T11:59:59Z"), "t1", "t2"), want: role.ReasonExpired, sticks: true},
		{name: "unknown format", do: forged(set("format", 2), "t1", "t2"), want: role.ReasonFormat, sticks: true},
		{name: "other feed", do: forged(set("feed", "vex.example"), "t1", "t2"), want: role.ReasonFeed, sticks: true},
		{name: "no targets", do: forged(drop("targets"), "t1", "t2"), want: role.ReasonMalformed, sticks: true},
		{name: "targets null", do: forged(set("targets", nil), "t1", "t2"), want: role.ReasonMalformed, sticks: true},
		{name: "target null", do: forged(setIn("targets", "x", nil), "t1", "t2"), want: role.ReasonMalformed, sticks: true},
		{name: "target of less than nothing", do: target("x", map[string]any{"length": -1, "digest": digest}), want: role.ReasonMalformed, sticks: true},
		{name: "target of half a byte", do: target("x", map[string]any{"length": 0.5, "digest": digest}), want: role.ReasonMalformed, sticks: true},
		{name: "target without a digest", do: target("x", map[string]any{"length": 1}), want: role.ReasonMalformed, sticks: true},
		{name: "target with a short digest", do: target("x", map[string]any{"length": 1, "digest": digest[:70]}), want: role.ReasonMalformed, sticks: true},
		{name: "target with an unknown member", do: target("x", map[string]any{"length": 1, "digest": digest, "url": "http://x"}), want: role.ReasonMalformed, sticks: true},
		{name: "target with long custom JSON", do: target("x", map[string]any{"length": 1, "digest": digest, "custom": strings.Repeat("x", role.MaxCustom)}), want: role.ReasonMalformed, sticks: true},
	}
	for _, bad := range []string{"", ".", "..", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", `a\b`, "C:x", "a\x00b", "a b", "ä", "a/./b", strings.Repeat("x", role.MaxName+1)} {
		attacks = append(attacks, attack{name: "name " + bad[:min(len(bad), 20)], do: target(bad, map[string]any{"length": 1, "digest": digest}), want: role.ReasonMalformed, sticks: true})
	}
	runAll(t, attacks)
}
