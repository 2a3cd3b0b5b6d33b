package s3blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/blob/s3blob"
)

// The suite runs against a real server in internal/e2e.

func Example() {
	ctx := context.Background()
	// A bucket that exists; the key may also be in the environment.
	bucket, err := blob.Open(ctx, "s3://key:secret@artifacts/stella?endpoint=http://127.0.0.1:9&region=eu-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bucket.Close()

	_, err = blob.Open(ctx, "s3://key:secret@artifacts?zone=1")
	fmt.Println(err)
	// Output:
	// open bucket s3://key:xxxxx@artifacts?zone=1: query key "zone" of the URL: there are endpoint, region, path_style: invalid input
}

func TestURLs(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"} {
		t.Setenv(name, "")
	}
	for bad, want := range map[string]string{
		"s3://b":                        "no key: set AWS_ACCESS_KEY_ID",
		"s3://k@b":                      "no key: set AWS_ACCESS_KEY_ID",
		"s3://k:hunter2@":               "no bucket",
		"s3:b":                          "no bucket",
		"s3://k:hunter2@b?path_style=x": `path_style="x"`,
		"s3://k:hunter2@b?endpoint=h":   "endpoint: want http://host:port",
		"s3://k:hunter2@b?endpoint=http://u:hunter2@h": "the key belongs before the bucket's name",
		"s3://k:hunter2@b?endpoint=ftp://h":            "endpoint: want http://host:port",
	} {
		_, err := blob.Open(t.Context(), bad)
		if !errors.Is(err, s3blob.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", bad, err, want)
		}
	}
	if _, err := s3blob.Open(t.Context(), "mem:", nil); !errors.Is(err, s3blob.ErrInvalid) {
		t.Errorf("another scheme: %v", err)
	}
}

// answer opens a driver on a server that always answers the same.
func answer(t *testing.T, h http.HandlerFunc, attempts int) *s3blob.Driver {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	d, err := s3blob.Open(t.Context(), "s3://key:hunter2@b?endpoint="+s.URL, &s3blob.Options{Attempts: attempts})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestKinds: what servers answer becomes a kind, and what may pass is tried again.
func TestKinds(t *testing.T) {
	for _, c := range []struct {
		status   int
		kind     error
		attempts int64
	}{
		{403, s3blob.ErrForbidden, 1}, {401, s3blob.ErrForbidden, 1}, {404, s3blob.ErrNotFound, 1}, {400, s3blob.ErrInvalid, 1},
		{409, blob.ErrConflict, 1}, {503, s3blob.ErrUnavailable, 2}, {500, s3blob.ErrUnavailable, 2}, {307, s3blob.ErrUnavailable, 1},
	} {
		var asked atomic.Int64
		d := answer(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			asked.Add(1)
			w.Header().Set("Location", "http://127.0.0.1:9/")
			w.WriteHeader(c.status)
		}, 2)
		err := d.Create(t.Context(), "k", strings.NewReader("x"), 1)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), "write k in bucket b") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("status %d: %v", c.status, err)
		}
		if n := asked.Load(); n != c.attempts {
			t.Errorf("status %d: asked %d times, want %d", c.status, n, c.attempts)
		}
	}
}

// TestShortAnswers: a body that ends early is never taken for the object.
func TestShortAnswers(t *testing.T) {
	d := answer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		if r.Method == http.MethodGet {
			io.WriteString(w, "only this")
		}
	}, 1)
	r, err := d.Open(t.Context(), "k", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); !errors.Is(err, s3blob.ErrUnavailable) {
		t.Errorf("read %q, %v", b, err)
	}
}

// TestUnsortedListing: a server that lists out of order is noticed.
func TestUnsortedListing(t *testing.T) {
	d := answer(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `<ListBucketResult><Contents><Key>b</Key></Contents><Contents><Key>a</Key></Contents></ListBucketResult>`)
	}, 1)
	var last error
	for _, err := range d.List(t.Context(), "") {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "not sorted") {
		t.Errorf("got %v", last)
	}
}

// TestUploadThatIsGone: where the server no longer knows an upload when it is to
// be ended, it was ended by an attempt whose answer was lost, or freed by a
// collection. What lies there says which.
func TestUploadThatIsGone(t *testing.T) {
	p := bytes.Repeat([]byte("x"), 9<<20)
	for size, kind := range map[int]error{len(p): nil, -1: s3blob.ErrNotFound, 5: s3blob.ErrMismatch} {
		d := answer(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			switch {
			case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
				io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`)
			case r.Method == http.MethodPut:
				w.Header().Set("ETag", `"e"`)
			case r.Method == http.MethodHead && size >= 0:
				w.Header().Set("Content-Length", strconv.Itoa(size))
			default:
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, `<Error><Code>NoSuchUpload</Code></Error>`)
			}
		}, 1)
		if _, err := blob.New(d).Put(t.Context(), bytes.NewReader(p)); !errors.Is(err, kind) {
			t.Errorf("%d bytes lie there: %v, want %v", size, err, kind)
		}
	}
}
