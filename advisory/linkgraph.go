package advisory

import (
	"cmp"
	"slices"
	"strings"
)

// MaxReach is the number of CVE ids from which on aliases are not followed: what
// leads to more of them says nothing.
const MaxReach = 64

// maxPath bounds the ids of a path; longer ones are cut in their middle.
const maxPath = 16

// node is a record in a graph.
type node struct {
	record *Record
	cves   []string // that it names itself
	links  []int    // numbers of the ids by which it hangs together with others
	leads  bool
	lost   bool // it leads to more CVE ids than MaxReach
	places []place
	// several is the conflict of a record whose aliases lead to several CVE ids;
	// judged says that it is known.
	several *Conflict
	judged  bool
}

// place is a linkset that a record is in.
type place struct {
	key  string
	path []string
}

// graph is records and how they hang together. It is the one definition of
// that, for linksets and for findings:
//
//   - A record that names CVE ids is about those, and about nothing else.
//   - One without is about the CVE ids that records name which share an id with
//     it, or with a record without CVE ids that shares one, and so on. With more
//     than [MaxReach] of them, or with none, those records stand for themselves.
//   - Nobody gets anywhere through a record that was taken back, or that passes
//     on several vulnerabilities. Such a record itself is about whatever the ids
//     that it names lead to.
type graph struct {
	nodes  []node
	ids    map[string]int
	texts  []string         // of the ids
	byID   [][]int          // nodes that name each id
	parent []int            // of each id: the sets of those that hang together
	givers map[int][]int    // by set: the records that lead it to CVE ids
	reach  map[int][]string // by set: those CVE ids
	steps  int              // work done, for tests
}

// newGraph puts records in order and finds what hangs together. The list is
// reordered; equal records, by source, id and digest, count once.
func newGraph(nodes []node) *graph {
	compare := func(a, b node) int {
		return cmp.Or(strings.Compare(a.record.ID, b.record.ID), strings.Compare(a.record.Source, b.record.Source), strings.Compare(a.record.Digest, b.record.Digest))
	}
	slices.SortStableFunc(nodes, compare)
	nodes = slices.CompactFunc(nodes, func(a, b node) bool { return compare(a, b) == 0 })
	g := &graph{nodes: nodes, ids: map[string]int{}, givers: map[int][]int{}, reach: map[int][]string{}}
	for i := range nodes {
		n := &nodes[i]
		n.leads = n.record.leads(n.cves)
		for _, id := range n.record.links() {
			k := g.number(id)
			n.links = append(n.links, k)
			g.byID[k] = append(g.byID[k], i)
			g.steps++
		}
	}
	g.unite()
	g.give()
	return g
}

// number returns the number of an id.
func (g *graph) number(id string) int {
	k, ok := g.ids[id]
	if !ok {
		k = len(g.texts)
		g.ids[id] = k
		g.texts = append(g.texts, id)
		g.byID = append(g.byID, nil)
		g.parent = append(g.parent, k)
	}
	return k
}

// find returns the set of an id.
func (g *graph) find(id int) int {
	for g.parent[id] != id {
		g.parent[id] = g.parent[g.parent[id]]
		id = g.parent[id]
		g.steps++
	}
	return id
}

// unite makes one set of the ids that each record names, where it has no CVE id
// and leads.
func (g *graph) unite() {
	size := make([]int, len(g.texts))
	for i := range g.nodes {
		n := &g.nodes[i]
		if len(n.cves) > 0 || !n.leads {
			continue
		}
		for _, id := range n.links {
			a, b := g.find(n.links[0]), g.find(id)
			if a == b {
				continue
			}
			if size[a] < size[b] {
				a, b = b, a
			}
			g.parent[b] = a
			size[a] += size[b] + 1
		}
	}
}

// give finds the CVE ids that each set of ids leads to.
func (g *graph) give() {
	for i := range g.nodes {
		n := &g.nodes[i]
		if len(n.cves) == 0 || !n.leads {
			continue
		}
		for _, id := range n.links {
			root := g.find(id)
			if list := g.givers[root]; len(list) > 0 && list[len(list)-1] == i {
				continue
			}
			g.givers[root] = append(g.givers[root], i)
			g.reach[root] = append(g.reach[root], n.cves[:min(len(n.cves), MaxReach+1)]...)
			g.steps += len(n.cves)
		}
	}
	for root, cves := range g.reach {
		slices.Sort(cves)
		g.reach[root] = slices.Compact(cves)
	}
}

// resolve finds the places of every record.
func (g *graph) resolve() {
	members := map[int][]int{} // by set: those without CVE ids that name an id of it
	var roots []int
	for i := range g.nodes {
		n := &g.nodes[i]
		for _, cve := range n.cves {
			n.places = append(n.places, place{cve, directPath(n.record.ID, cve)})
			g.steps++
		}
		if len(n.cves) > 0 {
			continue
		}
		for _, id := range n.links {
			root := g.find(id)
			if list := members[root]; len(list) > 0 && list[len(list)-1] == i {
				continue
			} else if len(list) == 0 {
				roots = append(roots, root)
			}
			members[root] = append(members[root], i)
		}
	}
	for _, root := range roots {
		for _, key := range g.keys(root, members[root]) {
			g.walk(root, key, members[root])
		}
	}
	for i := range g.nodes {
		g.settle(&g.nodes[i])
	}
}

// settle gives a record that is nowhere, or in too many places, its own.
func (g *graph) settle(n *node) {
	if len(n.cves) == 0 && len(n.places) > MaxReach {
		n.places, n.lost = nil, true
	}
	if len(n.places) == 0 {
		n.places = []place{{n.record.ID, []string{n.record.ID}}}
	}
	slices.SortFunc(n.places, func(a, b place) int { return strings.Compare(a.key, b.key) })
}

// keys returns the keys of a set of ids: the CVE ids that it leads to, or the
// smallest id of its records.
func (g *graph) keys(root int, members []int) []string {
	cves := g.reach[root]
	if len(cves) > 0 && len(cves) <= MaxReach {
		return cves
	}
	var keys []string
	for _, i := range members { // which are in order of their ids
		n := &g.nodes[i]
		n.lost = n.lost || len(cves) > 0 && n.leads
		if n.leads && keys == nil {
			keys = []string{n.record.ID}
		}
	}
	return keys
}
