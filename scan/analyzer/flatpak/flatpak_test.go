package flatpak_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/flatpak"
)

const (
	dir      = "var/lib/flatpak/app/org.gimp.GIMP/x86_64/stable/9f2b6e0c/"
	metadata = dir + "metadata"
	metainfo = dir + "files/share/metainfo/org.gimp.GIMP.metainfo.xml"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, flatpak.Analyzer{}) }

func FuzzMetadata(f *testing.F) { analyzertest.Fuzz(f, flatpak.Analyzer{}, metadata) }
func FuzzMetainfo(f *testing.F) { analyzertest.Fuzz(f, flatpak.Analyzer{}, metainfo) }

// TestActive: an application uses the commit of its runtime that the link leads to; without a
// link the last one.
func TestActive(t *testing.T) {
	read := func(p, text string) analyzer.Located {
		facts, err := flatpak.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, []byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		return analyzer.Located{Fact: facts[0], Path: p}
	}
	const runtime = "var/lib/flatpak/runtime/org.gnome.Platform/x86_64/46/"
	in := &analyzer.Squashed{Facts: []analyzer.Located{
		read(metadata, "[Application]\nname=org.gimp.GIMP\nruntime=org.gnome.Platform/x86_64/46\n"),
		read(runtime+"01/metadata", "[Runtime]\nname=org.gnome.Platform\n"),
		read(runtime+"02/metadata", "[Runtime]\nname=org.gnome.Platform\n"),
	}}
	for link, want := range map[string]string{"01": runtime + "01", "02": runtime + "02", "": runtime + "02"} {
		in.Resolve = func(p string) string {
			if link == "" {
				return p
			}
			return strings.Replace(p, "active", link, 1)
		}
		out, _ := flatpak.Analyzer{}.Join(in)
		if got := out[0].DependsOn; !slices.Equal(got, []string{want}) {
			t.Errorf("active is %q: needs %v, want %s", link, got, want)
		}
	}
}

func TestCost(t *testing.T) {
	name := strings.Repeat("a", 10_000)
	analyzertest.TestCost(t, flatpak.Analyzer{},
		analyzertest.Growth{Name: "groups", Path: metadata, Data: func(n int) string {
			return analyzertest.Lines(n/2, "[Extension e%d]\nname=a\n")
		}},
		analyzertest.Growth{Name: "releases", Path: metainfo, Data: func(n int) string {
			return "<component><releases>" + analyzertest.Lines(n, "<release version=\"%d\"/>\n") + "</releases></component>"
		}},
		analyzertest.Growth{Name: "summaries", Path: metainfo, Data: func(n int) string {
			return "<component>" + strings.Repeat("<summary>a b</summary>\n", n) + "</component>"
		}},
		analyzertest.Growth{Name: "in an element with a long name", Path: metainfo, Data: func(n int) string {
			return "<component><" + name + ">" + strings.Repeat("<b/>\n", n) + "</" + name + "></component>"
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, flatpak.Analyzer{},
		analyzertest.Hostile{Name: "nested elements", Path: metainfo, Data: strings.Repeat("<component>", 10_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "entities", Path: metainfo, Data: "<!DOCTYPE c [<!ENTITY a \"b\">]><component>&a;</component>", Want: fault.Invalid},
		analyzertest.Hostile{Name: "a document type", Path: metainfo, Data: "<!DOCTYPE c [<!ENTITY a \"b\">]><component/>"},
		analyzertest.Hostile{Name: "large metadata", Path: metadata, Data: strings.Repeat("#\n", 1<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "empty metadata", Path: metadata},
		analyzertest.Hostile{Name: "empty metainfo", Path: metainfo, Want: fault.Invalid},
	)
}

func Example() {
	files := map[string][]byte{
		metadata: []byte("[Application]\nname=org.gimp.GIMP\n"),
		metainfo: []byte(`<component><releases><release version="2.10.38"/></releases></component>`),
	}
	for _, f := range analyzertest.Scan(flatpak.Analyzer{}, files).Packages {
		fmt.Println(f.Package.PURL)
	}
	// Output: pkg:generic/flatpak/org.gimp.GIMP@2.10.38?arch=x86_64
}
