package ingest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/store"
)

// world is the documents of a test: records with aliases, upstream ids and
// withdrawals, broken parts, and signals.
func world(n int) map[string]string {
	docs := map[string]string{"signals": "signal CVE-2024-0001 0.5\nsignal CVE-2024-0002 0.25\n"}
	for i := range n {
		text := ""
		for j := range 1 + i%3 {
			more := ""
			if i%2 == 0 {
				more += fmt.Sprintf(`"aliases":["CVE-2024-%04d","OSV-%d"],`, i%17, i%5)
			}
			if i%11 == 0 {
				more += `"withdrawn":"2026-01-20T00:00:00Z",`
			}
			text += record(fmt.Sprintf("%s-%d-%d", []string{"GHSA", "GO", "OSV"}[i%3], i, j), 1+i%9, more)
		}
		if i%13 == 0 {
			text += "{broken\n"
		}
		docs[fmt.Sprintf("d/%03d", i)] = text
	}
	return docs
}

// digest is what a store says: what is released, linked and published, and no
// trace of how it came there.
func digest(t *testing.T, a *store.Advisories) string {
	t.Helper()
	sum := sha256.New()
	h, err := a.Head(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(sum, h.Digest)
	var lines []string
	for _, r := range everything(t, a, h) {
		text, err := json.Marshal(r, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(text))
	}
	slices.Sort(lines)
	for _, l := range linksets(t, a) {
		text, err := json.Marshal(l, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(text))
	}
	for s, err := range a.Signals(t.Context(), h) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(*s))
	}
	fmt.Fprintln(sum, len(lines), strings.Join(lines, "\n"))
	return hex.EncodeToString(sum.Sum(nil))
}

// orders is how many orders are tried: 10, with STELLA_LONG=1 a thousand.
func orders() int {
	if os.Getenv("STELLA_LONG") == "1" {
		return 1000
	}
	return 10
}

// TestOrderDoesNotMatter: the same documents in any order, in any number of runs,
// some of them several times, with heads in between: the same state.
func TestOrderDoesNotMatter(t *testing.T) {
	docs := world(60)
	want := ""
	for round := range orders() {
		random := rand.New(rand.NewPCG(1, uint64(round)))
		_, a := newStore(t)
		i, p := newIngester(a), newPublisher(t, a)
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
		got := digest(t, a)
		if round == 0 {
			want = got
		}
		if got != want {
			t.Fatalf("order %d gives another state", round)
		}
	}
}
