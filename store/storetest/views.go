package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/version"
)

// known is advisory data in memory: an advisory.View, and the next one's model.
type known struct {
	records map[string]*advisory.Record
	signals map[string]advisory.Signal
	order   []*advisory.Record
	digest  string
}

// seal makes a view of the records: equal ones have equal digests.
func (k *known) seal() *known {
	k.order = slices.SortedFunc(maps.Values(k.records), func(a, b *advisory.Record) int {
		return cmp.Or(strings.Compare(a.Database(), b.Database()), strings.Compare(a.ID, b.ID))
	})
	text, err := json.Marshal([]any{k.order, k.signals}, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	k.digest = sha(string(text))
	return k
}

func (k *known) Digest() string { return k.digest }

func (k *known) Ecosystems() []advisory.Ecosystem {
	return []advisory.Ecosystem{{Name: "Debian:12", Records: 1}, {Name: "npm", Records: 1}}
}

func (k *known) Affected(_ context.Context, ecosystem, name string) (out []advisory.Entry, err error) {
	for i, r := range k.order {
		for _, a := range r.Affected {
			if a.Ecosystem == ecosystem && a.Name == name {
				out = append(out, advisory.Entry{Affected: a, Record: advisory.Ref(i), Withdrawn: r.Withdrawn != ""})
			}
		}
	}
	return out, nil
}

func (k *known) Record(_ context.Context, ref advisory.Ref) (*advisory.Record, error) {
	return k.order[ref], nil
}

func (k *known) Text(_ context.Context, ref advisory.Ref) (*advisory.Text, error) {
	return &advisory.Text{Affected: k.order[ref].Affected}, nil
}

func (k *known) Named(_ context.Context, id string) (out []advisory.Ref, err error) {
	for i, r := range k.order {
		if r.ID == id || slices.Contains(r.Aliases, id) {
			out = append(out, advisory.Ref(i))
		}
	}
	return out, nil
}

func (k *known) Signals(_ context.Context, vulnerability string) ([]advisory.Signal, error) {
	if s, ok := k.signals[vulnerability]; ok {
		return []advisory.Signal{s}, nil
	}
	return nil, nil
}

// next changes some records at random.
func (k *known) next(random *rand.Rand) *known {
	out := &known{records: maps.Clone(k.records), signals: maps.Clone(k.signals)}
	if out.records == nil {
		out.records, out.signals = map[string]*advisory.Record{}, map[string]advisory.Signal{}
	}
	for range 1 + random.IntN(4) {
		n := random.IntN(6)
		id, ecosystem := fmt.Sprint("GHSA-", n), "npm"
		if n%2 == 0 {
			id, ecosystem = fmt.Sprint("DSA-", n), "Debian:12"
		}
		switch random.IntN(8) {
		case 0:
			delete(out.records, id)
		case 1:
			cve := fmt.Sprint("CVE-2024-", random.IntN(3))
			if _, ok := out.signals[cve]; ok {
				delete(out.signals, cve)
			} else {
				out.signals[cve] = advisory.Signal{Vulnerability: cve, Exploited: "2024-01-01", Source: "kev"}
			}
		case 2, 3, 4, 5: // a fix, or none any more
			if r := out.records[id]; r != nil {
				out.records[id] = refixed(random, r)
			}
		default:
			out.records[id] = randomRecord(random, id, ecosystem)
		}
	}
	return out.seal()
}

func randomRecord(random *rand.Rand, id, ecosystem string) *advisory.Record {
	r := &advisory.Record{ID: id, Modified: "2024-01-01T00:00:00Z", Summary: fmt.Sprint("text ", random.IntN(9)), Digest: sha(fmt.Sprint(id, random.Int())),
		Rating: []string{"", "LOW", "HIGH", "CRITICAL"}[random.IntN(4)], Aliases: []string{[]string{"CVE-2024-0", "CVE-2024-1", "CVE-2024-2", "X-1"}[random.IntN(4)]}}
	if random.IntN(5) == 0 {
		r.Withdrawn = "2024-02-01T00:00:00Z"
	}
	for _, name := range []string{"a", "b"} {
		if random.IntN(2) == 0 {
			continue
		}
		events := []version.Event{{Introduced: "0"}}
		if fixed := random.IntN(4); fixed > 0 {
			events = append(events, version.Event{Fixed: fmt.Sprint(fixed, ".0")})
		}
		r.Affected = append(r.Affected, advisory.Affected{Ecosystem: ecosystem, Name: name, Ranges: []advisory.Range{{Type: advisory.RangeEcosystem, Events: events}}})
	}
	return r
}

// refixed is a record with other fixed versions.
func refixed(random *rand.Rand, r *advisory.Record) *advisory.Record {
	out := *r
	out.Digest, out.Affected = sha(fmt.Sprint(r.ID, random.Int())), nil
	for _, a := range r.Affected {
		events := []version.Event{{Introduced: "0"}}
		if random.IntN(2) == 0 {
			events = append(events, version.Event{Fixed: fmt.Sprint(2+random.IntN(3), ".0")})
		}
		a.Ranges = []advisory.Range{{Type: advisory.RangeEcosystem, Events: events}}
		out.Affected = append(out.Affected, a)
	}
	return &out
}

// facts are what differs between two views: the packages of records that changed,
// and of all that hang together with them or with a signal that changed.
func facts(before, after *known) []advisory.Fact {
	touched := map[string]bool{}
	names := func(r *advisory.Record) []string { return append([]string{r.ID}, r.Aliases...) }
	all := slices.Concat(before.order, after.order)
	for _, r := range all {
		if before.records[r.ID] != after.records[r.ID] {
			for _, id := range names(r) {
				touched[id] = true
			}
		}
	}
	for _, s := range []map[string]advisory.Signal{before.signals, after.signals} {
		for cve := range s {
			if before.signals[cve] != after.signals[cve] {
				touched[cve] = true
			}
		}
	}
	for size := -1; size != len(touched); {
		size = len(touched)
		for _, r := range all {
			if slices.ContainsFunc(names(r), func(id string) bool { return touched[id] }) {
				for _, id := range names(r) {
					touched[id] = true
				}
			}
		}
	}
	var out []advisory.Fact
	for _, r := range all {
		for _, a := range r.Affected {
			if touched[r.ID] {
				out = append(out, advisory.Fact{Ecosystem: a.Ecosystem, Name: a.Name, Record: r.ID, Vulnerability: r.ID, Cause: advisory.CauseChanged})
			}
		}
	}
	return out
}
