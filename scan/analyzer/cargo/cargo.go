// Package cargo reads packages of Rust: what a Cargo.lock names.
//
// Crates of crates.io and of other registries have package URLs; those of a git repository
// have one with vcs_url. Members of the workspace, which no registry has, have none and are
// applications.
package cargo

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer reads the files of the Cargo ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "cargo", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths { return analyzer.Paths{Names: []string{"Cargo.lock"}} }

// Extract implements analyzer.Analyzer: one fact for each crate.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(locked.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, err := readLock(data)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// readLock reads a Cargo.lock of any version (https://doc.rust-lang.org/cargo/, crate
// "cargo", core/resolver/encode.rs): the first has checksums in a table of their own.
func readLock(data []byte) ([]analyzer.Fact, error) {
	doc, err := tomltree.Read(data)
	sums := map[string]string{}
	if metadata := doc.Get("metadata"); metadata != nil {
		for _, m := range metadata.Members {
			if id, ok := strings.CutPrefix(m.Key, "checksum "); ok {
				sums[id] = m.Value.Text
			}
		}
	}
	packages := doc.List("package")
	if root := doc.Get("root"); root != nil { // of the oldest ones
		packages = append(packages, root)
	}
	var f locked.File
	for _, p := range packages {
		f.Put(entry(p, sums))
	}
	return f.Facts(err)
}

func entry(p *tomltree.Table, sums map[string]string) locked.Entry {
	name, version, source := p.Str("name"), p.Str("version"), p.Str("source")
	e := locked.Entry{Key: id(name, version, source), Also: []string{name + " " + version}, Package: sbom.Package{Name: name, Version: version}}
	sum := p.Str("checksum")
	if sum == "" {
		sum = sums[e.Key]
	}
	e.Package.Hashes = locked.Hex("sha256", sum)
	kind, address, _ := strings.Cut(source, "+")
	switch {
	case source == "":
		e.Package.Type = "application"
	case kind == "git":
		e.Package.PURL = locked.URL("cargo", "", name, version)
		if address = revision(address); !e.Package.PURL.IsZero() {
			e.Package.PURL = e.Package.PURL.With("vcs_url", "git+"+address)
		}
		e.Package.Download = "git+" + address
	default:
		e.Package.PURL = locked.URL("cargo", "", name, version)
		if !cratesIO(source) && !e.Package.PURL.IsZero() {
			e.Package.PURL = e.Package.PURL.With("repository_url", strings.TrimPrefix(source, "registry+"))
		}
	}
	for _, d := range p.List("dependencies") {
		e.Wants = append(e.Wants, d.Text) // as much of an id as tells it from others
	}
	return e
}

// id is how Cargo writes a package where its name alone does not tell it.
func id(name, version, source string) string {
	if source == "" {
		return name + " " + version
	}
	return name + " " + version + " (" + source + ")"
}

// cratesIO reports whether a source is the registry of the Rust project.
func cratesIO(source string) bool {
	return source == "registry+https://github.com/rust-lang/crates.io-index" || source == "sparse+https://index.crates.io/"
}

// revision writes "https://host/x?branch=main#commit" as "https://host/x@commit".
func revision(address string) string {
	address, commit, _ := strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	if commit != "" {
		address += "@" + commit
	}
	return address
}
