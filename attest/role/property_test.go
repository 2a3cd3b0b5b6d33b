package role_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest/role"
)

// TestAnyByteChanged: whatever byte of whatever metadata is another one, a
// client gets the release that was published, or none.
func TestAnyByteChanged(t *testing.T) {
	w := three(t)
	w.rotate(t, func(r *role.Root) { r.Roles[role.RoleTimestamp] = holders(1, "m1", "m2") }, "r1", "r2")
	_, want, err := w.past[2].Update(ctx, now, w.files)
	if err != nil {
		t.Fatal(err)
	}
	refused, accepted := 0, 0
	check := func(t interface{ Fatalf(string, ...any) }, from int, name string, changed []byte) {
		m := maps.Clone(w.files)
		m[name] = changed
		after, got, err := w.past[from].Update(ctx, now, m)
		if err != nil {
			if got != nil || role.ReasonOf(err) == "" {
				t.Fatalf("%s: %v, %v", name, got, err)
			}
			refused++
			got, err = after.Release(now)
			if err != nil {
				return
			}
			if old, err := w.past[from].Release(now); err == nil && cmp.Diff(old, got) == "" {
				return
			}
		} else {
			accepted++
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s as %s gives %s", name, changed, d)
		}
	}
	files := []string{"2.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json"}
	for _, name := range files { // every byte, in one of three ways
		for i := range w.files[name] {
			b := bytes.Clone(w.files[name])
			b[i] ^= []byte{0x01, 0x20, 0x80}[i%3]
			check(t, 0, name, b)
		}
	}
	t.Logf("%d refused, %d the same release", refused, accepted)
	if refused == 0 || accepted == 0 {
		t.Error("hints of envelopes may change, the rest may not")
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(files).Draw(t, "file")
		b := bytes.Clone(w.files[name])
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			i := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				b[i] = rapid.Byte().Draw(t, "byte")
			case 1:
				b = slices.Delete(b, i, min(len(b), i+rapid.IntRange(1, 9).Draw(t, "bytes")))
			case 2:
				b = slices.Insert(b, i, rapid.Byte().Draw(t, "byte"))
			}
			if len(b) == 0 {
				break
			}
		}
		check(t, rapid.IntRange(0, 3).Draw(t, "from"), name, b)
	})
}

// history is every file that a feed ever had, by name.
type history map[string][][]byte

func (h history) keep(m mirror) {
	for name, b := range m {
		if !slices.ContainsFunc(h[name], func(x []byte) bool { return bytes.Equal(x, b) }) {
			h[name] = append(h[name], b)
		}
	}
}

// TestMirrorsThatMix: over any history of releases, renewals and changed keys, a
// mirror without keys gives any file that ever was under any of its names, or
// none. A client only ever gets releases that were published, in their order,
// none expired, and from an honest mirror always the newest.
func TestMirrorsThatMix(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, at, h := newWorld(t), now, history{}
		published := map[int64]map[string]string{}
		client, seen := w.past[0], int64(0)
		key := map[role.Role]string{role.RoleSnapshot: "s1", role.RoleTimestamp: "m1"}
		release := func(targets []role.Target) {
			d := draft(targets)
			d.At = at
			d.Expires = map[role.Role]time.Time{role.RoleTargets: at.Add(90 * day), role.RoleSnapshot: at.Add(7 * day), role.RoleTimestamp: at.Add(day)}
			for r, k := range key {
				d.Signers[r] = signers(k)
			}
			w.apply(t, d)
			r, err := w.state.Release(at)
			if err != nil {
				rt.Fatal(err)
			}
			published[r.Version] = names(r)
			h.keep(w.files)
		}
		release([]role.Target{})
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				x, err := role.Describe("head.json", strings.NewReader(fmt.Sprint(step)), nil)
				if err != nil {
					rt.Fatal(err)
				}
				release([]role.Target{x})
			case 1:
				at = at.Add(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
				release(nil)
			case 2:
				r := rapid.SampledFrom([]role.Role{role.RoleSnapshot, role.RoleTimestamp}).Draw(rt, "role")
				key[r] = fmt.Sprint(r, step)
				w.rotate(t, func(root *role.Root) { root.Roles[r] = holders(1, key[r]); root.Expires = at.Add(365 * day) }, "r1", "r2")
				release(nil)
			case 3: // honest
				after, got, err := client.Update(ctx, at, w.files)
				newest, errNow := w.state.Release(at)
				if errNow != nil { // nobody renewed it
					if role.ReasonOf(err) != role.ReasonExpired {
						rt.Fatalf("expired feed: %v, %v", got, err)
					}
					break
				}
				if d := cmp.Diff(newest, got); err != nil || d != "" {
					rt.Fatalf("honest mirror: %v %s", err, d)
				}
				client, seen = after, got.Version
			default:
				m := mirror{}
				for _, name := range slices.Sorted(maps.Keys(h)) {
					if i := rapid.IntRange(-1, len(h[name])-1).Draw(rt, name); i >= 0 {
						m[name] = h[name][i]
					}
				}
				after, got, err := client.Update(ctx, at, m)
				if err != nil && role.ReasonOf(err) == "" {
					rt.Fatal(err)
				}
				if err == nil {
					if got.Version < seen || !at.Before(got.Expires) || cmp.Diff(published[got.Version], names(got)) != "" {
						rt.Fatalf("from version %d to %d: %+v", seen, got.Version, got)
					}
					seen = got.Version
				}
				client = after
			}
			at = at.Add(time.Duration(rapid.IntRange(0, 5).Draw(rt, "pause")) * time.Hour)
		}
	})
}
