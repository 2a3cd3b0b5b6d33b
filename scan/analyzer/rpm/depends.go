package rpm

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// maxProviders is how many packages one requirement leads to at most. Nearly
// always it is one; a few virtual names have two or three.
const maxProviders = 16

// dependencies collects what the packages of one database need and offer.
// They are resolved when the database was read: it is one file, and the raw
// names would take more room in a layer's facts than everything but the paths.
type dependencies struct {
	requires, provides [][]string // of each package, in the order of the facts
}

func (d *dependencies) add(requires, provides []string) {
	d.requires = append(d.requires, requires)
	d.provides = append(d.provides, provides)
}

// resolve sets DependsOn of each fact to the keys of the packages that provide
// what it requires, by name or as a file, whatever the version: rpm checked
// that when it installed. What the package itself provides is no dependency;
// what nobody does (features of rpm itself, conditions in parentheses) leads nowhere.
func (d *dependencies) resolve(facts []analyzer.Fact) {
	providers := map[string][]int32{}
	for _, list := range d.requires {
		for _, name := range list {
			providers[name] = nil
		}
	}
	for i, list := range d.provides {
		for _, name := range list {
			provide(providers, name, i)
		}
	}
	provideFiles(providers, facts)
	met := make([]int, len(facts)) // the last package, plus one, that was found to need this one
	for i, list := range d.requires {
		var keys []string
		for _, name := range list {
			found := providers[name]
			if slices.Contains(found, int32(i)) {
				continue
			}
			for _, j := range found {
				if met[j] != i+1 {
					met[j] = i + 1
					keys = append(keys, facts[j].Key)
				}
			}
		}
		slices.Sort(keys)
		facts[i].DependsOn = keys
	}
}

// provide notes that package i provides name, where somebody requires it.
func provide(providers map[string][]int32, name string, i int) {
	list, needed := providers[name]
	if !needed || len(list) >= maxProviders || len(list) > 0 && list[len(list)-1] == int32(i) {
		return
	}
	providers[name] = append(list, int32(i))
}

// provideFiles finds the owners of required paths that no package provides by
// name. The cost is bounded by the number of files, and mostly much lower.
func provideFiles(providers map[string][]int32, facts []analyzer.Fact) {
	var paths []string
	for name, list := range providers {
		if len(list) == 0 && strings.HasPrefix(name, "/") {
			paths = append(paths, name)
		}
	}
	for i, f := range facts {
		if len(paths) < len(f.Owns)/16 {
			for _, p := range paths {
				if _, ok := slices.BinarySearch(f.Owns, p[1:]); ok {
					provide(providers, p, i)
				}
			}
			continue
		}
		if len(paths) == 0 {
			continue
		}
		for _, p := range f.Owns {
			provide(providers, "/"+p, i)
		}
	}
}
