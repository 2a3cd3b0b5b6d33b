package rubygems

import (
	"bytes"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// sourced is the name space of gems whose sources lie in the image; their keys are the paths
// of the gemspecs.
const sourced = "source"

// isSource reports whether a file is the gemspec that a developer has written, beside the
// sources of a gem. Installed gems often have theirs in their folder: it says what the
// specification says already.
func isSource(file string) bool {
	return strings.HasSuffix(file, ".gemspec") && !insideGem(file) && !strings.Contains("/"+file, "/specifications/")
}

// readSource reads the gemspec of a gem's sources. The gem is what the folder has, whatever a
// server has under its name: an application without a package URL, as that of a lockfile in
// the same folder. A version that the code computes is left out, and so is a gem whose name
// it computes.
func readSource(file string, data []byte) ([]analyzer.Fact, error) {
	g := gemspec{scanner: scanner{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}}
	g.read()
	if g.name = oneLine(g.name); g.name == "" {
		return nil, g.err
	}
	if !isVersion(g.version) {
		g.version = ""
	}
	p := &sbom.Package{
		Type: "application", Name: g.name, Version: g.version, State: sbom.Declared,
		Description: oneLine(g.summary), Homepage: oneLine(g.homepage), Originator: people(g.authors, g.mails),
	}
	for _, l := range g.licences {
		if l = oneLine(l); l != "" {
			p.Licenses = append(p.Licenses, sbom.License{Name: l})
		}
	}
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Scope: sourced, Key: file, Package: p}}, g.err
}

// withoutLocked returns a copy of facts without the gems of sources that a lockfile in the
// same folder names too.
func withoutLocked(facts []analyzer.Located) []analyzer.Located {
	locked := map[string]bool{}
	for i := range facts {
		if f := &facts[i]; f.Kind == analyzer.KindPackage && f.Scope != sourced && f.Package.Type == "application" {
			locked[path.Dir(f.Path)+"\x00"+f.Package.Name] = true
		}
	}
	out := make([]analyzer.Located, 0, len(facts))
	for _, f := range facts {
		if f.Scope != sourced || !locked[path.Dir(f.Path)+"\x00"+f.Package.Name] {
			out = append(out, f)
		}
	}
	return out
}
