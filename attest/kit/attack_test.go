package kit_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
)

// tiny is a kit that is small, and one before it.
func tiny(t testing.TB) (p *publisher, before, file []byte) {
	p = newPublisher(t)
	before = p.full(t, map[string]string{"vex/a": "one"})
	return p, before, p.full(t, map[string]string{"vex/a": "two", "policy/b": "policy"})
}

var long = os.Getenv("STELLA_LONG") != ""

// every is n, or 1 where there is time.
func every(n int) int {
	switch {
	case long:
		return 1
	case testing.Short():
		return 5 * n
	}
	return n
}

// TestFlips changes each byte of a kit, whole and as a delta: none is accepted, and
// each is refused by name.
func TestFlips(t *testing.T) {
	p := newPublisher(t)
	p.full(t, map[string]string{"vex/a": "one", "policy/b": "policy"})
	e := p.publish(t, items(map[string]string{"vex/a": "two", "policy/b": "policy"}))
	for base := range int64(3) {
		file := write(t, e, base)
		client := p.client(t)
		if _, err := kit.Verify(ctx, bytes.NewReader(file), client, now); err != nil {
			t.Fatal(err)
		}
		masks, step := []byte{0x01}, every(1)
		if long {
			masks = []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}
		} else if base > 0 {
			step = every(17)
		}
		for i := 0; i < len(file); i += step {
			for _, mask := range masks {
				file[i] ^= mask
				k, err := kit.Verify(ctx, bytes.NewReader(file), client, now)
				if k != nil || role.ReasonOf(err) == "" {
					t.Fatalf("base %d, byte %d ^ %#x: %v, %v", base, i, mask, k, err)
				}
				file[i] ^= mask
			}
		}
	}
}

// TestFlipsLoaded: with a byte changed a kit is not loaded, and the one before serves.
func TestFlipsLoaded(t *testing.T) {
	p, before, file := tiny(t)
	s := p.store(t)
	load(t, s, before)
	for i := 0; i < len(file); i += every(41) {
		file[i] ^= 0x10
		_, err := s.Load(ctx, bytes.NewReader(file), now, nil)
		if role.ReasonOf(err) == "" {
			// What the store has already is passed over.
			if a, err2 := s.Active(); err != nil || err2 != nil || a.Version != 2 {
				t.Fatalf("byte %d: %v, %v", i, err, err2)
			}
			t.Fatalf("byte %d was not seen", i)
		}
		file[i] ^= 0x10
		a, err := s.Active()
		if err != nil || a.Version != 1 {
			t.Fatalf("byte %d: version %d is active, %v", i, a.Version, err)
		}
		if _, err := s.Collect(ctx, 1); err != nil { // so that each is read from the kit
			t.Fatal(err)
		}
	}
	load(t, s, file)
	if got := active(t, s)["vex/a"]; got != "two" {
		t.Errorf("at last: %q", got)
	}
}

// TestTruncated cuts a kit at every length.
func TestTruncated(t *testing.T) {
	p, before, file := tiny(t)
	s := p.store(t)
	load(t, s, before)
	client := p.client(t)
	resumed := 0
	for n := 0; n < len(file); n += every(1) {
		if _, err := kit.Verify(ctx, bytes.NewReader(file[:n]), client, now); role.ReasonOf(err) != role.ReasonTruncated {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !long && n%7 > 0 {
			continue
		}
		progress, err := kit.Resume(ctx, bytes.NewReader(file[:n]), client, now)
		if err != nil {
			if role.ReasonOf(err) != role.ReasonTruncated {
				t.Fatalf("%d bytes: %v", n, err)
			}
		} else {
			resumed++
			if progress.Offset > int64(n) || progress.Kit.Size != int64(len(file)) || role.ReasonOf(progress.Err) != role.ReasonTruncated {
				t.Fatalf("%d bytes: %+v", n, progress)
			}
		}
		if !long && n%63 > 0 {
			continue
		}
		if _, err := s.Load(ctx, bytes.NewReader(file[:n]), now, nil); role.ReasonOf(err) != role.ReasonTruncated {
			t.Fatalf("load %d bytes: %v", n, err)
		}
		if got := active(t, s)["vex/a"]; got != "one" {
			t.Fatalf("after %d bytes %q is active", n, got)
		}
	}
	progress, err := kit.Resume(ctx, bytes.NewReader(file), client, now)
	if err != nil || progress.Err != nil || progress.Offset != int64(len(file)) {
		t.Errorf("all: %+v, %v", progress, err)
	}
	if resumed < 2*1024/7/every(1) {
		t.Errorf("only %d lengths had metadata", resumed)
	}
}

// TestStructure changes what the archive is made of; who does so needs no key.
func TestStructure(t *testing.T) {
	p, _, file := tiny(t)
	parts := unpack(t, file)
	last := len(parts) - 1
	typed := func(flag byte, link string) func([]part) []part {
		return func(l []part) []part {
			l[last] = part{Header: tar.Header{Typeflag: flag, Name: l[last].Name, Linkname: link, Mode: 0o644, Format: tar.FormatUSTAR}}
			return l
		}
	}
	for name, c := range map[string]struct {
		change func([]part) []part
		want   role.Reason
		detail string
	}{
		"nothing":         {func(l []part) []part { return l }, "", ""},
		"a symbolic link": {typed(tar.TypeSymlink, "/etc/passwd"), role.ReasonMalformed, "a symbolic link"},
		"a hard link":     {typed(tar.TypeLink, "kit.json"), role.ReasonMalformed, "a hard link"},
		"a folder":        {typed(tar.TypeDir, ""), role.ReasonMalformed, "a folder"},
		"a pipe":          {typed(tar.TypeFifo, ""), role.ReasonMalformed, "a pipe"},
		"a device":        {typed(tar.TypeChar, ""), role.ReasonMalformed, "a device"},
		"PAX records": {func(l []part) []part {
			l[last].Format, l[last].PAXRecords = tar.FormatPAX, map[string]string{"SCHILY.xattr.user.x": "x"}
			return l
		}, role.ReasonMalformed, "an extended header"},
		"a long name": {func(l []part) []part {
			l[last].Format, l[last].Name = tar.FormatGNU, strings.Repeat("n", 200)
			return l
		}, role.ReasonMalformed, "a long name"},
		"GNU":              {func(l []part) []part { l[last].Format = tar.FormatGNU; return l }, role.ReasonMalformed, "its header"},
		"another mode":     {func(l []part) []part { l[last].Mode = 0o755; return l }, role.ReasonMalformed, "its header"},
		"an owner":         {func(l []part) []part { l[last].Uid = 1; return l }, role.ReasonMalformed, "its header"},
		"a path":           {func(l []part) []part { l[last].Name = "../../etc/cron.d/x"; return l }, role.ReasonMalformed, `another member stands in its place: "../../etc/cron.d/x"`},
		"an absolute path": {func(l []part) []part { return append(l, file0("/etc/x", nil)) }, role.ReasonMalformed, "another member"},
		"twice":            {func(l []part) []part { return append(l, l[last]) }, role.ReasonMalformed, "another member"},
		"twice, earlier":   {func(l []part) []part { return slices.Insert(l, last, l[last-1]) }, role.ReasonMalformed, "another member"},
		"metadata twice":   {func(l []part) []part { return slices.Insert(l, 3, l[2]) }, role.ReasonMalformed, "another member"},
		"the last missing": {func(l []part) []part { return l[:last] }, role.ReasonMissing, "ends before"},
		"one missing":      {func(l []part) []part { return slices.Delete(l, last-1, last) }, role.ReasonMissing, "stands in its place"},
		"another order":    {func(l []part) []part { l[last], l[last-1] = l[last-1], l[last]; return l }, role.ReasonMissing, "stands in its place"},
		"contents first":   {func(l []part) []part { l[0], l[last] = l[last], l[0]; return l }, role.ReasonType, "no offline kit"},
		"a longer content": {func(l []part) []part { l[last].set(slices.Concat(l[last].data, []byte("x"))); return l }, role.ReasonMalformed, "its header"},
		"other content":    {func(l []part) []part { l[last].set(bytes.ToUpper(l[last].data)); return l }, role.ReasonContent, ""},
		"no metadata":      {func(l []part) []part { return append(l[:1:1], l[5:]...) }, role.ReasonMalformed, "another member"},
		"nothing at all":   {func(l []part) []part { return nil }, role.ReasonType, "no offline kit"},
		"a format":         {func(l []part) []part { l[0].set([]byte(`{"format":2}`)); return l }, role.ReasonFormat, ""},
		"a member": {func(l []part) []part {
			l[0].set(slices.Concat(l[0].data[:len(l[0].data)-1], []byte(`,"x":1}`)))
			return l
		}, role.ReasonMalformed, ""},
		"spaces":          {func(l []part) []part { l[0].set(slices.Concat(l[0].data, []byte(" "))); return l }, role.ReasonMalformed, "not canonical"},
		"no JSON":         {func(l []part) []part { l[0].set([]byte("<")); return l }, role.ReasonMalformed, ""},
		"a large head":    {func(l []part) []part { l[0].set(make([]byte, kit.MaxHead+1)); return l }, role.ReasonEndless, ""},
		"a base":          {func(l []part) []part { return headed(t, 1, l) }, role.ReasonMalformed, "base 1"},
		"the own base":    {func(l []part) []part { return headed(t, 2, l) }, role.ReasonMalformed, "another member"},
		"a negative base": {func(l []part) []part { return headed(t, -1, l) }, role.ReasonMalformed, "base -1"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := pack(t, c.change(slices.Clone(parts)))
			_, err := kit.Verify(ctx, bytes.NewReader(changed), p.client(t), now)
			if role.ReasonOf(err) != c.want || c.want != "" && !strings.Contains(err.Error(), c.detail) {
				t.Errorf("%v, want %q: %s", err, c.want, c.detail)
			}
			s := p.store(t)
			var lacks *kit.BaseError // is found before contents are
			if _, err := s.Load(ctx, bytes.NewReader(changed), now, nil); role.ReasonOf(err) != c.want && !errors.As(err, &lacks) {
				t.Errorf("load: %v", err)
			}
			if _, err := s.Active(); c.want != "" && !errors.Is(err, kit.ErrNotFound) {
				t.Errorf("something is active: %v", err)
			}
		})
	}
	// A head may not promise more metadata than a reader keeps in memory.
	var many []part
	for n := range 20 {
		many = append(many, file0(role.File(role.RoleRoot, int64(n+1)), make([]byte, role.MaxRootFile)))
	}
	many = append(many, parts[2:]...)
	for name, c := range map[string]struct {
		file []byte
		want role.Reason
	}{
		"endless roots":     {pack(t, headed(t, 0, many)), role.ReasonEndless},
		"an endless root":   {pack(t, headed(t, 0, append([]part{file0("1.root.json", make([]byte, role.MaxRootFile+1))}, parts[2:]...))), role.ReasonEndless},
		"no root":           {pack(t, headed(t, 0, parts[2:])), role.ReasonMalformed},
		"roots apart":       {pack(t, headed(t, 0, slices.Insert(slices.Clone(parts[1:]), 1, file0("3.root.json", parts[1].data)))), role.ReasonMalformed},
		"the wrong version": {pack(t, headed(t, 0, append([]part{file0("2.root.json", parts[1].data)}, parts[2:]...))), role.ReasonMixed},
		"a byte more":       {append(slices.Clone(file), 0), role.ReasonEndless},
		"a block more":      {append(slices.Clone(file), make([]byte, 512)...), role.ReasonEndless},
		"two kits":          {append(slices.Clone(file), file...), role.ReasonEndless},
		"another file":      {bytes.Repeat([]byte("PK\x03\x04"), 1000), role.ReasonType},
		"empty":             {nil, role.ReasonTruncated},
		"a size of letters": {append(append(slices.Clone(file[:124]), "zzzzzzzzzzz"...), file[135:]...), role.ReasonMalformed},
		"a sparse file":     {retyped(file, 'S'), role.ReasonMalformed},
		"an unknown type":   {retyped(file, 'Z'), role.ReasonMalformed},
		"one block at end":  {append(slices.Clone(file[:len(file)-512]), file[:512]...), role.ReasonMalformed},
	} {
		if _, err := kit.Verify(ctx, bytes.NewReader(c.file), p.client(t), now); role.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// retyped changes the type of the second member.
func retyped(file []byte, flag byte) []byte {
	out := slices.Clone(file)
	second := 512 + (int(file[133]-'0')*8+int(file[134]-'0')+int(file[132]-'0')*64+int(file[131]-'0')*512+511)/512*512
	out[second+156] = flag
	return out
}

// TestRoles is what the four roles refuse, through kits: by verifying and by loading.
func TestRoles(t *testing.T) {
	p := newPublisher(t)
	one := p.full(t, some(1))
	two := p.full(t, some(2))
	three := p.full(t, some(3))
	other := newPublisher(t)
	r := firstRoot()
	r.Feed = "other.example"
	other.root = sealRoot(t, r, "r1", "r2")
	other.state, _ = role.Trust(other.root)
	foreign := other.full(t, some(1))
	forked := newPublisher(t)
	forked.full(t, some(1))
	fork := forked.full(t, some(7))

	mix := func(from []byte, suffix string) func(t *testing.T) []byte {
		return func(t *testing.T) []byte {
			parts, source := unpack(t, three), unpack(t, from)
			*the(t, parts, suffix) = *the(t, source, suffix)
			return pack(t, headed(t, 0, parts))
		}
	}
	forge := func(rl role.Role, change func(map[string]any), keys ...string) func(t *testing.T) []byte {
		return func(t *testing.T) []byte {
			parts := unpack(t, three)
			the(t, parts, cmp.Or(map[role.Role]string{role.RoleTimestamp: "timestamp.json", role.RoleRoot: "root.json"}[rl], "."+string(rl)+".json")).forge(t, rl, change, keys...)
			return pack(t, headed(t, 0, parts))
		}
	}
	same := func(map[string]any) {}
	for name, c := range map[string]struct {
		seen []byte
		file func(t *testing.T) []byte
		want role.Reason
	}{
		"rollback":                  {three, func(*testing.T) []byte { return two }, role.ReasonRollback},
		"rollback to the first":     {three, func(*testing.T) []byte { return one }, role.ReasonRollback},
		"fork":                      {two, func(*testing.T) []byte { return fork }, role.ReasonEquivocation},
		"other feed":                {two, func(*testing.T) []byte { return foreign }, role.ReasonFeed},
		"old timestamp":             {two, mix(one, "timestamp.json"), role.ReasonRollback},
		"old timestamp, new client": {nil, mix(one, "timestamp.json"), role.ReasonMissing},
		"old snapshot":              {two, mix(two, "snapshot.json"), role.ReasonMissing},
		"old targets":               {two, mix(two, "targets.json"), role.ReasonMissing},
		"targets' old content": {two, func(t *testing.T) []byte {
			parts := unpack(t, three)
			the(t, parts, "targets.json").set(the(t, unpack(t, two), "targets.json").data)
			return pack(t, headed(t, 0, parts))
		}, role.ReasonMixed},
		"timestamp of a thief":   {two, forge(role.RoleTimestamp, same, "thief"), role.ReasonThreshold},
		"timestamp of s1":        {two, forge(role.RoleTimestamp, same, "s1"), role.ReasonThreshold},
		"snapshot re-signed":     {two, forge(role.RoleSnapshot, func(p map[string]any) { p["version"] = 4 }, "s1"), role.ReasonMixed},
		"targets of one":         {two, forge(role.RoleTargets, same, "t1"), role.ReasonMixed},
		"root of a thief":        {two, forge(role.RoleRoot, func(p map[string]any) { p["expires"] = "2099-01-01T00:00:00Z" }, "thief"), role.ReasonThreshold},
		"root of one":            {two, forge(role.RoleRoot, func(p map[string]any) { p["expires"] = "2099-01-01T00:00:00Z" }, "r1"), role.ReasonThreshold},
		"another root":           {two, forge(role.RoleRoot, func(p map[string]any) { p["expires"] = "2099-01-01T00:00:00Z" }, "r1", "r3"), role.ReasonEquivocation},
		"targets for a snapshot": {two, mix(three, "snapshot.json"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := p.store(t)
			client := p.client(t)
			if c.seen != nil {
				load(t, s, c.seen)
				k, err := kit.Verify(ctx, bytes.NewReader(c.seen), client, now)
				if err != nil {
					t.Fatal(err)
				}
				client = k.State
			}
			file := c.file(t)
			if _, err := kit.Verify(ctx, bytes.NewReader(file), client, now); role.ReasonOf(err) != c.want {
				t.Errorf("verify: %v, want %q", err, c.want)
			}
			before, _ := s.Active()
			if _, err := s.Load(ctx, bytes.NewReader(file), now, nil); role.ReasonOf(err) != c.want {
				t.Errorf("load: %v, want %q", err, c.want)
			}
			if c.want == "" {
				return
			}
			after, err := s.Active()
			if c.seen == nil {
				if !errors.Is(err, kit.ErrNotFound) {
					t.Error(err)
				}
			} else if err != nil || after.Version != before.Version {
				t.Errorf("active: %v, %v", after, err)
			}
		})
	}
}

// TestThreshold: targets that too few signed, which the roles above name: the keys of
// snapshot and timestamp are stolen.
func TestThreshold(t *testing.T) {
	p, _, file := tiny(t)
	parts := unpack(t, file)
	for _, keys := range [][]string{{"t1"}, {"t2"}, {"t1", "thief"}} {
		l := slices.Clone(parts)
		the(t, l, "targets.json").forge(t, role.RoleTargets, func(map[string]any) {}, keys...)
		relink(t, l, 2)
		_, err := kit.Verify(ctx, bytes.NewReader(pack(t, headed(t, 0, l))), p.client(t), now)
		if role.ReasonOf(err) != role.ReasonThreshold {
			t.Errorf("%q: %v", keys, err)
		}
	}
}

// TestFreeze: a kit is good until its first role expires, and not a second longer.
func TestFreeze(t *testing.T) {
	p, _, file := tiny(t)
	s := p.store(t)
	for _, c := range []struct {
		days int
		want role.Reason
	}{{29, ""}, {30, role.ReasonExpired}, {400, role.ReasonExpired}} {
		at := now.AddDate(0, 0, c.days)
		if _, err := kit.Verify(ctx, bytes.NewReader(file), p.client(t), at); role.ReasonOf(err) != c.want {
			t.Errorf("after %d days: %v", c.days, err)
		}
		if _, err := s.Load(ctx, bytes.NewReader(file), at, nil); role.ReasonOf(err) != c.want {
			t.Errorf("load after %d days: %v", c.days, err)
		}
	}
	if _, err := s.Load(ctx, bytes.NewReader(file), now.AddDate(0, 0, 40), &kit.LoadOptions{AllowOlder: "please"}); role.ReasonOf(err) != role.ReasonExpired {
		t.Errorf("forced: %v", err)
	}
}

// TestTargets: targets that their holders signed, and that no kit can have.
func TestTargets(t *testing.T) {
	p := newPublisher(t)
	parts := unpack(t, p.full(t, map[string]string{"vex/a": "one", "vex/b": "two"}))
	target := func(p map[string]any, name string) map[string]any {
		return p["targets"].(map[string]any)[name].(map[string]any)
	}
	for name, change := range map[string]func(p map[string]any){
		"no custom":      func(p map[string]any) { delete(target(p, "vex/a"), "custom") },
		"unknown custom": func(p map[string]any) { target(p, "vex/a")["custom"].(map[string]any)["x"] = 1 },
		"no since":       func(p map[string]any) { delete(target(p, "vex/a")["custom"].(map[string]any), "since") },
		"a later since":  func(p map[string]any) { target(p, "vex/a")["custom"].(map[string]any)["since"] = 2 },
		"no time":        func(p map[string]any) { delete(target(p, "vex/a")["custom"].(map[string]any), "time") },
		"a local time": func(p map[string]any) {
			target(p, "vex/a")["custom"].(map[string]any)["time"] = "2026-11-28T12:00:00+01:00"
		},
		"no kind":         func(p map[string]any) { p["targets"].(map[string]any)["a"] = target(p, "vex/a") },
		"a strange kind":  func(p map[string]any) { p["targets"].(map[string]any)["VEX/a"] = target(p, "vex/a") },
		"endless content": func(p map[string]any) { target(p, "vex/a")["length"] = int64(kit.MaxTarget) + 1 },
		"endless contents": func(p map[string]any) {
			for i := range 10 {
				p["targets"].(map[string]any)["vex/"+string(rune('k'+i))] = map[string]any{
					"length": int64(kit.MaxTarget), "digest": "sha256:" + strings.Repeat(string(rune('0'+i)), 64), "custom": target(p, "vex/a")["custom"],
				}
			}
		},
		"two lengths": func(p map[string]any) {
			target(p, "vex/b")["digest"], target(p, "vex/b")["length"] = target(p, "vex/a")["digest"], 4
		},
	} {
		l := slices.Clone(parts)
		forgeTargets(t, l, change)
		_, err := kit.Verify(ctx, bytes.NewReader(pack(t, headed(t, 0, l))), p.client(t), now)
		if role.ReasonOf(err) != role.ReasonMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := kit.Verify(ctx, bytes.NewReader(pack(t, parts)), role.State{}, now); role.ReasonOf(err) != role.ReasonMissing {
		t.Errorf("who trusts nobody: %v", err)
	}
	fails := io.MultiReader(bytes.NewReader(pack(t, parts)[:3000]), failing{})
	if _, err := kit.Verify(ctx, fails, p.client(t), now); !errors.Is(err, errDisk) || role.ReasonOf(err) != "" {
		t.Errorf("a disk that fails: %v", err)
	}
}

var errDisk = errors.New("the disk fails")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errDisk }
