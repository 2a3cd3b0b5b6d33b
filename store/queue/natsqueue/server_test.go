package natsqueue_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/store/queue"
)

func one(topic string) queue.Request {
	return queue.Request{Topic: topic, Group: "g", Consumer: "c", Max: 1, Claim: time.Minute, Wait: time.Second}
}

// TestSetBack: a bucket that is older than what was seen means a loss.
func TestSetBack(t *testing.T) {
	p := newPlace(t)
	d := p.open(t)
	for range 5 {
		if _, err := d.Incarnation(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := d.Incarnation(t.Context())
	kv, err := p.js.KeyValue(t.Context(), p.prefix+"-stella-queue")
	if err != nil {
		t.Fatal(err)
	}
	value, err := kv.Get(t.Context(), "incarnation")
	if err != nil {
		t.Fatal(err)
	}
	// The same value in a younger bucket, as after an old copy was put back.
	if err := p.js.DeleteKeyValue(t.Context(), p.prefix+"-stella-queue"); err != nil {
		t.Fatal(err)
	}
	if kv, err = p.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: p.prefix + "-stella-queue"}); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Create(t.Context(), "incarnation", value.Value()); err != nil {
		t.Fatal(err)
	}
	after, err := d.Incarnation(t.Context())
	if err != nil || after == before {
		t.Errorf("the server went back and the incarnation is still %q, %v", after, err)
	}
	if again, _ := d.Incarnation(t.Context()); again != after {
		t.Errorf("incarnation %q changed to %q without a loss", after, again)
	}
}

// TestStreamDeleted: the loss of one stream is a loss, noticed by who uses it,
// once.
func TestStreamDeleted(t *testing.T) {
	p := newPlace(t)
	d, other := p.open(t), p.open(t)
	for _, g := range []string{"a", "b"} {
		for _, x := range []queue.Driver{d, other} {
			if err := x.Subscribe(t.Context(), "t", g); err != nil {
				t.Fatal(err)
			}
		}
	}
	before, _ := d.Incarnation(t.Context())
	if err := p.js.DeleteStream(t.Context(), p.stream("t")); err != nil {
		t.Fatal(err)
	}
	incarnations := map[string]bool{}
	for _, reader := range []queue.Driver{d, other, d} {
		for _, g := range []string{"a", "b"} {
			r := one("t")
			r.Group, r.Wait = g, 0
			if _, err := reader.Receive(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			s, _ := reader.Incarnation(t.Context())
			incarnations[s] = true
		}
	}
	if len(incarnations) != 1 || incarnations[before] {
		t.Errorf("incarnation %q became %d others, want one", before, len(incarnations))
	}
}

// TestNames: what the seed's topics and groups are called on the server.
func TestNames(t *testing.T) {
	p := newPlace(t)
	d := p.open(t)
	if err := d.Subscribe(t.Context(), "scanner:jobs", "scanner-workers"); err != nil {
		t.Fatal(err)
	}
	s, err := p.js.Stream(t.Context(), p.stream("scanner:jobs"))
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	if c.Subjects[0] != p.prefix+".scanner.jobs" || c.Storage != jetstream.FileStorage {
		t.Errorf("subjects %q, storage %v", c.Subjects, c.Storage)
	}
	if _, err := s.Consumer(t.Context(), "scanner-workers"); err != nil {
		t.Errorf("durable consumer: %v", err)
	}
	// Any program may publish to the subject.
	if _, err := p.js.Publish(t.Context(), p.prefix+".scanner.jobs", []byte(`{"type":"scan.job"}`)); err != nil {
		t.Fatal(err)
	}
	r := one("scanner:jobs")
	r.Group = "scanner-workers"
	ds, err := d.Receive(t.Context(), r)
	if err != nil || len(ds) != 1 || ds[0].ID != p.stream("scanner:jobs")+"-1" || !bytes.HasPrefix(ds[0].Body, []byte("{")) {
		t.Errorf("got %+v, %v", ds, err)
	}
}

// TestSilence: messages of a driver that went away come to another.
func TestSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("waits ten seconds")
	}
	t.Parallel()
	p := newPlace(t)
	d, other := p.open(t), p.open(t)
	if err := d.Publish(t.Context(), "t", []queue.Message{{ID: "gone"}, {ID: "held"}}); err != nil {
		t.Fatal(err)
	}
	r := one("t")
	if ds, err := d.Receive(t.Context(), r); err != nil || len(ds) != 1 || ds[0].ID != "gone" {
		t.Fatal(ds, err)
	}
	r.Claim = time.Hour
	held, err := other.Receive(t.Context(), r)
	if err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	start := time.Now()
	d.Close()
	r.Wait = 20 * time.Second
	ds, err := other.Receive(t.Context(), r)
	if err != nil || len(ds) != 1 || ds[0].ID != "gone" || ds[0].Attempt != 2 {
		t.Errorf("got %+v, %v", ds, err)
	}
	t.Logf("came back after %v", time.Since(start))
	// The other one kept its claim alive meanwhile.
	r.Wait = 5 * time.Second
	if ds, err := other.Receive(t.Context(), r); err != nil || len(ds) != 0 {
		t.Errorf("a claim of an hour ended: %+v, %v", ds, err)
	}
	if err := other.Settle(t.Context(), "t", "g", held[0], queue.Settlement{Action: queue.Retry, Cause: "x"}); err != nil {
		t.Fatal(err)
	}
	if ds, err := other.Receive(t.Context(), r); err != nil || len(ds) != 1 || ds[0].Attempt != 2 || len(ds[0].Causes) != 1 {
		t.Errorf("got %+v, %v", ds, err)
	}
}

// TestMaxPayload: what the server would cut the connection for is refused before.
func TestMaxPayload(t *testing.T) {
	d := newPlace(t).open(t)
	err := d.Publish(t.Context(), "t", []queue.Message{{ID: "small"}, {ID: "big", Body: make([]byte, 70<<20)}})
	if !errors.Is(err, queue.ErrLimit) || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("more than any server takes: %v", err)
	}
	if err := d.Publish(t.Context(), "t", []queue.Message{{ID: "small"}}); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

// BenchmarkMessage measures a message's way, published, received and
// acknowledged, against the bare calls of the client in the same run.
func BenchmarkMessage(b *testing.B) {
	p := newPlace(b)
	d := p.open(b)
	body := make([]byte, 300)
	r := one("t")
	m := []queue.Message{{ID: "scan-1f/queued", Body: body}}
	ours := func() {
		if err := d.Publish(b.Context(), "t", m); err != nil {
			b.Fatal(err)
		}
		ds, err := d.Receive(b.Context(), r)
		if err != nil || len(ds) != 1 {
			b.Fatal(len(ds), err)
		}
		if err := d.Settle(b.Context(), "t", "g", ds[0], queue.Settlement{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.Subscribe(b.Context(), "raw", "g"); err != nil {
		b.Fatal(err)
	}
	c, err := p.js.Consumer(b.Context(), p.stream("raw"), "g")
	if err != nil {
		b.Fatal(err)
	}
	raw := func() {
		msg := &nats.Msg{Subject: p.prefix + ".raw", Header: nats.Header{"Id": {m[0].ID}}, Data: body}
		if _, err := p.js.PublishMsg(b.Context(), msg); err != nil {
			b.Fatal(err)
		}
		batch, err := c.FetchNoWait(1)
		if err != nil {
			b.Fatal(err)
		}
		for msg := range batch.Messages() {
			if err := msg.DoubleAck(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	var took, bare time.Duration
	for b.Loop() {
		start := time.Now()
		raw()
		middle := time.Now()
		ours()
		took, bare = took+time.Since(middle), bare+middle.Sub(start)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ours-ns/op")
	b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "raw-ns/op")
	b.ReportMetric(float64(took)/float64(bare), "ours/raw")
}
