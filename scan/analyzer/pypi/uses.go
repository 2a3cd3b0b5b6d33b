package pypi

import "github.com/stella-ops/stella/scan/sbom"

// uses finds out what the packages of a uv.lock are needed for: what the
// projects in it reach is for running, what only their extras reach may be left
// out, what only their groups reach is for development. What nothing reaches
// counts as needed.
type uses struct {
	packages []*table
	byName   map[string][]int
	scopes   []sbom.Scope
	claimed  []bool
	extras   map[string]map[int]bool // extra → packages whose list for it was followed
	edges    int
}

func newUses(packages []*table) *uses {
	u := &uses{
		packages: packages, byName: map[string][]int{}, extras: map[string]map[int]bool{},
		scopes: make([]sbom.Scope, len(packages)), claimed: make([]bool, len(packages)),
	}
	var projects []int
	for i, p := range packages {
		name := normalize(p.str("name"))
		u.byName[name] = append(u.byName[name], i)
		if from, _ := uvSource(p.get("source")); from.kind == local {
			projects = append(projects, i)
			u.claimed[i] = true
		}
	}
	for _, scope := range []sbom.Scope{sbom.ScopeRuntime, sbom.ScopeOptional, sbom.ScopeDev} {
		var todo []*table
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
func (u *uses) follow(todo []*table, scope sbom.Scope) {
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, i := range u.byName[normalize(d.str("name"))] {
			p := u.packages[i]
			if u.edges += 1 + len(d.list("extra")); u.edges > maxEdges {
				return
			}
			if d.str("version") != "" && d.str("version") != p.str("version") {
				continue
			}
			if !u.claimed[i] {
				u.claimed[i], u.scopes[i] = true, scope
				todo = append(todo, p.list("dependencies")...)
			}
			for _, extra := range d.list("extra") {
				if u.ask(extra.text, i) {
					todo = append(todo, p.get("optional-dependencies").list(extra.text)...)
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
