package feed_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// pauses are the pauses that a client made instead of sleeping.
type pauses struct {
	mu   sync.Mutex
	list []time.Duration
}

func (p *pauses) sleep(ctx context.Context, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, d)
	return ctx.Err()
}

// now is the clock of clients under test.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// client is a client that may reach this machine and does not sleep.
func client(t *testing.T, opts *feed.Options) (*feed.Client, *pauses) {
	t.Helper()
	o := feed.Options{}
	if opts != nil {
		o = *opts
	}
	p := &pauses{}
	o.Sleep = p.sleep
	if o.Now == nil {
		o.Now = func() time.Time { return now }
	}
	o.Network.Allow = append(o.Network.Allow, "127.0.0.1")
	c, err := feed.NewClient(&o)
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// read opens an address and reads all of it.
func read(t *testing.T, door advisory.Door, r advisory.Request) (string, *advisory.Response, error) {
	t.Helper()
	resp, err := door.Open(t.Context(), r)
	if err != nil {
		return "", nil, err
	}
	if resp.NotModified {
		return "", resp, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), resp, err
}

// memory is a door to texts by address.
type memory map[string]string

// Open returns a text; its ETag is its digest.
func (m memory) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	text, ok := m[r.URL]
	if !ok {
		return nil, advisory.ErrNotFound
	}
	out := &advisory.Response{ETag: `"` + feed.Digest([]byte(text)) + `"`, Size: int64(len(text)), URL: r.URL}
	if r.ETag == out.ETag {
		out.NotModified = true
		return out, nil
	}
	out.Body = io.NopCloser(strings.NewReader(text))
	return out, nil
}

// collect is what a shape fetches.
func collect(ctx context.Context, s interface {
	Fetch(context.Context, advisory.Door, []byte, func(*advisory.Document) error) (*advisory.Fetched, error)
}, door advisory.Door, state []byte) (map[string]string, *advisory.Fetched, error) {
	docs := map[string]string{}
	out, err := s.Fetch(ctx, door, state, func(d *advisory.Document) error {
		docs[d.Name] = string(d.Content)
		if d.Gone {
			docs[d.Name] = "gone"
		}
		return nil
	})
	return docs, out, err
}
