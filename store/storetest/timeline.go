package storetest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// TestTimeline proves the timelines of a store: what package timeline asks of one, that
// each event has one row whatever dies and whoever is at it, that tenants are apart, and
// that what was announced is compared with what is there.
func TestTimeline(t *testing.T, open func(t testing.TB) *store.Root) {
	root := open(t)
	n := 0
	TestTimelineStore(t, func(t testing.TB) (string, timeline.Store) {
		n++
		name := fmt.Sprintf("timeline-%d", n)
		return name, tenant(t, root, name).Timeline()
	})
	for name, test := range map[string]func(*testing.T, *store.Root){
		"Concurrent": timelineConcurrent, "Crashes": timelineCrashes, "Tenants": timelineTenants, "Gaps": timelineGaps, "Inbox": timelineInbox, "Flow": timelineFlow,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// TestTimelineStore proves what package timeline asks of the store of one tenant. new
// returns an empty one, and the tenant.
func TestTimelineStore(t *testing.T, new func(t testing.TB) (tenant string, s timeline.Store)) {
	for name, test := range map[string]func(*testing.T, string, timeline.Store){
		"Append": timelineAppend, "Conflict": timelineConflict, "Find": timelineFind, "Pages": timelinePages, "Prune": timelinePrune, "Checkpoints": timelineCheckpoints, "Empty": timelineEmpty,
	} {
		t.Run(name, func(t *testing.T) {
			name, s := new(t)
			test(t, name, s)
		})
	}
}

// happening is an event of a tenant about a scan, as it travels.
func happening(t testing.TB, tenant string, kind event.Type, n int) (id string, body []byte) {
	t.Helper()
	e := event.Event{ID: fmt.Sprintf("scan-%d/%s", n, kind), Type: kind, Source: "scanner", Tenant: tenant, Time: proofAt.Add(time.Duration(n) * time.Second),
		Data: (&event.Scan{JobID: fmt.Sprintf("scan-%d", n), ImageRef: fmt.Sprintf("image-%d", n%3), Owner: "ann"}).Encode()}
	return e.ID, must[[]byte](t)(e.Encode())
}

func readHappening(t testing.TB, tenant string, kind event.Type, n int) timeline.Event {
	t.Helper()
	_, body := happening(t, tenant, kind, n)
	return *must[*timeline.Event](t)(timeline.Read(event.ScannerEvents, body))
}

func appendAll(t testing.TB, s timeline.Log, events ...timeline.Event) {
	t.Helper()
	if err := s.Append(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

// fill appends a batch of events, and returns them.
func fill(t testing.TB, tenant string, s timeline.Log, from, to int) (out []timeline.Event) {
	t.Helper()
	for n := from; n < to; n++ {
		kind := event.ScanQueued
		if n%4 == 3 {
			kind = event.ScanFailed
		}
		out = append(out, readHappening(t, tenant, kind, n))
	}
	appendAll(t, s, out...)
	return out
}

// timelineKey signs checkpoints, the same twice.
func timelineKey(t testing.TB) *dsse.PrivateKey {
	return must[*dsse.PrivateKey](t)(dsse.NewPrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))))
}

// proveTimeline exports a timeline and verifies it, against the checkpoints where there
// are any.
func proveTimeline(t testing.TB, tenant string, c timeline.Chain, checkpoints []byte) *verify.Report {
	t.Helper()
	var text bytes.Buffer
	if err := timeline.Export(t.Context(), &text, tenant, c, 0); err != nil {
		t.Fatal(err)
	}
	o := &verify.Options{Tenant: tenant, Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{timelineKey(t).Public()}}}
	if checkpoints != nil {
		o.Checkpoints = bytes.NewReader(checkpoints)
	}
	r, err := verify.Verify(&text, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func timelineAppend(t *testing.T, tenant string, s timeline.Store) {
	events := fill(t, tenant, s, 0, 5)
	appendAll(t, s, events[1:3]...)
	appendAll(t, s, slices.Concat(events[4:], []timeline.Event{readHappening(t, tenant, event.ScanQueued, 9)}, events[4:])...)
	other := events[0]
	other.Topic = event.PolicyEvents // an id is one event of its topic
	appendAll(t, s, other)
	appendAll(t, s)
	rows := must[[]timeline.Row](t)(s.Rows(t.Context(), 0, 100))
	var got []string
	before := timeline.Genesis(tenant)
	for i, r := range rows {
		got = append(got, r.Event)
		if r.Seq != int64(i+1) || r.Hash != r.After(before) || r.Indexed.IsZero() {
			t.Errorf("row %d: %+v", i+1, r)
		}
		before = r.Hash
	}
	want := []string{"scan-0/scan.queued", "scan-1/scan.queued", "scan-2/scan.queued", "scan-3/scan.failed", "scan-4/scan.queued", "scan-9/scan.queued", "scan-0/scan.queued"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	head := must[timeline.Head](t)(s.Head(t.Context()))
	if head.Seq != 7 || head.Hash != before || head.Now.IsZero() || !head.Indexed.Equal(rows[6].Indexed) {
		t.Errorf("head: %+v", head)
	}
	page := must[*timeline.Page](t)(s.Find(t.Context(), timeline.Query{Limit: 1}))
	if e := page.Entries[0]; !bytes.Equal(e.Body, events[0].Body) || e.Check() != nil || !e.Time.Equal(events[0].Time) || e.Type != event.ScanQueued || e.Topic != event.ScannerEvents {
		t.Errorf("entry: %+v", e)
	}
	if r := proveTimeline(t, tenant, s, nil); r.Last != 7 || r.Uncovered() != 7 {
		t.Errorf("%+v", r)
	}
	if two := must[[]timeline.Row](t)(s.Rows(t.Context(), 3, 2)); len(two) != 2 || two[0].Seq != 4 {
		t.Errorf("rows 4 and 5: %v", two)
	}
}

func timelineConflict(t *testing.T, tenant string, s timeline.Store) {
	events := fill(t, tenant, s, 0, 2)
	forged := events[1]
	forged.Body = bytes.Replace(forged.Body, []byte("ann"), []byte("eve"), 1)
	fresh := readHappening(t, tenant, event.ScanQueued, 5)
	if err := s.Append(t.Context(), []timeline.Event{fresh, forged}); !errors.Is(err, timeline.ErrConflict) {
		t.Errorf("another body: %v", err)
	}
	twice := fresh
	twice.Body = bytes.Replace(fresh.Body, []byte("ann"), []byte("eve"), 1)
	if err := s.Append(t.Context(), []timeline.Event{fresh, twice}); !errors.Is(err, timeline.ErrConflict) {
		t.Errorf("two bodies: %v", err)
	}
	stranger := fresh
	stranger.Tenant = "stranger"
	if err := s.Append(t.Context(), []timeline.Event{stranger}); !errors.Is(err, timeline.ErrInvalid) {
		t.Errorf("another tenant's: %v", err)
	}
	if head := must[timeline.Head](t)(s.Head(t.Context())); head.Seq != 2 {
		t.Errorf("head %d", head.Seq)
	}
	// Those that are right are not held up.
	x := &timeline.Indexer{Logs: func(string) (timeline.Log, error) { return s, nil }}
	public := must[[]byte](t)((&event.Event{ID: "head/1", Type: event.AdvisoryDelta, Source: "concelier"}).Encode())
	got := x.HandleAll(t.Context(), event.ScannerEvents, [][]byte{forged.Body, []byte("{"), fresh.Body, public, events[0].Body})
	want := []error{timeline.ErrConflict, timeline.ErrInvalid, nil, nil, nil}
	for i := range want {
		if !errors.Is(got[i], want[i]) {
			t.Errorf("message %d: %v, want %v", i, got[i], want[i])
		}
	}
	if head := must[timeline.Head](t)(s.Head(t.Context())); head.Seq != 3 {
		t.Errorf("head %d", head.Seq)
	}
}

func timelineEmpty(t *testing.T, tenant string, s timeline.Store) {
	head := must[timeline.Head](t)(s.Head(t.Context()))
	if head.Seq != 0 || head.Hash != timeline.Genesis(tenant) || !head.Indexed.IsZero() {
		t.Errorf("head of nothing: %+v", head)
	}
	if r := proveTimeline(t, tenant, s, nil); r.Last != 0 || r.Uncovered() != 0 {
		t.Errorf("%+v", r)
	}
	if page := must[*timeline.Page](t)(s.Find(t.Context(), timeline.Query{Backward: true})); len(page.Entries) != 0 || page.Next != 0 {
		t.Errorf("%+v", page)
	}
	if _, err := s.Checkpoint(t.Context(), 0); !errors.Is(err, timeline.ErrNotFound) {
		t.Errorf("no checkpoint: %v", err)
	}
	if r := must[*timeline.Result](t)(s.Prune(t.Context(), &timeline.Order{Before: proofAt.AddDate(100, 0, 0), By: "ann"})); *r != (timeline.Result{}) {
		t.Errorf("%+v", r)
	}
}

func timelineConcurrent(t *testing.T, root *store.Root) {
	const handlers, events = 6, 40
	x := &timeline.Indexer{Logs: func(name string) (timeline.Log, error) { return tenant(t, root, name).Timeline(), nil }}
	var bodies [][]byte
	for n := range events {
		for _, name := range []string{"acme", "other"} {
			_, body := happening(t, name, event.ScanQueued, n)
			bodies = append(bodies, body)
		}
	}
	var wg sync.WaitGroup
	for h := range handlers {
		wg.Go(func() {
			for i := 0; i < len(bodies); {
				n := min(1+(i+h)%5, len(bodies)-i) // one, and batches
				errs := x.HandleAll(t.Context(), event.ScannerEvents, bodies[i:i+n])
				if n == 1 {
					errs[0] = x.Handle(t.Context(), event.ScannerEvents, bodies[i])
				}
				if err := errors.Join(errs...); err != nil {
					t.Error(err)
				}
				i += n
			}
		})
	}
	wg.Wait()
	for _, name := range []string{"acme", "other"} {
		s := tenant(t, root, name).Timeline()
		if r := proveTimeline(t, name, s, nil); r.Last != events {
			t.Errorf("%d rows of %s, want %d", r.Last, name, events)
		}
		if gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), 0)); len(gaps) > 0 {
			t.Errorf("gaps: %v", gaps)
		}
	}
}

// died is what a crash is in a test: nothing after it happens.
type died struct{}

// timelineCrashes ends what is under way at every point, and does it again.
func timelineCrashes(t *testing.T, root *store.Root) {
	key := timelineKey(t)
	trust := dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{key.Public()}}
	seen := map[crashpoint.Point]bool{}
	for i, at := range []crashpoint.Point{crashpoint.TimelineRows, crashpoint.TimelineHead, crashpoint.TimelineAppended, crashpoint.TimelinePruning, crashpoint.TimelinePruned,
		crashpoint.TimelineSigned, crashpoint.TimelineKept, crashpoint.TimelinePublished} {
		name := fmt.Sprintf("crash-%d", i)
		s, sink := tenant(t, root, name).Timeline(), new(lines)
		p := &timeline.Publisher{Tenant: name, Source: s, Sink: sink, Signers: []dsse.Signer{key}, Trust: trust}
		steps := []func() error{
			func() error {
				return s.Append(t.Context(), []timeline.Event{readHappening(t, name, event.ScanQueued, 1), readHappening(t, name, event.ScanQueued, 2)})
			},
			func() error {
				_, err := s.Prune(t.Context(), &timeline.Order{Before: time.Now().Add(time.Hour), By: "ann", Reason: "old"})
				return err
			},
			func() error { _, err := p.Flush(t.Context()); return err },
		}
		for _, step := range steps {
			dies := func() (yes bool) {
				defer crashpoint.Set(crashpoint.Set(func(p crashpoint.Point) {
					if p == at && !seen[p] {
						seen[p] = true
						panic(died{})
					}
				}))
				defer func() {
					if r := recover(); r != nil {
						if _, yes = r.(died); !yes {
							panic(r)
						}
					}
				}()
				if err := step(); err != nil {
					t.Errorf("%s: %v", at, err)
				}
				return false
			}
			if dies() {
				if err := step(); err != nil {
					t.Errorf("again after %s: %v", at, err)
				}
			}
		}
		if !seen[at] {
			t.Errorf("%s was not reached", at)
		}
		// A deletion that is asked for twice can be announced twice: the second time the
		// first announcement is old as well.
		r := proveTimeline(t, name, s, sink.text())
		if r.Last < 3 || r.Pruned < 2 || r.Uncovered() != 0 || r.Checkpoints != 1 {
			t.Errorf("after %s: %+v", at, r)
		}
		if gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), 0)); len(gaps) > 0 {
			t.Errorf("after %s: %v", at, gaps)
		}
	}
}

func timelineTenants(t *testing.T, root *store.Root) {
	acme, other := tenant(t, root, "acme").Timeline(), tenant(t, root, "other").Timeline()
	fill(t, "acme", acme, 0, 4)
	fill(t, "other", other, 0, 2)
	if r := proveTimeline(t, "other", other, nil); r.Last != 2 {
		t.Errorf("%+v", r)
	}
	page := must[*timeline.Page](t)(other.Find(t.Context(), timeline.Query{Refs: []timeline.Ref{{Kind: timeline.RefScan, Value: "scan-3"}}}))
	if len(page.Entries) != 0 {
		t.Errorf("another tenant's: %v", page.Entries)
	}
	var text bytes.Buffer
	if err := timeline.Export(t.Context(), &text, "other", acme, 0); err != nil {
		t.Fatal(err)
	}
	var wrong *verify.Error
	if _, err := verify.Verify(&text, nil); !errors.As(err, &wrong) || wrong.Reason != verify.Altered || wrong.Seq != 1 {
		t.Errorf("one tenant's rows under another's name: %v", err)
	}
}

// lines is a sink in memory of one tenant.
type lines struct{ kept []*timeline.Kept }

func (s *lines) Last(context.Context, string) (*timeline.Kept, error) {
	if len(s.kept) == 0 {
		return nil, nil
	}
	return s.kept[len(s.kept)-1], nil
}

func (s *lines) Put(_ context.Context, _ string, k *timeline.Kept) error {
	if n := int64(len(s.kept)); k.Number == n+1 {
		s.kept = append(s.kept, k)
	} else if k.Number > n || !bytes.Equal(s.kept[k.Number-1].Envelope, k.Envelope) {
		return fmt.Errorf("checkpoint %d of %d: %w", k.Number, n, timeline.ErrConflict)
	}
	return nil
}

func (s *lines) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.text())), nil
}

func (s *lines) text() (out []byte) {
	for _, k := range s.kept {
		out = append(append(out, k.Envelope...), '\n')
	}
	return out
}

// timelineFlow has what a store itself announces indexed, and finds no gap.
func timelineFlow(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	j := completed(t, acme.Scans(), "registry.example/app:1")
	if _, _, err := acme.Scans().Submit(t.Context(), scan.Request{Image: "registry.example/app:2"}, ""); err != nil {
		t.Fatal(err)
	}
	s := acme.Timeline()
	x := &timeline.Indexer{Logs: func(string) (timeline.Log, error) { return s, nil }}
	gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), 0))
	if len(gaps) < 5 || gaps[0].Kind != timeline.GapMissing || gaps[0].Topic != event.ScannerEvents || gaps[0].At.IsZero() {
		t.Fatalf("before anything is indexed: %v", gaps)
	}
	bodies := outboxBodies(t, root, event.ScannerEvents)
	for _, err := range x.HandleAll(t.Context(), event.ScannerEvents, bodies) {
		if err != nil {
			t.Error(err)
		}
	}
	if gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), 0)); len(gaps) > 0 {
		t.Errorf("after everything is indexed: %v", gaps)
	}
	page := must[*timeline.Page](t)(s.Find(t.Context(), timeline.Query{Refs: []timeline.Ref{{Kind: timeline.RefScan, Value: j.ID}}, Types: []event.Type{event.ScanCompleted}}))
	if len(page.Entries) != 1 || page.Entries[0].Event != j.ID+"/completed" {
		t.Errorf("the scan that completed: %+v", page)
	}
	proveTimeline(t, "acme", s, nil)
}
