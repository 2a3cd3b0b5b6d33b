package ingest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
)

// feed is a publisher of documents of one line for each statement:
//
//	id ID VERSION
//	CVE-1,GHSA-1 affected pkg:npm/x@1 2026-01-02 [until]
//
// "broken" is a part that cannot be used, "junk" a document, "panic" panics.
type feed struct {
	name     string
	docs     map[string]string
	proofs   map[string]string
	order    []string // the order of fetching; nil means sorted
	gone     []string
	complete bool
	state    string
	fails    error // at the end of fetching
	parsed   int
}

func (f *feed) Describe() vex.Description { return vex.Description{Name: f.name} }

func (f *feed) Fetch(_ context.Context, _ vex.Door, _ []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	order := f.order
	if order == nil {
		order = slices.Sorted(maps.Keys(f.docs))
	}
	for _, name := range order {
		d := &vex.Document{Source: f.name, Name: name, URL: "https://feed.example/" + name, Content: []byte(f.docs[name])}
		if p := f.proofs[name]; p != "" {
			d.Proof = []byte(p)
		}
		if err := emit(d); err != nil {
			return nil, err
		}
	}
	for _, name := range f.gone {
		if err := emit(&vex.Document{Source: f.name, Name: name, Gone: true}); err != nil {
			return nil, err
		}
	}
	if f.fails != nil {
		return nil, f.fails
	}
	return &vex.Fetched{State: []byte(f.state), Complete: f.complete}, nil
}

func (f *feed) Parse(d *vex.Document) iter.Seq2[*vex.Statement, error] {
	f.parsed++
	return func(yield func(*vex.Statement, error) bool) {
		var id, version string
		n := 0
		for line := range strings.Lines(string(d.Content)) {
			w := strings.Fields(line)
			switch {
			case len(w) == 0:
				continue
			case w[0] == "id":
				id, version = w[1], w[2]
				continue
			case w[0] == "junk":
				yield(nil, fmt.Errorf("it is junk: %w", vex.ErrInvalid))
				return
			case w[0] == "panic":
				panic("a reader that panics")
			}
			n++
			pointer := fmt.Sprintf("/statements/%d", n-1)
			if w[0] == "broken" {
				if !yield(nil, &vex.StatementError{Document: d.Name, Pointer: pointer, Err: vex.ErrInvalid}) {
					return
				}
				continue
			}
			s := statement(w)
			s.Origin = vex.Origin{Document: sum(string(d.Content)), ID: id, Version: version, Format: "openvex", Author: "a", Pointer: pointer}
			if err := s.Prepare(); err != nil {
				panic(err)
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// statement reads a line of a document.
func statement(w []string) *vex.Statement {
	names := strings.Split(w[0], ",")
	s := &vex.Statement{Vulnerability: names[0], Aliases: names[1:], Status: vex.Status(w[1]), Products: []vex.Product{{PURL: w[2]}}}
	if whole, part, ok := strings.Cut(w[2], "#"); ok {
		s.Products = []vex.Product{{PURL: whole, Subcomponents: []vex.Product{{PURL: part}}}}
	}
	s.Time, _ = time.Parse(time.DateOnly, w[3])
	if len(w) > 4 {
		s.Until, _ = time.Parse(time.DateOnly, w[4])
	}
	if s.Status == vex.NotAffected {
		s.Justification = vex.CodeNotPresent
	}
	return s
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(s[:])
}

// keyring verifies proofs: "good:NAME" is a signature by key:NAME, "bad" a bad one,
// "away" one that cannot be checked now, anything else one of nobody known. Content
// "envelope NAME\n…" is an envelope signed by key:NAME.
type keyring struct{ away bool }

func (k *keyring) Verify(_ context.Context, d *vex.Document) (vex.Verification, error) {
	proof, text := string(d.Proof), string(d.Content)
	payload := []byte(nil)
	if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(first, "envelope ") {
		proof, payload = "good:"+strings.TrimPrefix(first, "envelope "), []byte(rest)
	}
	switch name, good := strings.CutPrefix(proof, "good:"); {
	case proof == "":
		return vex.Verification{}, nil
	case good:
		return vex.Verification{Signature: vex.Verified, Signer: "key:" + name, Payload: payload}, nil
	case proof == "bad":
		return vex.Verification{Signature: vex.Bad, Why: "it is not of these bytes"}, nil
	case proof == "away" && k.away:
		return vex.Verification{}, errors.New("the log is away")
	case proof == "away":
		return vex.Verification{Signature: vex.Verified, Signer: "key:late"}, nil
	}
	return vex.Verification{Signature: vex.Unchecked, Why: "nobody knows the key"}, nil
}

func newStore(t testing.TB) *store.Root {
	t.Helper()
	root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// everyone is a trust in every source and in the keys a, b and late.
func everyone() *vex.Trust {
	issuer := func(id string, tier int) vex.Issuer {
		return vex.Issuer{ID: id, Tier: tier, Sources: []string{id}, Identities: []string{"key:" + id}, Products: []string{"*"}, Unsigned: vex.Statuses}
	}
	return &vex.Trust{Issuers: []vex.Issuer{issuer("f", 1), issuer("g", 2), issuer("late", 1)}}
}

func newIngester(v *store.VEX) *ingest.Ingester {
	return &ingest.Ingester{Store: v, Holder: "test", Lease: 10 * time.Second, Verifier: &keyring{}}
}

func run(t testing.TB, i *ingest.Ingester, f *feed) *ingest.Outcome {
	t.Helper()
	out, err := i.Run(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func day(n int) time.Time { return time.Date(2026, 6, n, 0, 0, 0, 0, time.UTC) }

func publisher(v *store.VEX, at time.Time) *ingest.Publisher {
	return &ingest.Publisher{Heads: v, Now: func() time.Time { return at }}
}

func publish(t testing.TB, p *ingest.Publisher) *vex.Head {
	t.Helper()
	h, err := p.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// decided lists what is decided, "CVE-1 pkg:npm/x@1 affected".
func decided(t testing.TB, v *store.VEX, names ...string) []string {
	t.Helper()
	list, err := v.Consensus(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, d := range list {
		line := d.Vulnerability + " " + d.Product + " " + string(d.Status)
		if d.Disputed {
			line += " disputed"
		}
		if d.Signed {
			line += " signed"
		}
		out = append(out, line)
	}
	return out
}

// inForce lists what is released, "CVE-1 affected".
func inForce(t testing.TB, v *store.VEX) []string {
	t.Helper()
	out := []string{}
	for s, err := range v.Statements(t.Context(), nil, nil) {
		if err != nil {
			t.Fatal(err)
		}
		line := s.Vulnerability + " " + string(s.Status)
		if s.Origin.Signature != "" {
			line += " " + string(s.Origin.Signature) + strings.TrimPrefix(s.Origin.Signer, "key")
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}
