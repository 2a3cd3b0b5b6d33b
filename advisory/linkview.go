package advisory

import (
	"fmt"
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// maxChain bounds the records that are looked at to find out what one without a
// CVE id is about.
const maxChain = 512

// follow returns the linksets that a record without a CVE id is in, of all
// records of the view. p is the package that it affects.
func (r *run) follow(record *Record, ref Ref, p *sbom.Package) ([]place, error) {
	key := keyOf(record)
	if places, known := r.chains[key]; known {
		return places, nil
	}
	c := &chain{run: r, max: maxChain, nodes: map[recordKey]*chainNode{}}
	if _, err := c.add(ref, record); err != nil {
		return nil, err
	}
	if err := c.spread(record.links()); err != nil {
		return nil, err
	}
	places := []place{{record.ID, []string{record.ID}}}
	if c.full {
		r.gap(sbom.GapLimit, false, p, fmt.Sprintf("more than %d records hang together with %s: it is reported by its own id", maxChain, record.ID))
	} else {
		g := c.graph()
		if at := slices.IndexFunc(g.nodes, func(n node) bool { return keyOf(n.record) == key }); at >= 0 {
			places = g.nodes[at].places
		}
	}
	if r.chains == nil {
		r.chains = map[recordKey][]place{}
	}
	r.chains[key] = places
	return places, nil
}

// chain collects records of a view that hang together.
type chain struct {
	run   *run
	max   int // records
	nodes map[recordKey]*chainNode
	order []*chainNode
	full  bool // there are more than max
}

// chainNode is a record with what a view says apart from it.
type chainNode struct {
	record   *Record
	refs     []Ref // a view may have several, each with a part of the packages
	isSystem bool  // it is a distribution's, where that matters
}

func (n *chainNode) cves() []string { return n.record.cves(n.isSystem) }

// add notes a record, under one of its references.
func (c *chain) add(ref Ref, record *Record) (*chainNode, error) {
	n := c.nodes[keyOf(record)]
	if n == nil {
		n = &chainNode{record: record}
		c.nodes[keyOf(record)] = n
		c.order = append(c.order, n)
	}
	if slices.Contains(n.refs, ref) {
		return n, nil
	}
	n.refs = append(n.refs, ref)
	if n.isSystem || len(record.cves(false)) > 0 || len(record.cves(true)) == 0 {
		return n, nil // it does not matter
	}
	text, err := c.run.view.Text(c.run.ctx, ref)
	if err != nil {
		return nil, err
	}
	n.isSystem = ofSystem(text.Affected)
	return n, nil
}

// spread collects the records that name ids, and those that hang together with
// them through records without CVE ids.
func (c *chain) spread(ids []string) error {
	seen := map[string]bool{}
	for len(ids) > 0 {
		id := ids[len(ids)-1]
		ids = ids[:len(ids)-1]
		if isCVE(id) || seen[id] {
			continue
		}
		seen[id] = true
		list, err := c.named(id)
		if err != nil || c.full {
			return err
		}
		for _, n := range list {
			if cves := n.cves(); len(cves) == 0 && n.record.leads(cves) {
				ids = append(ids, n.record.links()...)
			}
		}
	}
	return nil
}

// named notes the records that hang together by an id, and returns them.
func (c *chain) named(id string) ([]*chainNode, error) {
	return c.lookUp(id, func(r *Record) bool { return slices.Contains(r.links(), id) })
}

// lookUp notes those of the records that name an id which take accepts, and
// returns them.
func (c *chain) lookUp(id string, take func(*Record) bool) ([]*chainNode, error) {
	refs, err := c.run.view.Named(c.run.ctx, id)
	if err != nil {
		return nil, err
	}
	var list []*chainNode
	for _, ref := range refs {
		if len(c.nodes) > c.max {
			c.full = true
			return list, nil
		}
		record, err := c.run.view.Record(c.run.ctx, ref)
		if err != nil {
			return nil, err
		}
		if !take(record) {
			continue
		}
		n, err := c.add(ref, record)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list, nil
}

// graph says how the collected records hang together.
func (c *chain) graph() *graph {
	nodes := make([]node, len(c.order))
	for i, n := range c.order {
		nodes[i] = node{record: n.record, cves: n.cves()}
	}
	g := newGraph(nodes)
	g.resolve()
	return g
}
