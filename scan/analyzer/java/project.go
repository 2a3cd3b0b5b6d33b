package java

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// extractProject reads a pom.xml: the project, and the dependencies that it
// declares. A version that an imported list of versions decides, or a parent that is not
// beside the file, stays empty, and a property says so.
func extractProject(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxProject)
	if err != nil {
		return nil, err
	}
	p, err := parseProject(data, true)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, bad := p.facts()
	if len(facts) > 0 {
		parts, err := p.inherits()
		if err != nil {
			bad = err
		}
		facts = append(facts, parts...)
	}
	if bad != nil {
		bad = fmt.Errorf("read %s: %w", f.Path, bad)
	}
	return facts, bad
}

// facts are the project and its dependencies. An error is about one of them; the others are
// returned.
func (p *project) facts() ([]analyzer.Fact, error) {
	own := p.own()
	if own.artifact == "" {
		return nil, fmt.Errorf("no artifactId: %w", fault.Invalid)
	}
	root := analyzer.Fact{Kind: analyzer.KindPackage, Key: projectKey, Package: own.pkg()}
	root.Package.State = sbom.Declared
	root.Package.Licenses = p.licenses
	root.Package.Supplier, root.Package.Homepage = p.resolved(p.supplier), p.resolved(p.homepage)
	if own.version == "" || own.group == "" {
		root.Package.Properties = unresolved(p.self.or(p.parent))
	}
	facts := []analyzer.Fact{root}
	seen := map[string]bool{root.Key: true}
	var bad error
	managed := p.managedIndex()
	for _, d := range p.dependencies {
		fact, err := p.fact(d, managed)
		if err != nil {
			bad = err
			continue
		}
		if !seen[fact.Key] {
			seen[fact.Key] = true
			facts = append(facts, fact)
			facts[0].DependsOn = append(facts[0].DependsOn, fact.Key)
		}
	}
	return facts, bad
}

// resolved expands a text and gives nothing where a placeholder stays.
func (p *project) resolved(s string) string {
	if s = oneLine(p.expand(s)); strings.Contains(s, "${") || len(s) > 1024 {
		return ""
	}
	return s
}

// managedIndex returns the managed dependencies by what they manage, the
// version apart. The first of two wins.
func (p *project) managedIndex() map[coordinates]dependency {
	index := map[coordinates]dependency{}
	for _, m := range p.managed {
		m.coordinates = p.expandAll(m.coordinates)
		if _, ok := index[m.managedKey()]; !ok && m.scope != "import" {
			index[m.managedKey()] = m
		}
	}
	return index
}

func (c coordinates) managedKey() coordinates {
	c.version, c.packaging = "", firstText(c.packaging, "jar")
	return c
}

// fact returns one dependency, completed by the versions and scopes that the
// same file manages.
func (p *project) fact(d dependency, managed map[coordinates]dependency) (analyzer.Fact, error) {
	d.coordinates = p.expandAll(d.coordinates)
	if m, ok := managed[d.managedKey()]; ok {
		d.version, d.scope, d.optional = firstText(d.version, m.version), firstText(d.scope, m.scope), firstText(d.optional, m.optional)
	}
	if d.artifact == "" || d.group == "" {
		return analyzer.Fact{}, fmt.Errorf("a dependency %q without groupId or artifactId: %w", d.name(), fault.Invalid)
	}
	var properties []sbom.Property
	asked := d.coordinates
	if d.version = exactVersion(d.version); d.version == "" || !isID(d.group) || !isID(d.artifact) {
		properties = unresolved(asked)
	}
	if !isID(d.group) || !isID(d.artifact) {
		d.group, d.version = "", ""
		d.artifact = asked.name()
	}
	pkg := d.pkg()
	pkg.State = sbom.Declared
	switch scope := p.expand(d.scope); {
	case scope == "test":
		pkg.Scope = sbom.ScopeDev
	case p.expand(d.optional) == "true", d.profile != "" && !d.active:
		pkg.Scope = sbom.ScopeOptional
	}
	if d.profile != "" {
		properties = append(properties, sbom.Property{Name: "maven:profile", Value: d.profile})
	}
	if d.scope != "" && d.scope != "compile" {
		properties = append(properties, sbom.Property{Name: "maven:scope", Value: d.scope})
	}
	slices.SortStableFunc(properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
	pkg.Properties = properties
	key := strings.Join([]string{asked.group, asked.artifact, asked.version, d.classifier, d.packaging}, ":")
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: key, Package: pkg}, nil
}

// exactVersion returns the one version that a requirement allows: "[1.2]" is
// 1.2, and a plain version is taken at its word. Ranges, LATEST and RELEASE
// need a repository, and placeholders another file.
func exactVersion(v string) string {
	if inner, ok := strings.CutPrefix(v, "["); ok && strings.HasSuffix(inner, "]") {
		v = strings.TrimSuffix(inner, "]")
	}
	if !isVersion(v) || v == "LATEST" || v == "RELEASE" {
		return ""
	}
	return v
}

// unresolved says what the file asks for where that is not exact.
func unresolved(c coordinates) []sbom.Property {
	asked := c.group + ":" + c.artifact + ":" + c.version
	return []sbom.Property{{Name: "maven:unresolved", Value: asked}}
}
