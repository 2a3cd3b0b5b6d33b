package java

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// A pom.xml inherits from its parent (Maven, "Introduction to the POM"): versions that the
// parent manages, its properties and its dependencies. Where the parent is beside it, as in
// a checkout, Join completes what the file itself leaves open; parents in a repository are
// not looked for.

const (
	projectKey = "project"
	inheritKey = "pom" // of the part that holds what is inherited, or inherits
	maxParents = 16    // in a row
	// maxInherited bounds what all projects of an image inherit together: properties and
	// dependencies, managed or not.
	maxInherited = 1_000_000
	parentFile   = "pom.xml"
)

// inheritance is what is kept of a pom.xml that has a parent, or can be one.
type inheritance struct {
	Parent, Self words             `json:",omitzero"`
	Relative     *string           `json:",omitzero"` // where the parent is; nil stands for ../pom.xml
	Properties   map[string]string `json:",omitempty"`
	Dependencies []kept            `json:",omitempty"`
	Managed      []kept            `json:",omitempty"`
	Licenses     []sbom.License    `json:",omitempty"`
	Supplier     string            `json:",omitempty"`
	Homepage     string            `json:",omitempty"`
}

// words are coordinates as they are kept.
type words struct {
	Group, Artifact, Version, Classifier, Packaging string `json:",omitempty"`
}

// kept is a dependency that can be kept.
type kept struct {
	Of                       words
	Scope, Optional, Profile string `json:",omitempty"`
	Active                   bool   `json:",omitempty"`
}

func wordsOf(c coordinates) words {
	return words{c.group, c.artifact, c.version, c.classifier, c.packaging}
}

func (w words) coordinates() coordinates {
	return coordinates{w.Group, w.Artifact, w.Version, w.Classifier, w.Packaging}
}

func keep(list []dependency) (out []kept) {
	for _, d := range list {
		out = append(out, kept{wordsOf(d.coordinates), d.scope, d.optional, d.profile, d.active})
	}
	return out
}

func restore(list []kept) (out []dependency) {
	for _, d := range list {
		out = append(out, dependency{d.Of.coordinates(), d.Scope, d.Optional, d.Profile, d.Active})
	}
	return out
}

// inherits returns the part that Join needs of a project, or nothing: only those with
// packaging "pom" can be parents.
func (p *project) inherits() ([]analyzer.Fact, error) {
	if p.parent.artifact == "" && p.self.packaging != "pom" {
		return nil, nil
	}
	text, err := json.Marshal(&inheritance{wordsOf(p.parent), wordsOf(p.self), p.relative, p.properties, keep(p.dependencies), keep(p.managed), p.licenses, p.supplier, p.homepage},
		json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("keep what is inherited: %w", err)
	}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Key: inheritKey, Provides: []string{string(text)}}}, nil
}

// Join implements analyzer.Joiner: projects whose parent lies where they say get what they
// inherit.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	projects := map[string]*project{}
	for _, f := range in.Facts {
		if f.Kind == analyzer.KindPart && f.Key == inheritKey && len(f.Provides) == 1 {
			if p := readInheritance(f.Provides[0]); p != nil {
				projects[f.Path] = p
			}
		}
	}
	if len(projects) == 0 {
		return in.Facts, nil
	}
	out := make([]analyzer.Located, 0, len(in.Facts))
	done := map[string]*project{}
	var gaps []sbom.Gap
	room := maxInherited
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPackage {
			continue
		}
		p, known := done[f.Path]
		if !known {
			p = inherit(f.Path, projects, &room)
			if done[f.Path] = p; p != nil {
				facts, _ := p.facts() // what is wrong with the file was said when it was read
				for _, fact := range facts {
					out = append(out, analyzer.Located{Fact: fact, Path: f.Path, Layer: f.Layer})
				}
			}
			if room < 0 && gaps == nil {
				limit := &fault.LimitError{What: "properties and dependencies that projects inherit", Where: f.Path, Max: maxInherited}
				gaps = []sbom.Gap{{Code: sbom.GapLimit, Where: f.Path, What: "java: " + limit.Error()}}
			}
		}
		if p == nil {
			out = append(out, f)
		}
	}
	return out, gaps
}

func readInheritance(text string) *project {
	var k inheritance
	if json.Unmarshal([]byte(text), &k) != nil {
		return nil // not ours
	}
	return &project{parent: k.Parent.coordinates(), self: k.Self.coordinates(), relative: k.Relative, properties: k.Properties,
		dependencies: restore(k.Dependencies), managed: restore(k.Managed), licenses: k.Licenses, supplier: k.Supplier, homepage: k.Homepage}
}

// inherit returns the project at a path with what it inherits, or nil where it inherits
// nothing that is there, or nothing may be inherited any more.
func inherit(at string, projects map[string]*project, room *int) *project {
	p := projects[at]
	if p == nil || *room < 0 {
		return nil
	}
	whole := *p
	whole.properties = maps.Clone(p.properties)
	if whole.properties == nil {
		whole.properties = map[string]string{}
	}
	whole.dependencies, whole.managed = slices.Clip(p.dependencies), slices.Clip(p.managed)
	found, seen := false, map[string]bool{at: true}
	for range maxParents {
		at = p.parentPath(at)
		parent := projects[at]
		if parent == nil || seen[at] || !parent.isParentOf(p) {
			break
		}
		if *room -= 1 + len(parent.properties) + len(parent.managed) + len(parent.dependencies); *room < 0 {
			return nil
		}
		seen[at], found, p = true, true, parent
		for name, value := range parent.properties {
			if _, own := whole.properties[name]; !own {
				whole.properties[name] = value
			}
		}
		whole.managed = append(whole.managed, parent.managed...)
		whole.dependencies = append(whole.dependencies, parent.dependencies...)
		if len(whole.licenses) == 0 {
			whole.licenses = parent.licenses
		}
	}
	if !found {
		return nil
	}
	whole.dependencies = firstOfEach(&whole)
	return &whole
}

// firstOfEach leaves out dependencies that a project declares anew.
func firstOfEach(p *project) []dependency {
	seen := map[coordinates]bool{}
	return slices.DeleteFunc(slices.Clone(p.dependencies), func(d dependency) bool {
		key := p.expandAll(d.coordinates).managedKey()
		if d.profile != "" {
			return false // it stands beside the project's own
		}
		was := seen[key]
		seen[key] = true
		return was
	})
}

// parentPath is where a project says that its parent is, or "".
func (p *project) parentPath(at string) string {
	if p.parent.artifact == "" {
		return ""
	}
	relative := "../" + parentFile
	if p.relative != nil {
		if relative = strings.TrimSpace(*p.relative); relative == "" {
			return "" // in a repository
		}
	}
	to := path.Join("/", path.Dir(at), relative)[1:]
	if path.Ext(to) != ".xml" {
		to = path.Join(to, parentFile)
	}
	return to
}

// isParentOf reports whether a project is the one that p names as its parent. A version
// that is made of properties is taken at its word.
func (parent *project) isParentOf(p *project) bool {
	named, own := p.expandAll(p.parent), parent.own()
	return named.group == own.group && named.artifact == own.artifact && own.artifact != "" &&
		(named.version == own.version || own.version == "" || strings.Contains(named.version, "${"))
}
