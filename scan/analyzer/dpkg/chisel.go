package dpkg

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// chiselFile is what chisel writes into images that it cuts out of Ubuntu's packages.
const (
	chiselFile = "var/lib/chisel/manifest.wall"
	maxChisel  = 64 << 20 // bytes of a manifest once it is inflated
)

// chiselProperty marks packages of which parts ("slices") are there.
const chiselProperty = "dpkg:chisel"

// readChisel reads a manifest of chisel (https://documentation.ubuntu.com/chisel, "Chisel
// manifest"): zstd, then lines of JSON, of which the first names the format. Packages have
// their slices as a property, and own the paths of their slices.
func readChisel(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := inflateChisel(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	m := manifest{owns: map[string][]string{}, slices: map[string][]string{}}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err = m.line(line, n == 1); err != nil {
			err = fmt.Errorf("read %s: line %d: %w", f.Path, n, err)
			break
		}
	}
	return m.facts(), err
}

func inflateChisel(f *analyzer.File) ([]byte, error) {
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxChisel), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd: %v: %w", err, fault.Invalid)
	}
	defer z.Close()
	var out bytes.Buffer
	buf := make([]byte, 32<<10)
	for {
		n, err := z.Read(buf)
		out.Write(buf[:n])
		if over := f.Budget.Derive(f.Path, int64(n)); over != nil {
			return nil, over
		}
		switch {
		case out.Len() > maxChisel:
			return nil, &fault.LimitError{What: "bytes of a chisel manifest", Where: f.Path, Max: maxChisel, Seen: int64(out.Len())}
		case err == io.EOF:
			return out.Bytes(), nil
		case err != nil && fault.KindOf(err) == "":
			return nil, fmt.Errorf("zstd: %v: %w", err, fault.Invalid)
		case err != nil:
			return nil, err
		}
	}
}

// manifest is what the lines say.
type manifest struct {
	packages     []sbom.Package
	owns, slices map[string][]string // by package
	paths        int
}

// line reads one line: a package, a slice, or a path with the slices that it is of.
func (m *manifest) line(data []byte, first bool) error {
	text := map[string]string{}
	var of []string
	r := jsontext.New(data)
	err := r.Document(func() {
		if !r.Object(func(key []byte) {
			switch {
			case string(key) == "slices":
				of = nil
				r.Array(func() {
					if s, ok := r.Text(); ok {
						of = append(of, s)
					}
				})
			case r.Peek() == '"':
				text[string(key)], _ = r.Text()
			}
		}) {
			r.Fail("expected an object")
		}
	})
	switch {
	case err != nil:
		return err
	case first:
		if text["jsonwall"] == "" || !strings.HasPrefix(text["schema"], "1.") {
			return fmt.Errorf("format %.20q, schema %.20q: %w", text["jsonwall"], text["schema"], fault.Unsupported)
		}
		return nil
	}
	return m.entry(text, of)
}

func (m *manifest) entry(text map[string]string, of []string) error {
	switch name := text["name"]; text["kind"] {
	case "package":
		switch {
		case name == "" || text["version"] == "":
			return fmt.Errorf("a package without name and version: %w", fault.Invalid)
		case len(m.packages) == maxPackages:
			return &fault.LimitError{What: "packages of a chisel manifest", Where: name, Max: maxPackages, Seen: maxPackages + 1}
		}
		m.packages = append(m.packages, sbom.Package{Name: name, Version: text["version"], Arch: text["arch"], Hashes: locked.Hex("sha256", text["sha256"])})
	case "slice":
		pkg, slice, _ := strings.Cut(name, "_")
		m.slices[pkg] = append(m.slices[pkg], slice)
	case "path":
		p := strings.TrimSuffix(strings.TrimLeft(text["path"], "/"), "/")
		if m.paths += len(of); m.paths > maxOwned {
			return &fault.LimitError{What: "paths of a chisel manifest", Where: p, Max: maxOwned, Seen: int64(m.paths)}
		}
		for _, s := range of {
			if pkg, _, _ := strings.Cut(s, "_"); p != "" {
				m.owns[pkg] = append(m.owns[pkg], p)
			}
		}
	}
	return nil
}

// facts returns a package for each name, in their order, and its files.
func (m *manifest) facts() []analyzer.Fact {
	var out []analyzer.Fact
	slices.SortStableFunc(m.packages, func(a, b sbom.Package) int { return strings.Compare(a.Name, b.Name) })
	m.packages = slices.CompactFunc(m.packages, func(a, b sbom.Package) bool { return a.Name == b.Name })
	for i := range m.packages {
		p := &m.packages[i]
		list := m.slices[p.Name]
		slices.Sort(list)
		p.Properties = []sbom.Property{{Name: chiselProperty, Value: strings.Join(slices.Compact(list), " ")}}
		out = append(out, analyzer.Fact{Kind: analyzer.KindPackage, Scope: scope, Key: p.Name, Package: p})
	}
	for _, pkg := range slices.Sorted(maps.Keys(m.owns)) {
		paths := m.owns[pkg]
		slices.Sort(paths)
		out = append(out, analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: pkg, Owns: slices.Compact(paths)})
	}
	return out
}

// isChiseled reports whether a fact is a package of a chisel manifest.
func isChiseled(f *analyzer.Located) bool {
	return slices.ContainsFunc(f.Package.Properties, func(p sbom.Property) bool { return p.Name == chiselProperty })
}

// dropChiseled leaves out packages of chisel that a status file has too, which says more,
// and returns the first of the rest.
func dropChiseled(list []analyzer.Located) (_ []analyzer.Located, first *analyzer.Located) {
	known := map[string]bool{}
	for i := range list {
		if !isChiseled(&list[i]) {
			known[list[i].Package.Name] = true
		}
	}
	list = slices.DeleteFunc(list, func(f analyzer.Located) bool { return isChiseled(&f) && known[f.Package.Name] })
	for i := range list {
		if isChiseled(&list[i]) {
			return list, &list[i]
		}
	}
	return list, nil
}
