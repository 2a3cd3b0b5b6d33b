package scanhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/store/blob"
)

// lossy sends requests and loses the first answers.
type lossy struct {
	lose  int32
	sent  atomic.Int32
	keys  map[string]bool
	after func(*http.Request) // called once a request was handled
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	n := l.sent.Add(1)
	if l.keys != nil {
		l.keys[r.Header.Get("Idempotency-Key")] = true
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil || n > l.lose {
		return resp, err
	}
	if l.after != nil {
		l.after(r)
	}
	resp.Body.Close()
	return nil, errors.New("connection reset")
}

// TestLostAnswers loses the answer of each call once, after it had its effect.
func TestLostAnswers(t *testing.T) {
	g := newRig(t)
	lost := func(token string) (*scanhttp.Client, *lossy) {
		l := &lossy{lose: 1}
		c := g.client(token)
		c.Transport = l
		return c, l
	}
	for _, key := range []string{"", "mine"} {
		c, l := lost("acme/ann")
		l.keys = map[string]bool{}
		j, repeated, err := c.Submit(t.Context(), scan.Request{Image: "alpine" + key}, key)
		if err != nil || repeated != (key != "") || l.sent.Load() != 2 || len(l.keys) != 1 {
			t.Fatalf("submit with key %q: %+v, repeated %v, %v; %d requests with keys %v", key, j, repeated, err, l.sent.Load(), l.keys)
		}
		if p, err := g.client("acme/ann").List(t.Context(), scan.Query{Image: "alpine" + key}); err != nil || len(p.Jobs) != 1 {
			t.Errorf("submit with key %q: %d jobs, %v", key, len(p.Jobs), err)
		}
	}
	id := g.submit(t, "acme", "b")
	w := g.client("acme/w/worker")
	// Claim and Fail are tried once.
	c, l := lost("acme/w/worker")
	if _, err := c.Claim(t.Context(), scan.ClaimRequest{JobID: id, Holder: "w", Length: time.Second}); !errors.Is(err, scanhttp.ErrUnavailable) || l.sent.Load() != 1 {
		t.Errorf("claim: %v after %d requests", err, l.sent.Load())
	}
	time.Sleep(1100 * time.Millisecond) // the lease that nobody knows of
	lease, err := w.Claim(t.Context(), scan.ClaimRequest{JobID: id, Holder: "w", Length: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	doc := g.put(t, "acme", []byte("doc"))
	results := scan.Results{SBOMDigest: doc.Digest, Documents: []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "n", Ref: doc}}}
	for name, call := range map[string]func(*scanhttp.Client) error{
		"job":       func(c *scanhttp.Client) error { _, err := c.Job(t.Context(), id); return err },
		"list":      func(c *scanhttp.Client) error { _, err := c.List(t.Context(), scan.Query{}); return err },
		"manifest":  func(c *scanhttp.Client) error { _, err := c.Manifest(t.Context(), id); return err },
		"documents": func(c *scanhttp.Client) error { _, err := c.Documents(t.Context(), id); return err },
		"heartbeat": func(c *scanhttp.Client) error { _, err := c.Heartbeat(t.Context(), *lease); return err },
		"resolve":   func(c *scanhttp.Client) error { _, err := c.Resolve(t.Context(), *lease, "sha256:1"); return err },
	} {
		c, l := lost("acme/w/worker")
		if err := call(c); err != nil || l.sent.Load() != 2 {
			t.Errorf("%s: %v after %d requests", name, err, l.sent.Load())
		}
	}
	c, l = lost("acme/w/worker")
	if err := c.Complete(t.Context(), *lease, results); err != nil || l.sent.Load() != 2 {
		t.Errorf("complete: %v after %d requests", err, l.sent.Load())
	}
	c, l = lost("acme/ann")
	if j, err := c.Cancel(t.Context(), id, "r"); err != nil || j.State != scan.Cancelled || l.sent.Load() != 2 {
		t.Errorf("cancel: %v after %d requests", err, l.sent.Load())
	}
	id = g.submit(t, "acme", "c")
	if lease, err = w.Claim(t.Context(), scan.ClaimRequest{JobID: id, Holder: "w", Length: 15 * time.Second}); err != nil {
		t.Fatal(err)
	}
	c, l = lost("acme/w/worker")
	if err := c.Fail(t.Context(), *lease, scan.Failure{Cause: "x", Permanent: true}); !errors.Is(err, scanhttp.ErrUnavailable) || l.sent.Load() != 1 {
		t.Errorf("fail: %v after %d requests", err, l.sent.Load())
	}
	if j, err := w.Job(t.Context(), id); err != nil || j.State != scan.Failed {
		t.Errorf("fail: %+v %v", j, err)
	}
	if err := w.Fail(t.Context(), *lease, scan.Failure{}); !errors.Is(err, scanhttp.ErrFenced) {
		t.Errorf("fail again: %v", err)
	}
}

// answering is a client of a server that answers as f says.
func answering(t *testing.T, f http.HandlerFunc) (*scanhttp.Client, *atomic.Int32) {
	n := new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.Add(1); f(w, r) }))
	t.Cleanup(s.Close)
	return &scanhttp.Client{URL: s.URL + "/prefix/", Attempts: 3}, n
}

func TestRetries(t *testing.T) {
	c, n := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(503)
	})
	began := time.Now()
	_, err := c.Job(t.Context(), "scan-1")
	if took := time.Since(began); !errors.Is(err, scanhttp.ErrUnavailable) || n.Load() != 3 || took < 2*time.Second || took > 10*time.Second {
		t.Errorf("%v after %d requests in %v, want 3 with Retry-After between them", err, n.Load(), took)
	}
	// The wait would outlast the deadline: the error comes at once.
	n.Store(0)
	ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
	defer cancel()
	began = time.Now()
	if _, err := c.Job(ctx, "scan-1"); !errors.Is(err, scanhttp.ErrUnavailable) || n.Load() != 1 || time.Since(began) > 600*time.Millisecond {
		t.Errorf("%v after %d requests in %v", err, n.Load(), time.Since(began))
	}
	// Cancelling ends the wait.
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began = time.Now()
	if _, err := c.Job(ctx, "scan-1"); err == nil || time.Since(began) > 900*time.Millisecond {
		t.Errorf("%v in %v", err, time.Since(began))
	}
	// What is not unavailable is not tried again.
	c, n = answering(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400) })
	if _, err := c.Job(t.Context(), "scan-1"); !errors.Is(err, scanhttp.ErrInvalid) || n.Load() != 1 {
		t.Errorf("%v after %d requests", err, n.Load())
	}
}

// TestTimeouts: a server that accepts and says nothing.
func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	c, n := answering(t, func(w http.ResponseWriter, r *http.Request) { <-release })
	t.Cleanup(func() { close(release) }) // before the server waits for its requests
	c.Timeout = 100 * time.Millisecond
	if _, err := c.Job(t.Context(), "scan-1"); !errors.Is(err, scanhttp.ErrUnavailable) || n.Load() != 3 {
		t.Errorf("%v after %d requests", err, n.Load())
	}
	c.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Job(ctx, "scan-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's deadline: %v", err)
	}
}

// TestOtherServers: answers that are not the service's are not believed.
func TestOtherServers(t *testing.T) {
	for name, test := range map[string]struct {
		status      int
		contentType string
		body        string
		want        error
	}{
		"HTML 404":           {404, "text/html", "<h1>Not Found</h1>", scanhttp.ErrUnavailable},
		"HTML 409":           {409, "text/html", "", scanhttp.ErrUnavailable},
		"portal":             {200, "text/html", "<h1>Log in</h1>", scanhttp.ErrUnavailable},
		"empty object":       {200, "application/json", "{}", scanhttp.ErrUnavailable},
		"another job":        {200, "application/json", `{"job_id":"scan-2","status":"queued"}`, scanhttp.ErrUnavailable},
		"half":               {200, "application/json", `{"job_id":"scan-1","sta`, scanhttp.ErrUnavailable},
		"204":                {204, "", "", scanhttp.ErrUnavailable},
		"redirect":           {302, "text/html", "", scanhttp.ErrUnavailable},
		"gateway's login":    {401, "text/html", "", scanhttp.ErrUnauthenticated},
		"gateway's limit":    {413, "text/html", "", scanhttp.ErrLimit},
		"of a later release": {200, "application/json", `{"job_id":"scan-1","status":"sleeping"}`, scanhttp.ErrUnavailable},
	} {
		c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.Header().Set("Content-Type", test.contentType)
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		})
		c.Attempts = 1
		if _, err := c.Job(t.Context(), "scan-1"); !errors.Is(err, test.want) || errors.Is(err, scanhttp.ErrNotFound) || errors.Is(err, scanhttp.ErrConflict) {
			t.Errorf("%s: job: %v", name, err)
		}
		if _, err := c.Claim(t.Context(), scan.ClaimRequest{JobID: "scan-1", Holder: "w", Length: time.Second}); err == nil || errors.Is(err, scanhttp.ErrNotFound) || errors.Is(err, scanhttp.ErrConflict) {
			t.Errorf("%s: claim: %v", name, err)
		}
		if err := c.Complete(t.Context(), scan.Lease{JobID: "scan-1"}, scan.Results{}); (err == nil) != (test.status == 204) {
			t.Errorf("%s: complete: %v", name, err)
		}
	}
	// The service at another path: a scan that is not found there means nothing.
	g := newRig(t)
	c := g.client("acme/w/worker")
	c.URL += "/elsewhere"
	if _, err := c.Claim(t.Context(), scan.ClaimRequest{JobID: "scan-1", Holder: "w", Length: time.Second}); err == nil || errors.Is(err, scanhttp.ErrNotFound) {
		t.Errorf("a wrong path: %v", err)
	}
	// A flood.
	c, _ = answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		block := bytes.Repeat([]byte(" "), 1<<20)
		for range 100 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	if _, err := c.Job(t.Context(), "scan-1"); !errors.Is(err, scanhttp.ErrLimit) {
		t.Errorf("a flood: %v", err)
	}
	c, _ = answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"sha256:0"`)
		io.WriteString(w, `{}`)
	})
	if _, err := c.Manifest(t.Context(), "scan-1"); !errors.Is(err, scanhttp.ErrMismatch) {
		t.Errorf("a manifest that is not what its tag says: %v", err)
	}
}

// TestClientRefuses what it should not send.
func TestClientRefuses(t *testing.T) {
	c, n := answering(t, func(w http.ResponseWriter, r *http.Request) {})
	for _, id := range []string{"", "..", "scan-1/../../x", "scan-1?x", "SCAN-1", "scan-\x00", strings.Repeat("scan-", 20)} {
		_, e1 := c.Job(t.Context(), id)
		_, e2 := c.Cancel(t.Context(), id, "")
		_, e3 := c.Claim(t.Context(), scan.ClaimRequest{JobID: id})
		e4 := c.Complete(t.Context(), scan.Lease{JobID: id}, scan.Results{})
		for _, err := range []error{e1, e2, e3, e4} {
			if !errors.Is(err, scanhttp.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	for _, key := range []string{"a\nb", " a", "ä", strings.Repeat("k", 256)} {
		if _, _, err := c.Submit(t.Context(), scan.Request{Image: "a"}, key); !errors.Is(err, scanhttp.ErrInvalid) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	big := scan.Results{Documents: make([]scan.Stored, 70)}
	for i := range big.Documents {
		big.Documents[i] = scan.Stored{Ref: blob.Ref{}, Content: make([]byte, 1<<20)}
	}
	if err := c.Complete(t.Context(), scan.Lease{JobID: "scan-1"}, big); !errors.Is(err, scanhttp.ErrLimit) {
		t.Errorf("large results: %v", err)
	}
	if n.Load() != 0 {
		t.Errorf("%d requests were sent", n.Load())
	}
	for _, u := range []string{"", "scanner.example", "ftp://a", "http://", "https://ann:hunter2@a", "https://a?x=1", "https://a#x", "http://%zz:hunter2@", "file:///etc"} {
		c := &scanhttp.Client{URL: u}
		if _, err := c.Job(t.Context(), "scan-1"); !errors.Is(err, scanhttp.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("URL %s: %v", u, err)
		}
	}
	without := &scanhttp.Client{URL: c.URL, Token: func(context.Context) (string, error) {
		return "", fmt.Errorf("no token today: %w", fault.Unauthenticated)
	}}
	if _, err := without.Job(t.Context(), "scan-1"); !errors.Is(err, scanhttp.ErrUnauthenticated) || n.Load() != 0 {
		t.Errorf("without a token: %v, %d requests", err, n.Load())
	}
}
