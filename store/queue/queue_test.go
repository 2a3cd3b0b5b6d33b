package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/store/queue"
)

func TestOpen(t *testing.T) {
	queue.Register("broken", func(_ context.Context, u *url.URL) (queue.Driver, error) {
		p, _ := u.User.Password()
		return nil, fmt.Errorf("server said: no user with %s: %w", p, queue.ErrUnavailable)
	})
	for _, test := range []struct {
		url  string
		kind error
		want string
	}{
		{"", queue.ErrUnsupported, `scheme "": want one of broken, mem, or import`},
		{"kafka://u:hunter2@h", queue.ErrUnsupported, `scheme "kafka"`},
		{"broken://u:hunter2@h:1/0", queue.ErrUnavailable, "no user with [redacted]"},
		{"broken://u:hunter2/x@h:1/0", queue.ErrInvalid, "cannot be parsed"},
		{"mem://host", queue.ErrInvalid, "without host"},
		{"mem:?size=3", queue.ErrInvalid, `query key "size" of the URL: there are messages, bytes`},
		{"mem:?bytes=x", queue.ErrInvalid, "not a positive number"},
		{"mem:?bytes=1&bytes=2", queue.ErrInvalid, "given twice"},
		{"mem:?bytes=%zz", queue.ErrInvalid, "key=value"},
	} {
		_, err := queue.Open(t.Context(), test.url)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want %q", test.url, err, test.want)
		}
	}
	q, err := queue.Open(t.Context(), "mem:?messages=1")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if w := q.Warnings(); w != nil {
		t.Errorf("warnings: %q", w)
	}
	two := []queue.Message{{ID: "1"}, {ID: "2"}}
	if err := q.Publish(t.Context(), "t", two...); !errors.Is(err, queue.ErrLimit) {
		t.Errorf("messages=1 took two: %v", err)
	}
}

func TestPublishRefuses(t *testing.T) {
	q := queue.New(queue.NewMem(10, 10<<20))
	for name, test := range map[string]struct {
		topic string
		m     queue.Message
		kind  error
	}{
		"no ID":         {"t", queue.Message{}, queue.ErrInvalid},
		"long ID":       {"t", queue.Message{ID: strings.Repeat("i", queue.MaxID+1)}, queue.ErrInvalid},
		"line break":    {"t", queue.Message{ID: "a\r\nb"}, queue.ErrInvalid},
		"not UTF-8":     {"t", queue.Message{ID: "\xff"}, queue.ErrInvalid},
		"topic":         {"a b", queue.Message{ID: "a"}, queue.ErrInvalid},
		"no topic":      {"", queue.Message{ID: "a"}, queue.ErrInvalid},
		"wildcard":      {"a.>", queue.Message{ID: "a"}, queue.ErrInvalid},
		"body too long": {"t", queue.Message{ID: "a", Body: make([]byte, queue.MaxBody+1)}, queue.ErrLimit},
	} {
		if err := q.Publish(t.Context(), test.topic, queue.Message{ID: "fine"}, test.m); !errors.Is(err, test.kind) {
			t.Errorf("%s: got %v, want %v", name, err, test.kind)
		}
	}
	if err := q.Publish(t.Context(), "t"); err != nil {
		t.Errorf("no messages: %v", err)
	}
	if n := queue.RetainedMem(queueDriver(q), "t"); n != 0 {
		t.Errorf("%d messages were taken beside a bad one", n)
	}
}

func queueDriver(q *queue.Queue) queue.Driver { return queue.DriverOf(q) }

// TestDeadLetter: every letter comes back as it went.
func TestDeadLetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := queue.Delivery{Message: queue.Message{ID: rapid.StringN(1, 50, 200).Draw(t, "id"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body")}, Attempt: 3}
		for _, c := range rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 40).Draw(t, "causes") {
			d.Causes = queue.AppendCause(d.Causes, string(c))
		}
		want := queue.NewDeadLetter("topic", "group", d, "last")
		m := want.Message()
		got, err := queue.DecodeDead(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Causes) > 16 || got.Causes[len(got.Causes)-1] != "last" || m.ID != "group/"+d.ID {
			t.Errorf("causes %q, id %q", got.Causes, m.ID)
		}
		if len(got.Body) == 0 && len(want.Body) == 0 {
			got.Body, want.Body = nil, nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDeadLetterIsBounded(t *testing.T) {
	for _, b := range []byte{0, 1, 'a', '"', 0x7f, 0xff} {
		d := queue.Delivery{Message: queue.Message{ID: strings.Repeat("\"", queue.MaxID), Body: bytes.Repeat([]byte{b}, queue.MaxBody)}, Attempt: 1 << 30}
		for i := range 100 {
			d.Causes = queue.AppendCause(d.Causes, fmt.Sprint(i)+strings.Repeat(string(rune(b)), 10<<10))
		}
		if len(d.Causes) != 16 || !strings.HasPrefix(d.Causes[0], "0") || !strings.HasPrefix(d.Causes[15], "99") {
			t.Errorf("kept %d causes", len(d.Causes))
		}
		l := queue.NewDeadLetter(strings.Repeat("t", 100), strings.Repeat("g", 100), d, "last")
		if n := len(l.Message().Body); n > queue.MaxDead {
			t.Errorf("bodies of %#x become a letter of %d bytes, limit %d", b, n, queue.MaxDead)
		}
	}
}

func FuzzDecodeDead(f *testing.F) {
	f.Add([]byte(`{"id":"a","topic":"t","group":"g","attempts":1,"causes":["c"],"body":"b"}`))
	f.Add([]byte(`{"id":"a","topic":"t","body_base64":"/w=="}`))
	f.Add([]byte(`{"id":"a","topic":"t","body_base64":"/w"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := queue.DecodeDead(body)
		if err != nil {
			if !errors.Is(err, queue.ErrInvalid) && !errors.Is(err, queue.ErrLimit) {
				t.Errorf("kind of %v", err)
			}
			return
		}
		again, err := queue.DecodeDead(l.Message().Body)
		if err != nil || again.ID != l.ID || !bytes.Equal(again.Body, l.Body) {
			t.Errorf("%q became %v, %v", body, again, err)
		}
	})
}
