package advisory

import "slices"

// pathCut stands for the ids that a long path leaves out.
const pathCut = "…"

// walk goes from the key of a linkset to the records of a set of ids that are
// in it without naming it.
type walk struct {
	g      *graph
	root   int
	key    string
	byNode map[int]step
	byID   map[int]int // the record through which each id was reached
	queue  []int       // ids
}

// step leads from a record to the next one that is nearer to the key.
type step struct {
	id   int // that both name
	next int // -1 at the key
}

// walk adds a place to each member of a set of ids, with the shortest path from
// it to key.
func (g *graph) walk(root int, key string, members []int) {
	w := walk{g: g, root: root, key: key, byNode: map[int]step{}, byID: map[int]int{}}
	w.start(members)
	for at := 0; at < len(w.queue); at++ {
		id := w.queue[at]
		for _, i := range g.byID[id] {
			g.steps++
			n := &g.nodes[i]
			if _, known := w.byNode[i]; known || len(n.cves) > 0 {
				continue
			}
			w.byNode[i] = step{id: id, next: w.byID[id]}
			if n.leads {
				w.open(i)
			}
		}
	}
	for _, i := range members {
		n := &g.nodes[i]
		_, reached := w.byNode[i]
		if reached && len(n.places) <= MaxReach && !slices.ContainsFunc(n.places, func(p place) bool { return p.key == key }) {
			n.places = append(n.places, place{key, w.path(i)})
		}
	}
}

// start opens the records that name the key: it is their CVE id, or their own.
func (w *walk) start(members []int) {
	if !isCVE(w.key) {
		for _, i := range members {
			if n := &w.g.nodes[i]; n.leads && n.record.ID == w.key {
				w.byNode[i] = step{next: -1}
				w.open(i)
			}
		}
		return
	}
	for _, i := range w.g.givers[w.root] {
		w.g.steps++
		if slices.Contains(w.g.nodes[i].cves, w.key) {
			w.open(i)
		}
	}
}

// open puts the ids that a record names, and that are new, into the queue.
func (w *walk) open(i int) {
	for _, id := range w.g.nodes[i].links {
		w.g.steps++
		if _, known := w.byID[id]; known || w.g.find(id) != w.root {
			continue
		}
		w.byID[id] = i
		w.queue = append(w.queue, id)
	}
}

// path writes the chain of ids from a record to the key, at most maxPath of
// them.
func (w *walk) path(i int) []string {
	path := w.chain(i)
	if len(path) > maxPath {
		path = append(path[:maxPath-2], pathCut, w.key)
	}
	return path
}

func (w *walk) chain(i int) []string {
	path := []string{w.g.nodes[i].record.ID}
	add := func(id string) {
		if path[len(path)-1] != id {
			path = append(path, id)
		}
	}
	for {
		s := w.byNode[i]
		if s.next < 0 {
			return path
		}
		next := &w.g.nodes[s.next]
		if id := w.g.texts[s.id]; id != next.record.ID {
			add(id)
		}
		if add(next.record.ID); len(next.cves) > 0 {
			add(w.key)
			return path
		}
		if len(path) > maxPath {
			return path
		}
		i = s.next
	}
}

// directPath is the path of a record that names its CVE id itself.
func directPath(id, cve string) []string {
	if id == cve {
		return []string{cve}
	}
	return []string{id, cve}
}
