package analyzertest_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/sbom"
)

// notes is an analyzer of one's own: it reads "name version" lines.
type notes struct{}

func (notes) Info() analyzer.Info   { return analyzer.Info{Name: "notes", Version: 1} }
func (notes) Paths() analyzer.Paths { return analyzer.Paths{Names: []string{"NOTES"}} }

func (notes) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(1 << 20)
	if err != nil {
		return nil, err
	}
	var out []analyzer.Fact
	for line := range strings.Lines(string(data)) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			out = append(out, analyzer.Fact{Kind: analyzer.KindPackage, Key: name, Package: &sbom.Package{Name: name, Version: version}})
		}
	}
	return out, nil
}

func ExampleScan() {
	r := analyzertest.Scan(notes{}, map[string][]byte{"srv/NOTES": []byte("engine 4.2\nwheel 1\n"), "srv/other": nil})
	fmt.Println(r.Names())
	// Output: [engine@4.2 wheel@1]
}
