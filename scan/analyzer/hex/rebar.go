package hex

import (
	"cmp"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readRebar reads a rebar.lock: a list of {name, source, level}, since version 1.1.0 in a
// tuple with the version, and then a list with the checksums of packages (rebar3,
// apps/rebar/src/rebar_config.erl). A newer one is read as far as it is like them.
func readRebar(_ string, data []byte) ([]analyzer.Fact, error) {
	r := newReader(data, false)
	doc := r.all()
	var f locked.File
	locks := doc.at(0)
	if locks.kind == tuple {
		if v := locks.at(0).str(); v != "1.1.0" && v != "1.2.0" {
			f.Odd(fmt.Errorf("line %d: version %.20q of the format: %w", locks.line, v, fault.Unsupported))
		}
		locks = locks.at(1)
	}
	if locks.kind != list && len(doc.items) > 0 {
		f.Odd(fmt.Errorf("line %d: not a list: %w", doc.at(0).line, fault.Invalid))
	}
	sums := map[string]string{} // of the files of packages, by application
	for _, pair := range doc.at(1).get("pkg_hash_ext").items {
		sums[pair.at(0).str()] = pair.at(1).str()
	}
	for i := range locks.items {
		if entry := locks.at(i); entry.at(1).kind == tuple {
			f.Put(rebarEntry(&f, entry.at(0).str(), entry.at(1), sums))
		} else {
			f.Odd(fmt.Errorf("line %d: entry %d is not a name and a source: %w", entry.line, i+1, fault.Invalid))
		}
	}
	return f.Facts(r.err)
}

func rebarEntry(f *locked.File, app string, source *term, sums map[string]string) locked.Entry {
	e := locked.Entry{Package: sbom.Package{Name: app}}
	p := &e.Package
	kind := source.at(0).str()
	if kind == "raw" { // what is fetched and not built
		source = source.at(1)
		kind = source.at(0).str()
	}
	switch kind {
	case "pkg":
		p.Name, p.Version = cmp.Or(source.at(1).str(), app), source.at(2).str()
		p.PURL = packageURL("", p.Name, p.Version)
		p.Hashes = locked.Hex("sha256", sums[app])
	case "git", "hg":
		located(p, kind, source.at(1).str(), revision(source.at(2)), "")
	case "git_subdir", "hg_subdir":
		located(p, kind[:len(kind)-len("_subdir")], source.at(1).str(), revision(source.at(2)), source.at(3).str())
	default: // of another plug-in of rebar3
		f.Odd(fmt.Errorf("line %d: source %.60q of %q: %w", source.line, kind, app, fault.Unsupported))
		unknown(p, kind, source)
	}
	return e
}

// revision reads {ref, "…"}, {tag, "…"}, {branch, "…"} or "…".
func revision(t *term) string {
	if t.kind == tuple {
		return t.at(1).str()
	}
	return t.str()
}
