package hex

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readMix reads a mix.lock: a map from the name of an application to a tuple that begins
// with the kind of its source (Mix.Dep.Lock of Elixir, lib/hex/utils.ex of Hex).
func readMix(_ string, data []byte) ([]analyzer.Fact, error) {
	r := newReader(data, true)
	doc := r.one()
	var f locked.File
	if doc.kind != list && doc.kind != none {
		f.Odd(fmt.Errorf("line %d: not a map: %w", doc.line, fault.Invalid))
	}
	for i := range doc.items {
		pair := &doc.items[i]
		if source := pair.at(1); doc.kind == list && source.kind == tuple {
			f.Put(mixEntry(&f, pair.at(0).str(), source))
		} else if doc.kind == list {
			f.Odd(fmt.Errorf("line %d: entry %d is not a name and a tuple: %w", pair.line, i+1, fault.Invalid))
		}
	}
	return f.Facts(r.err)
}

func mixEntry(f *locked.File, app string, source *term) locked.Entry {
	e := locked.Entry{Package: sbom.Package{Name: app}}
	p := &e.Package
	switch kind := source.at(0).str(); kind {
	case "hex":
		fromHex(&e, source)
		if p.Name != app {
			e.Also = []string{app}
		}
	case "git":
		options := source.at(3)
		folder := cmp.Or(options.get("sparse").str(), options.get("subdir").str())
		located(p, "git", source.at(1).str(), source.at(2).str(), folder)
	case "path":
		property(p, sourceProperty, "path:"+source.at(1).str())
	default: // of another plug-in of Mix
		f.Odd(fmt.Errorf("line %d: source %.60q of %q: %w", source.line, kind, app, fault.Unsupported))
		unknown(p, kind, source)
	}
	return e
}

// fromHex reads {:hex, name, version, inner checksum, build tools, dependencies, repository,
// outer checksum}, of which the first versions had three.
func fromHex(e *locked.Entry, source *term) {
	p := &e.Package
	p.Name, p.Version = cmp.Or(source.at(1).str(), p.Name), source.at(2).str()
	repository(p, source.at(6).str())
	p.Hashes = locked.Hex("sha256", source.at(7).str())
	for _, d := range source.at(5).items {
		e.Wants = append(e.Wants, d.at(0).str()) // the name of the application
	}
}

// repository gives a package of a Hex repository its package URL, unless it is another one
// than that of the project and its organisations.
func repository(p *sbom.Package, name string) {
	base, organisation, _ := strings.Cut(name, ":")
	switch base {
	case "hexpm", "":
		p.PURL = packageURL(organisation, p.Name, p.Version)
	default:
		property(p, repositoryProperty, name)
	}
}
