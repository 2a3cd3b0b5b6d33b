package storetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// timelinePrune: bodies go, rows stay, and a row says so.
func timelinePrune(t *testing.T, tenant string, s timeline.Store) {
	fill(t, tenant, s, 0, 10)
	cut := must[timeline.Head](t)(s.Head(t.Context())).Indexed.Add(time.Microsecond)
	for !must[timeline.Head](t)(s.Head(t.Context())).Now.After(cut) {
		time.Sleep(time.Millisecond) // until what comes is newer
	}
	fill(t, tenant, s, 10, 15)
	for _, o := range []timeline.Order{{Before: cut}, {By: "ann"}, {Before: cut, By: " "}} {
		if _, err := s.Prune(t.Context(), &o); !errors.Is(err, timeline.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	o := &timeline.Order{Before: cut, By: "ann", Reason: "90 days are over"}
	if r := must[*timeline.Result](t)(s.Prune(t.Context(), o)); r.Last != 10 || r.Bodies != 10 {
		t.Errorf("%+v", r)
	}
	if r := must[*timeline.Result](t)(s.Prune(t.Context(), o)); r.Last != 10 || r.Bodies != 0 {
		t.Errorf("once more: %+v", r)
	}
	page := must[*timeline.Page](t)(s.Find(t.Context(), timeline.Query{}))
	if len(page.Entries) != 16 || page.Entries[9].Body != nil || page.Entries[10].Body == nil || page.Entries[9].Event != "scan-9/scan.queued" || page.Entries[9].Check() != nil {
		t.Errorf("%+v", page.Entries)
	}
	e := page.Entries[15]
	if e.Event != "timeline/pruned/10" || e.Type != timeline.Pruned || e.Topic != timeline.Topic || !bytes.Contains(e.Body, []byte(`"by":"ann"`)) || !bytes.Contains(e.Body, []byte(`"reason":"90 days are over"`)) {
		t.Errorf("%+v: %s", e.Row, e.Body)
	}
	if page := must[*timeline.Page](t)(s.Find(t.Context(), timeline.Query{Refs: []timeline.Ref{{Kind: timeline.RefScan, Value: "scan-9"}}})); len(page.Entries) != 0 {
		t.Errorf("found by what was deleted: %+v", page.Entries)
	}
	// An event that was deleted is not appended again.
	appendAll(t, s, readHappening(t, tenant, event.ScanQueued, 9))
	if r := proveTimeline(t, tenant, s, nil); r.Last != 16 || r.Pruned != 10 || r.Bodies != 6 {
		t.Errorf("%+v", r)
	}
	if r := must[*timeline.Result](t)(s.Prune(t.Context(), &timeline.Order{Before: time.Now().AddDate(1, 0, 0), By: "ann"})); r.Last != 16 || r.Bodies != 6 {
		t.Errorf("all, with the row that spoke of the others: %+v", r)
	}
	if r := proveTimeline(t, tenant, s, nil); r.Last != 17 || r.Pruned != 16 || r.Bodies != 1 {
		t.Errorf("%+v", r)
	}
}

// timelineCheckpoints: whoever is first wins, and publishers do not contradict each other.
func timelineCheckpoints(t *testing.T, tenant string, s timeline.Store) {
	key := timelineKey(t)
	sink := new(lines)
	p := &timeline.Publisher{Tenant: tenant, Source: s, Sink: sink, Signers: []dsse.Signer{key}, Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{key.Public()}}, Rows: 10, Every: time.Hour}
	publish := func(want int) {
		t.Helper()
		if made, err := p.Publish(t.Context()); made != want || err != nil {
			t.Errorf("made %d, want %d: %v", made, want, err)
		}
	}
	publish(0)
	fill(t, tenant, s, 0, 3)
	publish(1) // there was none before
	fill(t, tenant, s, 3, 12)
	publish(0) // nine rows
	fill(t, tenant, s, 12, 13)
	publish(1)
	if r := proveTimeline(t, tenant, s, sink.text()); r.Checkpoints != 2 || r.Signed != 13 || r.Uncovered() != 0 {
		t.Errorf("%+v", r)
	}
	// A sink that is new, or was away, is brought up to date with the same bytes.
	late := new(lines)
	p.Sink = late
	publish(0)
	if !bytes.Equal(late.text(), sink.text()) {
		t.Error("two sinks have different checkpoints")
	}
	// What another one kept first is what is published.
	fill(t, tenant, s, 13, 20)
	rival := *p
	rival.Sink, rival.Signers = new(lines), []dsse.Signer{key}
	if made, err := rival.Flush(t.Context()); made != 1 || err != nil {
		t.Errorf("%d, %v", made, err)
	}
	fill(t, tenant, s, 20, 22)
	if made, err := p.Flush(t.Context()); made != 1 || err != nil {
		t.Errorf("%d, %v", made, err)
	}
	p.Sink = rival.Sink
	publish(0)
	if got := rival.Sink.(*lines).text(); !bytes.Equal(got, late.text()) || proveTimeline(t, tenant, s, got).Newest != 4 {
		t.Error("two publishers have different checkpoints")
	}
	four := must[*timeline.Kept](t)(s.Checkpoint(t.Context(), 4))
	if kept := must[*timeline.Kept](t)(s.Keep(t.Context(), &timeline.Kept{Number: 4, Envelope: []byte("other")})); !bytes.Equal(kept.Envelope, four.Envelope) {
		t.Error("a checkpoint was replaced")
	}
	for _, k := range []timeline.Kept{{Number: 6, Envelope: []byte("x")}, {Number: 0, Envelope: []byte("x")}, {Number: 5}, {Number: 5, Envelope: make([]byte, timeline.MaxCheckpoint+1)}} {
		if _, err := s.Keep(t.Context(), &k); !errors.Is(err, timeline.ErrConflict) && !errors.Is(err, timeline.ErrInvalid) {
			t.Errorf("checkpoint %d: %v", k.Number, err)
		}
	}
	// A store that was set back shows.
	p.Sink = &lines{kept: append(append([]*timeline.Kept(nil), late.kept...), &timeline.Kept{Number: 5, Envelope: []byte("later")})}
	if _, err := p.Publish(t.Context()); !errors.Is(err, timeline.ErrConflict) {
		t.Errorf("a store that is behind its sink: %v", err)
	}
}

// timelineInbox: the relay knows what was indexed, and what is noted without a row gets
// its row when it comes again.
func timelineInbox(t *testing.T, root *store.Root) {
	if err := root.Register(t.Context(), event.ScannerEvents, event.GroupTimeline); err != nil {
		t.Fatal(err)
	}
	acme := tenant(t, root, "acme")
	s := acme.Timeline()
	e := readHappening(t, "acme", event.ScanQueued, 1)
	note := func() bool {
		return must[bool](t)(acme.Once(t.Context(), event.GroupTimeline, e.ID, func(*store.Tx) error { return nil }))
	}
	if !note() {
		t.Fatal("noted before")
	}
	gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), 0))
	if len(gaps) != 1 || gaps[0].Kind != timeline.GapInbox || gaps[0].Event != e.ID || gaps[0].At.IsZero() {
		t.Errorf("noted, and no row: %v", gaps)
	}
	appendAll(t, s, e)
	if gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), 0)); len(gaps) != 0 {
		t.Errorf("%v", gaps)
	}
	e = readHappening(t, "acme", event.ScanQueued, 2)
	appendAll(t, s, e)
	if note() {
		t.Error("what was indexed is not noted")
	}
}

// timelineGaps: what was announced is compared by its digest, after a while.
func timelineGaps(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	s := acme.Timeline()
	announce := func(topic, id, data string) []byte {
		e := event.Event{ID: id, Type: event.VerdictChanged, Source: "policy", Tenant: "acme", Time: proofAt, Data: []byte(data)}
		if _, err := acme.Once(t.Context(), "test", id, func(tx *store.Tx) error { return tx.Announce(topic, e) }); err != nil {
			t.Fatal(err)
		}
		return must[[]byte](t)(e.Encode())
	}
	body := announce(event.PolicyEvents, "v1", `{"job_id":"scan-1","outcome":"block"}`)
	announce(event.PolicyEvents, "v2", `{"job_id":"scan-2","outcome":"block"}`)
	announce(event.SchedulerEvaluations, "j1", `{}`) // not indexed
	index := func(body []byte) {
		t.Helper()
		if err := (&timeline.Indexer{Logs: func(string) (timeline.Log, error) { return s, nil }}).Handle(t.Context(), event.PolicyEvents, body); err != nil {
			t.Fatal(err)
		}
	}
	index(body)
	index(bytes.Replace(announce(event.PolicyEvents, "v3", `{"job_id":"scan-3","outcome":"block"}`), []byte("block"), []byte("pass"), 1)) // somebody forged it on its way
	if gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), time.Hour)); len(gaps) != 1 || gaps[0].Kind != timeline.GapDigest || gaps[0].Event != "v3" || gaps[0].Seq != 2 {
		t.Errorf("within an hour: %v", gaps)
	}
	gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), -time.Second))
	if len(gaps) != 2 || gaps[0].Kind != timeline.GapMissing || gaps[0].Event != "v2" || gaps[0].Topic != event.PolicyEvents || gaps[1].Kind != timeline.GapDigest {
		t.Errorf("%v", gaps)
	}
}

// outboxBodies returns what is pending on a topic.
func outboxBodies(t testing.TB, root *store.Root, topic string) (out [][]byte) {
	t.Helper()
	c := &collector{}
	relayAll(t, root.Relay(queue.New(c), &store.RelayOptions{Window: 1 << 20}))
	for _, m := range c.messages {
		if m.topic == topic {
			out = append(out, m.body)
		}
	}
	return out
}
