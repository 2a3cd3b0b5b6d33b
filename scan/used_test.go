package scan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
)

// usageOf lists "name: chain" of what is reached, and "name: unreached".
func usageOf(d *sbom.Document) (out []string) {
	for _, p := range d.Packages {
		if p.Usage != nil {
			text := string(p.Usage.State)
			if p.Usage.State == sbom.Reached {
				text = strings.Join(p.Usage.Chain, " > ")
			}
			out = append(out, p.Name+": "+text)
		}
	}
	slices.Sort(out)
	return out
}

func TestUsage(t *testing.T) {
	base := imagetest.Tar(append(debian("1.0", "usr/bin/tool"), exec("usr/bin/tool", elf("tool")), exec("usr/local/bin/server", elf("server")), exec("usr/local/bin/unused", elf("unused")),
		exec("usr/bin/dash", elf("dash")), imagetest.File{Name: "usr/bin/sh", Link: "dash"}, imagetest.File{Name: "bin", Link: "usr/bin"},
		exec("entry.sh", "#!/bin/sh\nset -e\n[ -f /etc/conf ] && tool --check\nexec \"$@\"\n"))...)
	for _, c := range []struct {
		name  string
		start scan.Start
		want  []string
		gaps  int
	}{
		{"a program", scan.Start{Cmd: []string{"server"}, Env: []string{"PATH=/usr/local/bin:/usr/bin"}},
			[]string{"entry.sh: unreached", "tool: unreached", "usr/bin/dash: unreached", "usr/local/bin/server: usr/local/bin/server", "usr/local/bin/unused: unreached"}, 0},
		{"a script and its arguments", scan.Start{Entrypoint: []string{"/entry.sh"}, Cmd: []string{"server"}, Env: []string{"PATH=/usr/local/bin:/usr/bin"}},
			[]string{"entry.sh: entry.sh", "tool: entry.sh > usr/bin/tool", "usr/bin/dash: entry.sh > usr/bin/sh > usr/bin/dash", "usr/local/bin/server: entry.sh > usr/local/bin/server", "usr/local/bin/unused: unreached"}, 0},
		{"something made at run time", scan.Start{Cmd: []string{"sh", "-c", "$(cat /etc/what)"}, Env: []string{"PATH=/usr/bin"}},
			[]string{"usr/bin/dash: usr/bin/sh > usr/bin/dash"}, 1},
		{"nothing", scan.Start{}, nil, 0},
		{"a start that cannot be read", scan.Start{Unknown: "for a reason"}, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := testImage(imagetest.Gzip, base)
			img.Start = c.start
			d := mustScan(t, programScanner(), img).Document
			if diff := cmp.Diff(c.want, usageOf(d)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			gaps := 0
			for _, g := range d.Gaps {
				if g.Code == sbom.GapUnresolved && strings.HasPrefix(g.What, "usage: ") && !g.Blocking {
					gaps++
				}
			}
			if (gaps > 0) != (c.gaps > 0) {
				t.Errorf("%d gaps, want some: %v: %v", gaps, c.gaps > 0, d.Gaps)
			}
		})
	}
}

// The document of one image with two starts is not taken for the other's.
func TestUsageIsPartOfTheKey(t *testing.T) {
	s := programScanner()
	s.Cache = memoryCache{}
	base := imagetest.Tar(append(debian("1.0", "usr/bin/tool"), exec("usr/bin/tool", elf("tool")))...)
	var got []string
	for _, cmd := range []string{"/usr/bin/tool", "/usr/bin/none"} {
		img := testImage(imagetest.Gzip, base)
		img.Start = scan.Start{Cmd: []string{cmd}}
		got = append(got, strings.Join(usageOf(mustScan(t, s, img).Document), " "))
	}
	if got[0] != "tool: usr/bin/tool" || got[1] == got[0] {
		t.Errorf("%q", got)
	}
}
