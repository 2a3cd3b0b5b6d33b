package validate

import (
	"maps"
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// circles returns the groups of elements that contain each other, each sorted, with
// the smallest first: the strongly connected components of Contains that have more
// than one element or contain themselves (Tarjan's algorithm, without recursion).
func circles(list []sbom.Relationship) [][]string {
	to := map[string][]string{}
	self := map[string]bool{}
	for _, r := range list {
		if r.Kind == sbom.Contains {
			to[r.From] = append(to[r.From], r.To)
			self[r.From] = self[r.From] || r.From == r.To
		}
	}
	t := tarjan{to: to, index: map[string]int{}, low: map[string]int{}, on: map[string]bool{}}
	var out [][]string
	for _, id := range slices.Sorted(maps.Keys(to)) {
		if t.index[id] == 0 {
			t.visit(id)
		}
	}
	for _, group := range t.groups {
		if len(group) > 1 || self[group[0]] {
			slices.Sort(group)
			out = append(out, group)
		}
	}
	slices.SortFunc(out, slices.Compare[[]string])
	return out
}

type tarjan struct {
	to         map[string][]string
	index, low map[string]int // from 1
	on         map[string]bool
	stack      []string
	groups     [][]string
}

// step is an element on the way, and which of its edges is next.
type step struct {
	id   string
	next int
}

func (t *tarjan) enter(id string) step {
	t.index[id] = len(t.index) + 1
	t.low[id] = t.index[id]
	t.stack, t.on[id] = append(t.stack, id), true
	return step{id: id}
}

func (t *tarjan) visit(root string) {
	way := []step{t.enter(root)}
	for len(way) > 0 {
		s := &way[len(way)-1]
		if edges := t.to[s.id]; s.next < len(edges) {
			target := edges[s.next]
			s.next++
			if t.index[target] == 0 {
				way = append(way, t.enter(target))
			} else if t.on[target] {
				t.low[s.id] = min(t.low[s.id], t.index[target])
			}
			continue
		}
		id := s.id
		way = way[:len(way)-1]
		if len(way) > 0 {
			above := way[len(way)-1].id
			t.low[above] = min(t.low[above], t.low[id])
		}
		if t.low[id] == t.index[id] {
			at := len(t.stack) - 1
			for t.stack[at] != id {
				at--
			}
			group := slices.Clone(t.stack[at:])
			t.stack = t.stack[:at]
			for _, member := range group {
				t.on[member] = false
			}
			t.groups = append(t.groups, group)
		}
	}
}
