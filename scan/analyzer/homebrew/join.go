package homebrew

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	coreTap = "homebrew/core"
	caskTap = "homebrew/cask"
)

// Join implements analyzer.Joiner: it puts receipts and formulae together, makes package URLs
// and resolves what packages need. A folder that lost its receipt still is a package.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	var out []analyzer.Located
	at := map[string]int{}
	facts := slices.Clone(in.Facts)
	slices.SortStableFunc(facts, func(a, b analyzer.Located) int { // of casks the newest first
		pa, _ := placeOf(a.Path)
		pb, _ := placeOf(b.Path)
		return strings.Compare(pb.time, pa.time)
	})
	for _, kind := range []analyzer.Kind{analyzer.KindPackage, analyzer.KindPart} {
		for _, f := range facts {
			if f.Kind != kind || f.Package == nil {
				continue
			}
			i, known := at[f.Key]
			if !known {
				p := *f.Package
				p.Properties = slices.Clone(p.Properties)
				f.Kind, f.Package, f.Holds = analyzer.KindPackage, &p, []string{f.Key + "/"}
				at[f.Key] = len(out)
				out = append(out, f)
			} else if kind == analyzer.KindPart {
				complete(out[i].Package, f.Package)
			}
		}
	}
	for i := range out {
		out[i].Package.PURL = packageURL(out[i].Package)
	}
	resolve(out)
	return out, nil
}

// complete adds what a formula or cask says. A cask of another version was there before.
func complete(p, part *sbom.Package) {
	if p.Version = cmp.Or(p.Version, part.Version); p.Version != part.Version {
		return
	}
	p.Description, p.Homepage = cmp.Or(p.Description, part.Description), cmp.Or(p.Homepage, part.Homepage)
	p.Download = cmp.Or(p.Download, part.Download)
	if len(p.Licenses) == 0 {
		p.Licenses = slices.Clone(part.Licenses)
	}
}

// resolve replaces "name version" by the folder of that version, or of any, below the same
// prefix.
func resolve(packages []analyzer.Located) {
	exact, newest := map[string]bool{}, map[string]string{}
	for _, f := range packages {
		exact[f.Key] = true
		if formulae, ok := cellar(f.Key); ok {
			newest[formulae+f.Package.Name] = f.Key // the last one, which mostly is
		} else {
			newest[f.Key] = f.Key
		}
	}
	for i := range packages {
		f := &packages[i]
		formulae, _ := cellar(f.Key)
		var keys []string
		for _, need := range f.DependsOn {
			name, version, _ := strings.Cut(need, " ")
			key := formulae + name + "/" + version
			if !exact[key] {
				key = newest[formulae+name]
			}
			if key == "" {
				key = newest[strings.TrimSuffix(formulae, "Cellar/")+"Caskroom/"+name]
			}
			if key != "" && key != f.Key {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		f.DependsOn = slices.Compact(keys)
	}
}

// cellar is the folder of formulae in the prefix that a package's folder is in; ok tells
// whether the package is one.
func cellar(key string) (dir string, ok bool) {
	parent := key[:strings.LastIndexByte(key, '/')+1] // of Caskroom/<token>
	if rest, isCask := strings.CutSuffix(parent, "Caskroom/"); isCask {
		return rest + "Cellar/", false
	}
	parent = strings.TrimSuffix(parent, "/") // of Cellar/<name>/<version>
	return parent[:strings.LastIndexByte(parent, '/')+1], true
}

// packageURL follows the purl type brew.
func packageURL(p *sbom.Package) purl.PackageURL {
	tap := ""
	for _, q := range p.Properties {
		switch q.Name {
		case "homebrew:source":
			return purl.PackageURL{}
		case "homebrew:tap":
			tap = q.Value
		}
	}
	if tap == "" && p.Type != "" {
		tap = caskTap
	}
	if tap == coreTap {
		tap = ""
	}
	return locked.URL("brew", tap, strings.ToLower(p.Name), p.Version)
}
