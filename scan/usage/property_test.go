package usage_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/usage"
)

// TestReachability: where all is said by whole paths, what is reached is what a graph says,
// by ways that are as short as its own.
func TestReachability(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 14).Draw(t, "files")
		files, next := tree{"bin/sh": "elf"}, map[string][]string{}
		lib := func(i int) bool { return i%3 == 1 }
		name := func(i int) string {
			if lib(i) {
				return fmt.Sprintf("usr/lib/l%d.so", i)
			}
			return fmt.Sprintf("srv/f%d", i)
		}
		for i := range n {
			leads := rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 4).Draw(t, "leads")
			var lines, needs []string
			for _, j := range leads {
				switch {
				case lib(j):
					needs = append(needs, fmt.Sprintf("l%d.so", j))
				case !lib(i) && i%3 != 2:
					lines = append(lines, "/"+name(j))
				}
			}
			switch {
			case lib(i):
				files[name(i)] = "so needs=" + strings.Join(needs, ",")
			case i%3 == 2:
				files[name(i)] = "elf needs=" + strings.Join(needs, ",")
			default:
				files[name(i)] = "#!/bin/sh\n" + strings.Join(lines, "\n") + "\n"
				needs = nil
				next[name(i)] = append(next[name(i)], "bin/sh")
			}
			for _, l := range lines {
				next[name(i)] = append(next[name(i)], l[1:])
			}
			for _, l := range needs {
				next[name(i)] = append(next[name(i)], "usr/lib/"+l)
			}
		}
		start := rapid.SampledFrom(slices.Sorted(maps.Keys(files))).Filter(func(p string) bool { return strings.HasPrefix(p, "srv/") }).Draw(t, "start")
		v := usage.Resolve(image(files, []string{"/" + start}, nil))
		want, level := map[string]int{start: 1}, []string{start}
		for len(level) > 0 {
			p := level[0]
			level = level[1:]
			for _, q := range next[p] {
				if want[q] == 0 {
					want[q] = want[p] + 1
					level = append(level, q)
				}
			}
		}
		got := map[string]int{}
		for p := range v.Reached {
			chain := v.Chain(p)
			got[p] = len(chain)
			if chain[0] != start {
				t.Fatalf("the chain %q does not begin at %q", chain, start)
			}
			for i := range chain[1:] {
				if !slices.Contains(next[chain[i]], chain[i+1]) {
					t.Fatalf("%q does not lead to %q", chain[i], chain[i+1])
				}
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if !v.Complete {
			t.Fatal(reasons(v))
		}
	})
}

// fuzzed is an image whose start is a script.
func fuzzed(text, cmd string) *usage.Image {
	return image(with(alpine, tree{
		"run": "#!/bin/sh\n" + text, "usr/bin/env": "elf", "bin/nice": "elf", "usr/bin/node": "elf", "usr/bin/java": "elf", "usr/bin/python3": "elf", "app/a.sh": "#!/bin/sh\n" + cmd,
		"app/b.js": "data", "app/c.jar": "data", "usr/bin/xargs": "elf", "usr/bin/gosu": "elf", "lib/libpam.so.0": "so needs=libx.so", "lib/security/x.so": "so", "usr/bin/x": "elf needs=libpam.so.0",
	}), []string{"/run"}, strings.Fields(cmd))
}

func FuzzResolve(f *testing.F) {
	for _, o := range officials {
		for _, text := range o.files {
			if rest, ok := strings.CutPrefix(text, "#!"); ok {
				f.Add(rest, o.cmd)
			}
		}
	}
	for _, text := range []string{
		"exec \"$@\"", "env -S 'nice -n 5 x' y", "cd /app; . ./a.sh; f() { \"$@\"; }; f x", "set -- \"$@\" a; shift; exec $1", "eval \"$1 $2\"", "find / -exec sh -c 'x' {} +",
		"a=(x y); a+=(\"${a[@]}\"); \"${a[@]}\"", "X=$X:$Y; Y=$X; $X", "java -cp a:$X -jar c.jar", "node b", "for i in /app/*; do \"$i\"; done", "PATH=$1:$PATH; x", "su - a -c \"$2\"", "f() { g \"$@\" x; }; g() { f \"$@\" y; }; f",
	} {
		f.Add(text, "x -y z")
	}
	f.Fuzz(func(t *testing.T, text, cmd string) {
		if len(text)+len(cmd) > 4096 {
			return // what is large is in TestHostile
		}
		in := fuzzed(text, cmd)
		in.WorkingDir = "/app"
		v := usage.Resolve(in)
		check(t, in, v)
		if d := cmp.Diff(v, usage.Resolve(in)); d != "" {
			t.Fatalf("two readings differ: %s", d)
		}
	})
}
