package feed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

func TestConditions(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), strings.NewReader("hello"))
	})
	c, _ := client(t, nil)
	got, resp, err := read(t, c, advisory.Request{URL: at + "/a"})
	if err != nil || got != "hello" || resp.ETag != `"one"` || resp.Modified == "" || resp.Size != 5 || resp.URL != at+"/a" {
		t.Fatalf("%q %+v %v", got, resp, err)
	}
	for _, r := range []advisory.Request{{ETag: `"one"`}, {Modified: resp.Modified}, {ETag: `"one"`, Modified: resp.Modified}} {
		r.URL = at + "/a"
		if _, resp, err := read(t, c, r); err != nil || !resp.NotModified || resp.Body != nil || resp.ETag != `"one"` {
			t.Errorf("%+v: %+v %v", r, resp, err)
		}
	}
	if got, _, err := read(t, c, advisory.Request{URL: at + "/a", ETag: `"two"`}); err != nil || got != "hello" {
		t.Errorf("%q %v", got, err)
	}
}

// cutting serves content with ranges, and breaks each answer off after some
// bytes.
type cutting struct {
	content []byte
	etag    string
	after   int
	answer  func(w http.ResponseWriter, r *http.Request) bool // instead, if it says so
	ranges  []string
}

func (c *cutting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.ranges = append(c.ranges, r.Header.Get("Range"))
	if c.answer != nil && c.answer(w, r) {
		return
	}
	if c.etag != "" {
		w.Header().Set("ETag", c.etag)
	}
	http.ServeContent(&breaking{w, c.after}, r, "x.bin", time.Time{}, bytes.NewReader(c.content))
}

// breaking ends the connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		b.ResponseWriter.Write(p[:b.left])
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

func TestResume(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 10_000)
	s := &cutting{content: content, etag: `"one"`, after: 30_001}
	c, pauses := client(t, nil)
	got, _, err := read(t, c, advisory.Request{URL: serve(t, s.ServeHTTP)})
	if err != nil || got != string(content) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if diff := cmp.Diff([]string{"", "bytes=30001-", "bytes=60002-", "bytes=90003-"}, s.ranges); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(pauses.list) != 3 {
		t.Errorf("pauses %v", pauses.list)
	}
}

func TestResumeRefused(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 1_000)
	part := func(from int, total string, etag string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			w.Header().Set("ETag", etag)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-9999/%s", from, total))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(content[from:])
			return true
		}
	}
	tests := []struct {
		name   string
		etag   string
		answer func(http.ResponseWriter, *http.Request) bool
		good   bool
	}{
		{"another part", `"one"`, part(1000, "10000", `"one"`), false},
		{"another length", `"one"`, part(5000, "10001", `"one"`), false},
		{"another entity", `"one"`, part(5000, "10000", `"two"`), false},
		{"no validator", "", nil, false},
		{"weak validator", `W/"one"`, nil, false},
		{"right part", `"one"`, part(5000, "10000", `"one"`), true},
		{"unknown length", `"one"`, part(5000, "*", `"one"`), true},
		{"gone", `"one"`, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusNotFound)
			}
			return r.Header.Get("Range") != ""
		}, false},
		{"all again", `"one"`, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			w.Header().Set("ETag", `"one"`)
			w.Write(content)
			return true
		}, true},
		{"all anew", `"one"`, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			w.Header().Set("ETag", `"two"`)
			w.Write(content)
			return true
		}, false},
		{"all anew without a name", `"one"`, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" {
				w.Write(content)
			}
			return r.Header.Get("Range") != ""
		}, false},
	}
	for _, tt := range tests {
		s := &cutting{content: content, etag: tt.etag, after: 5000, answer: tt.answer}
		c, _ := client(t, nil)
		got, _, err := read(t, c, advisory.Request{URL: serve(t, s.ServeHTTP)})
		switch {
		case tt.good && (err != nil || got != string(content)):
			t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
		case !tt.good && err == nil:
			t.Errorf("%s: no error after %d bytes", tt.name, len(got))
		case !tt.good && !errors.Is(err, feed.ErrUnavailable) && !errors.Is(err, feed.ErrNotFound):
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// An answer that breaks off again and again ends.
func TestResumeEnds(t *testing.T) {
	s := &cutting{content: make([]byte, 1<<20), etag: `"one"`, after: 10}
	c, _ := client(t, nil)
	if _, _, err := read(t, c, advisory.Request{URL: serve(t, s.ServeHTTP)}); !errors.Is(err, feed.ErrUnavailable) || len(s.ranges) != feed.MaxResumes+1 {
		t.Errorf("%d requests, %v", len(s.ranges), err)
	}
}

// Read starts over once where the body cannot be taken up.
func TestReadStartsOver(t *testing.T) {
	n := 0
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("old"))
			return
		}
		w.Write([]byte("new"))
	})
	c, _ := client(t, nil)
	got, resp, err := feed.Read(t.Context(), c, advisory.Request{URL: at})
	if err != nil || string(got) != "new" || resp == nil {
		t.Errorf("%q %v", got, err)
	}
	n = 0
	s, resp, err := feed.Spool(t.Context(), c, advisory.Request{URL: at})
	if err != nil || s.Size != 3 || s.Digest != feed.Digest([]byte("new")) || resp.NotModified {
		t.Fatalf("%+v %v", s, err)
	}
	s.Close()
}

func TestBounds(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/chunked":
			for range 10 {
				w.Write(make([]byte, 100))
				w.(http.Flusher).Flush()
			}
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/inside":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/encoded", "/a.gz":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("xx"))
		default:
			w.Write(make([]byte, 1000))
		}
	})
	c, _ := client(t, nil)
	for path, want := range map[string]error{
		"/": feed.ErrLimit, "/chunked": feed.ErrLimit, "/loop": feed.ErrLimit, "/file": feed.ErrForbidden, "/inside": feed.ErrForbidden, "/encoded": feed.ErrInvalid, "/a.gz": nil,
	} {
		if _, _, err := read(t, c, advisory.Request{URL: at + path, Max: 999}); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"/", "/chunked"} {
		if got, _, err := read(t, c, advisory.Request{URL: at + path, Max: 1000}); err != nil || len(got) != 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	for _, address := range []string{"", "ftp://x/", "file:///etc/passwd", "https:///x", "http://user:pw@x/", "http://[::1", at + "/\x00"} {
		_, err := c.Open(t.Context(), advisory.Request{URL: address})
		if !errors.Is(err, feed.ErrInvalid) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A server that ends its answer by ending the connection is refused: a broken
// answer would look whole.
func TestNoLength(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 4096))
			io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\nhalf of it")
			conn.Close()
		}
	}()
	c, _ := client(t, nil)
	if _, _, err := read(t, c, advisory.Request{URL: "http://" + l.Addr().String() + "/"}); !errors.Is(err, feed.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestRetries(t *testing.T) {
	second := time.Second
	tests := []struct {
		name   string
		status []int
		after  string
		want   error
		pauses []time.Duration
	}{
		{"busy twice", []int{503, 500, 200}, "", nil, []time.Duration{second, 2 * second}},
		{"busy for long", []int{503, 503, 503, 503, 200}, "", feed.ErrUnavailable, []time.Duration{second, 2 * second, 4 * second}},
		{"asks to wait", []int{429, 200}, "7", nil, []time.Duration{7 * second}},
		{"asks to wait until", []int{429, 200}, now.Add(30 * second).Format(http.TimeFormat), nil, []time.Duration{30 * second}},
		{"asks to wait until before", []int{503, 200}, now.Add(-time.Hour).Format(http.TimeFormat), nil, []time.Duration{second}},
		{"asks for nonsense", []int{503, 200}, "soon", nil, []time.Duration{second}},
		{"asks for too long", []int{503, 200}, "100000", feed.ErrUnavailable, nil},
		{"not there", []int{404, 200}, "", feed.ErrNotFound, nil},
		{"no longer there", []int{410, 200}, "", feed.ErrNotFound, nil},
		{"not allowed", []int{403, 200}, "", feed.ErrForbidden, nil},
		{"who are you", []int{401, 200}, "", feed.ErrForbidden, nil},
		{"no such thing", []int{400, 200}, "", feed.ErrInvalid, nil},
		{"part that was not asked for", []int{206, 200}, "", feed.ErrInvalid, nil},
		{"unmodified without a condition", []int{304, 200}, "", feed.ErrInvalid, nil},
		{"nothing", []int{204, 200}, "", feed.ErrInvalid, nil},
	}
	for _, tt := range tests {
		n := 0
		at := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if tt.after != "" {
				w.Header().Set("Retry-After", tt.after)
			}
			w.WriteHeader(tt.status[n])
			n++
		})
		c, pauses := client(t, nil)
		_, _, err := read(t, c, advisory.Request{URL: at})
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.pauses, pauses.list); diff != "" {
			t.Errorf("%s: pauses -want +got:\n%s", tt.name, diff)
		}
	}
}

func TestHosts(t *testing.T) {
	var keys []string
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { keys = append(keys, "other "+r.Header.Get("apiKey")) })
	otherHost := strings.Replace(other, "127.0.0.1", "localhost", 1)
	n := 0
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("apiKey"))
		if n++; n == 1 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.Redirect(w, r, otherHost, http.StatusFound)
	})
	c, pauses := client(t, &feed.Options{
		Network: feed.Network{Allow: []string{"localhost"}},
		Hosts:   map[string]feed.Host{"127.0.0.1": {Header: http.Header{"apiKey": {"secret"}}, Pace: 6 * time.Second, Busy: []int{403}}},
	})
	if _, _, err := read(t, c, advisory.Request{URL: at}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"secret", "secret", "other "}, keys); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{time.Second, 6 * time.Second}, pauses.list); diff != "" {
		t.Errorf("pauses -want +got:\n%s", diff)
	}
	if _, ok := feed.DefaultHosts()["services.nvd.nist.gov"]; !ok {
		t.Error("NVD has no pace")
	}
}

func TestPolicies(t *testing.T) {
	asked := atomic.Int32{}
	at := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, n := range []feed.Network{{}, {Policy: feed.PolicyUser}, {Policy: feed.PolicyAirGap}, {Policy: "wide open"}} {
		var refused []error
		n.Refused = func(err error) { refused = append(refused, err) }
		c, err := feed.NewClient(&feed.Options{Network: n, Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Open(t.Context(), advisory.Request{URL: at}); !errors.Is(err, feed.ErrForbidden) || len(refused) != 1 {
			t.Errorf("%q: %v, told of %v", n.Policy, err, refused)
		}
	}
	if asked.Load() != 0 {
		t.Error("the server was reached")
	}
	for _, o := range []feed.Options{{Mirrors: []feed.Mirror{{Base: "ftp://x"}}}, {Mirrors: []feed.Mirror{{Base: "https://x/?a=b"}}}, {Mirrors: []feed.Mirror{{Prefix: "x", Base: "https://x"}}}, {Network: feed.Network{Allow: []string{"a b"}}}} {
		if _, err := feed.NewClient(&o); !errors.Is(err, feed.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-stop
	}))
	defer s.Close()
	defer close(stop)
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := client(t, nil)
	resp, err := c.Open(ctx, advisory.Request{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("reading: %v", err)
	}
	resp.Body.Close()
	if _, err := c.Open(ctx, advisory.Request{URL: s.URL}); !errors.Is(err, context.Canceled) {
		t.Errorf("opening: %v", err)
	}
}

// A body that drips is not waited for, and not taken up again.
func TestSlow(t *testing.T) {
	stop := make(chan struct{})
	asked := atomic.Int32{}
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Length", "1000000")
		for {
			if _, err := w.Write([]byte("x")); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { close(stop) })
	c, _ := client(t, &feed.Options{Network: feed.Network{MinRate: 1 << 20, RateWindow: 100 * time.Millisecond}})
	if _, _, err := read(t, c, advisory.Request{URL: at}); !errors.Is(err, feed.ErrUnavailable) || !strings.Contains(err.Error(), "slower than") || asked.Load() != 1 {
		t.Errorf("%d requests, %v", asked.Load(), err)
	}
}

func TestConcurrent(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 1_000)
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "x.bin", time.Time{}, bytes.NewReader(content))
	})
	c, _ := client(t, &feed.Options{Hosts: map[string]feed.Host{"127.0.0.1": {Pace: time.Millisecond}}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, _, err := feed.Read(context.Background(), c, advisory.Request{URL: at}); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}
