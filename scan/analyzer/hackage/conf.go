package hackage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// ghc is the name space of registered packages: their ids have a hash of what they were
// built from where a version does not tell.
const ghc = "ghc"

// conf is a registered package.
type conf struct {
	id, name, version, whole, library string
	about                             sbom.Package
	needs                             []string
}

func (c *conf) field(name, value []byte) {
	switch string(name) {
	case "id":
		c.id = oneLine(value)
	case "name":
		c.name = oneLine(value)
	case "version":
		c.version = oneLine(value)
	case "package-name": // of a library inside a package
		c.whole = oneLine(value)
	case "lib-name":
		c.library = oneLine(value)
	case "license":
		if s := oneLine(value); s != "" && s != "NONE" { // Cabal's word for no statement
			c.about.Licenses = []sbom.License{{Name: s}}
		}
	case "homepage":
		c.about.Homepage = oneLine(value)
	case "synopsis":
		c.about.Description = oneLine(value)
	case "author":
		c.about.Originator = oneLine(value)
	case "copyright":
		c.about.Copyright = oneLine(value)
	case "depends":
		for need := range strings.FieldsSeq(oneLine(value)) {
			if len(c.needs) < locked.MaxEntries {
				c.needs = append(c.needs, strings.TrimSuffix(need, ","))
			}
		}
	}
}

// readConf reads one file of a package database (Cabal, Distribution.InstalledPackageInfo).
func readConf(data []byte, from database) ([]analyzer.Fact, error) {
	var c conf
	fields(data, c.field)
	name := cmp.Or(c.whole, c.name)
	if name == "" || c.version == "" {
		return nil, fmt.Errorf("a package without a name or version: %w", fault.Invalid)
	}
	p := c.about
	p.Name, p.Version = name, c.version
	if from == own {
		p.Type = "application"
	} else {
		p.PURL = locked.URL("hackage", "", name, c.version)
	}
	if c.library != "" {
		p.Properties = []sbom.Property{{Name: "hackage:library", Value: c.library}}
	}
	slices.Sort(c.needs)
	return []analyzer.Fact{{
		Kind: analyzer.KindPackage, Scope: ghc, Key: cmp.Or(c.id, name+"-"+c.version),
		Package: &p, DependsOn: slices.Compact(c.needs),
	}}, nil
}
