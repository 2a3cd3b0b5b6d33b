package pypi

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

// scan runs the analyzer over files by path, as a scan of one layer does, and
// returns what Join makes of the facts.
func scan(files map[string][]byte) (out []analyzer.Located, gaps []sbom.Gap, errs []string) {
	set := analyzer.NewSet(Analyzer{})
	in := &analyzer.Squashed{}
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		if len(set.ByPath(nil, p)) == 0 {
			continue
		}
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, files[p]))
		if err != nil {
			errs = append(errs, err.Error())
		}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: p})
		}
	}
	out, gaps = Analyzer{}.Join(in)
	return out, gaps, errs
}

// dump writes packages, gaps and errors down, leaving out what is empty.
func dump(out []analyzer.Located, gaps []sbom.Gap, errs []string) string {
	var b strings.Builder
	for _, f := range out {
		p := f.Package
		fmt.Fprintf(&b, "%s: %s\n", f.Path, f.Key)
		line := func(name string, values ...any) {
			if text := strings.TrimSpace(fmt.Sprintln(values...)); text != "" {
				fmt.Fprintf(&b, "\t%s: %s\n", name, text)
			}
		}
		line("name", strings.Join(slices.DeleteFunc([]string{p.Name, p.Version}, func(s string) bool { return s == "" }), " | "))
		line("purl", p.PURL.String())
		line("as", strings.TrimSpace(fmt.Sprint(p.Type, " ", p.State, " ", p.Scope)))
		for _, l := range p.Licenses {
			line("licence", strings.TrimSpace(l.Expression+" "+l.Name+" "+l.URL))
		}
		for _, h := range p.Hashes {
			line(h.Algorithm, h.Value[:16]+"…")
		}
		line("description", p.Description)
		line("originator", p.Originator)
		line("homepage", p.Homepage)
		line("download", p.Download)
		for _, q := range p.Properties {
			line(q.Name, q.Value)
		}
		line("needs", strings.Join(f.DependsOn, ", "))
	}
	for _, g := range gaps {
		fmt.Fprintf(&b, "gap: %s: %s: %s\n", g.Code, g.Where, g.What)
	}
	for _, e := range errs {
		fmt.Fprintf(&b, "error: %s\n", e)
	}
	return b.String()
}

// TestGolden runs every testdata/*.txtar: files of an image, and in "want" what
// is found.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, want := map[string][]byte{}, -1
			for i, f := range a.Files {
				if f.Name == "want" {
					want = i
				} else {
					files[f.Name] = f.Data
				}
			}
			got := dump(scan(files))
			if *update {
				if want < 0 {
					want = len(a.Files)
					a.Files = append(a.Files, txtar.File{Name: "want"})
				}
				a.Files[want].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want < 0 {
				t.Fatal("no golden; run with -update")
			}
			if diff := cmp.Diff(string(a.Files[want].Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
