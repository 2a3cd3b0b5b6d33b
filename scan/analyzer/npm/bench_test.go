package npm

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
)

// BenchmarkManifest reads the package.json files of the shared test data.
func BenchmarkManifest(b *testing.B) {
	var files [][]byte
	size := 0
	for _, pack := range []string{"scancode", "trivy-analyzer"} {
		for name, data := range testdata.Open(b, "lockfiles/"+pack+".tar.gz") {
			if path.Base(name) == "package.json" {
				files = append(files, data)
				size += len(data)
			}
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, data := range files {
			if _, err := manifestFacts("app/node_modules/a", data); err != nil && len(data) > 10 {
				b.Fatal(err)
			}
		}
	}
}

const benchPackages = 2000

// benchLocks are lockfiles of 2,000 packages with four dependencies each, in
// the shape of real ones.
func benchLocks() map[string]string {
	const sri = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
	each := func(format string, dependency string) string {
		var b strings.Builder
		for i := range benchPackages {
			var needs []string
			for k := 1; k <= 4; k++ {
				needs = append(needs, fmt.Sprintf(dependency, (i+k*k)%benchPackages))
			}
			fmt.Fprintf(&b, format, i, strings.Join(needs, ""), sri)
		}
		return b.String()
	}
	return map[string]string{
		"package-lock.json": `{"lockfileVersion":3,"packages":{` + each(`
    "node_modules/package-%[1]d": {
      "version": "1.0.%[1]d",
      "resolved": "https://registry.example/package-%[1]d/-/package-%[1]d-1.0.%[1]d.tgz",
      "integrity": "%[3]s",
      "dev": true,
      "license": "MIT",
      "dependencies": {%[2]s
        "z": "*"
      },
      "engines": {
        "node": ">=8"
      }
    },`, `
        "package-%d": "^1.0.0",`) + `"node_modules/z": {"version": "1.0.0"}}}`,
		"pnpm-lock.yaml": "lockfileVersion: '6.0'\n\npackages:\n" + each(`
  /package-%[1]d@1.0.%[1]d:
    resolution: {integrity: %[3]s}
    engines: {node: '>=8'}
    dependencies:
%[2]s    dev: true
`, "      package-%[1]d: 1.0.%[1]d\n"),
		"yarn.lock": "# yarn lockfile v1\n\n" + each(`
package-%[1]d@^1.0.0:
  version "1.0.%[1]d"
  resolved "https://registry.example/package-%[1]d/-/package-%[1]d-1.0.%[1]d.tgz#da39a3ee5e6b4b0d3255bfef95601890afd80709"
  integrity %[3]s
  dependencies:
%[2]s`, "    package-%d \"^1.0.0\"\n"),
		"berry/yarn.lock": "__metadata:\n  version: 8\n" + each(`
"package-%[1]d@npm:^1.0.0":
  version: 1.0.%[1]d
  resolution: "package-%[1]d@npm:1.0.%[1]d"
  dependencies:
%[2]s  checksum: 10c0/%[3]s
  languageName: node
  linkType: hard
`, "    package-%d: \"npm:^1.0.0\"\n"),
	}
}

func BenchmarkLockfile(b *testing.B) {
	for name, text := range benchLocks() {
		b.Run(name, func(b *testing.B) {
			data := []byte(text)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(name, data))
				if err != nil || len(facts) < benchPackages {
					b.Fatal(len(facts), err)
				}
			}
		})
	}
}

// BenchmarkJoin resolves 2,000 installed packages with four dependencies each.
func BenchmarkJoin(b *testing.B) {
	in := &analyzer.Squashed{Resolve: func(p string) string { return p }}
	for i := range benchPackages {
		manifest := fmt.Sprintf(`{"name":"package-%d","version":"1.0.0","dependencies":{"package-%d":"*","package-%d":"*","package-%d":"*","package-%d":"*"}}`,
			i, (i+1)%benchPackages, (i+4)%benchPackages, (i+9)%benchPackages, (i+16)%benchPackages)
		dir := fmt.Sprintf("app/node_modules/package-%d", i)
		facts, err := manifestFacts(dir, []byte(manifest))
		if err != nil {
			b.Fatal(err)
		}
		in.Facts = append(in.Facts, analyzer.Located{Fact: facts[0], Path: dir + "/package.json"})
	}
	b.ReportAllocs()
	for b.Loop() {
		if out, _ := (Analyzer{}).Join(in); len(out) != benchPackages {
			b.Fatal(len(out))
		}
	}
}
