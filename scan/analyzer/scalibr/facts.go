package scalibr

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	packageurl "github.com/google/osv-scalibr/purl"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// development are the groups of lockfiles whose packages are not there when what they
// belong to runs.
var development = map[string]bool{"dev": true, "develop": true, "development": true, "dev-optional": true, "test": true, "tests": true, "build-requires": true}

// factsOf makes facts of the packages of one file, sorted by key. A package that is there
// several times is one. An error says what could not be made a fact; the others are there.
func factsOf(file string, list []*extractor.Package) ([]analyzer.Fact, error) {
	var errs []error
	facts, keys := map[string]*analyzer.Fact{}, map[string]string{} // the second by the extractor's own ids
	parents := map[string][]string{}
	for _, p := range list {
		if p == nil || p.Name == "" {
			errs = append(errs, fmt.Errorf("a package without a name: %w", fault.Invalid))
			continue
		}
		f, err := factOf(file, p)
		if err != nil {
			errs = append(errs, err)
		}
		if have := facts[f.Key]; have != nil {
			merge(have.Package, f.Package)
		} else {
			facts[f.Key] = f
		}
		if p.ID != "" {
			keys[p.ID] = f.Key
		}
		for id := range p.ParentIDs {
			parents[f.Key] = append(parents[f.Key], id)
		}
	}
	for child, ids := range parents {
		for _, id := range ids {
			if parent := facts[keys[id]]; parent != nil && parent.Key != child {
				parent.DependsOn = append(parent.DependsOn, child)
			}
		}
	}
	out := make([]analyzer.Fact, 0, len(facts))
	for _, f := range facts {
		slices.Sort(f.DependsOn)
		f.DependsOn = slices.Compact(f.DependsOn)
		out = append(out, *f)
	}
	slices.SortFunc(out, func(a, b analyzer.Fact) int { return cmp.Compare(a.Key, b.Key) })
	return out, first(errs)
}

// first is one error for several: the first in order, with how many more there are.
func first(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	least := slices.MinFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	if len(errs) == 1 {
		return least
	}
	return fmt.Errorf("%w, and %d more", least, len(errs)-1)
}

// factOf makes a fact of a package. Beside an error the fact lacks its package URL.
func factOf(file string, in *extractor.Package) (f *analyzer.Fact, err error) {
	p := &sbom.Package{Name: clean(in.Name), Version: clean(in.Version), Scope: scopeOf(in.Metadata)}
	if u := in.PURL(); u != nil {
		p.PURL, err = urlOf(u)
	}
	p.Arch = p.PURL.Qualifier("arch")
	for _, text := range in.Licenses {
		if l := licenseOf(clean(text)); l != (sbom.License{}) && !slices.Contains(p.Licenses, l) {
			p.Licenses = append(p.Licenses, l)
		}
	}
	if s := in.SourceCode; s != nil {
		p.Properties = property(p.Properties, "scalibr:commit", s.Commit)
		p.Properties = property(p.Properties, "scalibr:repository", locked.Anonymous(s.Repo))
	}
	key := p.PURL.String() + " " + p.Name + " " + p.Version
	inner, _ := strings.CutPrefix(in.Location.PathOrEmpty(), file+"/") // of an archive
	if inner == in.Location.PathOrEmpty() {
		inner = ""
	} else {
		key += " " + inner
	}
	return &analyzer.Fact{Kind: analyzer.KindPackage, Key: key, Package: p, Inner: inner}, err
}

// urlOf reads a package URL. Some of osv-scalibr's have the namespace in the name.
func urlOf(in *packageurl.PackageURL) (purl.PackageURL, error) {
	out := *in
	if i := strings.LastIndexByte(in.Name, '/'); i >= 0 && in.Namespace == "" {
		out.Namespace, out.Name = in.Name[:i], in.Name[i+1:]
	}
	return purl.Parse(out.String())
}

// merge adds what another of the same package in the same file says, in whichever order
// they come.
func merge(p, other *sbom.Package) {
	if other.Scope == sbom.ScopeRuntime || p.Scope != sbom.ScopeRuntime && other.Scope == sbom.ScopeOptional {
		p.Scope = other.Scope // needed by one is needed
	}
	for _, l := range other.Licenses {
		if !slices.Contains(p.Licenses, l) {
			p.Licenses = append(p.Licenses, l)
		}
	}
	slices.SortFunc(p.Licenses, func(a, b sbom.License) int {
		return cmp.Or(cmp.Compare(a.Expression, b.Expression), cmp.Compare(a.Name, b.Name))
	})
	p.Properties = append(p.Properties, other.Properties...)
	slices.SortFunc(p.Properties, func(a, b sbom.Property) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	p.Properties = slices.CompactFunc(p.Properties, func(a, b sbom.Property) bool { return a.Name == b.Name })
}

// scopeOf says what a package is for, by the groups that a lockfile has it in.
func scopeOf(metadata any) sbom.Scope {
	grouped, ok := metadata.(interface{ DepGroups() []string })
	if !ok || len(grouped.DepGroups()) == 0 {
		return sbom.ScopeRuntime
	}
	scope := sbom.ScopeDev
	for _, group := range grouped.DepGroups() {
		switch {
		case group == "optional":
			scope = sbom.ScopeOptional
		case !development[group]:
			return sbom.ScopeRuntime
		}
	}
	return scope
}

func licenseOf(text string) sbom.License {
	if expr, ok := license.Normalize(text); ok {
		return sbom.License{Expression: expr}
	}
	return sbom.License{Name: text}
}

func property(list []sbom.Property, name, value string) []sbom.Property {
	if value == "" {
		return list
	}
	return append(list, sbom.Property{Name: name, Value: clean(value)})
}

// clean makes text UTF-8, and copies it.
func clean(s string) string { return strings.Clone(strings.ToValidUTF8(s, "\uFFFD")) }
