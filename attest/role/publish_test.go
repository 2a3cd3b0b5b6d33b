package role_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

func fileNames(files []role.NamedFile) (out []string) {
	for _, f := range files {
		out = append(out, f.Name)
	}
	return out
}

// TestPublishOrder: what others refer to is written first, and only what must
// be made anew is.
func TestPublishOrder(t *testing.T) {
	w := three(t)
	only := func(r ...role.Role) map[role.Role]time.Time {
		out := map[role.Role]time.Time{}
		for _, r := range r {
			out[r] = now.Add(30 * time.Hour)
		}
		return out
	}
	for name, c := range map[string]struct {
		targets []role.Target
		expires map[role.Role]time.Time
		want    []string
		version int64
	}{
		"a release": {[]role.Target{}, only(role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp), []string{"4.targets.json", "4.snapshot.json", "timestamp.json"}, 4},
		"time":      {nil, only(role.RoleTimestamp), []string{"timestamp.json"}, 3},
		"snapshot":  {nil, only(role.RoleSnapshot, role.RoleTimestamp), []string{"4.snapshot.json", "timestamp.json"}, 3},
		"renewal":   {nil, only(role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp), []string{"4.targets.json", "4.snapshot.json", "timestamp.json"}, 4},
	} {
		d := draft(c.targets)
		d.Expires = c.expires
		after, files, err := w.state.Publish(ctx, d)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, fileNames(files)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		r, err := after.Release(now.Add(29 * time.Hour))
		if err != nil || r.Version != c.version || c.targets == nil && len(r.Targets) != 2 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		// A reader in between finds the release before.
		m := maps.Clone(w.files)
		for _, f := range files {
			if _, r, err := w.past[2].Update(ctx, now, m); err != nil || r.Version != 3 {
				t.Errorf("%s, before %s: %v, %v", name, f.Name, r, err)
			}
			m[f.Name] = f.Data
		}
		if _, r, err := w.past[2].Update(ctx, now, m); err != nil || r.Version != c.version {
			t.Errorf("%s, after all: %v, %v", name, r, err)
		}
	}
}

func TestPublishRefuses(t *testing.T) {
	w := three(t)
	good := role.Target{Name: "a", Digest: "sha256:" + strings.Repeat("0", 64)}
	for name, c := range map[string]struct {
		change func(d *role.Draft)
		want   error
	}{
		"no time":                   {func(d *role.Draft) { d.At = time.Time{} }, role.ErrInvalid},
		"no expiry of timestamp":    {func(d *role.Draft) { delete(d.Expires, role.RoleTimestamp) }, role.ErrInvalid},
		"no expiry of targets":      {func(d *role.Draft) { d.Targets = []role.Target{}; delete(d.Expires, role.RoleTargets) }, role.ErrInvalid},
		"no expiry of snapshot":     {func(d *role.Draft) { delete(d.Expires, role.RoleSnapshot) }, role.ErrInvalid},
		"expires at once":           {func(d *role.Draft) { d.Expires[role.RoleTimestamp] = now }, role.ReasonExpired},
		"expires by a fraction":     {func(d *role.Draft) { d.Expires[role.RoleTimestamp] = now.Add(time.Second - 1) }, role.ReasonExpired},
		"expires in the year 10000": {func(d *role.Draft) { d.Expires[role.RoleTimestamp] = now.AddDate(8000, 0, 0) }, role.ReasonMalformed},
		"no signers":                {func(d *role.Draft) { d.Signers = nil }, role.ErrInvalid},
		"one signer of two":         {func(d *role.Draft) { d.Signers[role.RoleTargets] = signers("t1") }, role.ReasonThreshold},
		"wrong signer":              {func(d *role.Draft) { d.Signers[role.RoleTimestamp] = signers("s1") }, role.ReasonThreshold},
		"one signer twice":          {func(d *role.Draft) { d.Signers[role.RoleTargets] = signers("t1", "t1") }, role.ErrInvalid},
		"target twice":              {func(d *role.Draft) { d.Targets = []role.Target{good, good} }, role.ErrInvalid},
		"bad name":                  {func(d *role.Draft) { d.Targets = []role.Target{{Name: "../a", Digest: good.Digest}} }, role.ReasonMalformed},
		"no digest":                 {func(d *role.Draft) { d.Targets = []role.Target{{Name: "a"}} }, role.ReasonMalformed},
		"length below 0":            {func(d *role.Draft) { d.Targets = []role.Target{{Name: "a", Digest: good.Digest, Length: -1}} }, role.ReasonMalformed},
		"custom that is no JSON":    {func(d *role.Draft) { d.Targets = []role.Target{{Name: "a", Digest: good.Digest, Custom: []byte("{")}} }, role.ErrInvalid},
		"custom of two values": {func(d *role.Draft) {
			d.Targets = []role.Target{{Name: "a", Digest: good.Digest, Custom: []byte("1 2")}}
		}, role.ErrInvalid},
		"custom with a member twice": {func(d *role.Draft) {
			d.Targets = []role.Target{{Name: "a", Digest: good.Digest, Custom: []byte(`{"a":1,"a":2}`)}}
		}, role.ErrInvalid},
		"custom with a number that readers round": {func(d *role.Draft) {
			d.Targets = []role.Target{{Name: "a", Digest: good.Digest, Custom: []byte(`{"a":9007199254740993}`)}}
		}, role.ErrInvalid},
		"long custom": {func(d *role.Draft) {
			d.Targets = []role.Target{{Name: "a", Digest: good.Digest, Custom: []byte(`"` + strings.Repeat("x", role.MaxCustom) + `"`)}}
		}, role.ErrLimit},
		"too many targets": {func(d *role.Draft) {
			for i := range role.MaxTargets + 1 {
				d.Targets = append(d.Targets, role.Target{Name: fmt.Sprint(i), Digest: good.Digest})
			}
		}, role.ErrLimit},
	} {
		d := draft(nil)
		c.change(d)
		after, files, err := w.state.Publish(ctx, d)
		if !errors.Is(err, c.want) || files != nil || cmp.Diff(w.state, after) != "" {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, _, err := newWorld(t).state.Publish(ctx, draft(nil)); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("a first release of nothing: %v", err)
	}
	if _, _, err := (role.State{}).Publish(ctx, draft(nil)); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("no root: %v", err)
	}
}

// TestPublishAfterRotation: a role whose keys were replaced must sign anew; what
// is forgotten is refused before anybody sees it.
func TestPublishAfterRotation(t *testing.T) {
	for _, r := range []role.Role{role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp} {
		w := three(t)
		w.rotate(t, func(root *role.Root) { root.Roles[r] = holders(1, "new") }, "r1", "r2")
		d := draft(nil)
		if _, _, err := w.state.Publish(ctx, d); !errors.Is(err, role.ReasonThreshold) {
			t.Errorf("%s: old keys: %v", r, err)
		}
		d.Signers[r] = signers("new")
		if r != role.RoleTimestamp {
			early := draft(nil)
			early.Expires = map[role.Role]time.Time{role.RoleTimestamp: now.Add(day)}
			if _, _, err := w.state.Publish(ctx, early); !errors.Is(err, role.ReasonThreshold) {
				t.Errorf("%s: not signed anew: %v", r, err)
			}
		}
		w.apply(t, d)
		for i, client := range w.past[:4] {
			if _, release, err := client.Update(ctx, now, w.files); err != nil || len(release.Targets) != 2 {
				t.Errorf("%s: client %d: %v", r, i, err)
			}
		}
	}
}

// TestReplacedRootKeys: the root's own keys change hands over several steps, and
// a client that slept follows them all, though those between have expired.
func TestReplacedRootKeys(t *testing.T) {
	w := three(t)
	w.rotate(t, func(r *role.Root) {
		r.Roles[role.RoleRoot] = holders(2, "r4", "r5")
		r.Expires = now.Add(-day)
	}, "r1", "r2", "r4", "r5")
	w.rotate(t, func(r *role.Root) {
		r.Roles[role.RoleRoot] = holders(1, "r6")
		r.Expires = now.Add(day)
	}, "r4", "r5", "r6")
	if _, release, err := w.past[1].Update(ctx, now, w.files); err != nil || release.Version != 3 {
		t.Error(err)
	}
	r, err := role.DecodeRoot(w.state.Root)
	if err != nil {
		t.Fatal(err)
	}
	r.Version++
	file, err := r.Sign(ctx, signers("r1", "r2", "r3", "r4", "r5")...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.state.Rotate(file); !errors.Is(err, role.ReasonThreshold) {
		t.Errorf("former holders: %v", err)
	}
}

// TestDeterministic: equal arguments, equal bytes, in whatever order targets and
// signers come.
func TestDeterministic(t *testing.T) {
	make := func(turn bool) string {
		w := newWorld(t)
		a := role.Target{Name: "a", Digest: "sha256:" + strings.Repeat("0", 64), Custom: []byte(`{ "b": 1.0, "a": [ ] }`)}
		b := role.Target{Name: "b/c", Digest: "sha256:" + strings.Repeat("1", 64), Length: 1}
		d := draft([]role.Target{a, b})
		if turn {
			d.Targets = []role.Target{b, a}
			d.Signers[role.RoleTargets] = signers("t2", "t1")
		}
		after, files, err := w.state.Publish(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		text, err := after.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text = append(append(text, f.Name...), f.Data...)
		}
		return string(text)
	}
	want := make(false)
	for i := range 20 {
		if got := make(i%2 == 0); got != want {
			t.Fatalf("%s\n%s", got, want)
		}
	}
	if !strings.Contains(want, "1.targets.json") {
		t.Error(want)
	}
}

func TestDescribe(t *testing.T) {
	x, err := role.Describe("head.json", strings.NewReader("abc"), []byte(`{"b":1, "a":2}`))
	if err != nil {
		t.Fatal(err)
	}
	want := role.Target{Name: "head.json", Length: 3, Digest: "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", Custom: []byte(`{"a":2,"b":1}`)}
	if d := cmp.Diff(want, x); d != "" {
		t.Error(d)
	}
	if x.File() != "sha256/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error(x.File())
	}
	if _, err := role.Describe("", strings.NewReader(""), nil); !errors.Is(err, role.ErrInvalid) {
		t.Errorf("no name: %v", err)
	}
	away := errors.New("away")
	if _, err := role.Describe("a", broken{away}, nil); !errors.Is(err, away) {
		t.Errorf("away: %v", err)
	}
}

// TestState: a state is stored and restored; what cannot be read is refused.
func TestState(t *testing.T) {
	w := three(t)
	for _, s := range append(w.past, w.state) {
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := role.DecodeState(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s, got); d != "" {
			t.Error(d)
		}
	}
	enc := func(s role.State) string {
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	good := enc(w.state)
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":            {"", role.ReasonMalformed},
		"not JSON":           {"x", role.ReasonMalformed},
		"cut":                {good[:len(good)-1], role.ReasonMalformed},
		"no format":          {`{}`, role.ReasonFormat},
		"unknown format":     {strings.Replace(good, `"format":1`, `"format":2`, 1), role.ReasonFormat},
		"unknown member":     {strings.Replace(good, `"format":1`, `"format":1,"x":1`, 1), role.ReasonMalformed},
		"member twice":       {strings.Replace(good, `"format":1`, `"format":1,"format":1`, 1), role.ReasonMalformed},
		"no root":            {`{"format":1}`, role.ReasonTruncated},
		"root of a stranger": {enc(role.State{Root: seal(role.RoleRoot, canonical(payloadOf(w.state.Root)), "x")}), role.ReasonThreshold},
		"timestamp cut":      {enc(role.State{Root: w.state.Root, Timestamp: w.state.Timestamp[:9]}), role.ReasonTruncated},
		"timestamp empty":    {enc(role.State{Root: w.state.Root, Timestamp: []byte{}}), role.ReasonTruncated},
		"files exchanged":    {enc(role.State{Root: w.state.Root, Timestamp: w.state.Snapshot}), role.ReasonType},
		"large":              {strings.Repeat(" ", role.MaxState+1), role.ErrLimit},
	} {
		if s, err := role.DecodeState([]byte(c.text)); !errors.Is(err, c.want) || s.Root != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := (role.State{Root: make([]byte, role.MaxState)}).Encode(); !errors.Is(err, role.ErrLimit) {
		t.Errorf("large: %v", err)
	}
}

// TestLargeRelease: the most targets there may be.
func TestLargeRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	w := newWorld(t)
	d := draft(nil)
	for i := range role.MaxTargets {
		d.Targets = append(d.Targets, role.Target{Name: fmt.Sprintf("segment/%05d", i), Digest: fmt.Sprintf("sha256:%064x", i), Length: int64(i)})
	}
	w.apply(t, d)
	_, release, err := w.past[0].Update(ctx, now, w.files)
	if err != nil || len(release.Targets) != role.MaxTargets {
		t.Fatal(err)
	}
	if x, err := release.Target("segment/04711"); err != nil || x.Length != 4711 {
		t.Error(x, err)
	}
	if _, err := w.state.Encode(); err != nil {
		t.Error(err)
	}
}

var _ dsse.Signer = (*dsse.PrivateKey)(nil)
