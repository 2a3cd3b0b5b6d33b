package scan

import (
	"strings"
)

// writing is a path as one layer wrote it.
type writing struct {
	path  string
	layer int
}

// findOwners links language packages to the operating system package that
// installed their file. A claim of ownership holds only if the layer that last
// wrote the file is the layer that installed the owner: otherwise somebody
// replaced the file, and the distribution's data says nothing about it.
func (c *composition) findOwners(all []found) {
	wanted := map[writing][]int{} // packages found there
	for i, f := range all {
		if len(f.Owns) > 0 {
			continue
		}
		for _, p := range c.aliases(f.Path) {
			wanted[writing{p, f.Layer}] = append(wanted[writing{p, f.Layer}], i)
		}
	}
	if len(wanted) == 0 {
		return
	}
	for owner, f := range all {
		for _, p := range f.Owns {
			at := writing{p, f.since}
			for _, i := range wanted[at] {
				if all[i].owner < 0 {
					all[i].owner = owner
				}
			}
			delete(wanted, at) // the first owner counts; a path is looked through once
		}
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
