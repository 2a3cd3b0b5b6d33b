package portage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: it puts the files of each folder together to a package,
// which has its name and version from the folder, and resolves what packages need.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	var out []analyzer.Located
	var gaps []sbom.Gap
	at := map[string]int{}
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPart {
			continue
		}
		i, known := at[f.Key]
		if !known {
			i = len(out)
			at[f.Key] = i
			name, version, ok := split(f.Key)
			if !ok {
				gaps = append(gaps, sbom.Gap{Code: sbom.GapNoVersion, Blocking: true, Where: f.Path, What: fmt.Sprintf("the folder of %.80q names no version", f.Key)})
			}
			out = append(out, analyzer.Located{Path: f.Path, Layer: f.Layer, Fact: analyzer.Fact{
				Kind: analyzer.KindPackage, Scope: scope, Key: f.Key, Package: &sbom.Package{Name: name, Version: version}}})
		}
		add(&out[i], &f)
	}
	for i := range out {
		p := out[i].Package
		slices.SortFunc(p.Properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
		p.PURL = packageURL(p, in.OS)
	}
	resolve(out)
	if len(out) > 0 && in.OS == nil {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: out[0].Path,
			What: "Portage packages, but no os-release says which distribution they belong to"})
	}
	if len(out) > 0 {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnsupported, Blocking: true, Where: databaseDir,
			What: fmt.Sprintf("no advisories are known for Portage packages: %d are listed, not assessed", len(out))})
	}
	return out, gaps
}

// add takes one file of a package's folder into what is known. A package that has CONTENTS is
// found there: the layer that wrote the list is the one that installed the files.
func add(to *analyzer.Located, f *analyzer.Located) {
	if f.Owns != nil || strings.HasSuffix(f.Path, "/CONTENTS") {
		to.Path, to.Layer, to.Owns = f.Path, f.Layer, f.Owns
	}
	to.DependsOn = append(to.DependsOn, f.DependsOn...)
	if f.Package == nil {
		return
	}
	p, part := to.Package, f.Package
	p.Properties = append(p.Properties, part.Properties...)
	if len(part.Licenses) > 0 {
		p.Licenses = slices.Clone(part.Licenses)
	}
	if part.Description != "" {
		p.Description = part.Description
	}
	if part.Homepage != "" {
		p.Homepage = part.Homepage
	}
}

// resolve replaces what packages need by keys: of alternatives the first that is there. A name
// without a slot stands for every slot of it: which one is used is not known.
func resolve(packages []analyzer.Located) {
	byName := map[string][]string{}
	for _, f := range packages {
		name := f.Package.Name
		byName[name] = append(byName[name], f.Key)
		for _, q := range f.Package.Properties {
			if q.Name == "portage:slot" {
				slot, _, _ := strings.Cut(q.Value, "/")
				byName[name+":"+slot] = append(byName[name+":"+slot], f.Key)
			}
		}
	}
	for i := range packages {
		f := &packages[i]
		var keys []string
		for _, need := range f.DependsOn {
			for alternative := range strings.SplitSeq(need, "|") {
				if found := byName[alternative]; len(found) > 0 {
					keys = append(keys, found[:min(len(found), maxSlots)]...)
					break
				}
			}
		}
		slices.Sort(keys)
		f.DependsOn = slices.DeleteFunc(slices.Compact(keys), func(k string) bool { return k == f.Key })
	}
}

// maxSlots is how many packages one name leads to at most. A kernel or compiler has a few.
const maxSlots = 16

// packageURL is of the type generic; see the package comment.
func packageURL(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	category, name, _ := strings.Cut(p.Name, "/")
	if os == nil || os.ID == "" {
		return locked.URL("generic", category, name, p.Version)
	}
	u := locked.URL("generic", strings.ToLower(os.ID)+"/"+category, name, p.Version)
	if u.IsZero() {
		return u
	}
	return u.With("distro", strings.TrimSuffix(os.ID+"-"+os.VersionID, "-"))
}
