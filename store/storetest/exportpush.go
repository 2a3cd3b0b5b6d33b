package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// pushing says how pushes of a scan stand: "bucket:queued:0".
func (w *proofWorld) pushing(id string) string {
	w.Helper()
	var out []string
	for _, p := range must[[]export.Push](w)(w.acme.Exports().Pushes(w.ctx, id)) {
		out = append(out, fmt.Sprintf("%s:%s:%d", p.Destination, p.State, p.Attempt))
	}
	return strings.Join(out, " ")
}

func (w *proofWorld) wantPushing(what, id, want string) {
	w.Helper()
	if got := w.pushing(id); got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

// pushed notes an outcome.
func (w *proofWorld) pushed(id, destination, digest string, state export.State, message string, permanent bool) bool {
	w.Helper()
	p := &export.Push{ScanID: id, Format: export.SPDX, Destination: destination, Digest: digest, State: state, Reason: "why", Receipt: "etag"}
	return must[bool](w)(w.acme.Exports().Pushed(w.ctx, p, message, permanent))
}

func testPush(w *proofWorld) {
	s := w.acme.Exports()
	_, err := s.Pushes(w.ctx, "scan-none")
	w.wantErr("pushes of no scan", err, export.ErrNotFound)
	id := w.completed(w.acme)
	a := w.keep(attestation("a", id))
	w.request(id, "", "spdx k1")
	w.told(event.ExportJobs)
	r := result(id, export.SPDX, "k1", 1, a.ID)
	r.Push = []string{"hook", "bucket"}
	w.finish(r)
	w.finish(r)
	digest := r.Made.Bundle.Ref.Digest
	message := func(destination string, n int) string {
		return fmt.Sprintf("%s/push/spdx/%s/%s/%d", id, destination, digest, n)
	}
	relayAll(w, w.relay)
	for _, m := range w.queue.messages {
		if m.topic == event.ExportJobs {
			job := must[*event.PushJob](w)(event.DecodePushJob(must[*event.Event](w)(event.Decode(m.body))))
			if job.JobID != id || job.Format != "spdx" || job.Digest != digest {
				w.Errorf("%+v", job)
			}
		}
	}
	w.wantTold("pushes", message("bucket", 1), message("hook", 1))
	w.wantPushing("at first", id, "bucket:queued:0 hook:queued:0")
	if !w.pushed(id, "bucket", digest, export.Completed, message("bucket", 1), false) {
		w.Error("something follows what is done")
	}
	// Whatever comes later changes nothing.
	if !w.pushed(id, "bucket", digest, export.Failed, message("bucket", 1), false) || !w.pushed(id, "bucket", digest, export.Completed, "", false) {
		w.Error("something follows what was done before")
	}
	p := must[[]export.Push](w)(s.Pushes(w.ctx, id))[0]
	if diff := cmp.Diff(export.Push{ScanID: id, Format: export.SPDX, Destination: "bucket", Digest: digest, State: export.Completed, Attempt: 1, Receipt: "etag", Updated: p.Updated}, p); diff != "" || p.Updated.IsZero() {
		w.Error(diff)
	}
	if n := w.waiting(event.ExportJobs); n != 1 {
		w.Errorf("%d messages, want that for the hook", n)
	}
	// What is made next is pushed, and what was made before need not be any more.
	w.request(id, "", "spdx k2")
	next := result(id, export.SPDX, "k2", 1)
	next.Push = []string{"hook"}
	w.finish(next)
	states := map[string]export.State{}
	for _, p := range must[[]export.Push](w)(s.Pushes(w.ctx, id)) {
		states[p.Destination+" "+p.Digest] = p.State
	}
	if diff := cmp.Diff(map[string]export.State{"bucket " + digest: export.Completed, "hook " + digest: export.Failed, "hook " + next.Made.Document.Ref.Digest: export.Queued}, states); diff != "" {
		w.Error(diff)
	}
	// Going back pushes what was given up, and not what is there.
	w.request(id, "", "spdx k1")
	w.finish(r)
	for _, p := range must[[]export.Push](w)(s.Pushes(w.ctx, id)) {
		states[p.Destination+" "+p.Digest] = p.State
	}
	if states["bucket "+digest] != export.Completed || states["hook "+digest] != export.Queued || states["hook "+next.Made.Document.Ref.Digest] != export.Failed {
		w.Errorf("%v", states)
	}
	if n := w.waiting(event.ExportJobs); n != 1 {
		w.Errorf("%d messages, want that for the hook", n)
	}
	// One who pushed what is not wanted any more says so truthfully.
	if !w.pushed(id, "hook", next.Made.Document.Ref.Digest, export.Completed, "", false) {
		w.Error("something follows")
	}
	if _, err := s.Pushed(w.ctx, &export.Push{ScanID: id, Format: export.SPDX, Destination: "hook", Digest: digest, State: export.Queued}, "", false); !errors.Is(err, export.ErrInvalid) {
		w.Errorf("an outcome that is none: %v", err)
	}
	if !w.pushed(id, "nowhere", digest, export.Failed, "", false) {
		w.Error("something follows what nobody wants")
	}
}

// testPushAttempts: each attempt has a message of its own, after a backoff, and the last
// one is the last.
func testPushAttempts(w *proofWorld) {
	id := w.completed(w.acme)
	r := result(id, export.SPDX, "k1", 1)
	digest := r.Made.Document.Ref.Digest
	r.Push = []string{"bucket", "hook"}
	message := func(n int) string { return fmt.Sprintf("%s/push/spdx/bucket/%s/%d", id, digest, n) }
	w.request(id, "", "spdx k1")
	w.finish(r)
	w.told(event.ExportJobs)
	for n := 1; n <= store.Attempts; n++ {
		for range 2 { // the second time the answer was lost
			if final := w.pushed(id, "bucket", digest, export.Failed, message(n), false); final != (n == store.Attempts) {
				w.Errorf("attempt %d: final %v", n, final)
			}
		}
		want := fmt.Sprintf("bucket:queued:%d hook:queued:0", n)
		if n == store.Attempts {
			want = fmt.Sprintf("bucket:failed:%d hook:queued:0", n)
		}
		w.wantPushing(fmt.Sprint("attempt ", n), id, want)
		w.wantTold("before the backoff is over")
	}
	if n := w.waiting(event.ExportJobs); n != 1 {
		w.Errorf("%d messages, want that for the hook", n)
	}
	// A failure for good is the last, and a late success counts.
	if !w.pushed(id, "hook", digest, export.Failed, "", true) {
		w.Error("something follows a failure for good")
	}
	w.wantPushing("failed for good", id, "bucket:failed:5 hook:failed:1")
	if !w.pushed(id, "hook", digest, export.Completed, "", false) {
		w.Error("something follows")
	}
	w.wantPushing("done after all", id, "bucket:failed:5 hook:completed:2")
	// Who asks for the export once more has what failed tried again.
	w.request(id, "", "spdx k1")
	w.wantPushing("asked for again", id, "bucket:queued:0 hook:completed:2")
	w.wantTold("asked for again", message(store.Attempts+1))
	w.pushed(id, "bucket", digest, export.Failed, message(store.Attempts+1), true)
	if p := must[[]export.Push](w)(w.acme.Exports().Pushes(w.ctx, id)); p[0].Reason != "why" || p[1].Reason != "" || time.Since(p[1].Updated) > time.Minute {
		w.Errorf("%+v", p)
	}
}
