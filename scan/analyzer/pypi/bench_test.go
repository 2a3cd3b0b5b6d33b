package pypi

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
)

// BenchmarkMetadata reads the METADATA and PKG-INFO files of the shared test
// data.
func BenchmarkMetadata(b *testing.B) {
	var files [][]byte
	size := 0
	for _, pack := range []string{"scancode", "trivy-analyzer", "trivy-parser"} {
		for name, data := range testdata.Open(b, "lockfiles/"+pack+".tar.gz") {
			if strings.HasSuffix(name, "METADATA") || strings.HasSuffix(name, "PKG-INFO") {
				files = append(files, data)
				size += len(data)
			}
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, data := range files {
			if _, err := readInstalled("site-packages/a-1.0.dist-info/METADATA", data); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkLockfile reads lockfiles of 500 packages with three dependencies and
// four files each, in the shape of real ones.
func BenchmarkLockfile(b *testing.B) {
	const packages = 500
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	each := func(format, dependency, file string) string {
		var b strings.Builder
		for i := range packages {
			var needs, files strings.Builder
			for k := 1; k <= 3; k++ {
				fmt.Fprintf(&needs, dependency, (i+k*k)%packages)
			}
			for k := range 4 {
				fmt.Fprintf(&files, file, i, k, digest)
			}
			fmt.Fprintf(&b, format, i, needs.String(), files.String())
		}
		return b.String()
	}
	locks := map[string]string{
		"poetry.lock": each("[[package]]\nname = \"package-%[1]d\"\nversion = \"1.0.%[1]d\"\ndescription = \"A package\"\noptional = false\ngroups = [\"main\"]\nfiles = [\n%[3]s]\n\n[package.dependencies]\n%[2]s\n",
			"package-%d = \">=1.0\"\n", "    {file = \"package_%d-1.0-cp31%d-none-any.whl\", hash = \"%s\"},\n"),
		"uv.lock": "version = 1\n\n" + each("[[package]]\nname = \"package-%[1]d\"\nversion = \"1.0.%[1]d\"\nsource = { registry = \"https://index.example/simple\" }\ndependencies = [\n%[2]s]\nwheels = [\n%[3]s]\n\n",
			"    { name = \"package-%d\", marker = \"python_full_version < '3.11'\" },\n", "    { url = \"https://files.example/package_%d-1.0-cp31%d-none-any.whl\", hash = \"%s\", size = 12345 },\n"),
		"requirements.txt": each("package-%[1]d==1.0.%[1]d \\\n%[3]s    # via x\n", "", "    --hash=%[3]s \\\n"),
		"Pipfile.lock":     `{"default":{` + each(`"package-%[1]d":{"hashes":[%[3]s"x"],"index":"pypi","version":"==1.0.%[1]d"},`, "", `"%[3]s",`) + `"z":{"version":"==1.0"}}}`,
	}
	for name, text := range locks {
		b.Run(name, func(b *testing.B) {
			data := []byte(text)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(name, data))
				if err != nil || len(facts) < packages {
					b.Fatal(len(facts), err)
				}
			}
		})
	}
}
