package ingest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/store"
)

// world is the documents of a test: of several statuses, times, aliases and
// signatures, some broken, some that contradict each other under one id.
func world(n int) map[string]string {
	docs := map[string]string{}
	for i := range n {
		var b strings.Builder
		if i%5 == 0 {
			fmt.Fprintf(&b, "envelope %s\n", []string{"f", "g", "late"}[i%3])
		}
		if i%7 == 0 {
			fmt.Fprintf(&b, "id same-%d 1\n", i/14) // two of each
		} else {
			fmt.Fprintf(&b, "id doc-%d %d\n", i, 1+i%3)
		}
		if i%7 == 0 { // and some of them say the contrary of the other
			fmt.Fprintf(&b, "CVE-50 %s pkg:npm/same@1 2026-02-01\n", []string{"affected", "not_affected"}[i/7%2])
		}
		for j := range 1 + i%4 {
			names := fmt.Sprintf("CVE-%d", (i+j)%11)
			if i%3 == 0 {
				names += fmt.Sprintf(",GHSA-%d", i%5)
			}
			status := []string{"affected", "not_affected", "fixed", "under_investigation"}[(i*3+j)%4]
			until := ""
			if i%6 == 1 {
				until = fmt.Sprintf(" 2026-06-%02d", 1+i%28)
			}
			fmt.Fprintf(&b, "%s %s pkg:npm/p%d@1.%d 2026-01-%02d%s\n", names, status, i%3, j%2, 1+(i*5)%28, until)
		}
		if i%13 == 0 {
			b.WriteString("broken\n")
		}
		if i%17 == 16 {
			b.WriteString("junk\n")
		}
		docs[fmt.Sprintf("d/%03d", i)] = b.String()
	}
	return docs
}

// digest is what a store says: the set, what is decided, and no trace of how it came
// there.
func digest(t testing.TB, v *store.VEX) string {
	t.Helper()
	h, err := v.Head(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := v.Consensus(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("nothing is decided")
	}
	var b strings.Builder
	fmt.Fprintln(&b, h.Digest, h.Trust, len(list))
	for _, d := range list {
		fmt.Fprintf(&b, "%+v\n", d)
	}
	for s, err := range v.Statements(t.Context(), h, nil) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, s.ID)
	}
	states, err := v.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		fmt.Fprintln(&b, s.Source, s.Documents, s.Statements, s.Quarantined, s.Problems)
	}
	return b.String()
}

// orders is how many orders are tried: 12, with STELLA_LONG=1 a thousand.
func orders() int {
	if os.Getenv("STELLA_LONG") == "1" {
		return 1000
	}
	return 12
}

// TestOrderDoesNotMatter: the same documents in any order, in any number of runs,
// some of them several times, with heads in between: the same state.
func TestOrderDoesNotMatter(t *testing.T) {
	docs := world(60)
	want := ""
	for round := range orders() {
		random := rand.New(rand.NewPCG(1, uint64(round)))
		v := newStore(t).VEX()
		if _, err := v.SetTrust(t.Context(), everyone(), "test"); err != nil {
			t.Fatal(err)
		}
		i, p := newIngester(v), publisher(v, day(15))
		i.Batch = 1 + random.IntN(40)
		names := slices.Sorted(maps.Keys(docs))
		if round > 0 {
			random.Shuffle(len(names), func(x, y int) { names[x], names[y] = names[y], names[x] })
		}
		for rest := names; len(rest) > 0; {
			n := len(rest)
			if round > 0 {
				n = 1 + random.IntN(len(rest))
			}
			f := &feed{name: "f", docs: docs, order: append(slices.Clone(rest[:n]), names[:random.IntN(len(names))]...)}
			rest = rest[n:]
			run(t, i, f)
			if len(rest) == 0 || random.IntN(2) == 0 {
				publish(t, p)
			}
		}
		got := digest(t, v)
		if round == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("order %d gives another state", round)
		}
	}
}
