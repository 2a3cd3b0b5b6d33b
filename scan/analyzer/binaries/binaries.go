// Package binaries recognises well-known programs and libraries that no package manager
// installed, by what their files say of themselves: OpenSSL, Python, nginx, a JDK and others
// (the table "programs" lists all).
//
// A file is looked at when its name is one of the table's, and believed when it holds a text
// that only this program has: "OpenSSL 3.0.13 30 Jan 2024" in libcrypto.so.3. The text is the
// property "binaries:evidence". Executables are ELF or Mach-O; JDKs, Go and Erlang have small
// text files (release, VERSION, OTP_VERSION). A file is streamed through a buffer of 64 KiB
// and never held.
//
// Packages have the package URL pkg:generic/<name>@<version> and the CPE names under which
// the National Vulnerability Database knows them. What an operating system package brought
// is found too; who owns it is decided from the package's list of files.
//
// A program without a text of its own is left out, as are programs that contain others: an
// OpenSSL inside nginx is not reported. Programs written in Go list their own modules (see
// package gobinary), so none of them is here.
package binaries

import (
	"context"
	"fmt"
	"path"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer recognises programs. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "binaries", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:   []string{javaFile, goFile, erlangFile},
		Forward: true,
		Magic:   []string{"\x7fELF", "\xcf\xfa\xed\xfe"},
		Accept: func(p string) bool {
			base := path.Base(p)
			return readerOf(base) != nil || len(candidates(base)) > 0
		},
	}
}

// Extract implements analyzer.Analyzer: one fact for each program that f is. A text that
// names two versions is an error: then none is believed.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	var list []found
	var err error
	base := path.Base(f.Path)
	if read := readerOf(base); read != nil {
		list, err = readText(f, read)
	} else {
		list, err = search(ctx, f, candidates(base))
	}
	var facts []analyzer.Fact
	for _, x := range list {
		fact := x.fact()
		if base == javaFile || base == goFile {
			fact.Holds = []string{"./"} // the folder of the JDK, or of the toolchain
		}
		facts = append(facts, fact)
	}
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// found is a program with the text that says so.
type found struct {
	name, version, evidence string
	library                 bool
	cpes                    []string // "vendor:product"
	properties              []sbom.Property
}

func (x *found) fact() analyzer.Fact {
	p := &sbom.Package{Name: x.name, Version: x.version, PURL: locked.URL("generic", "", x.name, x.version)}
	if !x.library {
		p.Type = "application"
	}
	for _, c := range x.cpes {
		p.CPEs = append(p.CPEs, cpeName(c, x.version))
	}
	p.Properties = append([]sbom.Property{{Name: "binaries:evidence", Value: x.evidence}}, x.properties...)
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: x.name, Package: p}
}
