package usage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/usage"
)

// growing are images by size.
var growing = []struct {
	name  string
	files func(n int) tree
	cut   bool // it is more than a view follows, and the view says so
}{
	{"a cycle of scripts", func(n int) tree {
		out := tree{}
		for i := range n {
			out[name(i)] = "#!/bin/sh\n/" + name((i+1)%n) + "\n"
		}
		return out
	}, false},
	{"libraries in a row", func(n int) tree {
		out := tree{name(0): "elf needs=l0.so"}
		for i := range n {
			out[fmt.Sprintf("usr/lib/l%d.so", i)] = fmt.Sprintf("so needs=l%d.so,l%d.so", i+1, i/2)
		}
		return out
	}, false},
	{"commands", func(n int) tree {
		return tree{name(0): "#!/bin/sh\n" + strings.Repeat("true\nx\n", n)}
	}, false},
	{"functions", func(n int) tree {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "f%d(){ f%d $1;};\n", i, i+1)
		}
		return tree{name(0): "#!/bin/sh\n" + b.String() + "f0 a\n"}
	}, true},
	{"assignments", func(n int) tree {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a=$a$b%d;", i%50)
		}
		return tree{name(0): "#!/bin/sh\n" + b.String() + "$a\n"}
	}, false},
	{"arguments", func(n int) tree {
		return tree{name(0): "#!/bin/sh\n" + strings.Repeat("set -- \"$@\" $1 a; shift\n", n/4) + "\"$@\"\n"}
	}, true},
	{"names with unknown parts", func(n int) tree {
		out := tree{}
		var b strings.Builder
		for i := range n {
			out[fmt.Sprintf("opt/d/p%d", i)] = "elf"
			fmt.Fprintf(&b, "/opt/d/*%d\n", i)
		}
		out[name(0)] = "#!/bin/sh\n" + b.String()
		return out
	}, true},
	{"interpreters", func(n int) tree {
		out := tree{"usr/bin/node": "elf"}
		for i := range n {
			out[fmt.Sprintf("opt/d%d/x.js", i)] = "data"
			out[fmt.Sprintf("opt/d%d/x.node", i)] = "so"
		}
		for i := range n / 8 {
			out[name(0)] += fmt.Sprintf("node /opt/d%d/x.js\n", i)
		}
		out[name(0)] = "#!/bin/sh\n" + out[name(0)]
		return out
	}, false},
}

func name(i int) string { return fmt.Sprintf("srv/p%d", i) }

func grown(files func(int) tree, n int) *usage.Image {
	return image(with(files(n), tree{"bin/sh": "elf", "bin/x": "elf"}), []string{"/" + name(0)}, nil)
}

// TestHostile: what is large ends, with a view that says what was left out.
func TestHostile(t *testing.T) {
	for _, g := range growing {
		t.Run(g.name, func(t *testing.T) {
			in := grown(g.files, 10_000)
			v := usage.Resolve(in)
			if g.cut == v.Complete {
				t.Errorf("complete %v: %.300q", v.Complete, reasons(v))
			}
			check(t, in, v)
		})
	}
	t.Run("wrappers", func(t *testing.T) {
		in := image(tree{"bin/nice": "elf"}, strings.Fields(strings.Repeat("nice ", 10_000)), nil)
		if v := usage.Resolve(in); v.Complete {
			t.Error("complete")
		}
	})
	t.Run("a hundred thousand commands", func(t *testing.T) {
		in := image(tree{"run": "#!/bin/sh\n", "bin/sh": "elf", "bin/x": "elf"}, []string{"/run"}, nil)
		for range 100_000 {
			in.Programs["run"].Commands = append(in.Programs["run"].Commands, []string{"x", "$@"})
		}
		if v := usage.Resolve(in); v.Complete || v.Chain("bin/x") == nil {
			t.Errorf("complete %v, %v", v.Complete, v.Reached)
		}
	})
	t.Run("words that no shell gives", func(t *testing.T) {
		in := image(tree{"run": "#!/bin/sh\n", "bin/sh": "elf"}, []string{"/run"}, nil)
		in.Programs["run"].Commands = [][]string{{}, {""}, {"$"}, {"${"}, {"f()", "}"}, {"f()", "{"}, {"for"}, {"for", "x"}, {"export"}, {"set"}, {"trap"}, {"."}, {"cd"}, {"eval"}, {"x()="}, {"x()+="}, {"()"}, {"${dir ", "a"}, {strings.Repeat("${a:-", 10_000)}}
		check(t, in, usage.Resolve(in))
	})
}

// images reads nothing of a file but how long it is, and resolves an image of that size.
type images struct{ files func(n int) tree }

func (images) Info() analyzer.Info   { return analyzer.Info{Name: "images", Version: 1} }
func (images) Paths() analyzer.Paths { return analyzer.Paths{} }

func (i images) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(1 << 30)
	usage.Resolve(grown(i.files, len(data)/20))
	return nil, err
}

// TestCost: time grows with the image, not with its square. That of making the image is in
// it, and grows with it.
func TestCost(t *testing.T) {
	for _, g := range growing {
		analyzertest.TestCost(t, images{g.files}, analyzertest.Growth{Name: g.name, Path: "image", Data: func(n int) string { return strings.Repeat("x", n) }})
	}
}
