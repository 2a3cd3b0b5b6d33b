package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// TestAttest checks the promises of attest.Store, export.Store, export.Pushes and
// export.Source, and of what holds scans. open returns an empty store each time; it is
// closed by the test.
func TestAttest(t *testing.T, open func(t testing.TB) *store.Root) {
	for name, test := range map[string]func(*proofWorld){
		"Signatures": testSignatures, "Keep": testKeepAttestation, "Refuses": testAttestRefuses, "Prove": testProve, "Find": testFindAttestations, "Signers": testSigners, "Provers": testProvers,
		"Messages": testSubmissions, "Shared": testSharedAttestation, "Objects": testAttestObjects, "Tenants": testAttestTenants, "Hold": testHold, "HoldRace": testHoldRace,
		"Request": testRequestExports, "Older": testOlderExports, "Finish": testFinishExport, "Versions": testExportVersions, "FailExport": testFailExport, "Gone": testExportGone, "Releases": testExportReleases,
		"Push": testPush, "PushAttempts": testPushAttempts, "Settings": testExportSettings, "Source": testExportSource, "Races": testExportRaces, "ProofRace": testProofRace, "LastProofs": testLastProofs, "Window": testExportWindow,
		"Again": testExportAgain, "Redo": testProofRedo, "Crashes": testProofCrashes, "Model": testExportModel,
	} {
		t.Run(name, func(t *testing.T) { test(newProofWorld(t, open)) })
	}
}

// proofWorld is a store of which two tenants prove and export something.
type proofWorld struct {
	*testing.T
	ctx         context.Context
	root        *store.Root
	queue       *collector
	relay       *store.Relay
	acme, other *store.Tenant
	n           int
}

func newProofWorld(t *testing.T, open func(t testing.TB) *store.Root) *proofWorld {
	root := open(t)
	t.Cleanup(func() { root.Close() })
	w := &proofWorld{T: t, ctx: t.Context(), root: root, queue: &collector{}, acme: tenant(t, root, "acme"), other: tenant(t, root, "other")}
	w.relay = root.Relay(queue.New(w.queue), &store.RelayOptions{Window: 1 << 20})
	return w
}

// completed brings a scan there.
func (w *proofWorld) completed(of *store.Tenant) string {
	w.n++
	return completed(w, of.Scans(), fmt.Sprint("image-", w.n)).ID
}

// signature is one of a payload by key k.
func signature(payload, sig, scanID string) *attest.Signature {
	return &attest.Signature{Payload: sha(payload), PayloadType: "application/vnd.in-toto+json", KeyID: "k", Sig: []byte(sig), ScanID: scanID, PredicateType: "https://spdx.dev/Document", By: "ann"}
}

// attestation is one whose envelope is a text.
func attestation(text, scanID string, wanted ...attest.ProofKind) *attest.Attestation {
	return &attest.Attestation{
		ID: sha(text), Envelope: []byte(text), Ref: blob.Ref{Digest: sha(text), Size: int64(len(text))}, Payload: sha("payload of " + text), KeyID: "k",
		PredicateType: "https://spdx.dev/Document", Subjects: []string{sha("image"), sha("sbom of " + text)}, ScanID: scanID, Wanted: wanted,
	}
}

func proofOf(k attest.ProofKind, content string) attest.Proof {
	return attest.Proof{Kind: k, Source: "log.example/acme", Content: []byte(content)}
}

func (w *proofWorld) keep(a *attest.Attestation) *attest.Attestation {
	w.Helper()
	return must[*attest.Attestation](w)(w.acme.Attest().Keep(w.ctx, a))
}

func (w *proofWorld) prove(id string, k attest.ProofKind) *attest.Attestation {
	w.Helper()
	return must[*attest.Attestation](w)(w.acme.Attest().Prove(w.ctx, id, proofOf(k, "proof of "+id)))
}

// told lists the ids of messages on a topic that were relayed since it was asked last.
func (w *proofWorld) told(topic string) []string {
	w.Helper()
	relayAll(w, w.relay)
	var out []string
	w.queue.messages = slices.DeleteFunc(w.queue.messages, func(m message) bool {
		if m.topic == topic {
			out = append(out, must[*event.Event](w)(event.Decode(m.body)).ID)
		}
		return m.topic == topic
	})
	slices.Sort(out)
	return out
}

// waiting is how many rows of a topic's outbox somebody still needs.
func (w *proofWorld) waiting(topic string) int {
	w.Helper()
	b := must[store.Backlog](w)(w.root.Backlog(w.ctx, topic))
	return b.Pending + b.Published
}

func (w *proofWorld) wantErr(what string, err, kind error) {
	w.Helper()
	if !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// free reports whether nothing refers to an object.
func (w *proofWorld) free(of *store.Tenant, ref blob.Ref) bool {
	w.Helper()
	free := must[bool](w)(of.References().Condemn(w.ctx, ref.Digest))
	if err := of.References().Forget(w.ctx, ref.Digest); err != nil {
		w.Fatal(err)
	}
	return free
}

// collect deletes every scan that has ended, unless it is held.
func (w *proofWorld) collect() {
	w.Helper()
	time.Sleep(3 * time.Millisecond)
	if _, err := w.root.Collect(w.ctx, &store.Retention{Scans: time.Millisecond, Keys: -1, Events: -1, Batch: 2}); err != nil {
		w.Fatal(err)
	}
}

func testSignatures(w *proofWorld) {
	s, id := w.acme.Attest(), w.completed(w.acme)
	_, err := s.Signature(w.ctx, sha("p"), "k")
	w.wantErr("before", err, attest.ErrNotFound)
	first := must[*attest.Signature](w)(s.KeepSignature(w.ctx, signature("p", "one", id)))
	if diff := cmp.Diff(signature("p", "one", id), first, cmpopts.IgnoreFields(attest.Signature{}, "Made")); diff != "" || first.Made.IsZero() {
		w.Errorf("kept at %v (-want +got):\n%s", first.Made, diff)
	}
	later := signature("p", "two", w.completed(w.acme))
	later.By, later.PredicateType = "bob", "x"
	for name, got := range map[string]*attest.Signature{"kept": must[*attest.Signature](w)(s.KeepSignature(w.ctx, later)), "read": must[*attest.Signature](w)(s.Signature(w.ctx, sha("p"), "k"))} {
		if diff := cmp.Diff(first, got); diff != "" {
			w.Errorf("the second one, %s (-first +got):\n%s", name, diff)
		}
	}
	another := signature("p", "three", id)
	another.KeyID = "l"
	if got := must[*attest.Signature](w)(s.KeepSignature(w.ctx, another)); string(got.Sig) != "three" {
		w.Errorf("by another key: %s", got.Sig)
	}
	_, err = s.KeepSignature(w.ctx, signature("q", "s", "scan-none"))
	w.wantErr("of no scan", err, attest.ErrNotFound)
	w.collect()
	_, err = s.Signature(w.ctx, sha("p"), "k")
	w.wantErr("after its scan", err, attest.ErrNotFound)
}

func testKeepAttestation(w *proofWorld) {
	s, id := w.acme.Attest(), w.completed(w.acme)
	_, err := s.Attestation(w.ctx, sha("e"))
	w.wantErr("before", err, attest.ErrNotFound)
	in := attestation("e", id, attest.ProofTimestamp, attest.ProofLog)
	in.Proofs = []attest.Proof{proofOf(attest.ProofLog, "forged")} // proofs come by Prove alone
	want := attestation("e", id, attest.ProofLog, attest.ProofTimestamp)
	slices.Sort(want.Subjects)
	kept := w.keep(in)
	if diff := cmp.Diff(want, kept, cmpopts.IgnoreFields(attest.Attestation{}, "Made")); diff != "" || kept.Made.IsZero() {
		w.Errorf("kept at %v (-want +got):\n%s", kept.Made, diff)
	}
	again := attestation("e", id)
	again.PredicateType, again.Subjects = "other", nil
	for name, got := range map[string]*attest.Attestation{"kept again": w.keep(again), "read": must[*attest.Attestation](w)(s.Attestation(w.ctx, sha("e")))} {
		if diff := cmp.Diff(kept, got); diff != "" {
			w.Errorf("%s (-first +got):\n%s", name, diff)
		}
	}
	// A large one is an object alone.
	large := attestation("large", id)
	large.Envelope, large.Ref = nil, blob.Ref{Digest: sha("large"), Size: 3 << 20, Chunks: bytes.Repeat([]byte{7}, 96)}
	if got := w.keep(large); got.Envelope != nil || !cmp.Equal(got.Ref, large.Ref) {
		w.Errorf("a large one: %d bytes inline, %+v", len(got.Envelope), got.Ref)
	}
	// The scan is known by the signature.
	signed := attestation("signed", "")
	sig := signature("payload of signed", "s", id)
	must[*attest.Signature](w)(s.KeepSignature(w.ctx, sig))
	if got := w.keep(signed); got.ScanID != id {
		w.Errorf("of a signature that was made here: scan %q", got.ScanID)
	}
	if got := w.keep(attestation("foreign", "")); got.ScanID != "" {
		w.Errorf("of nobody's signature: scan %q", got.ScanID)
	}
	_, err = s.Keep(w.ctx, attestation("e2", "scan-none"))
	w.wantErr("for no scan", err, attest.ErrNotFound)
	w.collect()
	for text, kind := range map[string]error{"e": attest.ErrNotFound, "large": attest.ErrNotFound, "signed": attest.ErrNotFound, "foreign": nil} {
		_, err := s.Attestation(w.ctx, sha(text))
		w.wantErr(text+" after the scan", err, kind)
	}
}

func testAttestRefuses(w *proofWorld) {
	s, id := w.acme.Attest(), w.completed(w.acme)
	for name, change := range map[string]func(*attest.Attestation){
		"id":         func(a *attest.Attestation) { a.ID = "sha256:x" },
		"ref":        func(a *attest.Attestation) { a.Ref.Digest = sha("x") },
		"size":       func(a *attest.Attestation) { a.Ref.Size++ },
		"envelope":   func(a *attest.Attestation) { a.Envelope = []byte("f") },
		"payload":    func(a *attest.Attestation) { a.Payload = "p" },
		"key":        func(a *attest.Attestation) { a.KeyID = "" },
		"long key":   func(a *attest.Attestation) { a.KeyID = strings.Repeat("k", 2000) },
		"type":       func(a *attest.Attestation) { a.PredicateType = "" },
		"type's NUL": func(a *attest.Attestation) { a.PredicateType = "a\x00b" },
		"subject":    func(a *attest.Attestation) { a.Subjects = []string{"\xff"} },
		"subjects":   func(a *attest.Attestation) { a.Subjects = make([]string, store.MaxSubjects+1) },
		"proof":      func(a *attest.Attestation) { a.Wanted = []attest.ProofKind{"witness"} },
		"inline": func(a *attest.Attestation) {
			a.Envelope = make([]byte, attest.MaxInline+1)
			a.ID = sum.Of(a.Envelope)
			a.Ref = blob.Ref{Digest: a.ID, Size: attest.MaxInline + 1}
		},
	} {
		a := attestation("e", id)
		change(a)
		if _, err := s.Keep(w.ctx, a); !errors.Is(err, attest.ErrInvalid) && !errors.Is(err, attest.ErrLimit) && !errors.Is(err, attest.ErrMismatch) {
			w.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*attest.Signature){
		"payload": func(s *attest.Signature) { s.Payload = "x" }, "none": func(s *attest.Signature) { s.Sig = nil }, "long": func(s *attest.Signature) { s.Sig = make([]byte, 1<<17) },
		"key": func(s *attest.Signature) { s.KeyID = "" }, "type": func(s *attest.Signature) { s.PayloadType = "" }, "predicate": func(s *attest.Signature) { s.PredicateType = "" },
	} {
		x := signature("p", "s", id)
		change(x)
		if _, err := s.KeepSignature(w.ctx, x); !errors.Is(err, attest.ErrInvalid) && !errors.Is(err, attest.ErrLimit) {
			w.Errorf("signature, %s: %v", name, err)
		}
	}
	w.keep(attestation("e", id))
	for name, p := range map[string]attest.Proof{"kind": proofOf("witness", "p"), "none": proofOf(attest.ProofLog, ""), "long": proofOf(attest.ProofLog, strings.Repeat("p", store.MaxProof+1)), "source": {Kind: attest.ProofLog, Content: []byte("p")}} {
		if _, err := s.Prove(w.ctx, sha("e"), p); !errors.Is(err, attest.ErrInvalid) && !errors.Is(err, attest.ErrLimit) {
			w.Errorf("proof, %s: %v", name, err)
		}
	}
	for _, q := range []attest.Query{{Limit: -1}, {Limit: 1001}, {After: "x"}, {After: "x.y"}} {
		_, err := s.Find(w.ctx, q)
		w.wantErr(fmt.Sprintf("%+v", q), err, attest.ErrInvalid)
	}
	if got := must[*attest.Attestation](w)(s.Attestation(w.ctx, sha("e"))); len(got.Proofs) > 0 {
		w.Errorf("%+v", got.Proofs)
	}
}

// testProve: the first proof of a kind stays.
func testProve(w *proofWorld) {
	s := w.acme.Attest()
	_, err := s.Prove(w.ctx, sha("e"), proofOf(attest.ProofLog, "p"))
	w.wantErr("of nothing", err, attest.ErrNotFound)
	a := w.keep(attestation("e", w.completed(w.acme), attest.ProofLog, attest.ProofTimestamp))
	if a.Version() != 1 || len(a.Missing()) != 2 {
		w.Errorf("version %d misses %v", a.Version(), a.Missing())
	}
	first := w.prove(a.ID, attest.ProofTimestamp)
	if first.Version() != 2 || !slices.Equal(first.Missing(), []attest.ProofKind{attest.ProofLog}) || first.Proofs[0].Made.IsZero() {
		w.Errorf("%+v", first)
	}
	second := must[*attest.Attestation](w)(s.Prove(w.ctx, a.ID, attest.Proof{Kind: attest.ProofTimestamp, Source: "another", Content: []byte("q")}))
	if diff := cmp.Diff(first, second); diff != "" {
		w.Errorf("another one of the same kind (-first +got):\n%s", diff)
	}
	last := w.prove(a.ID, attest.ProofLog)
	if last.Version() != 3 || len(last.Missing()) != 0 || last.Proofs[0].Kind != attest.ProofTimestamp || last.Proofs[1].Kind != attest.ProofLog {
		w.Errorf("%+v", last.Proofs)
	}
	if diff := cmp.Diff(last, must[*attest.Attestation](w)(s.Attestation(w.ctx, a.ID))); diff != "" {
		w.Error(diff)
	}
	// What nobody asked for is kept as well.
	free := w.keep(attestation("f", ""))
	if got := w.prove(free.ID, attest.ProofLog); len(got.Proofs) != 1 {
		w.Errorf("%+v", got)
	}
}

func testFindAttestations(w *proofWorld) {
	s, one, two := w.acme.Attest(), w.completed(w.acme), w.completed(w.acme)
	var all []string
	for i := range 7 {
		a := attestation(fmt.Sprint("e", i), []string{one, two, ""}[i%3], attest.ProofLog)
		if i%2 > 0 {
			a.PredicateType = "vex"
		}
		a.Subjects = append(a.Subjects, sha(fmt.Sprint("part ", i%4)))
		all = append(all, w.keep(a).ID)
		time.Sleep(time.Millisecond)
	}
	w.prove(all[3], attest.ProofLog)
	slices.Reverse(all)
	for _, c := range []struct {
		q    attest.Query
		want []string
	}{
		{attest.Query{}, all}, {attest.Query{Subject: sha("image")}, all}, {attest.Query{Subject: sha("none")}, nil}, {attest.Query{Subject: sha("part 2")}, []string{all[0], all[4]}},
		{attest.Query{PredicateType: "vex"}, []string{all[1], all[3], all[5]}}, {attest.Query{ScanID: two}, []string{all[2], all[5]}},
		{attest.Query{ScanID: one, PredicateType: "vex", Subject: sha("part 3")}, []string{all[3]}}, {attest.Query{ScanID: "scan-none"}, nil},
	} {
		for _, limit := range []int{0, 1, 2, 3} {
			var got []string
			q := c.q
			for q.Limit = limit; ; {
				p := must[*attest.Page](w)(s.Find(w.ctx, q))
				for i := range p.Attestations {
					got = append(got, p.Attestations[i].ID)
					if diff := cmp.Diff(must[*attest.Attestation](w)(s.Attestation(w.ctx, p.Attestations[i].ID)), &p.Attestations[i]); diff != "" {
						w.Errorf("listed and read (-read +listed):\n%s", diff)
					}
				}
				if q.After = p.Next; q.After == "" {
					break
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				w.Errorf("%+v, %d at a time (-want +got):\n%s", c.q, limit, diff)
			}
		}
	}
}

// testSigners: of two that sign one payload at once, both get the signature of one.
func testSigners(w *proofWorld) {
	id := w.completed(w.acme)
	for round := range 10 {
		got := make([]*attest.Signature, 4)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				w.retry(func() (err error) {
					got[i], err = w.acme.Attest().KeepSignature(w.ctx, signature(fmt.Sprint("p", round), fmt.Sprint("signature ", i), id))
					return err
				})
			})
		}
		wg.Wait()
		for i := range got {
			if diff := cmp.Diff(got[0], got[i]); diff != "" {
				w.Fatalf("round %d: two signatures:\n%s", round, diff)
			}
		}
	}
}

// testProvers: of many that prove at once, one is kept of each kind.
func testProvers(w *proofWorld) {
	id := w.completed(w.acme)
	for round := range 10 {
		text := fmt.Sprint("e", round)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				w.retry(func() error {
					_, err := w.acme.Attest().Keep(w.ctx, attestation(text, id, attest.ProofLog, attest.ProofTimestamp))
					return err
				})
				for _, k := range []attest.ProofKind{attest.ProofLog, attest.ProofTimestamp} {
					w.retry(func() error {
						_, err := w.acme.Attest().Prove(w.ctx, sha(text), proofOf(k, fmt.Sprint("by ", i)))
						return err
					})
				}
			})
		}
		wg.Wait()
		if a := must[*attest.Attestation](w)(w.acme.Attest().Attestation(w.ctx, sha(text))); a.Version() != 3 || len(a.Missing()) != 0 {
			w.Errorf("%+v", a.Proofs)
		}
	}
	if n := w.waiting(event.AttestorSubmissions); n != 0 {
		w.Errorf("%d messages about what is proved", n)
	}
}

// retry does something until the store is available.
func (w *proofWorld) retry(f func() error) {
	for range 100 {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, attest.ErrUnavailable) {
			w.Error(err)
			return
		}
	}
	w.Error("it is never available")
}

// testSubmissions: a message asks for proofs that are wanted, once, after a while, and
// is settled by the last of them, or by who gives up.
func testSubmissions(w *proofWorld) {
	s, id := w.acme.Attest(), w.completed(w.acme)
	w.keep(attestation("unwanted", id))
	if n := w.waiting(event.AttestorSubmissions); n != 0 {
		w.Errorf("%d messages for nothing", n)
	}
	a := w.keep(attestation("e", id, attest.ProofLog))
	w.keep(attestation("e", id, attest.ProofLog))
	if n := w.waiting(event.AttestorSubmissions); n != 1 {
		w.Errorf("%d messages", n)
	}
	if got := w.told(event.AttestorSubmissions); len(got) != 0 {
		w.Errorf("at once: %q", got)
	}
	w.prove(a.ID, attest.ProofLog)
	if n := w.waiting(event.AttestorSubmissions); n != 0 {
		w.Errorf("%d messages about what is proved", n)
	}
	// Something else is wanted later.
	if got := w.keep(attestation("e", id, attest.ProofTimestamp)); !slices.Equal(got.Missing(), []attest.ProofKind{attest.ProofTimestamp}) || len(got.Wanted) != 2 {
		w.Errorf("%+v", got)
	}
	if n := w.waiting(event.AttestorSubmissions); n != 1 {
		w.Errorf("%d messages for what is wanted later", n)
	}
	w.prove(a.ID, attest.ProofLog) // is there: it settles nothing
	if n := w.waiting(event.AttestorSubmissions); n != 1 {
		w.Errorf("%d messages after a proof that was there", n)
	}
	for range 2 {
		if err := s.Done(w.ctx, a.ID+"/kept"); err != nil {
			w.Error(err)
		}
	}
	if n := w.waiting(event.AttestorSubmissions); n != 0 {
		w.Errorf("%d messages after giving up", n)
	}
}

// testSharedAttestation: two scans of one image have the same statement. It stays until
// both are gone, and so does its signature.
func testSharedAttestation(w *proofWorld) {
	s, one, two := w.acme.Attest(), w.completed(w.acme), w.completed(w.acme)
	must[*attest.Signature](w)(s.KeepSignature(w.ctx, signature("payload of e", "s", one)))
	a := w.keep(attestation("e", one, attest.ProofLog))
	if got := w.keep(attestation("e", two)); got.ScanID != one {
		w.Errorf("scan %s", got.ScanID)
	}
	w.prove(a.ID, attest.ProofLog)
	if err := s.Hold(w.ctx, two, "a trial", "ann"); err != nil {
		w.Fatal(err)
	}
	w.collect()
	if _, err := w.acme.Scans().Job(w.ctx, one); !errors.Is(err, scan.ErrNotFound) {
		w.Fatal(err)
	}
	got := must[*attest.Attestation](w)(s.Attestation(w.ctx, a.ID))
	if len(got.Proofs) != 1 || w.free(w.acme, a.Ref) {
		w.Errorf("after the first scan: %+v", got)
	}
	if p := must[*attest.Page](w)(s.Find(w.ctx, attest.Query{ScanID: two})); len(p.Attestations) != 1 {
		w.Errorf("%+v", p)
	}
	must[*attest.Signature](w)(s.Signature(w.ctx, sha("payload of e"), "k"))
	if got := w.keep(attestation("e", "")); got.ScanID != one { // its signature's scan is gone, which does not matter
		w.Errorf("scan %s", got.ScanID)
	}
	if err := s.Release(w.ctx, two, "it is over", "ann"); err != nil {
		w.Fatal(err)
	}
	w.collect()
	_, err := s.Attestation(w.ctx, a.ID)
	w.wantErr("after both scans", err, attest.ErrNotFound)
	_, err = s.Signature(w.ctx, sha("payload of e"), "k")
	w.wantErr("its signature", err, attest.ErrNotFound)
	if !w.free(w.acme, a.Ref) {
		w.Error("its object is still referred to")
	}
	// It can come again, as if it had never been there.
	if got := w.keep(attestation("e", w.completed(w.acme), attest.ProofLog)); len(got.Proofs) != 0 {
		w.Errorf("%+v", got)
	}
}

// testAttestObjects: an envelope's object is not collected, and one that is being
// collected is refused.
func testAttestObjects(w *proofWorld) {
	s, refs := w.acme.Attest(), w.acme.References()
	a := attestation("e", w.completed(w.acme))
	if !must[bool](w)(refs.Condemn(w.ctx, a.ID)) {
		w.Fatal("nothing refers to it")
	}
	_, err := s.Keep(w.ctx, a)
	w.wantErr("while its object is deleted", err, attest.ErrConflict)
	if err := refs.Forget(w.ctx, a.ID); err != nil {
		w.Fatal(err)
	}
	for _, x := range []*attest.Attestation{a, attestation("foreign", "")} {
		w.keep(x)
		if w.free(w.acme, x.Ref) {
			w.Errorf("nothing refers to %s", x.Envelope)
		}
	}
	w.collect()
	if !w.free(w.acme, a.Ref) || w.free(w.acme, attestation("foreign", "").Ref) {
		w.Error("after the scan")
	}
}

// testAttestTenants: nobody reads or changes what another tenant has.
func testAttestTenants(w *proofWorld) {
	id := w.completed(w.acme)
	must[*attest.Signature](w)(w.acme.Attest().KeepSignature(w.ctx, signature("p", "s", id)))
	a := w.keep(attestation("e", id, attest.ProofLog))
	s := w.other.Attest()
	for name, err := range map[string]error{
		"signature": second(s.Signature(w.ctx, sha("p"), "k")), "attestation": second(s.Attestation(w.ctx, a.ID)), "prove": second(s.Prove(w.ctx, a.ID, proofOf(attest.ProofLog, "p"))),
		"keep": second(s.Keep(w.ctx, attestation("e", id))), "sign": second(s.KeepSignature(w.ctx, signature("p", "t", id))), "hold": s.Hold(w.ctx, id, "why", "eve"), "release": s.Release(w.ctx, id, "why", "eve"),
		"exports": second(w.other.Exports().Exports(w.ctx, id)), "pushes": second(w.other.Exports().Pushes(w.ctx, id)), "scan": second(w.other.Exports().Scan(w.ctx, id)),
		"report": second(w.other.Exports().Report(w.ctx, id, 0)), "verdict": second(w.other.Exports().Verdict(w.ctx, id, "k")),
	} {
		w.wantErr(name, err, attest.ErrNotFound)
	}
	if err := s.Done(w.ctx, a.ID+"/kept"); err != nil {
		w.Error(err)
	}
	if p := must[*attest.Page](w)(s.Find(w.ctx, attest.Query{})); len(p.Attestations) > 0 {
		w.Errorf("%+v", p)
	}
	// The same envelope may be another tenant's too.
	theirs := must[*attest.Attestation](w)(s.Keep(w.ctx, attestation("e", "")))
	if got := must[*attest.Attestation](w)(s.Prove(w.ctx, theirs.ID, proofOf(attest.ProofLog, "theirs"))); len(got.Proofs) != 1 || len(got.Wanted) != 0 {
		w.Errorf("%+v", got)
	}
	if got := must[*attest.Attestation](w)(w.acme.Attest().Attestation(w.ctx, a.ID)); len(got.Proofs) != 0 || w.waiting(event.AttestorSubmissions) != 1 {
		w.Errorf("%+v, %d messages", got, w.waiting(event.AttestorSubmissions))
	}
}
