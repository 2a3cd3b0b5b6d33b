package queuetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/queue"
)

// testGroups: each group gets all messages, also those that were there before
// it.
func testGroups(s *suite) {
	s.publish("t", "a", "b")
	one, two := request("t", s.group("t", "one")), request("t", "two")
	one.Max, two.Max = 10, 10
	got := s.some(one, 2)
	s.ack(one, got...)
	if diff := cmp.Diff([]string{"a", "b"}, ids(got)); diff != "" {
		s.Error(diff)
	}
	for _, d := range got {
		if d.Attempt != 1 || len(d.Causes) != 0 || string(d.Body) != d.ID {
			s.Errorf("first delivery of %s: attempt %d, causes %q, body %q", d.ID, d.Attempt, d.Causes, d.Body)
		}
	}
	// Group two was never subscribed: Receive makes it.
	s.publish("t", "c")
	s.publish("other", "x")
	got = s.some(two, 1)
	s.group("t", "one")
	s.ack(two, got...)
	for seen := ids(got); !slices.Contains(seen, "c"); {
		more := s.some(two, 1)
		s.ack(two, more...)
		seen = append(seen, ids(more)...)
	}
	s.ack(one, s.one(one))
	s.none(one, 100*time.Millisecond)
	s.none(two, 100*time.Millisecond)
}

// testOneConsumer: among a group's consumers each message is held by one.
func testOneConsumer(s *suite) {
	const consumers, messages = 6, 240
	s.group("t", "g")
	all := numbered("m", messages)
	var mu sync.Mutex
	var got []string
	var running sync.WaitGroup
	for i := range consumers {
		d := s.d
		if i%2 == 1 {
			d = s.again()
		}
		running.Go(func() {
			r := request("t", "g")
			r.Consumer, r.Max, r.Wait = string(rune('a'+i)), 1+i*3, 200*time.Millisecond
			for end := time.Now().Add(2 * s.c.Late); time.Now().Before(end); {
				ds, err := d.Receive(s.Context(), r)
				if err != nil {
					s.Errorf("receive: %v", err)
					return
				}
				for _, m := range ds {
					if err := d.Settle(s.Context(), "t", "g", m, queue.Settlement{}); err != nil {
						s.Errorf("ack: %v", err)
					}
				}
				mu.Lock()
				got = append(got, ids(ds)...)
				enough := len(got) >= messages
				mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	for part := range slices.Chunk(all, 7) {
		running.Go(func() {
			if err := publish(s.Context(), s.d, "t", part...); err != nil {
				s.Error(err)
			}
		})
	}
	running.Wait()
	slices.Sort(got)
	if diff := cmp.Diff(all, got); diff != "" {
		s.Error(diff)
	}
}

// testWait: Receive waits as long as it is told and no longer than it must.
func testWait(s *suite) {
	r := request("t", s.group("t", "g"))
	start := time.Now()
	s.none(r, 300*time.Millisecond)
	if took := time.Since(start); took < 250*time.Millisecond || took > 5*time.Second {
		s.Errorf("an empty topic was waited for %v, want 300ms", took)
	}
	time.AfterFunc(200*time.Millisecond, func() { publish(context.Background(), s.d, "t", "a") })
	start = time.Now()
	r.Wait = 30 * time.Second
	ds, err := s.d.Receive(s.Context(), r)
	if err != nil || len(ds) != 1 {
		s.Fatalf("got %d messages and %v", len(ds), err)
	}
	if took := time.Since(start); took > 5*time.Second {
		s.Errorf("a new message was seen after %v", took)
	}
	s.ack(r, ds...)
}

// testCancel: a context ends a wait, and the wait takes no message with it.
func testCancel(s *suite) {
	r := request("t", s.group("t", "g"))
	r.Wait = 8 * time.Second
	ctx, cancel := context.WithCancel(s.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	start := time.Now()
	if ds, err := s.d.Receive(ctx, r); len(ds) > 0 || err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("got %d messages and %v, want a cancelled context", len(ds), err)
	}
	if took := time.Since(start); took > 5*time.Second {
		s.Errorf("a cancelled Receive went on for %v", took)
	}
	s.publish("t", "a")
	d := s.one(request("t", "g"))
	if d.Attempt != 1 {
		s.Errorf("attempt %d, want 1", d.Attempt)
	}
	if err := publish(ctx, s.d, "t", "b"); !errors.Is(err, context.Canceled) {
		s.Errorf("publish with a cancelled context: %v", err)
	}
}

// testBodies: what was published arrives byte by byte.
func testBodies(s *suite) {
	r := request("t", s.group("t", "g"))
	var every []byte
	for i := range 256 {
		every = append(every, byte(i), byte(255-i))
	}
	want := map[string][]byte{
		"empty":                       {},
		"every byte":                  every,
		`scan-1f/completed "ü" 'x' \`: []byte("\r\n\x00$-1\r\n*3\r\n+OK\r\n-ERR\r\nNATS/1.0\r\n\r\n"),
		strings.Repeat("i", 512):      []byte(`{"a":"` + strings.Repeat("é", 1000) + `"}`),
		"big":                         bytes.Repeat([]byte{0, 1, 2, 0xFF}, queue.MaxBody/4),
	}
	for id, body := range want {
		if err := s.d.Publish(s.Context(), "t", []queue.Message{{ID: id, Body: body}}); err != nil {
			s.Fatalf("publish %.20s of %d bytes: %v", id, len(body), err)
		}
	}
	got := map[string][]byte{}
	for _, d := range s.some(r, len(want)) {
		got[d.ID] = append([]byte{}, d.Body...)
	}
	for id, body := range want {
		if b, ok := got[id]; !ok || !bytes.Equal(body, b) {
			s.Errorf("%.20q: %d bytes became %d", id, len(body), len(b))
		}
	}
}

// testNames: names that look alike to a backend stay apart.
func testNames(s *suite) {
	names := []string{"a:b", "a.b", "a_b", "a-b", "A:b", "A:B", "a", "b", "a::b", ".a", "a.", ":", "-", "_", "..",
		"claims", "a:b:dead", "0", "41", strings.Repeat("x", 100)}
	for _, n := range names {
		s.group(n, n)
		s.publish(n, "of "+n)
	}
	for _, n := range names {
		r := request(n, n)
		r.Max = 10
		got := s.some(r, 1)
		if diff := cmp.Diff([]string{"of " + n}, ids(got)); diff != "" {
			s.Errorf("topic %q: %s", n, diff)
		}
		s.ack(r, got...)
		s.none(r, 10*time.Millisecond)
	}
	for _, n := range names {
		got := s.one(request("groups", s.groupOf("groups", n)))
		if got.ID != "x" {
			s.Errorf("group %q got %q", n, got.ID)
		}
	}
}

// groupOf subscribes a group and makes sure that the topic has a message.
func (s *suite) groupOf(topic, group string) string {
	s.group(topic, group)
	s.publish(topic, "x")
	return group
}

// testPublishers: two relays publish in inverted order, and one repeats the tail
// of what it published; nothing is refused and nothing gets lost.
func testPublishers(s *suite) {
	r := request("t", s.group("t", "g"))
	r.Max = 50
	second := s.again()
	all := numbered("m", 100)
	// Each knows the half that the other publishes later.
	if err := publish(s.Context(), second, "t", all[50:]...); err != nil {
		s.Fatal(err)
	}
	s.publish("t", all[:50]...)
	var both sync.WaitGroup
	for _, d := range []queue.Driver{s.d, second} {
		both.Go(func() {
			if err := publish(s.Context(), d, "t", all[90:]...); err != nil {
				s.Error(err)
			}
		})
	}
	both.Wait()
	got := map[string]bool{}
	for end := time.Now().Add(s.c.Late); len(got) < len(all) && time.Now().Before(end); {
		ds, err := s.d.Receive(s.Context(), r)
		if err != nil {
			s.Fatal(err)
		}
		s.ack(r, ds...)
		for _, d := range ds {
			got[d.ID] = true
		}
	}
	if len(got) != len(all) {
		s.Errorf("got %d of %d messages", len(got), len(all))
	}
	// A message that was handled arrives when it is published again, since the
	// publisher may know of a loss.
	rest := request("t", "g")
	for {
		ds, err := s.d.Receive(s.Context(), rest)
		if err != nil {
			s.Fatal(err)
		}
		if len(ds) == 0 {
			break
		}
		s.ack(rest, ds...)
	}
	s.publish("t", all[3])
	if d := s.one(rest); d.ID != all[3] || d.Attempt != 1 {
		s.Errorf("got %s, attempt %d; want %s again", d.ID, d.Attempt, all[3])
	}
}

// testClose: closing ends what waits and leaves other drivers alone.
func testClose(s *suite) {
	s.group("t", "g")
	d := s.again()
	wait := make(chan error, 1)
	r := request("t", "g")
	r.Wait = 30 * time.Second
	go func() {
		_, err := d.Receive(context.Background(), r)
		wait <- err
	}()
	time.Sleep(200 * time.Millisecond)
	if err := d.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
	select {
	case err := <-wait:
		if err == nil {
			s.Error("a Receive that was waiting returned nothing and no error")
		}
	case <-time.After(10 * time.Second):
		s.Fatal("Receive still waits after Close")
	}
	if err := publish(s.Context(), d, "t", "x"); err == nil {
		s.Error("a closed driver published")
	}
	if s.c.Again != nil {
		s.publish("t", "a")
		s.ack(r, s.one(r))
	}
}
