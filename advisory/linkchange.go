package advisory

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// LinkChanged returns the linksets that differ after some records changed, in
// order of their keys; one without members is gone. The other linksets are as
// they were. old has the versions that are no more, current those that came: a
// record that changed is in both, a new one in current, one that ended in old.
// find returns the records as they are now that have an id among their
// [Record.Names]; it is asked once for each id that the changes can reach. An
// error is one that find returned.
func LinkChanged(old, current []*Record, find func(id string) ([]*Record, error)) ([]*Linkset, error) {
	c := &closure{find: find, old: map[string][]*Record{}, asked: map[string][]*Record{}, records: map[recordKey]*Record{}, touched: map[string]bool{}}
	for _, r := range old {
		for _, id := range r.Names() {
			c.old[id] = append(c.old[id], r)
		}
	}
	if err := c.collect(append(slices.Clone(old), current...)); err != nil {
		return nil, err
	}
	var before, after []*Record
	isOld, isNew := keysOf(old), keysOf(current)
	for key, r := range c.records {
		if isOld[key] || !isNew[key] {
			before = append(before, r)
		}
		if isNew[key] || !isOld[key] {
			after = append(after, r)
		}
	}
	was, now := c.link(before), c.link(after)
	var out []*Linkset
	for _, key := range slices.Sorted(maps.Keys(c.touched)) {
		switch {
		case now[key] == nil && was[key] != nil:
			out = append(out, &Linkset{Key: key})
		case now[key] != nil && !reflect.DeepEqual(was[key], now[key]):
			out = append(out, now[key])
		}
	}
	return out, nil
}

// recordKey tells records apart.
type recordKey struct{ source, id, digest string }

func keyOf(r *Record) recordKey { return recordKey{r.Source, r.ID, r.Digest} }

func keysOf(records []*Record) map[recordKey]bool {
	keys := map[recordKey]bool{}
	for _, r := range records {
		keys[keyOf(r)] = true
	}
	return keys
}

// closure collects the records that decide about the linksets that changes can
// touch.
type closure struct {
	find    func(id string) ([]*Record, error)
	old     map[string][]*Record // by every id
	asked   map[string][]*Record // answers
	records map[recordKey]*Record
	touched map[string]bool // keys of linksets
}

// collect goes in two rounds: what hangs together with the changes through
// records without CVE ids, which tells the linksets that are touched; then
// everything that is in those, with all that decides where it is.
func (c *closure) collect(changed []*Record) error {
	var ids []string
	for _, r := range changed {
		c.add(r)
		ids = append(ids, r.links()...)
		for _, cve := range r.cves(ofSystem(r.Affected)) {
			c.touched[cve] = true
		}
	}
	if err := c.spread(ids, true); err != nil {
		return err
	}
	ids = ids[:0]
	for _, key := range slices.Sorted(maps.Keys(c.touched)) {
		if !isCVE(key) {
			continue
		}
		list, err := c.named(key)
		if err != nil {
			return err
		}
		for _, r := range list {
			if slices.Contains(r.cves(ofSystem(r.Affected)), key) {
				c.add(r)
				ids = append(ids, r.links()...)
			}
		}
	}
	return c.spread(ids, false)
}

func (c *closure) add(r *Record) { c.records[keyOf(r)] = r }

// spread collects the records that name ids, and those that hang together with
// them through records without CVE ids. With touch it notes the linksets that
// those are in, before or after.
func (c *closure) spread(ids []string, touch bool) error {
	seen := map[string]bool{}
	for len(ids) > 0 {
		id := ids[len(ids)-1]
		ids = ids[:len(ids)-1]
		if isCVE(id) || seen[id] {
			continue
		}
		seen[id] = true
		list, err := c.named(id)
		if err != nil {
			return err
		}
		for _, r := range list {
			links := r.links()
			if !slices.Contains(links, id) {
				continue // a related one
			}
			c.add(r)
			cves := r.cves(ofSystem(r.Affected))
			if touch {
				c.touched[r.ID] = true
				for _, cve := range cves {
					c.touched[cve] = true
				}
			}
			if len(cves) == 0 {
				ids = append(ids, links...)
			}
		}
	}
	return nil
}

// named returns the records that name an id, now or before.
func (c *closure) named(id string) ([]*Record, error) {
	list, known := c.asked[id]
	if !known {
		found, err := c.find(id)
		if err != nil {
			return nil, fmt.Errorf("find the records that name %s: %w", id, err)
		}
		list = append(slices.Clone(found), c.old[id]...)
		c.asked[id] = list
	}
	return list, nil
}

// link groups records and returns the linksets by their keys.
func (c *closure) link(records []*Record) map[string]*Linkset {
	sets := map[string]*Linkset{}
	for _, s := range Link(records) {
		sets[s.Key] = s
	}
	return sets
}
