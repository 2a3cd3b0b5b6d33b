package scan

import (
	"strings"
)

// writing is a path as one layer wrote it.
type writing struct {
	path  string
	layer int
}

// claim is what is found at one path.
type claim struct {
	found   []int // findings, of any layer
	program int   // or -1
}

// findOwners links language packages and programs to the operating system package that
// installed their file. A claim of ownership holds only if the layer that last
// wrote the file is the layer that installed the owner: otherwise somebody
// replaced the file, and the distribution's data says nothing about it.
func (c *composition) findOwners(all []found, programs []program) {
	at := map[string]int{} // path → claim
	var claims []claim
	claimOf := func(p string) *claim {
		n, known := at[p]
		if !known {
			n = len(claims)
			at[p] = n
			claims = append(claims, claim{program: -1})
		}
		return &claims[n]
	}
	for i, f := range all {
		if len(f.Owns) > 0 {
			continue
		}
		for _, p := range c.aliases(f.Path) {
			x := claimOf(p)
			x.found = append(x.found, i)
		}
	}
	for i := range programs {
		for _, p := range c.aliases(programs[i].Path) {
			claimOf(p).program = i
		}
	}
	if len(claims) == 0 {
		return
	}
	for owner, f := range all {
		for _, p := range f.Owns {
			n, wanted := at[p]
			if !wanted {
				continue
			}
			for _, i := range claims[n].found {
				if all[i].owner < 0 && all[i].Layer == f.since {
					all[i].owner = owner
				}
			}
			if i := claims[n].program; i >= 0 {
				programs[i].ownedBy(owner, f.since)
			}
		}
	}
}

// ownedBy notes that a package which layer since brought installed the program's path. The
// first owner counts.
func (p *program) ownedBy(owner, since int) {
	switch {
	case p.Layer == since && p.holder < 0:
		p.holder = owner
	case p.Layer > since && p.older < 0:
		p.older = owner
	}
}

// aliases are the names under which a package manager may know a path: itself
// and, where a folder of the root is a link (merged /usr), the old name.
func (c *composition) aliases(p string) []string {
	names := []string{p}
	for _, top := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if _, ok := c.links[top]; !ok {
			continue
		}
		if rest, ok := strings.CutPrefix(p, c.links.resolve(top)+"/"); ok {
			names = append(names, top+"/"+rest)
		}
	}
	return names
}
