package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// world is a store whose advisories and scans change at random, and what should
// follow from that.
type world struct {
	*testing.T
	root   *store.Root
	random *rand.Rand
	relay  *store.Relay
	queue  *collector
	heads  []*known // heads[n] is head n; heads[0] is none
	scans  []*worldScan
	docs   map[string]*sbom.Document // by the digest of the neutral document
	hits   map[crashpoint.Point]int
	drift  []string // what was announced, one line for each scan
	seen   map[string]bool
}

// worldScan is a scan with the heads that it was matched with, and completed at.
type worldScan struct {
	tenant, id       string
	doc              *sbom.Document
	matched, current int
}

// collector is a queue that a test empties by hand.
type collector struct {
	queue.Driver
	messages []message
}

type message struct {
	topic string
	body  []byte
}

func (c *collector) Publish(_ context.Context, topic string, list []queue.Message) error {
	for _, m := range list {
		c.messages = append(c.messages, message{topic, m.Body})
	}
	return nil
}

func newWorld(t *testing.T, root *store.Root, seed uint64) *world {
	w := &world{T: t, root: root, random: rand.New(rand.NewPCG(seed, 3)), queue: &collector{}, heads: []*known{nil}, docs: map[string]*sbom.Document{}, hits: map[crashpoint.Point]int{}, seen: map[string]bool{}}
	w.relay = root.Relay(queue.New(w.queue), &store.RelayOptions{Window: 1 << 20})
	return w
}

// commit makes another head. One in five is an earlier one again.
func (w *world) commit() {
	w.draw()
	if err := w.commitDrawn(); err != nil {
		w.Fatal(err)
	}
}

// draw says what the next head will be.
func (w *world) draw() {
	last := len(w.heads) - 1
	after := w.before(last).next(w.random)
	if last > 1 && w.random.IntN(5) == 0 {
		after = w.heads[1+w.random.IntN(last)]
	}
	w.heads = append(w.heads, after)
}

func (w *world) before(head int) *known {
	if k := w.heads[head]; k != nil {
		return k
	}
	return (&known{}).seal()
}

// commitDrawn commits what was drawn last.
func (w *world) commitDrawn() error {
	n := len(w.heads) - 1
	after := w.heads[n]
	return w.root.Advisories(nil).Commit(context.Background(), &advisory.Commit{
		Head:  advisory.Head{Number: int64(n), Digest: after.digest, Manifest: []byte("{}"), Runs: map[string]int64{"s": int64(n)}},
		Facts: facts(w.before(n-1), after),
	})
}

func (w *world) match(head int, doc *sbom.Document) *finding.Report {
	if head == 0 {
		return &finding.Report{}
	}
	r, err := advisory.Matcher{View: w.heads[head]}.Match(context.Background(), doc)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// document draws one of not too many documents.
func (w *world) document() *sbom.Document {
	doc := &sbom.Document{Subject: sbom.Subject{OS: &sbom.OS{ID: "debian", VersionID: "12"}}}
	for i := range 1 + w.random.IntN(3) {
		name, version := []string{"a", "b", "c"}[w.random.IntN(3)], fmt.Sprint(1+w.random.IntN(3), ".0")
		u := purl.PackageURL{Type: "npm", Name: name, Version: version}
		if w.random.IntN(2) == 0 {
			u = purl.PackageURL{Type: "deb", Namespace: "debian", Name: name, Version: version}
		}
		doc.Packages = append(doc.Packages, sbom.Package{ID: fmt.Sprint("p", i), Name: name, Version: version, PURL: u})
	}
	return doc
}

// begin claims a new scan and returns what completes it.
func (w *world) begin() (s *worldScan, complete func() error) {
	s = &worldScan{tenant: fmt.Sprint("t", w.random.IntN(2)), doc: w.document()}
	scans := tenant(w, w.root, s.tenant).Scans()
	j := submit(w, scans, "image")
	s.id = j.ID
	lease := claim(w, scans, j)
	s.matched = len(w.heads) - 1
	if s.matched > 0 && w.random.IntN(3) == 0 {
		s.matched = w.random.IntN(s.matched + 1)
	}
	text := fmt.Sprint(s.doc)
	r := scan.Results{SBOMDigest: sha(text), Report: w.match(s.matched, s.doc)}
	r.Documents = []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: blob.Ref{Digest: r.SBOMDigest, Size: int64(len(text))}, Content: []byte(text)}}
	w.docs[text] = s.doc
	keys := advisory.Keys(s.doc)
	for i, p := range s.doc.Packages {
		r.Packages = append(r.Packages, scan.PackageFact{ID: p.ID, PURL: p.PURL.String(), Name: p.Name, Version: p.Version, Keys: keys[i].Keys, Fact: keys[i].Fact})
	}
	for n := range w.heads { // the same snapshot may be several heads; the last of them counts
		if n > 0 && s.matched > 0 && w.heads[n].digest == w.heads[s.matched].digest {
			s.matched = n
		}
	}
	return s, func() error { return scans.Complete(context.Background(), *lease, r) }
}

// errCrashed is what a crash point throws.
var errCrashed = errors.New("crashed here")

// crashing runs f, which ends at a crash point every so often.
func (w *world) crashing(seldom int, f func() error) (err error) {
	at := -1
	if w.random.IntN(seldom) == 0 {
		at = w.random.IntN(6)
	}
	before := crashpoint.Set(func(p crashpoint.Point) {
		w.hits[p]++
		if at--; at == -1 {
			panic(errCrashed)
		}
	})
	defer crashpoint.Set(before)
	defer func() {
		if r := recover(); r != nil {
			if r != errCrashed { //nolint:errorlint // thrown, not wrapped
				panic(r)
			}
			err = errCrashed
		}
	}()
	return f()
}

// complete brings a scan to evaluating, however often it crashes.
func (w *world) complete() {
	s, complete := w.begin()
	w.scans = append(w.scans, s)
	s.current = len(w.heads) - 1
	for w.crashing(3, complete) != nil {
	}
}

// views gives the snapshot of a head.
func (w *world) views(_ context.Context, digest string) (advisory.View, func(), error) {
	for _, k := range w.heads[1:] {
		if k.digest == digest {
			return k, func() {}, nil
		}
	}
	return nil, nil, fmt.Errorf("snapshot %s: %w", digest, fault.NotFound)
}

func (w *world) evaluator() *schedule.Evaluator {
	return &schedule.Evaluator{
		Jobs:    func(name string) (schedule.Evaluations, error) { return tenant(w, w.root, name).Evaluations(), nil },
		Objects: func(string) (schedule.Objects, error) { return nil, errors.New("all documents are small") },
		Decode: func(r io.Reader) (*sbom.Document, error) {
			var b bytes.Buffer
			_, err := b.ReadFrom(r)
			return w.docs[b.String()], err
		},
		Match: func(ctx context.Context, snapshot string, _ time.Time, d *sbom.Document) (*finding.Report, error) {
			view, _, err := w.views(ctx, snapshot)
			if err != nil {
				return nil, err
			}
			return advisory.Matcher{View: view}.Match(ctx, d)
		},
		Holder: "v", Lease: time.Second,
	}
}

// consumers are those of a message's topic.
func (w *world) consumers(m message) []func(context.Context, []byte) error {
	var consumers []func(context.Context, []byte) error
	switch m.topic {
	case event.ConcelierDeltas:
		consumers = append(consumers, (&drift.Worker{Store: w.root.Drift(), Views: w.views}).Handle, (&schedule.Scheduler{Store: w.root.Schedule()}).Handle)
	case event.ConcelierDrift:
		w.note(m.body)
		consumers = append(consumers, (&schedule.Scheduler{Store: w.root.Schedule()}).Handle)
	case event.SchedulerEvaluations:
		consumers = append(consumers, w.evaluator().Handle)
	}
	return consumers
}

// deliver handles one message, any of those that wait. What crashed comes again,
// and some come twice.
func (w *world) deliver() bool {
	relayAll(w, w.relay)
	if len(w.queue.messages) == 0 {
		return false
	}
	i := w.random.IntN(len(w.queue.messages))
	m := w.queue.messages[i]
	w.queue.messages = slices.Delete(w.queue.messages, i, i+1)
	ctx := context.Background()
	for _, handle := range w.consumers(m) {
		seldom := 3
		if m.topic == event.SchedulerEvaluations {
			seldom = 15 // a lease must end each time
		}
		for err := errCrashed; err != nil || w.random.IntN(5) == 0; {
			if err = w.crashing(seldom, func() error { return handle(ctx, m.body) }); err != nil && !errors.Is(err, errCrashed) && !errors.Is(err, fault.Unavailable) {
				w.Fatalf("%s: %v", m.topic, err)
			}
			if errors.Is(err, errCrashed) && m.topic == event.SchedulerEvaluations {
				w.expire()
			}
			if errors.Is(err, fault.Unavailable) { // a retry that is not due
				w.queue.messages = append(w.queue.messages, m)
				time.Sleep(50 * time.Millisecond)
				return true
			}
		}
	}
	return true
}

// expire lets leases of crashed evaluators end and has them given back.
func (w *world) expire() {
	time.Sleep(time.Second + 20*time.Millisecond)
	if _, err := w.root.Sweep(context.Background()); err != nil {
		w.Fatal(err)
	}
	relayAll(w, w.relay)
}

// note writes down what an event announces, once for each event.
func (w *world) note(body []byte) {
	e := must[*event.Event](w)(event.Decode(body))
	d := must[*event.Drift](w)(event.DecodeDrift(e))
	if w.seen[e.Tenant+e.ID] {
		return
	}
	w.seen[e.Tenant+e.ID] = true
	for _, s := range d.Scans {
		w.drift = append(w.drift, fmt.Sprintf("%s %s head %d: %s %s", e.Tenant, s.ScanID, d.Head, d.Vulnerability, d.Cause))
	}
}

// want is what should have been announced, by matching every document in full with
// every head.
func (w *world) want() (out []string) {
	for _, s := range w.scans {
		tell := func(before, after int) {
			if before == 0 {
				return
			}
			for _, d := range finding.Together(finding.Compare(w.match(before, s.doc).Findings, w.match(after, s.doc).Findings)) {
				out = append(out, fmt.Sprintf("%s %s head %d: %s %s", s.tenant, s.id, after, d.Vulnerability, d.Turn.Cause()))
			}
		}
		if s.matched != s.current {
			tell(s.matched, s.current)
		}
		for n := s.current + 1; n < len(w.heads); n++ {
			tell(n-1, n)
		}
	}
	slices.Sort(out)
	return out
}

// testDrift lets heads and completions come in any order, with crashes, and
// compares what was announced, and what is stored in the end, with matching
// everything in full.
func testDrift(t *testing.T, root *store.Root, seed uint64, operations int) {
	w := newWorld(t, root, seed)
	for range operations {
		switch w.random.IntN(8) {
		case 0, 1:
			w.commit()
		case 2, 3, 4:
			w.complete()
		default:
			w.deliver()
		}
	}
	for w.deliver() {
	}
	slices.Sort(w.drift)
	want := w.want()
	if diff := cmp.Diff(want, w.drift); diff != "" {
		t.Errorf("announced (-in full +by the index):\n%s", diff)
	}
	causes := map[string]int{}
	for _, line := range w.drift {
		causes[line[strings.LastIndexByte(line, ' ')+1:]]++
	}
	for _, cause := range []string{"new", "changed", "withdrawn", "fix_available", "kev"} {
		if causes[cause] == 0 && len(w.drift) >= 200 {
			t.Errorf("nothing was announced as %q: %v", cause, causes)
		}
	}
	for _, s := range w.scans {
		got := must2(t)(tenant(t, root, s.tenant).Scans().Findings(context.Background(), s.id))
		last := w.match(len(w.heads)-1, s.doc)
		if d := finding.Compare(got.Findings, last.Findings); len(d) > 0 {
			t.Errorf("%s was matched with head %d and completed at %d; its findings differ from those of the newest head: %+v", s.id, s.matched, s.current, d)
		}
		for _, e := range must[[]schedule.Evaluation](t)(tenant(t, root, s.tenant).Evaluations().List(context.Background(), s.id)) {
			if e.State != schedule.Done {
				t.Errorf("%+v", e)
			}
		}
	}
	points := []crashpoint.Point{crashpoint.CompleteGate, crashpoint.DriftWritten, crashpoint.DriftCommitted, crashpoint.ScheduleWritten, crashpoint.ScheduleDone,
		crashpoint.RematchClaimed, crashpoint.RematchMatched, crashpoint.RematchWritten, crashpoint.RematchDone}
	for _, p := range points {
		if w.hits[p] == 0 {
			t.Errorf("%s was never passed", p)
		}
	}
	t.Logf("%d heads, %d scans, %d announced: %v", len(w.heads)-1, len(w.scans), len(w.drift), causes)
}
