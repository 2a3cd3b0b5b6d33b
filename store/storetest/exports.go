package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

func wantedOf(f export.Format, key string) export.Wanted {
	return export.Wanted{Format: f, Key: sha(key), Inputs: export.Inputs{SBOM: sha("sbom"), KeyID: key, Tool: "test", Logged: true}}
}

// request asks for exports of a scan, "spdx k1" each, and returns what is kept.
func (w *proofWorld) request(id, eventID string, wanted ...string) []export.Export {
	w.Helper()
	r := &export.Request{ScanID: id, Event: eventID, By: "ann"}
	for _, text := range wanted {
		f, key, _ := strings.Cut(text, " ")
		r.Wanted = append(r.Wanted, wantedOf(export.Format(f), key))
	}
	return must[[]export.Export](w)(w.acme.Exports().Request(w.ctx, r))
}

func objectOf(name, text string) export.Object {
	return export.Object{Name: name, MediaType: "application/json", Ref: blob.Ref{Digest: sha(text), Size: int64(len(text))}}
}

// result is what is made under a key: a document that follows from it, and a bundle that
// has a version and attestations, "" for none.
func result(id string, f export.Format, key string, version int, attestations ...string) *export.Result {
	r := &export.Result{ScanID: id, Format: f, Made: export.Made{Key: sha(key), Version: version, Document: objectOf("sbom.json", id+"document"+key)}}
	if len(attestations) > 0 {
		r.Made.Bundle = objectOf("bundle.jsonl", fmt.Sprint(id, "bundle", key, version))
		r.Made.Attestations = attestations
	}
	return r
}

func (w *proofWorld) finish(r *export.Result) {
	w.Helper()
	if err := w.acme.Exports().Finish(w.ctx, r); err != nil {
		w.Fatal(err)
	}
}

// stand says how the exports of a scan stand: "spdx:queued:k1/2(made k1/1)".
func (w *proofWorld) stand(id string, keys ...string) string {
	w.Helper()
	name := func(digest string) string {
		return keys[slices.IndexFunc(keys, func(k string) bool { return sha(k) == digest })]
	}
	var out []string
	for _, e := range must[[]export.Export](w)(w.acme.Exports().Exports(w.ctx, id)) {
		text := fmt.Sprintf("%s:%s:%s/%d", e.Format, e.State, name(e.Key), e.Version)
		if e.Made != nil {
			text += fmt.Sprintf("(made %s/%d)", name(e.Made.Key), e.Made.Version)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func (w *proofWorld) wantStand(what, id, want string) {
	w.Helper()
	if got := w.stand(id, "k1", "k2", "k3"); got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (w *proofWorld) wantTold(what string, want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, w.told(event.ExportJobs)); diff != "" {
		w.Errorf("%s: messages (-want +got):\n%s", what, diff)
	}
}

func testRequestExports(w *proofWorld) {
	s := w.acme.Exports()
	_, err := s.Exports(w.ctx, "scan-none")
	w.wantErr("exports of no scan", err, export.ErrNotFound)
	if err := w.root.Register(w.ctx, event.ScannerEvents, event.GroupExport, event.ScanCompleted); err != nil {
		w.Fatal(err)
	}
	gone := w.completed(w.acme)
	w.collect()
	w.told(event.ScannerEvents)
	for range 2 { // the event is noted all the same
		_, err = s.Request(w.ctx, &export.Request{ScanID: gone, Event: gone + "/completed", Wanted: []export.Wanted{wantedOf(export.SPDX, "k1")}})
		w.wantErr("request for no scan", err, export.ErrNotFound)
	}
	if done, err := w.acme.Once(w.ctx, event.GroupExport, gone+"/completed", func(*store.Tx) error { return nil }); done || err != nil {
		w.Errorf("the event of a scan that is gone comes again: %v", err)
	}
	id := w.completed(w.acme)
	if list := must[[]export.Export](w)(s.Exports(w.ctx, id)); len(list) > 0 {
		w.Errorf("%+v", list)
	}
	list := w.request(id, "e1", "spdx k1", "cyclonedx k2")
	want := []export.Export{
		{ScanID: id, Format: export.SPDX, State: export.Queued, Key: sha("k1"), Inputs: wantedOf("", "k1").Inputs, Version: 1},
		{ScanID: id, Format: export.CycloneDX, State: export.Queued, Key: sha("k2"), Inputs: wantedOf("", "k2").Inputs, Version: 1},
	}
	if diff := cmp.Diff(want, list, cmpopts.IgnoreFields(export.Export{}, "Created", "Updated")); diff != "" || list[0].Created.IsZero() || list[0].Updated.IsZero() {
		w.Errorf("requested (-want +got):\n%s", diff)
	}
	relayAll(w, w.relay)
	var jobs []event.ExportJob
	for _, m := range w.queue.messages {
		if m.topic == event.ExportJobs {
			jobs = append(jobs, *must[*event.ExportJob](w)(event.DecodeExportJob(must[*event.Event](w)(event.Decode(m.body)))))
		}
	}
	if diff := cmp.Diff([]event.ExportJob{{JobID: id, Format: "cyclonedx", Key: sha("k2"), Version: 1}, {JobID: id, Format: "spdx", Key: sha("k1"), Version: 1}}, jobs); diff != "" {
		w.Error(diff)
	}
	w.wantTold("at first", id+"/export/cyclonedx/1", id+"/export/spdx/1")
	// What is queued, or made, is not queued again; nor does an event count twice.
	w.request(id, "e2", "spdx k1")
	w.finish(result(id, export.SPDX, "k1", 1))
	w.request(id, "e3", "spdx k1")
	w.request(id, "", "spdx k1")
	w.request(id, "e1", "spdx k3", "sarif k3")
	w.wantTold("the same again")
	w.wantStand("the same again", id, "cyclonedx:queued:k2/1 spdx:completed:k1/1(made k1/1)")
	// Something else is.
	w.request(id, "e4", "spdx k2")
	w.wantTold("another key", id+"/export/spdx/2")
	w.wantStand("another key", id, "cyclonedx:queued:k2/1 spdx:queued:k2/1(made k1/1)")
	// What was wanted before, and is still there, is not made again.
	w.request(id, "e5", "spdx k1")
	w.wantTold("the key before")
	w.wantStand("the key before", id, "cyclonedx:queued:k2/1 spdx:completed:k1/1(made k1/1)")
	if n := w.waiting(event.ExportJobs); n != 1 {
		w.Errorf("%d messages, want that for cyclonedx", n)
	}
	for name, wanted := range map[string][]export.Wanted{
		"twice": {wantedOf(export.SPDX, "k1"), wantedOf(export.SPDX, "k2")}, "no format": {wantedOf("", "k1")}, "no key": {{Format: export.SPDX}}, "long": {wantedOf(export.Format(strings.Repeat("f", 65)), "k1")},
		"too many": make([]export.Wanted, store.MaxWanted+1),
	} {
		if _, err := s.Request(w.ctx, &export.Request{ScanID: id, Wanted: wanted}); err == nil {
			w.Errorf("%s: done", name)
		}
	}
}

// testOlderExports: who asks late, with what held before, changes nothing.
func testOlderExports(w *proofWorld) {
	p := newPolicyWorld(w.T, func(testing.TB) *store.Root { return w.root })
	p.enforce(w.acme, "", blockFrom(1, finding.High))
	id := p.scan(w.acme, "a", "CVE-1 high")
	before := p.evaluate(id, time.Now())[0].Key
	p.enforce(w.acme, "", blockFrom(2, finding.Critical))
	now := p.evaluate(id, time.Now())[0].Key
	ask := func(key string, in export.Inputs) string {
		w.Helper()
		list := must[[]export.Export](w)(w.acme.Exports().Request(w.ctx, &export.Request{ScanID: id, Wanted: []export.Wanted{{Format: export.SARIF, Key: sha(key), Inputs: in}}}))
		return list[0].Key
	}
	for _, c := range []struct {
		key  string
		in   export.Inputs
		want string
	}{
		{"undecided, head 7", export.Inputs{Report: 7}, "undecided, head 7"}, {"undecided, head 6", export.Inputs{Report: 6}, "undecided, head 7"}, {"undecided, head 8", export.Inputs{Report: 8}, "undecided, head 8"},
		{"before", export.Inputs{Verdict: before}, "before"}, {"now", export.Inputs{Verdict: now}, "now"}, {"before", export.Inputs{Verdict: before}, "now"},
		{"undecided", export.Inputs{}, "now"}, {"now, other key", export.Inputs{Verdict: now, KeyID: "l"}, "now, other key"},
	} {
		if got := ask(c.key, c.in); got != sha(c.want) {
			w.Errorf("%s: want %s", c.key, c.want)
		}
	}
}

func testFinishExport(w *proofWorld) {
	s, id := w.acme.Exports(), w.completed(w.acme)
	a, b := w.keep(attestation("a", id)), w.keep(attestation("b", id))
	w.finish(result(id, export.SPDX, "k1", 1)) // nobody asked for it
	w.wantStand("what nobody asked for", id, "")
	w.request(id, "", "spdx k1")
	r := result(id, export.SPDX, "k1", 1, b.ID, a.ID, b.ID)
	r.Message = id + "/export/spdx/1"
	w.finish(r)
	e := must[[]export.Export](w)(s.Exports(w.ctx, id))[0]
	want := r.Made
	want.Attestations = []string{min(a.ID, b.ID), max(a.ID, b.ID)}
	if diff := cmp.Diff(&want, e.Made, cmpopts.IgnoreFields(export.Made{}, "At")); diff != "" || e.State != export.Completed || e.Made.At.IsZero() || e.Reason != "" {
		w.Errorf("%s, %q (-want +got):\n%s", e.State, e.Reason, diff)
	}
	if n := w.waiting(event.ExportJobs); n != 0 {
		w.Errorf("%d messages", n)
	}
	w.finish(r) // again
	if diff := cmp.Diff([]export.Export{e}, must[[]export.Export](w)(s.Exports(w.ctx, id))); diff != "" {
		w.Errorf("finished twice (-once +twice):\n%s", diff)
	}
	other := result(id, export.SPDX, "k1", 1, a.ID)
	other.Made.Document = objectOf("sbom.json", "something else")
	w.wantErr("another document of the same", s.Finish(w.ctx, other), export.ErrMismatch)
	other.Made.Document = r.Made.Document
	other.Made.Bundle = objectOf("bundle.jsonl", "with another proof")
	w.finish(other) // whoever comes second
	if diff := cmp.Diff([]export.Export{e}, must[[]export.Export](w)(s.Exports(w.ctx, id))); diff != "" {
		w.Errorf("finished by a second one (-once +twice):\n%s", diff)
	}
	w.request(id, "", "spdx k2")
	w.wantErr("attestations that are not kept", s.Finish(w.ctx, result(id, export.SPDX, "k2", 1, a.ID, sha("none"))), export.ErrInvalid)
	w.finish(result(id, export.SPDX, "k1", 2))
	w.finish(result(id, export.SPDX, "k2", 2))
	w.finish(result(id, export.SPDX, "k3", 1))
	w.finish(result(id, export.SARIF, "k2", 1))
	w.wantStand("what is not wanted", id, "spdx:queued:k2/1(made k1/1)")
	for name, change := range map[string]func(*export.Result){
		"document": func(r *export.Result) { r.Made.Document.Ref.Digest = "x" }, "name": func(r *export.Result) { r.Made.Document.Name = "" }, "key": func(r *export.Result) { r.Made.Key = "" },
		"bundle": func(r *export.Result) { r.Made.Bundle.Ref.Digest = "x" }, "missing": func(r *export.Result) { r.Made.Missing = []string{"x"} }, "push": func(r *export.Result) { r.Push = []string{""} },
		"attestations": func(r *export.Result) { r.Made.Attestations = make([]string, store.MaxBundled+1) }, "format": func(r *export.Result) { r.Format = "" },
	} {
		r := result(id, export.SPDX, "k2", 1)
		change(r)
		if err := s.Finish(w.ctx, r); err == nil {
			w.Errorf("%s: done", name)
		}
	}
	w.finish(result(id, export.SPDX, "k2", 1))
	w.wantStand("finished", id, "spdx:completed:k2/1(made k2/1)")
}

// testExportVersions: a bundle that lacks proofs is made again when the last of them
// comes, and what was made serves until then.
func testExportVersions(w *proofWorld) {
	id := w.completed(w.acme)
	a, b := w.keep(attestation("a", id, attest.ProofLog)), w.keep(attestation("b", id, attest.ProofLog, attest.ProofTimestamp))
	lacking := func(key string, version int, missing ...string) *export.Result {
		r := result(id, export.SPDX, key, version, a.ID, b.ID)
		r.Made.Missing = missing
		return r
	}
	w.request(id, "", "spdx k1")
	w.finish(lacking("k1", 1, "timestamp", "log"))
	w.told(event.ExportJobs)
	w.prove(a.ID, attest.ProofLog)
	w.prove(b.ID, attest.ProofTimestamp)
	w.wantStand("while one is missing", id, "spdx:completed:k1/1(made k1/1)")
	w.prove(b.ID, attest.ProofLog)
	w.wantStand("all are there", id, "spdx:queued:k1/2(made k1/1)")
	w.wantTold("all are there", id+"/export/spdx/2")
	w.prove(b.ID, attest.ProofLog)
	w.request(id, "", "spdx k1")
	w.finish(lacking("k1", 1, "log"))
	w.wantStand("version 1 once more", id, "spdx:queued:k1/2(made k1/1)")
	w.finish(lacking("k1", 2))
	w.wantStand("version 2", id, "spdx:completed:k1/2(made k1/2)")
	w.wantTold("version 2")
	// The proofs came while it was made.
	w.request(id, "", "spdx k2")
	w.finish(lacking("k2", 1, "log"))
	w.wantStand("made without proofs that are there", id, "spdx:queued:k2/2(made k2/1)")
	// Somebody who does not see them must not go on for ever.
	r := lacking("k2", 2, "log")
	r.Made.Bundle = lacking("k2", 1).Made.Bundle
	w.finish(r)
	w.wantStand("made as before", id, "spdx:completed:k2/2(made k2/2)")
	// What was never wanted is not waited for.
	c := w.keep(attestation("c", id))
	r = result(id, export.SPDX, "k3", 1, c.ID)
	r.Made.Missing = []string{"log"}
	w.request(id, "", "spdx k3")
	w.finish(r)
	w.wantStand("misses what nobody wants", id, "spdx:completed:k3/1(made k3/1)")
	// Two scans have the same statement: both are made again.
	two := w.completed(w.acme)
	d := w.keep(attestation("d", id, attest.ProofLog))
	for _, scanID := range []string{id, two} {
		w.request(scanID, "", "sarif k1")
		r := result(scanID, export.SARIF, "k1", 1, d.ID)
		r.Made.Missing = []string{"log"}
		w.finish(r)
	}
	w.prove(d.ID, attest.ProofLog)
	for _, scanID := range []string{id, two} {
		if got := w.stand(scanID, "k1", "k3"); !strings.Contains(got, "sarif:queued:k1/2(made k1/1)") {
			w.Errorf("%s: %s", scanID, got)
		}
	}
}

func testFailExport(w *proofWorld) {
	s, id := w.acme.Exports(), w.completed(w.acme)
	fail := func(key string, version int, permanent bool) bool {
		w.Helper()
		return must[bool](w)(s.Fail(w.ctx, &export.Failure{ScanID: id, Format: export.SPDX, Key: sha(key), Version: version, Message: id + "/export/spdx/1", Reason: "no " + key, Permanent: permanent}))
	}
	w.request(id, "", "spdx k1")
	for n := 1; n <= store.Attempts; n++ {
		if final := fail("k1", 1, false); final != (n == store.Attempts) {
			w.Errorf("attempt %d: final %v", n, final)
		}
		e := must[[]export.Export](w)(s.Exports(w.ctx, id))[0]
		if e.Attempt != n || e.Reason != "no k1" || (e.State == export.Failed) != (n == store.Attempts) {
			w.Errorf("attempt %d: %+v", n, e)
		}
		if got := w.waiting(event.ExportJobs); got != 1 && n < store.Attempts || n == store.Attempts && got != 0 {
			w.Errorf("attempt %d: %d messages", n, got)
		}
	}
	if !fail("k1", 1, false) || !fail("k2", 1, false) || !fail("k1", 2, false) {
		w.Error("something follows a failure of what is not wanted")
	}
	// It is queued again where somebody asks, and counts anew.
	w.told(event.ExportJobs)
	w.request(id, "", "spdx k1")
	w.wantTold("after it failed", id+"/export/spdx/2")
	if e := must[[]export.Export](w)(s.Exports(w.ctx, id))[0]; e.State != export.Queued || e.Attempt != 0 || e.Reason != "" {
		w.Errorf("%+v", e)
	}
	if !fail("k1", 1, true) {
		w.Error("a failure for good is not the last")
	}
	w.wantStand("failed for good", id, "spdx:failed:k1/1")
	// Who was slow may have it all the same.
	w.finish(result(id, export.SPDX, "k1", 1))
	w.wantStand("finished late", id, "spdx:completed:k1/1(made k1/1)")
	// What was made serves while the next one fails.
	w.request(id, "", "spdx k2")
	fail("k2", 1, true)
	w.wantStand("the next one failed", id, "spdx:failed:k2/1(made k1/1)")
	w.request(id, "", "spdx k1")
	w.wantStand("the one before is enough", id, "spdx:completed:k1/1(made k1/1)")
}

// testExportGone: a scan that was deleted is not made again by anything that comes late,
// and nothing of it stays.
func testExportGone(w *proofWorld) {
	s, id := w.acme.Exports(), w.completed(w.acme)
	a := w.keep(attestation("a", id, attest.ProofLog))
	w.request(id, "", "spdx k1", "sarif k1")
	r := result(id, export.SPDX, "k1", 1, a.ID)
	r.Made.Missing, r.Push = []string{"log"}, []string{"bucket"}
	w.finish(r)
	w.collect()
	for what, err := range map[string]error{
		"exports": second(s.Exports(w.ctx, id)), "pushes": second(s.Pushes(w.ctx, id)), "request": second(s.Request(w.ctx, &export.Request{ScanID: id, Wanted: []export.Wanted{wantedOf(export.SPDX, "k1")}})),
		"finish": s.Finish(w.ctx, &export.Result{ScanID: id, Format: export.SARIF, Made: result(id, export.SARIF, "k1", 1).Made, Message: id + "/export/sarif/1"}),
		"keep":   second(w.acme.Attest().Keep(w.ctx, attestation("b", id))), "prove": second(w.acme.Attest().Prove(w.ctx, a.ID, proofOf(attest.ProofLog, "late"))), "scan": second(s.Scan(w.ctx, id)),
	} {
		w.wantErr(what, err, export.ErrNotFound)
	}
	p := &export.Push{ScanID: id, Format: export.SPDX, Destination: "bucket", Digest: r.Made.Bundle.Ref.Digest, State: export.Failed}
	if final, err := s.Pushed(w.ctx, p, id+"/push/spdx/bucket/"+p.Digest+"/1", false); !final || err != nil {
		w.Errorf("push: final %v, %v", final, err)
	}
	if final, err := s.Fail(w.ctx, &export.Failure{ScanID: id, Format: export.SPDX, Key: sha("k1"), Version: 1, Message: id + "/export/spdx/1"}); !final || err != nil {
		w.Errorf("fail: final %v, %v", final, err)
	}
	if err := w.acme.Attest().Done(w.ctx, a.ID+"/kept"); err != nil {
		w.Error(err)
	}
	if n := w.waiting(event.ExportJobs) + w.waiting(event.AttestorSubmissions); n != 0 {
		w.Errorf("%d messages", n)
	}
	for _, ref := range []blob.Ref{a.Ref, r.Made.Document.Ref, r.Made.Bundle.Ref} {
		if !w.free(w.acme, ref) {
			w.Errorf("%s is still referred to", ref.Digest)
		}
	}
}

// testExportAgain: what was made is made again where an object of it was lost, and
// serves until then.
func testExportAgain(w *proofWorld) {
	id := w.completed(w.acme)
	a := w.keep(attestation("a", id, attest.ProofLog))
	again := func(key string) {
		w.Helper()
		r := wantedOf(export.SPDX, key)
		r.Again = true
		must[[]export.Export](w)(w.acme.Exports().Request(w.ctx, &export.Request{ScanID: id, Wanted: []export.Wanted{r}}))
	}
	first := result(id, export.SPDX, "k1", 1, a.ID)
	first.Made.Missing = []string{"log"}
	w.request(id, "", "spdx k1")
	again("k1")
	w.wantTold("while it is queued", id+"/export/spdx/1")
	w.finish(first)
	again("k1")
	again("k1")
	w.wantTold("again", id+"/export/spdx/2")
	w.wantStand("again", id, "spdx:queued:k1/1(made k1/1)")
	w.finish(first)
	w.wantStand("the same again", id, "spdx:completed:k1/1(made k1/1)")
	if n := w.waiting(event.ExportJobs); n != 0 {
		w.Errorf("%d messages", n)
	}
	// With a proof that came meanwhile it is another bundle, which takes the place of the
	// lost one.
	again("k1")
	w.prove(a.ID, attest.ProofLog)
	next := result(id, export.SPDX, "k1", 1, a.ID)
	next.Made.Bundle = objectOf("bundle.jsonl", "with a receipt")
	w.finish(next)
	w.wantStand("with a receipt", id, "spdx:completed:k1/1(made k1/1)")
	if e := must[[]export.Export](w)(w.acme.Exports().Exports(w.ctx, id))[0]; len(e.Made.Missing) > 0 || w.free(w.acme, next.Made.Bundle.Ref) || !w.free(w.acme, first.Made.Bundle.Ref) {
		w.Errorf("%+v", e.Made)
	}
	again("k2")
	again("k1")
	w.wantStand("an earlier one again", id, "spdx:queued:k1/1(made k1/1)")
}

// testExportReleases: what was made before is free as soon as something else is made,
// and no sooner.
func testExportReleases(w *proofWorld) {
	id := w.completed(w.acme)
	a := w.keep(attestation("a", id))
	w.request(id, "", "spdx k1", "sarif k1")
	first := result(id, export.SPDX, "k1", 1, a.ID)
	w.finish(first)
	// Another format has the same document, and the scan itself a document that is it.
	shared := result(id, export.SARIF, "k1", 1)
	shared.Made.Document = first.Made.Document
	w.finish(shared)
	w.request(id, "", "spdx k2")
	for _, ref := range []blob.Ref{first.Made.Document.Ref, first.Made.Bundle.Ref} {
		if w.free(w.acme, ref) {
			w.Errorf("%s is free while it serves", ref.Digest)
		}
	}
	next := result(id, export.SPDX, "k2", 1)
	next.Made.Document = export.Object{Name: "sbom.json", MediaType: "application/json", Ref: results("image-1").Documents[0].Ref}
	w.finish(next)
	if w.free(w.acme, first.Made.Document.Ref) || !w.free(w.acme, first.Made.Bundle.Ref) || w.free(w.acme, a.Ref) {
		w.Error("after the next one")
	}
	w.request(id, "", "spdx k3")
	w.finish(result(id, export.SPDX, "k3", 1))
	if w.free(w.acme, next.Made.Document.Ref) {
		w.Error("the scan's own document is free")
	}
	// A condemned object is refused, and nothing changes.
	w.request(id, "", "spdx k1")
	if !must[bool](w)(w.acme.References().Condemn(w.ctx, first.Made.Bundle.Ref.Digest)) {
		w.Fatal("the bundle before is referred to")
	}
	w.wantErr("a condemned object", w.acme.Exports().Finish(w.ctx, first), export.ErrConflict)
	w.wantStand("after that", id, "sarif:completed:k1/1(made k1/1) spdx:queued:k1/1(made k3/1)")
	if w.free(w.acme, result(id, export.SPDX, "k3", 1).Made.Document.Ref) {
		w.Error("what serves is free")
	}
}

func testExportSettings(w *proofWorld) {
	s := w.acme.Exports()
	if got := must[*export.Settings](w)(s.Settings(w.ctx)); !cmp.Equal(got, &export.Settings{}) {
		w.Errorf("%+v", got)
	}
	in := &export.Settings{Mode: export.SignLog, Formats: []export.Format{export.SPDX}, Targets: []export.Destination{{Name: "bucket", URL: "s3://bucket", Secret: "env:KEY"}}, By: "ann"}
	if err := s.SetSettings(w.ctx, in); err != nil || in.Number != 1 || in.At.IsZero() {
		w.Fatalf("%+v, %v", in, err)
	}
	if diff := cmp.Diff(in, must[*export.Settings](w)(s.Settings(w.ctx))); diff != "" {
		w.Error(diff)
	}
	w.wantErr("the first once more", s.SetSettings(w.ctx, &export.Settings{Mode: export.Off}), export.ErrConflict)
	w.wantErr("one too far", s.SetSettings(w.ctx, &export.Settings{Mode: export.Off, Number: 2}), export.ErrConflict)
	w.wantErr("no mode", s.SetSettings(w.ctx, &export.Settings{Number: 1}), export.ErrInvalid)
	if err := s.SetSettings(w.ctx, &export.Settings{Mode: export.Off, Number: 1}); err != nil {
		w.Fatal(err)
	}
	if got := must[*export.Settings](w)(s.Settings(w.ctx)); got.Number != 2 || got.Mode != export.Off || got.Formats != nil {
		w.Errorf("%+v", got)
	}
	if got := must[*export.Settings](w)(w.other.Exports().Settings(w.ctx)); got.Number != 0 {
		w.Errorf("another tenant's: %+v", got)
	}
}

// testExportSource reads a scan as it stands.
func testExportSource(w *proofWorld) {
	s := w.acme.Exports()
	_, err := s.Scan(w.ctx, "scan-none")
	w.wantErr("no scan", err, export.ErrNotFound)
	j := submit(w, w.acme.Scans(), "queued")
	if got := must[*export.Scan](w)(s.Scan(w.ctx, j.ID)); got.Completed || got.Image != "queued" || got.SBOM != "" || len(got.Documents)+len(got.Reports)+len(got.Verdicts) > 0 {
		w.Errorf("%+v", got)
	}
	l := claim(w, w.acme.Scans(), j)
	must[string](w)(w.acme.Scans().Resolve(w.ctx, *l, "sha256:resolved"))
	if err := w.acme.Scans().Complete(w.ctx, *l, results("queued")); err != nil {
		w.Fatal(err)
	}
	got := must[*export.Scan](w)(s.Scan(w.ctx, j.ID))
	want := &export.Scan{ID: j.ID, Image: "queued", Resolved: "sha256:resolved", Config: "sha256:queued", SBOM: results("queued").SBOMDigest, Snapshot: "sha256:snap", Reports: []int64{0}, At: got.At}
	for _, d := range results("queued").Documents {
		want.Documents = append(want.Documents, export.Document{Format: d.Format, MediaType: d.MediaType, Name: d.Name, Ref: d.Ref, Content: d.Content})
	}
	if diff := cmp.Diff(want, got); diff != "" || got.At.IsZero() {
		w.Errorf("evaluating (-want +got):\n%s", diff)
	}
	if r := must[*finding.Report](w)(s.Report(w.ctx, j.ID, 0)); len(r.Findings) != 2 || r.Snapshot != "sha256:snap" {
		w.Errorf("%+v", r)
	}
	_, err = s.Report(w.ctx, j.ID, 7)
	w.wantErr("no such head", err, export.ErrNotFound)
	id := w.completed(w.acme)
	if got := must[*export.Scan](w)(s.Scan(w.ctx, id)); !got.Completed {
		w.Errorf("%+v", got)
	}
	// With a policy there are verdicts: those about this scan, and no others.
	p := newPolicyWorld(w.T, func(testing.TB) *store.Root { return w.root })
	p.enforce(w.acme, "production", blockFrom(1, finding.High))
	one, two := p.scan(w.acme, "a", "CVE-1 high"), p.scan(w.acme, "b", "CVE-2 low")
	before := p.evaluate(one, time.Now())[0]
	p.evaluate(two, time.Now())
	p.enforce(w.acme, "production", blockFrom(2, finding.Critical))
	now := p.evaluate(one, time.Now())[0]
	got = must[*export.Scan](w)(s.Scan(w.ctx, one))
	if diff := cmp.Diff(must[[]policy.Standing](w)(w.acme.Policy().Current(w.ctx, one)), got.Verdicts); diff != "" || len(got.Verdicts) != 1 || got.Verdicts[0].Key != now.Key {
		w.Errorf("verdicts (-current +exported):\n%s", diff)
	}
	for _, r := range []policy.Record{before, now} {
		for _, name := range []string{r.Key, r.Digest} {
			if got := must[*policy.Record](w)(s.Verdict(w.ctx, one, name)); got.Key != r.Key || string(got.Body) != string(r.Body) || string(got.Trace) != string(r.Trace) {
				w.Errorf("verdict %s: %s", name, got.Key)
			}
			_, err := s.Verdict(w.ctx, two, name)
			w.wantErr("another scan's verdict", err, export.ErrNotFound)
		}
	}
}

// testExportWindow: no more jobs are released than the window has room for, by turn over
// tenants.
func testExportWindow(w *proofWorld) {
	id := w.completed(w.acme)
	w.request(id, "", "spdx k1", "cyclonedx k1", "sarif k1", "csv k1", "junit k1")
	theirs := w.completed(w.other)
	must[[]export.Export](w)(w.other.Exports().Request(w.ctx, &export.Request{ScanID: theirs, Wanted: []export.Wanted{wantedOf(export.SPDX, "k1")}}))
	w.relay = w.root.Relay(queue.New(w.queue), &store.RelayOptions{Window: 3})
	first := w.told(event.ExportJobs)
	if len(first) != 3 || !slices.Contains(first, theirs+"/export/spdx/1") {
		w.Errorf("first %q", first)
	}
	mine := first[slices.IndexFunc(first, func(m string) bool { return strings.HasPrefix(m, id) })]
	w.finish(&export.Result{ScanID: id, Format: export.Format(strings.Split(mine, "/")[2]), Made: result(id, export.SPDX, "k1", 1).Made, Message: mine})
	if next := w.told(event.ExportJobs); len(next) != 1 {
		w.Errorf("then %q", next)
	}
	w.request(id, "", "spdx k2", "cyclonedx k2", "sarif k2", "csv k2", "junit k2") // what is not wanted any more makes room
	if next := w.told(event.ExportJobs); len(next) != 2 {
		w.Errorf("after others are wanted %q", next)
	}
	if j := must[*scan.Job](w)(w.acme.Scans().Job(w.ctx, id)); j.State != scan.Completed {
		w.Error(j.State)
	}
}
