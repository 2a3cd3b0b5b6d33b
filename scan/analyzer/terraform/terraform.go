// Package terraform reads the providers that the dependency lock file of a Terraform or
// OpenTofu configuration names ("terraform init", "tofu init").
//
// A provider is named by its whole address ("registry.terraform.io/hashicorp/aws"), since
// registries may hold others of one name. There is no type of package URL for providers, so
// they have none: they are listed, and not assessed. Their digests are those of the archives
// of all platforms; "h1" is a digest of unpacked content and left out. Providers that are in
// the image are programs of Go, which package gobinary reads. Modules are in no lock file.
package terraform

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxBytes bounds one file. Real ones stay below 100 KiB.
const maxBytes = 8 << 20

// Analyzer reads dependency lock files. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "terraform", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{".terraform.lock.hcl"}}
}

// Extract implements analyzer.Analyzer: one fact for each provider.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	return locked.Read(f, maxBytes, readLock)
}

// readLock reads a lock file (Terraform language, "Dependency Lock File"; Terraform
// internal/depsfile). Blocks of other kinds are reserved for what is to come and left out.
func readLock(data []byte) ([]analyzer.Fact, error) {
	fields, err := readHCL(data)
	var out locked.File
	for i := range fields {
		switch f := &fields[i]; {
		case f.name != "provider" || !f.isBlock:
		case len(f.labels) != 1:
			out.Odd(fmt.Errorf("line %d: a provider has one address, not %d: %w", f.line, len(f.labels), fault.Invalid))
		default:
			out.Put(locked.Entry{Package: provider(f, &out)})
		}
	}
	return out.Facts(err)
}

func provider(f *field, out *locked.File) sbom.Package {
	p := sbom.Package{Name: f.labels[0]}
	for _, attribute := range f.body {
		switch attribute.name {
		case "version":
			p.Version = attribute.value.text
		case "hashes":
			for _, h := range attribute.value.list {
				if sum, ok := strings.CutPrefix(h.text, "zh:"); ok {
					p.Hashes = append(p.Hashes, locked.Hex("sha256", sum)...)
				}
			}
		}
	}
	if p.Version == "" {
		out.Odd(fmt.Errorf("line %d: provider %.100q has no version: %w", f.line, p.Name, fault.Invalid))
	}
	return p
}
