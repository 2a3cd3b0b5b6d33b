package advisory

import (
	"maps"
	"slices"
	"strings"
)

// Link groups records by vulnerability. It depends on nothing but what the
// records say: not on their order, nor on how often one is given. Records are
// told apart by source, id and digest. It takes time proportional to the
// records' size, for what aliases reach is bounded by [MaxReach].
//
// Which records are in which linkset:
//
//   - A record is about the CVE ids that it is named by, has as aliases or
//     passes on (upstream). For a distribution's record without any, those of
//     its related ids count, or the one that its own id ends with.
//   - A record without a CVE id follows its aliases and upstream ids, in both
//     directions, through records without CVE ids, up to the first ones that
//     have some. With none, those that hang together are a linkset of their own.
//   - A record that was taken back is in a linkset and leads no other there. Nor
//     does one that passes on several ids.
//
// Confidence is 100 for a single member. For several it is the sum of
//
//	40  aliases: a member that names the key counts full, one that reaches it
//	    by a chain of n ids more 1/(n+1)
//	25  packages: members with a package that another one names too, of all
//	    that name packages
//	15  versions: of the packages that several members name, those about which
//	    they have the same versions count full, those with common ones 60 %
//	10  severity: base scores no more than 0.1 apart count full, 1.0 half
//	10  references: half, and the other half for members that share one
//
// where what says nothing counts half, less 5 for each kind of conflict about
// severity, versions or equal ids, 10 for withdrawn members, 15 for aliases that
// lead to several CVE ids, and 20 for too many members. It is never below 0.
// Members that are about several vulnerabilities count for aliases alone.
func Link(records []*Record) []*Linkset {
	g := newGraph(nodesOf(records))
	g.resolve()
	byKey := map[string][]inSet{}
	for i := range g.nodes {
		for _, p := range g.nodes[i].places {
			byKey[p.key] = append(byKey[p.key], inSet{&g.nodes[i], p.path})
		}
	}
	sets := make([]*Linkset, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		sets = append(sets, newLinkset(key, byKey[key]))
	}
	return sets
}

// nodesOf makes nodes of whole records.
func nodesOf(records []*Record) []node {
	nodes := make([]node, len(records))
	for i, r := range records {
		nodes[i] = node{record: r, cves: r.cves(ofSystem(r.Affected))}
	}
	return nodes
}

// inSet is a member of one linkset.
type inSet struct {
	*node
	path []string
}

// speaks reports whether a member says something about this vulnerability
// alone, and still says it.
func (m *inSet) speaks() bool { return len(m.places) == 1 && m.record.Withdrawn == "" }

func newLinkset(key string, members []inSet) *Linkset {
	s := &Linkset{Key: key}
	slices.SortFunc(members, func(a, b inSet) int {
		return compareMembers(a.member(), b.member())
	})
	own := map[string]bool{key: true}
	for i := range members {
		m := &members[i]
		s.Members = append(s.Members, m.member())
		if len(m.places) > 1 {
			continue
		}
		for _, id := range append([]string{m.record.ID}, m.record.Aliases...) {
			if !isCVE(id) && !own[id] {
				s.Aliases = append(s.Aliases, id)
				own[id] = true
			}
		}
	}
	slices.Sort(s.Aliases)
	s.Upstream = edges(members, own, func(r *Record) []string { return r.Upstream })
	s.Related = edges(members, own, func(r *Record) []string { return r.Related })
	s.judge(members)
	return s
}

func (m *inSet) member() Member {
	r := m.record
	return Member{Source: r.Source, ID: r.ID, Digest: r.Digest, Withdrawn: r.Withdrawn != "", Path: m.path}
}

func compareMembers(a, b Member) int {
	for _, pair := range [...][2]string{{a.Source, b.Source}, {a.ID, b.ID}, {a.Digest, b.Digest}} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

// edges collects ids that members about this vulnerability alone name, and that
// are not its own.
func edges(members []inSet, own map[string]bool, of func(*Record) []string) []string {
	var out []string
	for i := range members {
		if len(members[i].places) > 1 {
			continue
		}
		for _, id := range of(members[i].record) {
			if !own[id] {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
