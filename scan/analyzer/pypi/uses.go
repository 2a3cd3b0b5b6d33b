package pypi

import (
	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
	"github.com/stella-ops/stella/scan/sbom"
)

// uses finds out what the packages of a uv.lock are needed for: what the
// projects in it reach is for running, what only their extras reach may be left
// out, what only their groups reach is for development. What nothing reaches
// counts as needed.
type uses struct {
	packages []*tomltree.Table
	byName   map[string][]int
	scopes   []sbom.Scope
	claimed  []bool
	extras   map[string]map[int]bool // extra → packages whose list for it was followed
	edges    int
}

func newUses(packages []*tomltree.Table) *uses {
	u := &uses{
		packages: packages, byName: map[string][]int{}, extras: map[string]map[int]bool{},
		scopes: make([]sbom.Scope, len(packages)), claimed: make([]bool, len(packages)),
	}
	var projects []int
	for i, p := range packages {
		name := normalize(p.Str("name"))
		u.byName[name] = append(u.byName[name], i)
		if from, _ := uvSource(p.Get("source")); from.kind == local {
			projects = append(projects, i)
			u.claimed[i] = true
		}
	}
	for _, scope := range []sbom.Scope{sbom.ScopeRuntime, sbom.ScopeOptional, sbom.ScopeDev} {
		var todo []*tomltree.Table
		for _, i := range projects {
			for _, n := range needsOf(packages[i]) {
				if n.scope == scope {
					todo = append(todo, n.items...)
				}
			}
		}
		u.follow(todo, scope)
	}
	return u
}

// scope returns what package i is needed for.
func (u *uses) scope(i int) sbom.Scope {
	if u.edges > maxEdges {
		return sbom.ScopeRuntime // given up: no package may look less needed than it is
	}
	return u.scopes[i]
}

// follow claims what the dependencies in todo reach.
func (u *uses) follow(todo []*tomltree.Table, scope sbom.Scope) {
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, i := range u.byName[normalize(d.Str("name"))] {
			p := u.packages[i]
			if u.edges += 1 + len(d.List("extra")); u.edges > maxEdges {
				return
			}
			if d.Str("version") != "" && d.Str("version") != p.Str("version") {
				continue
			}
			if !u.claimed[i] {
				u.claimed[i], u.scopes[i] = true, scope
				todo = append(todo, p.List("dependencies")...)
			}
			for _, extra := range d.List("extra") {
				if u.ask(extra.Text, i) {
					todo = append(todo, p.Get("optional-dependencies").List(extra.Text)...)
				}
			}
		}
	}
}

// ask notes that an extra of a package is needed, and reports whether it was
// not before.
func (u *uses) ask(extra string, i int) bool {
	if u.extras[extra] == nil {
		u.extras[extra] = map[int]bool{}
	}
	if u.extras[extra][i] {
		return false
	}
	u.extras[extra][i] = true
	return true
}
