package advisory

import (
	"cmp"
	"slices"
	"strings"
)

// maxTopic bounds the records that an explanation looks at.
const maxTopic = 1 << 13

// topic is what a view has about an id.
type topic struct {
	asked   string
	keys    []string       // of the linksets that the id stands for, sorted
	records []*topicRecord // about it, by id and source
	byRef   map[Ref]*topicRecord
	full    bool // not all records were looked at
	related bool // records about other vulnerabilities name it as a related one
}

// topicRecord is a record about a topic.
type topicRecord struct {
	*chainNode
	path []string
}

// topicOf finds what a view has about an id, by the definition of [Link]: the
// records that name it or that are in a linkset which it stands for. A CVE id
// stands for its own linkset; another one for those of the record of that id,
// else of the records that have it as an alias, else of those that pass it on.
func (r *run) topicOf(asked string) (*topic, error) {
	t := &topic{asked: asked, byRef: map[Ref]*topicRecord{}}
	c := &chain{run: r, max: maxTopic, nodes: map[recordKey]*chainNode{}}
	if isCVE(asked) {
		t.keys = []string{asked}
	} else if err := t.standsFor(c); err != nil {
		return nil, err
	}
	var ids []string
	if !isCVE(asked) {
		ids = []string{asked}
	}
	for _, key := range t.keys {
		list, err := c.lookUp(key, func(r *Record) bool { return isCVE(key) || slices.Contains(r.links(), key) })
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			if cves := n.cves(); isCVE(key) && !slices.Contains(cves, key) {
				t.related = t.related || key == asked
				continue
			}
			ids = append(ids, n.record.links()...)
		}
	}
	if err := c.spread(ids); err != nil {
		return nil, err
	}
	t.full = c.full
	g := c.graph()
	for i := range g.nodes {
		if at, about := t.place(&g.nodes[i]); about {
			t.consider(&topicRecord{c.nodes[keyOf(g.nodes[i].record)], at})
		}
	}
	if len(t.records) == 0 {
		t.keys = nil
	}
	return t, nil
}

// standsFor finds the linksets that an id which is no CVE id stands for.
func (t *topic) standsFor(c *chain) error {
	list, err := c.named(t.asked)
	if err != nil {
		return err
	}
	ids := []string{t.asked}
	for _, n := range list {
		if len(n.cves()) == 0 { // whether or not it leads others
			ids = append(ids, n.record.links()...)
		}
	}
	if err := c.spread(ids); err != nil {
		return err
	}
	refs, err := c.run.view.Named(c.run.ctx, t.asked)
	if err != nil {
		return err
	}
	g := c.graph()
	var byRank [3][]string
	for i := range g.nodes {
		n := &g.nodes[i]
		rank := 0
		switch {
		case n.record.ID == t.asked:
		case slices.Contains(n.record.Aliases, t.asked):
			rank = 1
		case slices.Contains(n.record.Upstream, t.asked):
			rank = 2
		default:
			continue
		}
		for _, p := range n.places {
			byRank[rank] = append(byRank[rank], p.key)
		}
	}
	for _, keys := range byRank {
		if len(t.keys) == 0 {
			t.keys = keys
		}
	}
	slices.Sort(t.keys)
	t.keys = slices.Compact(t.keys)
	t.related = len(t.keys) == 0 && len(refs) > 0
	return nil
}

// place says whether a record is about the topic, and by which path.
func (t *topic) place(n *node) (path []string, about bool) {
	for _, p := range n.places {
		if slices.Contains(t.keys, p.key) {
			return p.path, true
		}
	}
	if !isCVE(t.asked) && slices.Contains(n.record.links(), t.asked) {
		return directPath(n.record.ID, t.asked), true
	}
	return nil, false
}

// consider adds a record, unless it is there.
func (t *topic) consider(r *topicRecord) {
	for _, ref := range r.refs {
		t.byRef[ref] = r
	}
	at, found := slices.BinarySearchFunc(t.records, r, func(a, b *topicRecord) int {
		return cmp.Or(strings.Compare(a.record.ID, b.record.ID), strings.Compare(a.record.Source, b.record.Source), strings.Compare(a.record.Digest, b.record.Digest))
	})
	if !found {
		t.records = slices.Insert(t.records, at, r)
	}
}

// entry returns the record of an entry about a package, where it is about the
// topic.
func (t *topic) entry(r *run, e *Entry, isSystem bool) (*topicRecord, error) {
	if known := t.byRef[e.Record]; known != nil {
		return known, nil
	}
	record, err := r.view.Record(r.ctx, e.Record)
	if err != nil {
		return nil, err
	}
	// A view need not find a record by the CVE id that its own ends with.
	cves := record.cves(isSystem)
	key := t.asked
	if !slices.Contains(cves, key) {
		at := slices.IndexFunc(cves, func(cve string) bool { return slices.Contains(t.keys, cve) })
		if at < 0 {
			return nil, nil
		}
		key = cves[at]
	}
	if len(t.keys) == 0 {
		t.keys = []string{key}
	}
	known := &topicRecord{&chainNode{record: record, refs: []Ref{e.Record}, isSystem: isSystem}, directPath(record.ID, key)}
	t.consider(known)
	return known, nil
}
