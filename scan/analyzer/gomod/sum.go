package gomod

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readSum reads a go.sum (Go Modules Reference, "go.sum files"): a part for each module
// whose content has a hash, in the order of the file.
func readSum(data []byte) (out []analyzer.Fact, err error) {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		words := strings.Fields(string(bytes.ToValidUTF8(line, []byte("\uFFFD"))))
		switch {
		case len(words) == 0:
			continue
		case len(words) != 3 || !semver.IsValid(strings.TrimSuffix(words[1], "/go.mod")):
			err = cmp.Or(err, error(fmt.Errorf("line %d: expected a module, its version and a hash: %w", n, fault.Invalid)))
			continue
		case strings.HasSuffix(words[1], "/go.mod") || !strings.HasPrefix(words[2], "h1:"):
			continue
		case len(out) == locked.MaxEntries:
			return out, &fault.LimitError{What: "modules of go.sum", Where: words[0], Max: locked.MaxEntries, Seen: locked.MaxEntries + 1}
		}
		out = append(out, analyzer.Fact{Kind: analyzer.KindPart, Key: words[0] + "@" + words[1], Package: &sbom.Package{Name: words[0], Version: words[1],
			Properties: []sbom.Property{{Name: "go:h1", Value: words[2]}}}})
	}
	return out, err
}

// readVendored reads a vendor/modules.txt, which the go command writes: "# path version"
// for each module, "=> path version" behind it where it is replaced. Further lines name
// its packages ("path/of/package") and how it is asked for ("## explicit; go 1.17"). A
// module that only a replace directive names has none.
func readVendored(data []byte) ([]analyzer.Fact, error) {
	var out locked.File
	n, last := 0, -1
	var pending *locked.Entry
	put := func() {
		if pending != nil {
			out.Put(*pending)
			pending = nil
		}
	}
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimSpace(string(bytes.ToValidUTF8(line, []byte("\uFFFD"))))
		rest, ok := strings.CutPrefix(text, "# ")
		if !ok {
			if text != "" && !strings.HasPrefix(text, "#") {
				put() // it has a package
			}
			continue
		}
		pending, last = nil, n
		p, ok := vendored(strings.Fields(rest))
		if !ok {
			out.Odd(fmt.Errorf("line %d: expected a module and its version: %w", last, fault.Invalid))
			continue
		}
		pending = &locked.Entry{Key: p.Name + "@" + p.Version, Package: p}
	}
	return out.Facts(nil)
}

// vendored reads "path version", "path version => path version" and "path => path".
func vendored(words []string) (p sbom.Package, ok bool) {
	old, to := words, []string(nil)
	for i, w := range words {
		if w == "=>" {
			old, to = words[:i], words[i+1:]
			break
		}
	}
	if len(old) == 0 || len(old) > 2 || len(to) > 2 || len(to) == 0 && (len(old) != 2 || len(words) != 2) {
		return p, false
	}
	name, version := old[0], ""
	if len(old) == 2 {
		version = old[1]
	}
	switch len(to) {
	case 0:
		return sbom.Package{Name: name, Version: version, PURL: moduleURL(name, version)}, true
	case 1:
		return replaced(name, version, module.Version{Path: to[0]}), true
	}
	return replaced(name, version, module.Version{Path: to[0], Version: to[1]}), true
}
