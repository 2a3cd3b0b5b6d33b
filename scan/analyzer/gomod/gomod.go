// Package gomod reads Go modules by what their sources name: go.mod, go.sum and
// vendor/modules.txt. What a binary was built from is gobinary's.
//
// A module is known under the name and version that the go command would
// compile: what a replace directive leads to. One that is replaced by a folder
// has no version. A go.mod of Go 1.17 and later names every module of a build
// ("// indirect" among them); of an older one go.sum, in the same folder, adds
// the rest, each at the greatest version that it has the content of. Otherwise
// go.sum gives the property "go:h1" alone.
//
// The go and toolchain lines say which version of the standard library is the
// least one that will do. None is there yet, so stdlib has no version, and the
// property "go:least" has what the lines say.
//
// Left out are go.mod files in a module cache or a vendor folder (what a
// dependency asks for is not what is built), and go.work, which names folders.
package gomod

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
)

// Keys of the facts that are not about a required module, whose keys are the
// paths under which they are required. Module paths have no colon.
const (
	keyMain   = ":main"
	keyStdlib = ":stdlib"
	keyOld    = ":old" // part: go.mod is of a time when it did not name all modules
)

// Analyzer reads the sources of Go modules. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "gomod", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:  []string{"go.mod", "go.sum", "modules.txt"},
		Accept: func(file string) bool { return formatOf(file) != nil },
	}
}

// format reads one kind of file.
type format func(data []byte) ([]analyzer.Fact, error)

// formatOf returns the format of a file by its path, or nil.
func formatOf(file string) format {
	base, dir := path.Base(file), "/"+path.Dir(file)+"/"
	cached := strings.Contains(dir, "/pkg/mod/") && strings.Contains(dir, "@")
	switch {
	case base == "modules.txt" && path.Base(path.Dir(file)) == "vendor" && !cached:
		return readVendored
	case cached || strings.Contains(dir, "/vendor/"):
		return nil
	case base == "go.mod":
		return readMod
	case base == "go.sum":
		return readSum
	}
	return nil
}

// Extract implements analyzer.Analyzer. Facts of go.sum are parts, which Join puts where
// they belong.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read := formatOf(f.Path)
	if read == nil {
		return nil, nil
	}
	data, err := f.Bytes(locked.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, err := read(data)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// moduleURL returns the package URL of a module. Its name is lower case by the
// rule of the type.
func moduleURL(module, version string) purl.PackageURL {
	namespace, name := path.Split(strings.ToLower(module))
	return locked.URL("golang", strings.TrimSuffix(namespace, "/"), name, version)
}
