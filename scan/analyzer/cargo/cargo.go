// Package cargo reads packages of Rust: what a Cargo.lock names, and what an executable that
// was built with cargo-auditable lists of itself.
//
// Of a Cargo.lock, crates of crates.io and of other registries have package URLs; those of a
// git repository have one with vcs_url. Members of the workspace, which no registry has, have
// none and are applications. A Cargo.lock does not say which crates are needed only to build
// or to test: all of them count as needed to run.
//
// Of an executable (ELF, PE, Mach-O), crates are installed at its path, and those that are
// needed only to build have the scope dev. Crates of crates.io have package URLs; of others
// the list says only that they are from a "registry", "git" or "local", which is the property
// "cargo:source". Modules of WebAssembly and manifests (Cargo.toml) are not read.
package cargo

import (
	"context"
	"fmt"
	"path"
	"slices"
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

// lockName is the one name that Cargo knows.
const lockName = "Cargo.lock"

// Paths implements analyzer.Analyzer. Of executables, whatever they are called, those are
// left out that cannot have the list: kernel modules, object files and split debug files.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:   []string{lockName},
		Forward: true,
		Magic: []string{
			"\x7fELF",
			"MZ",
			"\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xfe\xed\xfa\xce",
			"\xca\xfe\xba\xbe\x00\x00\x00\x01", "\xca\xfe\xba\xbe\x00\x00\x00\x02",
			"\xca\xfe\xba\xbe\x00\x00\x00\x03", "\xca\xfe\xba\xbe\x00\x00\x00\x04",
			"\xca\xfe\xba\xbf",
		},
		Accept: func(p string) bool {
			return !slices.Contains([]string{".ko", ".o", ".debug"}, path.Ext(p))
		},
	}
}

// Extract implements analyzer.Analyzer: one fact for each crate.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read := readAudit
	if path.Base(f.Path) == lockName {
		read = readLockFile
	}
	facts, err := read(f)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

func readLockFile(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(locked.MaxBytes)
	if err != nil {
		return nil, err
	}
	return readLock(data)
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
		address, commit, _ := strings.Cut(address, "#") // "https://host/x?branch=main#commit"
		address, _, _ = strings.Cut(address, "?")
		e.Package.Download = locked.VCS("git", address, commit)
		if e.Package.PURL = locked.URL("cargo", "", name, version); !e.Package.PURL.IsZero() {
			e.Package.PURL = e.Package.PURL.With("vcs_url", e.Package.Download)
		}
	default:
		e.Package.PURL = locked.URL("cargo", "", name, version)
		if !cratesIO(source) && !e.Package.PURL.IsZero() {
			e.Package.PURL = e.Package.PURL.With("repository_url", locked.Anonymous(strings.TrimPrefix(source, "registry+")))
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
