package storetest

import (
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// exportModel is what a store should keep of one export, told in the fewest words.
type exportModel struct {
	state       export.State // "" before the first request
	key         string
	version     int
	attempt     int
	madeKey     string // "" for nothing
	madeVersion int
	lacks       bool     // whether what is made misses a receipt
	bundle      string   // what is in it
	in          []string // which attestations
	logged      map[string]bool
}

func (m *exportModel) queue() { m.state, m.attempt = export.Queued, 0 }

func (m *exportModel) request(key string, again bool) {
	switch {
	case key == m.key && (m.state == export.Queued || m.state == export.Completed && !again):
		return
	case key != m.key && key == m.madeKey && !again:
		m.key, m.version, m.state, m.attempt = key, m.madeVersion, export.Completed, 0
		m.proved()
		return
	case key != m.key && key == m.madeKey:
		m.key, m.version = key, m.madeVersion
	case key != m.key:
		m.key, m.version = key, 1
	}
	m.queue()
}

func (m *exportModel) finish(key string, version int, bundle string, lacks bool, in []string) {
	if m.state == "" || key != m.key || version != m.version || m.madeKey == key && m.madeVersion == version && m.state == export.Completed {
		return
	}
	same := m.madeKey == key && m.bundle == bundle
	m.state, m.madeKey, m.madeVersion, m.bundle, m.lacks, m.in = export.Completed, key, version, bundle, lacks, in
	if !same {
		m.proved()
	}
}

func (m *exportModel) fail(key string, version int, permanent bool) (final bool) {
	if m.state != export.Queued || key != m.key || version != m.version {
		return true
	}
	if m.attempt++; !permanent && m.attempt < store.Attempts {
		return false
	}
	m.state = export.Failed
	return true
}

// proved queues the next version where all that is missing is there.
func (m *exportModel) proved() {
	if m.state != export.Completed || m.madeKey != m.key || !m.lacks || len(m.in) == 0 || slices.ContainsFunc(m.in, func(a string) bool { return !m.logged[a] }) {
		return
	}
	m.version++
	m.queue()
}

// testExportModel holds the store against the model, over random sequences of what can
// happen to an export in any order.
func testExportModel(w *proofWorld) {
	n := 0
	rapid.Check(w.T, func(t *rapid.T) {
		id := w.completed(w.acme)
		n++
		m := &exportModel{logged: map[string]bool{}}
		var all []string
		for i := range 2 {
			all = append(all, w.keep(attestation(fmt.Sprint("e", n, i), id, attest.ProofLog)).ID)
		}
		slices.Sort(all)
		x := w.acme.Exports()
		key := rapid.SampledFrom([]string{"k1", "k2", "k3"})
		var done []string
		for range rapid.IntRange(4, 12).Draw(t, "steps") {
			// Mostly what is wanted, and sometimes anything.
			at, version := m.key, m.version
			if at == "" || rapid.IntRange(0, 3).Draw(t, "stray") == 0 {
				at, version = key.Draw(t, "key"), rapid.IntRange(1, 3).Draw(t, "version")
			}
			switch op := rapid.SampledFrom([]string{"request", "finish", "finish", "fail", "prove"}).Draw(t, "op"); op {
			case "request":
				k := key.Draw(t, "wanted")
				r := wantedOf(export.SPDX, k)
				r.Again = rapid.IntRange(0, 3).Draw(t, "again") == 0
				done = append(done, fmt.Sprint(op, " ", k, r.Again))
				must[[]export.Export](w)(x.Request(w.ctx, &export.Request{ScanID: id, Wanted: []export.Wanted{r}}))
				m.request(k, r.Again)
			case "finish":
				in := all[:rapid.IntRange(0, 2).Draw(t, "in")]
				lacks := len(in) > 0 && rapid.Bool().Draw(t, "lacks")
				r := result(id, export.SPDX, at, version, in...)
				if lacks {
					r.Made.Missing = []string{"log"}
				}
				done = append(done, fmt.Sprint(op, " ", at, version, lacks, len(in)))
				w.finish(r)
				m.finish(at, version, r.Made.Bundle.Ref.Digest, lacks, in)
			case "fail":
				permanent := rapid.IntRange(0, 3).Draw(t, "permanent") == 0
				done = append(done, fmt.Sprint(op, " ", at, version, permanent))
				final := must[bool](w)(x.Fail(w.ctx, &export.Failure{ScanID: id, Format: export.SPDX, Key: sha(at), Version: version, Reason: "why", Permanent: permanent}))
				if want := m.fail(at, version, permanent); final != want {
					t.Errorf("%q: final %v, want %v", done, final, want)
				}
			case "prove":
				a := rapid.SampledFrom(all).Draw(t, "attestation")
				done = append(done, op+" "+a)
				w.prove(a, attest.ProofLog)
				if !m.logged[a] {
					m.logged[a] = true
					if slices.Contains(m.in, a) {
						m.proved()
					}
				}
			}
			if err := w.like(id, m); err != nil {
				t.Fatalf("after %q: %v", done, err)
			}
		}
		// Nothing of it is left for the next one.
		if m.state == export.Queued {
			w.finish(result(id, export.SPDX, m.key, m.version))
			must[bool](w)(x.Fail(w.ctx, &export.Failure{ScanID: id, Format: export.SPDX, Key: sha(m.key), Version: m.version, Permanent: true}))
		}
	})
}

// like compares what is kept of a scan's one export with the model.
func (w *proofWorld) like(id string, m *exportModel) error {
	list := must[[]export.Export](w)(w.acme.Exports().Exports(w.ctx, id))
	got, want := "", ""
	for _, e := range list {
		got = fmt.Sprint(e.State, e.Key, e.Version, e.Attempt)
		if e.Made != nil {
			got += fmt.Sprint(" made ", e.Made.Key, e.Made.Version, len(e.Made.Missing) > 0, e.Made.Bundle.Ref.Digest, e.Made.Attestations)
		}
	}
	if m.state != "" {
		want = fmt.Sprint(m.state, sha(m.key), m.version, m.attempt)
	}
	if m.madeKey != "" {
		want += fmt.Sprint(" made ", sha(m.madeKey), m.madeVersion, m.lacks, m.bundle, m.in)
	}
	messages := 0
	if m.state == export.Queued {
		messages = 1
	}
	if n := w.waiting(event.ExportJobs); got == want && n != messages {
		return fmt.Errorf("%d messages, want %d", n, messages)
	}
	if got != want {
		return errors.New("kept " + got + ", want " + want)
	}
	return nil
}
