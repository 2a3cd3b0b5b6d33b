package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/queuetest"
)

func TestMem(t *testing.T) {
	queuetest.TestDriver(t, queuetest.Config{
		Open:     func(*testing.T) queue.Driver { return queue.NewMem(100_000, 256<<20) },
		Lose:     func(_ *testing.T, d queue.Driver) { queue.LoseMem(d) },
		Retained: func(_ *testing.T, d queue.Driver, topic string) int { return queue.RetainedMem(d, topic) },
		Claim:    200 * time.Millisecond,
	})
}

func TestMemIsBounded(t *testing.T) {
	q := queue.New(queue.NewMem(3, 100))
	for _, size := range []int{50, 40} {
		if err := q.Publish(t.Context(), "t", queue.Message{ID: "i", Body: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Publish(t.Context(), "t", queue.Message{ID: "i", Body: make([]byte, 8)}); !errors.Is(err, queue.ErrLimit) {
		t.Errorf("over the limit of bytes: %v", err)
	}
	if err := q.Publish(t.Context(), "t", queue.Message{ID: "i"}, queue.Message{ID: "j"}); !errors.Is(err, queue.ErrLimit) {
		t.Errorf("over the limit of messages: %v", err)
	}
}

func BenchmarkMem(b *testing.B) {
	d := queue.NewMem(100_000, 256<<20)
	r := queue.Request{Topic: "t", Group: "g", Consumer: "c", Max: 1, Claim: time.Minute, Wait: time.Second}
	m := []queue.Message{{ID: "scan-1f/queued", Body: make([]byte, 300)}}
	b.ReportAllocs()
	for b.Loop() {
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
}
