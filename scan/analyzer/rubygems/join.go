package rubygems

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxWork bounds the search for dependencies in one image. One unit is a comparison of
// short versions; an image with a thousand gems needs some thousands.
const maxWork = 2_000_000

// candidate is an installed gem that another one may need.
type candidate struct {
	home, key string
	version   []string
	weight    int64
}

// Join implements analyzer.Joiner. It finds the gems that installed gems depend on: the
// highest version that is allowed in the same gem home, else in another one. A gem that
// Bundler checked out of a repository becomes the one that a lockfile names with that
// revision.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	byName := map[string][]candidate{}
	built := map[string][]string{}
	revisions := map[string]*sbom.Package{} // of lockfiles, by name, version and folder of the checkout
	for i := range in.Facts {
		f := &in.Facts[i]
		switch {
		case f.Kind == analyzer.KindPart && f.Scope == partBuilt:
			built[f.Key] = append(built[f.Key], f.Holds...)
		case f.Kind != analyzer.KindPackage:
		case f.Scope == installed:
			p := f.Package
			byName[p.Name] = append(byName[p.Name], candidate{homeOf(f.Path), f.Key, segments(p.Version), 1 + int64(len(p.Version))/32})
		case f.Package.PURL.Qualifier("vcs_url") != "":
			revisions[f.Package.Name+" "+f.Package.Version+" "+checkout(f.Package.Download)] = f.Package
		}
	}
	for _, list := range byName {
		slices.SortStableFunc(list, func(a, b candidate) int {
			return cmp.Or(compare(b.version, a.version), strings.Compare(a.key, b.key))
		})
	}
	out := withoutLocked(in.Facts)
	var work int64
	for i := range out {
		f := &out[i]
		if f.Kind != analyzer.KindPackage || f.Scope != installed {
			continue
		}
		var keys []string
		for _, need := range f.DependsOn {
			name, requirements, _ := strings.Cut(need, " ")
			if key := best(byName[name], homeOf(f.Path), requirements, &work); key != "" && key != f.Key {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		f.DependsOn = slices.Compact(keys)
		if more := built[f.Key]; len(more) > 0 {
			f.Holds = slices.Concat(f.Holds, more)
			slices.Sort(f.Holds)
		}
		p := f.Package
		if at, ok := placeOf(f.Path); ok && at.checkout != "" {
			if said := revisions[p.Name+" "+p.Version+" "+at.checkout]; said != nil {
				q := *p // facts may be shared
				q.PURL, q.Download, q.Properties = said.PURL, said.Download, nil
				f.Package = &q
			}
		}
	}
	var gaps []sbom.Gap
	if work > maxWork {
		err := &fault.LimitError{What: "look-ups of dependencies", Where: "specifications", Max: maxWork}
		gaps = append(gaps, sbom.Gap{Code: sbom.GapLimit, Where: "rubygems", What: err.Error()})
	}
	return out, gaps
}

// best returns the key of the first candidate in a gem home that requirements allow, else of
// the first elsewhere.
func best(list []candidate, home, requirements string, work *int64) (key string) {
	wanted := clauses(requirements)
	for _, c := range list {
		if *work += c.weight + int64(len(requirements))/32; *work > maxWork {
			break
		}
		if here := c.home == home; (here || key == "") && allow(wanted, c.version) {
			if key = c.key; here {
				break
			}
		}
	}
	return key
}

func homeOf(file string) string {
	at, _ := placeOf(file)
	return at.home
}

// checkout returns the folder below bundler/gems that Bundler makes for a repository, which
// is named after it and the first twelve digits of the revision.
func checkout(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	revision := address[at+1:]
	return strings.TrimSuffix(path.Base(address[:at]), ".git") + "-" + revision[:min(12, len(revision))]
}
