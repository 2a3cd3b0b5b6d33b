// Package swift reads packages of Swift: what a Package.resolved pins.
//
// A package is named by the place of its repository, "github.com/apple/swift-nio", as its
// package URL and advisories name it. One that is pinned to a branch or a commit has no
// version; its package URL has the commit in vcs_url, and the property "swift:branch" names
// the branch. A package of a registry has the registry's name and no package URL, as the file
// does not say which registry that is, and one of a folder has none either: the property
// "swift:source" says where it comes from. The file says nothing of what a package depends
// on.
package swift

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// The properties of packages.
const (
	branchProperty = "swift:branch" // that a package follows
	sourceProperty = "swift:source" // of what has no package URL
)

// Analyzer reads the files of the Swift Package Manager. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "swift", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths { return analyzer.Paths{Names: []string{"Package.resolved"}} }

// Extract implements analyzer.Analyzer: one fact for each pin.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	return locked.Read(f, locked.MaxBytes, readResolved)
}

// pin is one package as the file has it. Version 1 has no identity and may have a name.
type pin struct {
	name, identity, kind string
	location, original   string
	version              string
	branch, revision     string
}

// readResolved reads a Package.resolved of version 1, 2 or 3 (Swift Package Manager,
// Sources/PackageGraph/ResolvedPackagesStore.swift). A newer one is read as far as it is
// like them.
func readResolved(data []byte) ([]analyzer.Fact, error) {
	var f locked.File
	r := jsontext.New(data)
	version, known := "", false
	pins := func() { r.Array(func() { readPin(r, &f) }) }
	err := r.Document(func() {
		known = r.Object(func(key []byte) {
			switch string(key) {
			case "version":
				version = string(r.Raw())
			case "pins":
				pins()
			case "object":
				r.Object(func(key []byte) {
					if string(key) == "pins" {
						pins()
					}
				})
			}
		})
	})
	switch {
	case err != nil:
	case !known:
		f.Odd(fmt.Errorf("not an object: %w", fault.Invalid))
	case version != "1" && version != "2" && version != "3":
		f.Odd(fmt.Errorf("version %.20q of the format: %w", version, fault.Unsupported))
	}
	return f.Facts(err)
}

func readPin(r *jsontext.Reader, f *locked.File) {
	var p pin
	text := func(to *string) { *to, _ = r.Text() }
	whole := r.Object(func(key []byte) {
		switch string(key) {
		case "package":
			text(&p.name)
		case "identity":
			text(&p.identity)
		case "kind":
			text(&p.kind)
		case "repositoryURL", "location":
			text(&p.location)
		case "originalLocation":
			text(&p.original)
		case "state":
			r.Object(func(key []byte) {
				switch string(key) {
				case "version":
					text(&p.version)
				case "branch":
					text(&p.branch)
				case "revision":
					text(&p.revision)
				}
			})
		}
	})
	switch {
	case r.Err() != nil: // what was cut off is no pin
	case !whole:
		f.Odd(fmt.Errorf("pin %d is not an object: %w", len(f.Entries)+1, fault.Invalid))
	default:
		f.Put(p.entry())
	}
}

func (p *pin) entry() locked.Entry {
	e := locked.Entry{Package: sbom.Package{Version: p.version}}
	property := func(name, value string) {
		if value != "" {
			e.Package.Properties = append(e.Package.Properties, sbom.Property{Name: name, Value: value})
		}
	}
	property(branchProperty, p.branch)
	address, source := p.location, p.location
	if p.kind == "registry" {
		address, source = p.original, p.kind // where it was found before the registry was asked for it
	}
	address = strings.TrimSuffix(address, "/")
	place := ""
	if p.kind != "localSourceControl" {
		place = canonical(address)
	}
	if place == "" {
		e.Package.Name = cmp.Or(p.identity, p.name, folderName(p.location))
		property(sourceProperty, locked.Anonymous(source))
		return e
	}
	e.Package.Name = place
	e.Package.Download = locked.VCS("git", address, p.revision)
	last := strings.LastIndexByte(place, '/')
	e.Package.PURL = locked.URL("swift", place[:last], place[last+1:], p.version)
	if p.version == "" && !e.Package.PURL.IsZero() {
		e.Package.PURL = e.Package.PURL.With("vcs_url", e.Package.Download)
	}
	return e
}

// folderName is what the package manager calls a package of a folder.
func folderName(location string) string {
	base := path.Base(strings.TrimPrefix(location, "file://"))
	if strings.Trim(base, "./") == "" || strings.Contains(base, ":") {
		return ""
	}
	return strings.TrimSuffix(base, ".git")
}

// canonical writes the address of a repository as the package manager compares addresses,
// but in its own case: "github.com/apple/swift-nio", without scheme, user, port, query and
// ".git". It returns "" for a folder.
func canonical(address string) string {
	address = locked.VCS("git", address, "")
	scheme, place, ok := strings.Cut(address, "://")
	if !ok || strings.HasSuffix(scheme, "file") {
		return ""
	}
	place, _, _ = strings.Cut(place, "#")
	place, _, _ = strings.Cut(place, "?")
	host, folder, _ := strings.Cut(place, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	if before, port, ok := strings.Cut(host, ":"); ok && strings.Trim(port, "0123456789") == "" {
		host = before
	}
	folder = strings.TrimSuffix(strings.Trim(folder, "/"), ".git")
	if host == "" || folder == "" {
		return ""
	}
	return host + "/" + folder
}
