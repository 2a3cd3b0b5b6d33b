package advisory

import (
	"fmt"
	"testing"
)

// TestLinkSteps: the work grows with the records, whatever their shape.
func TestLinkSteps(t *testing.T) {
	shapes := map[string]func(n int) []*Record{
		"chain": func(n int) (list []*Record) {
			for i := range n {
				list = append(list, &Record{ID: fmt.Sprintf("X-%d", i), Aliases: []string{fmt.Sprintf("X-%d", i+1)}})
			}
			return append(list, &Record{ID: "Z", Aliases: []string{"X-0", "CVE-1-1"}})
		},
		"cycle": func(n int) (list []*Record) {
			for i := range n {
				list = append(list, &Record{ID: fmt.Sprintf("X-%d", i), Aliases: []string{fmt.Sprintf("X-%d", (i+1)%n), fmt.Sprintf("X-%d", (i+n-1)%n)}})
			}
			return list
		},
		"star": func(n int) (list []*Record) {
			for i := range n {
				list = append(list, &Record{ID: fmt.Sprintf("X-%d", i), Aliases: []string{"HUB"}})
			}
			return list
		},
		"star of CVE ids": func(n int) (list []*Record) {
			for i := range n {
				list = append(list, &Record{ID: fmt.Sprintf("CVE-1-%d", i), Aliases: []string{"HUB"}}, &Record{ID: fmt.Sprintf("X-%d", i), Aliases: []string{"HUB"}})
			}
			return list
		},
		"one that names all": func(n int) (list []*Record) {
			all := &Record{ID: "ALL", Aliases: []string{"CVE-0-1"}}
			for i := range n {
				list = append(list, &Record{ID: fmt.Sprintf("X-%d", i), Aliases: []string{fmt.Sprintf("CVE-1-%d", i%60)}})
				all.Aliases = append(all.Aliases, fmt.Sprintf("X-%d", i))
			}
			return append(list, all)
		},
		"errata that name all": func(n int) (list []*Record) {
			all := &Record{ID: "ALL"}
			for i := range n {
				list = append(list, &Record{ID: fmt.Sprintf("X-%d", i), Upstream: []string{fmt.Sprintf("X-%d", i+1), fmt.Sprintf("X-%d", i+2)}})
				all.Upstream = append(all.Upstream, fmt.Sprintf("X-%d", i))
			}
			return append(list, all)
		},
		"taken back": func(n int) (list []*Record) {
			for i := range n {
				list = append(list, &Record{ID: fmt.Sprintf("X-%d", i), Aliases: []string{"HUB", fmt.Sprintf("Y-%d", i)}, Withdrawn: "2024-01-01T00:00:00Z"}, &Record{ID: fmt.Sprintf("Y-%d", i)})
			}
			return list
		},
	}
	for name, shape := range shapes {
		per := func(n int) int {
			list := shape(n)
			size := 0
			for _, r := range list {
				size += len(r.Names())
			}
			g := newGraph(nodesOf(list))
			g.resolve()
			for i := range g.nodes {
				if len(g.nodes[i].places) == 0 {
					t.Errorf("%s: %s is nowhere", name, g.nodes[i].record.ID)
				}
			}
			return g.steps * 100 / size
		}
		small, large := per(1000), per(30000)
		if large > small*11/10+10 {
			t.Errorf("%s: %d steps for 100 ids of a few records, %d of many", name, small, large)
		}
		t.Logf("%s: %d steps for 100 ids", name, large)
	}
}
