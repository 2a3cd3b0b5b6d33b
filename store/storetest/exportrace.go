package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// work makes what is queued of a scan as a worker does: of the attestations as they
// stand when it looks.
func (w *proofWorld) work(id string, attestations []string) {
	w.Helper()
	var list []export.Export
	w.retry(func() (err error) { list, err = w.acme.Exports().Exports(w.ctx, id); return err })
	for _, e := range list {
		if e.State != export.Queued {
			continue
		}
		r := &export.Result{ScanID: id, Format: e.Format, Made: export.Made{Key: e.Key, Version: e.Version, Document: objectOf("sbom.json", id+"document"+e.Key)}}
		r.Made.Attestations = attestations
		proofs := ""
		missing := map[attest.ProofKind]bool{}
		for _, a := range attestations {
			w.retry(func() error {
				kept, err := w.acme.Attest().Attestation(w.ctx, a)
				if err == nil {
					proofs += fmt.Sprint(len(kept.Proofs), " ")
					for _, k := range kept.Missing() {
						missing[k] = true
					}
				}
				return err
			})
		}
		for k := range missing {
			r.Made.Missing = append(r.Made.Missing, string(k))
		}
		r.Made.Bundle = objectOf("bundle.jsonl", id+"bundle"+e.Key+proofs)
		w.retry(func() error { return w.acme.Exports().Finish(w.ctx, r) })
	}
}

// testProofRace proves attestations while an export of them is finished: whoever is
// first, in the end there is a bundle that lacks nothing.
func testProofRace(w *proofWorld) {
	for round := range 8 {
		id, kinds := w.completed(w.acme), []attest.ProofKind{attest.ProofLog, attest.ProofTimestamp}
		var ids []string
		for i := range 2 {
			ids = append(ids, w.keep(attestation(fmt.Sprint("e", round, i), id, kinds...)).ID)
		}
		slices.Sort(ids)
		w.request(id, "", "spdx k1")
		var wg sync.WaitGroup
		for _, a := range ids {
			for _, k := range kinds {
				wg.Go(func() {
					w.retry(func() error { _, err := w.acme.Attest().Prove(w.ctx, a, proofOf(k, "p")); return err })
				})
			}
		}
		wg.Go(func() { w.work(id, ids) })
		wg.Go(func() { w.work(id, ids) })
		wg.Wait()
		for range 3 {
			w.work(id, ids)
		}
		e := must[[]export.Export](w)(w.acme.Exports().Exports(w.ctx, id))[0]
		if e.State != export.Completed || len(e.Made.Missing) > 0 || e.Made.Version != e.Version || e.Version > 2 {
			w.Errorf("round %d: %+v, %+v", round, e, e.Made)
		}
	}
}

// testLastProofs proves the attestations of one export at once: one of them is the last.
func testLastProofs(w *proofWorld) {
	for round := range 15 {
		id := w.completed(w.acme)
		var ids []string
		for i := range 3 {
			ids = append(ids, w.keep(attestation(fmt.Sprint("last", round, i), id, attest.ProofLog)).ID)
		}
		w.request(id, "", "spdx k1")
		w.work(id, ids)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for _, a := range ids {
			wg.Go(func() {
				<-start
				w.retry(func() error { _, err := w.acme.Attest().Prove(w.ctx, a, proofOf(attest.ProofLog, "p")); return err })
			})
		}
		close(start)
		wg.Wait()
		if e := must[[]export.Export](w)(w.acme.Exports().Exports(w.ctx, id))[0]; e.State != export.Queued || e.Version != 2 {
			w.Errorf("round %d: %s, version %d", round, e.State, e.Version)
		}
	}
}

// testExportRaces has everything happen at once to one scan. In the end what was asked
// for last is there, once, and nothing else is kept.
func testExportRaces(w *proofWorld) {
	id := w.completed(w.acme)
	a := w.keep(attestation("e", id, attest.ProofLog))
	formats := []export.Format{export.SPDX, export.CycloneDX}
	var wg sync.WaitGroup
	for i := range 2 {
		random := rand.New(rand.NewPCG(5, uint64(i)))
		wg.Go(func() {
			for n := range 12 {
				key := fmt.Sprint("k", random.IntN(3))
				r := &export.Request{ScanID: id, Event: fmt.Sprint("e", n)} // both have the same events
				for _, f := range formats {
					r.Wanted = append(r.Wanted, wantedOf(f, key))
				}
				if i > 0 {
					slices.Reverse(r.Wanted)
				}
				w.retry(func() error { _, err := w.acme.Exports().Request(w.ctx, r); return err })
			}
		})
		wg.Go(func() {
			for range 12 {
				w.work(id, []string{a.ID})
			}
		})
	}
	wg.Go(func() {
		for n := range 12 {
			f := &export.Failure{ScanID: id, Format: formats[n%2], Key: sha(fmt.Sprint("k", n%3)), Version: 1, Reason: "bad luck"}
			w.retry(func() error { _, err := w.acme.Exports().Fail(w.ctx, f); return err })
		}
		w.retry(func() error { _, err := w.acme.Attest().Prove(w.ctx, a.ID, proofOf(attest.ProofLog, "p")); return err })
	})
	wg.Wait()
	for range 3 {
		w.work(id, []string{a.ID})
	}
	kept := map[string]bool{}
	for _, e := range must[[]export.Export](w)(w.acme.Exports().Exports(w.ctx, id)) {
		if e.State != export.Completed || e.Made.Key != e.Key || e.Made.Version != e.Version || len(e.Made.Missing) > 0 {
			w.Errorf("%+v, %+v", e, e.Made)
		}
		if w.free(w.acme, e.Made.Document.Ref) || w.free(w.acme, e.Made.Bundle.Ref) {
			w.Errorf("the %s export is free", e.Format)
		}
		kept[e.Made.Document.Ref.Digest], kept[e.Made.Bundle.Ref.Digest] = true, true
	}
	for k := range 3 {
		key := sha(fmt.Sprint("k", k))
		for _, text := range []string{id + "document" + key, id + "bundle" + key + "0 ", id + "bundle" + key + "1 "} {
			if !kept[sha(text)] && !w.free(w.acme, blob.Ref{Digest: sha(text)}) {
				w.Errorf("%s is referred to, and of nothing that is there", text)
			}
		}
	}
	if n := w.waiting(event.ExportJobs); n != 0 {
		w.Errorf("%d messages", n)
	}
}

// testProofRedo goes through one story twice: once calmly, and once with every answer
// lost, so that everything is done over, as a process does that died after a commit.
// What is kept and told is the same.
func testProofRedo(w *proofWorld) {
	calm, redone := w.story(tenant(w, w.root, "calm"), 1), w.story(tenant(w, w.root, "redone"), 3)
	if diff := cmp.Diff(calm, redone); diff != "" || !strings.Contains(calm, "spdx:completed") {
		w.Errorf("%s\n(-calm +redone):\n%s", calm, diff)
	}
}

// story does everything that is done about a scan, each step several times, and returns
// what is kept and told in the end.
func (w *proofWorld) story(of *store.Tenant, times int) string {
	w.Helper()
	s, x, id := of.Attest(), of.Exports(), w.completed(of)
	step := func(f func() error) {
		w.Helper()
		for range times {
			if err := f(); err != nil {
				w.Fatal(err)
			}
		}
	}
	step(func() error {
		_, err := x.Request(w.ctx, &export.Request{ScanID: id, Event: "completed", Wanted: []export.Wanted{wantedOf(export.SPDX, "k1"), wantedOf(export.SARIF, "k1")}})
		return err
	})
	step(func() error {
		_, err := s.KeepSignature(w.ctx, signature("payload of e", "s", id))
		return err
	})
	step(func() error { _, err := s.Keep(w.ctx, attestation("e", "", attest.ProofLog)); return err })
	r := result("scan", export.SPDX, "k1", 1, sha("e"))
	r.ScanID, r.Made.Missing, r.Push, r.Message = id, []string{"log"}, []string{"bucket"}, id+"/export/spdx/1"
	step(func() error { return x.Finish(w.ctx, r) })
	step(func() error { _, err := s.Prove(w.ctx, sha("e"), proofOf(attest.ProofLog, "p")); return err })
	step(func() error { return s.Done(w.ctx, sha("e")+"/kept") })
	next := result("scan", export.SPDX, "k1", 2, sha("e"))
	next.ScanID, next.Push, next.Message = id, []string{"bucket"}, id+"/export/spdx/2"
	step(func() error { return x.Finish(w.ctx, next) })
	push := &export.Push{ScanID: id, Format: export.SPDX, Destination: "bucket", Digest: next.Made.Bundle.Ref.Digest, State: export.Failed, Reason: "away"}
	message := func(n int) string { return fmt.Sprintf("%s/push/spdx/bucket/%s/%d", id, push.Digest, n) }
	step(func() error { _, err := x.Pushed(w.ctx, push, message(1), false); return err })
	push.State, push.Receipt = export.Completed, "etag"
	step(func() error { _, err := x.Pushed(w.ctx, push, message(2), false); return err })
	failure := &export.Failure{ScanID: id, Format: export.SARIF, Key: sha("k1"), Version: 1, Message: id + "/export/sarif/1", Reason: "broken", Permanent: true}
	step(func() error { _, err := x.Fail(w.ctx, failure); return err })
	settings := &export.Settings{Mode: export.Sign}
	for n := range times { // a revision that stands is found out by its number
		err := x.SetSettings(w.ctx, &export.Settings{Mode: settings.Mode})
		if (err == nil) != (n == 0) || err != nil && !errors.Is(err, export.ErrConflict) {
			w.Errorf("settings: %v", err)
		}
	}
	var out []string
	for _, e := range must[[]export.Export](w)(x.Exports(w.ctx, id)) {
		out = append(out, fmt.Sprintf("%s:%s:%s/%d %d %s", e.Format, e.State, e.Key, e.Version, e.Attempt, e.Reason))
		if m := e.Made; m != nil {
			out = append(out, fmt.Sprint(m.Key, m.Version, m.Document, m.Bundle, m.Attestations, m.Missing))
		}
	}
	for _, p := range must[[]export.Push](w)(x.Pushes(w.ctx, id)) {
		out = append(out, fmt.Sprintf("%s %s %s %d %s %s", p.Destination, p.Digest, p.State, p.Attempt, p.Reason, p.Receipt))
	}
	a := must[*attest.Attestation](w)(s.Attestation(w.ctx, sha("e")))
	out = append(out, fmt.Sprint(a.Version(), a.Missing(), a.ScanID == id, must[*export.Settings](w)(x.Settings(w.ctx)).Number, w.waiting(event.ExportJobs), w.waiting(event.AttestorSubmissions)))
	return strings.ReplaceAll(strings.Join(out, "\n"), id, "scan")
}
