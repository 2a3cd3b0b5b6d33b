package role_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// spki returns keys as a root writes them.
func spki(names ...string) (out []string) {
	for _, n := range names {
		out = append(out, base64.StdEncoding.EncodeToString(key(n).Public().DER()))
	}
	return out
}

// compressed is a P-256 key in an encoding that is not the usual one, if the
// standard library reads it at all.
func compressed() string {
	der := pointOf(elliptic.P256(), 32)
	var err error
	var i struct {
		Algorithm struct{ OID, Curve asn1.ObjectIdentifier }
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &i); err != nil {
		panic(err)
	}
	x, y := i.Key.Bytes[1:33], i.Key.Bytes[33:]
	i.Key.Bytes = append([]byte{2 + y[31]&1}, x...) // SEC 1, 2.3.3
	i.Key.BitLength = 8 * len(i.Key.Bytes)
	if der, err = asn1.Marshal(i); err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func p521() string {
	return base64.StdEncoding.EncodeToString(pointOf(elliptic.P521(), 66))
}

// pointOf is the public key of the private key 7 on a curve with numbers of size
// bytes.
func pointOf(curve elliptic.Curve, size int) []byte {
	key, err := ecdsa.ParseRawPrivateKey(curve, append(make([]byte, size-1), 7))
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return der
}

func TestRootAttacks(t *testing.T) {
	forged := func(change func(map[string]any), keys ...string) func(*world, mirror) {
		return func(_ *world, m mirror) { m.forge(role.RoleRoot, change, keys...) }
	}
	holders := func(r role.Role, threshold any, keys ...string) func(map[string]any) {
		if keys == nil {
			keys = []string{}
		}
		return setIn("roles", string(r), map[string]any{"threshold": threshold, "keys": keys})
	}
	keep := func(map[string]any) {}
	all := []string{"r1", "r2", "r3"}
	ring := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprint("k", i))
		}
		return out
	}
	stolen := holders(role.RoleTimestamp, 1, spki("x")...)
	taken := holders(role.RoleRoot, 1, spki("x")...)
	runAll(t, []attack{
		{name: "one key of two", do: forged(stolen, "r1"), want: role.ReasonThreshold},
		{name: "one key twice", do: func(_ *world, m mirror) {
			m.forge(role.RoleRoot, stolen, "r1")
			m["2.root.json"] = resign(t, m["2.root.json"], func(e *dsse.Envelope) { e.Signatures = append(e.Signatures, e.Signatures...) })
		}, want: role.ReasonThreshold},
		{name: "one key under two ids", do: func(_ *world, m mirror) {
			m.forge(role.RoleRoot, stolen, "r1")
			m["2.root.json"] = resign(t, m["2.root.json"], func(e *dsse.Envelope) {
				e.Signatures = append(e.Signatures, dsse.Signature{KeyID: key("r2").KeyID(), Sig: e.Signatures[0].Sig})
			})
		}, want: role.ReasonThreshold},
		{name: "new keys only", do: forged(taken, "x"), want: role.ReasonThreshold},
		{name: "old keys only", do: forged(taken, all...), want: role.ReasonThreshold},
		{name: "new keys and one old", do: forged(taken, "x", "r1"), want: role.ReasonThreshold},
		{name: "a stranger's that vouches for itself", do: func(_ *world, m mirror) {
			m.forge(role.RoleRoot, holders(role.RoleRoot, 1, spki("x", "y")...), "x", "y")
		}, want: role.ReasonThreshold},
		{name: "higher threshold of its own not reached", do: forged(holders(role.RoleRoot, 3, spki(all...)...), "r1", "r2"), want: role.ReasonThreshold},
		{name: "keys of the other roles", do: forged(stolen, "t1", "t2", "s1", "m1"), want: role.ReasonThreshold},
		{name: "the same again", do: func(_ *world, m mirror) { m["2.root.json"] = m["1.root.json"] }, want: role.ReasonRollback},
		{name: "version left out", do: func(_ *world, m mirror) {
			m.forge(role.RoleRoot, set("version", 3), "r1", "r2")
		}, want: role.ReasonSkipped},
		{name: "run far ahead", do: forged(set("version", int64(role.MaxVersion)), "r1", "r2"), want: role.ReasonSkipped},
		{name: "threshold 0 for timestamp", do: forged(holders(role.RoleTimestamp, 0, spki("m1")...), "r1", "r2"), want: role.ReasonKeys},
		{name: "threshold 0 for root", do: forged(holders(role.RoleRoot, 0, spki(all...)...), "r1", "r2"), want: role.ReasonKeys},
		{name: "threshold 0 and no keys", do: forged(holders(role.RoleTargets, 0), "r1", "r2"), want: role.ReasonKeys},
		{name: "threshold below 0", do: forged(holders(role.RoleTargets, -1, spki("t1")...), "r1", "r2"), want: role.ReasonKeys},
		{name: "threshold of a half", do: forged(holders(role.RoleTargets, 0.5, spki("t1")...), "r1", "r2"), want: role.ReasonMalformed},
		{name: "threshold in a string", do: forged(holders(role.RoleTargets, "1", spki("t1")...), "r1", "r2"), want: role.ReasonMalformed},
		{name: "threshold out of reach", do: forged(holders(role.RoleTargets, 2, spki("t1")...), "r1", "r2"), want: role.ReasonKeys},
		{name: "threshold reached by a key named twice", do: forged(holders(role.RoleTargets, 2, spki("t1", "t1")...), "r1", "r2"), want: role.ReasonKeys},
		{name: "a key named twice, written differently", do: forged(holders(role.RoleTargets, 2, spki("t1")[0], spki("t1")[0]+"\n"), "r1", "r2"), want: role.ReasonKeys},
		{name: "a key in another encoding", do: forged(holders(role.RoleTargets, 1, compressed()), "r1", "r2"), want: role.ReasonKeys},
		{name: "a key of an unknown kind", do: forged(holders(role.RoleTargets, 1, spki("t1")[0], p521()), "r1", "r2"), want: role.ReasonKeys},
		{name: "a key that is none", do: forged(holders(role.RoleTargets, 1, "AAAA"), "r1", "r2"), want: role.ReasonKeys},
		{name: "a key that is not base64", do: forged(holders(role.RoleTargets, 1, "*"), "r1", "r2"), want: role.ReasonKeys},
		{name: "too many keys", do: forged(holders(role.RoleTargets, 1, spki(ring(role.MaxKeys+1)...)...), "r1", "r2"), want: role.ReasonKeys},
		{name: "no holders of a role", do: forged(func(p map[string]any) { delete(p["roles"].(map[string]any), "snapshot") }, "r1", "r2"), want: role.ReasonKeys},
		{name: "holders null", do: forged(setIn("roles", "snapshot", nil), "r1", "r2"), want: role.ReasonKeys},
		{name: "a role that is unknown", do: forged(holders("mirror", 1, spki("x")...), "r1", "r2"), want: role.ReasonMalformed},
		{name: "no roles", do: forged(drop("roles"), "r1", "r2"), want: role.ReasonKeys},
		{name: "other feed", do: forged(set("feed", "vex.example"), "r1", "r2"), want: role.ReasonFeed},
		{name: "unknown format", do: forged(set("format", 2), "r1", "r2"), want: role.ReasonFormat},
		{name: "unknown member", do: forged(set("delegations", map[string]any{}), "r1", "r2"), want: role.ReasonMalformed},
		{name: "targets' metadata", do: func(_ *world, m mirror) { m["2.root.json"] = m["2.targets.json"] }, want: role.ReasonType},
		{name: "cut", do: func(w *world, m mirror) { forged(keep, "r1", "r2")(w, m); cut("2.root.json")(w, m) }, want: role.ReasonTruncated},
		{name: "web page for what is not there", do: func(_ *world, m mirror) { m["2.root.json"] = []byte("<html>") }, want: role.ReasonMalformed},
		{name: "endless", src: endless2("2.root.json"), want: role.ReasonEndless},
		{name: "expired", do: forged(set("expires", "2026-11-28T12:00:00Z"), "r1", "r2"), want: role.ReasonExpired, sticks: true},
		{name: "freeze of the root", at: 365 * day, want: role.ReasonExpired},
		{name: "freeze of the root, all else fresh", do: func(_ *world, m mirror) {
			far := set("expires", "2040-01-01T00:00:00Z")
			m.forge(role.RoleTargets, far, "t1", "t2")
			m.forge(role.RoleSnapshot, far, "s1")
			m.forge(role.RoleTimestamp, far, "m1")
		}, at: 365 * day, want: role.ReasonExpired},
		{name: "role taken from a holder", do: func(_ *world, m mirror) {
			m.forge(role.RoleRoot, holders(role.RoleTimestamp, 1, spki("m2")...), "r1", "r2")
		}, want: role.ReasonThreshold, sticks: true},
	})
}

func endless2(name string) func(mirror) role.Source {
	return func(m mirror) role.Source {
		m[name] = nil
		return odd{mirror: m, name: name, r: zeros{}}
	}
}

// TestManyRoots: a chain of roots without end ends an update, but what was
// verified is kept, and a real chain is followed by the next update.
func TestManyRoots(t *testing.T) {
	w := three(t)
	for range role.MaxRotations + 1 {
		w.rotate(t, func(*role.Root) {}, "r1", "r3")
	}
	after, release, err := w.past[2].Update(ctx, now, w.files)
	if release != nil || !errors.Is(err, role.ReasonEndless) || !errors.Is(err, role.ErrLimit) {
		t.Fatalf("got %v, %v", release, err)
	}
	if r, err := role.DecodeRoot(after.Root); err != nil || r.Version != role.MaxRotations+1 {
		t.Fatalf("root %v, %v", r, err)
	}
	if _, release, err = after.Update(ctx, now, w.files); err != nil || release.Version != 3 {
		t.Errorf("the next update: %v, %v", release, err)
	}
}

// TestRootThroughFile: a root reads as it was written, and the order of keys
// does not matter.
func TestRootThroughFile(t *testing.T) {
	want := firstRoot()
	want.Roles[role.RoleTargets] = holders(1, "t1")
	want.Roles[role.RoleRoot] = holders(1, "r1")
	file, err := want.Sign(ctx, signers("r1")...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := role.DecodeRoot(file)
	if err != nil {
		t.Fatal(err)
	}
	sameKey := cmp.Comparer(func(a, b *dsse.PublicKey) bool { return a.KeyID() == b.KeyID() })
	if d := cmp.Diff(want, got, sameKey); d != "" {
		t.Error(d)
	}
	a, b := firstRoot(), firstRoot()
	b.Roles[role.RoleRoot] = holders(2, "r3", "r1", "r2")
	fileA, errA := a.Sign(ctx, signers("r1", "r2")...)
	fileB, errB := b.Sign(ctx, signers("r2", "r1")...)
	if errA != nil || errB != nil || string(fileA) != string(fileB) {
		t.Errorf("%s\n%s\n%v %v", fileA, fileB, errA, errB)
	}
}

// TestCeremony: the holders of a root sign one after the other.
func TestCeremony(t *testing.T) {
	file, err := firstRoot().Sign(ctx, signers("r3")...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := role.Trust(file); !errors.Is(err, role.ReasonThreshold) {
		t.Fatalf("one of two signatures: %v", err)
	}
	e, err := dsse.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Sign(ctx, key("r1")); err != nil {
		t.Fatal(err)
	}
	if file, err = e.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := role.Trust(file); err != nil {
		t.Error(err)
	}
}

func TestSignRefusesRoots(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *role.Root)
		want   role.Reason
	}{
		"no feed":        {func(r *role.Root) { r.Feed = "" }, role.ReasonMalformed},
		"feed of blanks": {func(r *role.Root) { r.Feed = "a b" }, role.ReasonMalformed},
		"version 0":      {func(r *role.Root) { r.Version = 0 }, role.ReasonMalformed},
		"threshold 0":    {func(r *role.Root) { r.Roles[role.RoleRoot] = role.Keys(0, key("r1").Public()) }, role.ReasonKeys},
		"one key twice":  {func(r *role.Root) { r.Roles[role.RoleTargets] = holders(2, "t1", "t1") }, role.ReasonKeys},
		"nil key":        {func(r *role.Root) { r.Roles[role.RoleTargets] = role.Keys(1, nil) }, role.ReasonKeys},
		"no timestamp":   {func(r *role.Root) { delete(r.Roles, role.RoleTimestamp) }, role.ReasonKeys},
		"unknown role":   {func(r *role.Root) { r.Roles["x"] = holders(1, "t1") }, role.ReasonMalformed},
	} {
		r := firstRoot()
		c.change(r)
		if file, err := r.Sign(ctx, signers("r1", "r2")...); role.ReasonOf(err) != c.want {
			t.Errorf("%s: %s, %v", name, file, err)
		}
	}
	if _, err := firstRoot().Sign(ctx); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("no signers: %v", err)
	}
}

// TestTrustRefuses: what a client begins with must vouch for itself.
func TestTrustRefuses(t *testing.T) {
	w := three(t)
	for name, c := range map[string]struct {
		file []byte
		want role.Reason
	}{
		"nothing":        {nil, role.ReasonTruncated},
		"targets":        {w.files["1.targets.json"], role.ReasonType},
		"changed":        {seal(role.RoleRoot, canonical(payloadOf(w.files["1.root.json"])), "r1"), role.ReasonThreshold},
		"a stranger's":   {seal(role.RoleRoot, canonical(payloadOf(w.files["1.root.json"])), "x", "y"), role.ReasonThreshold},
		"not a root":     {seal(role.RoleRoot, `{}`, "r1", "r2"), role.ReasonMalformed},
		"another format": {seal(role.RoleRoot, `{"format":0}`, "r1", "r2"), role.ReasonFormat},
	} {
		if s, err := role.Trust(c.file); role.ReasonOf(err) != c.want || s.Root != nil {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if s, err := w.state.Rotate(c.file); err == nil || cmp.Diff(w.state, s) != "" {
			t.Errorf("rotate to %s: %v", name, err)
		}
	}
}
