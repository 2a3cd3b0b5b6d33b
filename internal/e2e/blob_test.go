package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/blob/blobtest"
	"github.com/stella-ops/stella/store/blob/s3blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

func openS3(t *testing.T, rawURL string, opts *s3blob.Options) *s3blob.Driver {
	t.Helper()
	d, err := s3blob.Open(t.Context(), rawURL, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// below returns the URL of a prefix in a bucket.
func below(rawURL, prefix string) string {
	return strings.Replace(rawURL, "?", "/"+prefix+"?", 1)
}

func TestS3Blob(t *testing.T) {
	fewerChecks(t)
	t.Run("Bucket", func(t *testing.T) {
		blobtest.Test(t, func(t *testing.T) blob.Driver { return openS3(t, servers.S3(t), nil) }, &blobtest.Options{Large: 20<<20 + 17, Damages: 120})
	})
	t.Run("Prefix", func(t *testing.T) {
		shared := servers.S3(t)
		n := 0
		blobtest.Test(t, func(t *testing.T) blob.Driver {
			n++
			return openS3(t, below(shared, fmt.Sprintf("tenants/%d", n)), nil)
		}, &blobtest.Options{Damages: 20})
	})
}

// fewerChecks lowers the number of runs of each model: a request takes longer than
// a call.
func fewerChecks(t *testing.T) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if f == nil || f.Value.String() != f.DefValue {
		return // somebody said how many
	}
	f.Value.Set("20")
	t.Cleanup(func() { f.Value.Set(f.DefValue) })
}

// TestS3Pages: a listing of more keys than one answer holds is whole and sorted.
func TestS3Pages(t *testing.T) {
	d := openS3(t, servers.S3(t), nil)
	var want []string
	var wg sync.WaitGroup
	gate := make(chan struct{}, 16)
	for i := range 1200 {
		key := fmt.Sprintf("p/%c/%04d", 'a'+i%7, i)
		want = append(want, key)
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			if err := d.Create(t.Context(), key, strings.NewReader("x"), 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.Sort(want)
	var got []string
	for info, err := range d.List(t.Context(), "p/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestS3CopiesInParts: what is larger than one copy may be.
func TestS3CopiesInParts(t *testing.T) {
	d := openS3(t, servers.S3(t), &s3blob.Options{PartSize: 1, CopyLimit: 1}) // the least
	b := blob.New(d)
	p := bytes.Repeat([]byte("0123456789abcdef"), 12<<20/16)
	p[7<<20] = 'x'
	ref, err := b.Put(t.Context(), bytes.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Name(t.Context(), ref, "a+b/large"); err != nil {
		t.Fatal(err)
	}
	r, err := b.OpenName(t.Context(), "a+b/large", ref)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p) {
		t.Errorf("the copy has %d other bytes, %v", len(got), err)
	}
}

func TestS3URLs(t *testing.T) {
	raw := servers.S3(t)
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	ctx := t.Context()
	t.Run("Environment", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", u.User.Username())
		t.Setenv("AWS_SECRET_ACCESS_KEY", password)
		bare := *u
		bare.User = nil
		b, err := blob.Open(ctx, bare.String())
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if _, err := b.Put(ctx, strings.NewReader("x")); err != nil {
			t.Error(err)
		}
	})
	t.Run("Refused", func(t *testing.T) {
		wrong := *u
		wrong.User = url.UserPassword(u.User.Username(), "hunter2")
		b, err := blob.Open(ctx, wrong.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(ctx, strings.NewReader("x")); !errors.Is(err, s3blob.ErrForbidden) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("a wrong secret: %v", err)
		}
		gone := *u
		gone.Host = "no-such-bucket"
		if b, err = blob.Open(ctx, gone.String()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(ctx, strings.NewReader("x")); !errors.Is(err, blob.ErrNotFound) || !strings.Contains(fmt.Sprint(err), "no-such-bucket") {
			t.Errorf("no bucket: %v", err)
		}
	})
}

// TestS3Away: a server that is killed or frozen is an error that may pass, and
// what was put is there when it is back.
func TestS3Away(t *testing.T) {
	s := servers.StartS3(t)
	d := openS3(t, s.URL, &s3blob.Options{Attempts: 2})
	b := blob.New(d)
	p := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	ref, err := b.Put(t.Context(), bytes.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	s.Kill(t)
	_, err = b.Put(t.Context(), strings.NewReader("x"))
	if !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("put on a killed server: %v", err)
	}
	if _, err := b.Stat(t.Context(), ref); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("stat on a killed server: %v", err)
	}
	s.Restart(t)
	if err := b.Check(t.Context(), ref); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	s.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := b.Open(ctx, ref); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open on a frozen server: %v", err)
	}
	s.Cont(t)
	if err := b.Check(t.Context(), ref); err != nil {
		t.Errorf("after it was thawed: %v", err)
	}
}

// TestS3KilledWhileWriting kills the server at random times while objects are put:
// what was acknowledged is whole, and nothing else is visible in parts.
func TestS3KilledWhileWriting(t *testing.T) {
	s := servers.StartS3(t)
	b := blob.New(openS3(t, s.URL, &s3blob.Options{Attempts: 1}))
	r := rand.New(rand.NewPCG(3, 4))
	var put []blob.Ref
	failed := 0
	kills := 6
	if testing.Short() {
		kills = 2
	}
	for kill := range kills {
		stop := make(chan struct{})
		go func() {
			time.Sleep(time.Duration(200+r.IntN(500)) * time.Millisecond)
			close(stop)
		}()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Go(func() {
				for i := 0; ; i++ {
					size := 1 << 10
					if i%3 == 2 {
						size = 600 << 10 // in parts
					}
					p := bytes.Repeat(fmt.Appendf(nil, "%4d%4d%8d", kill, w, i), size)
					ref, err := b.Put(context.Background(), bytes.NewReader(p))
					mu.Lock()
					if err == nil {
						put = append(put, ref)
					} else {
						failed++
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		<-stop
		s.Kill(t)
		wg.Wait()
		s.Restart(t)
	}
	for _, ref := range put {
		if err := b.Check(t.Context(), ref); err != nil {
			t.Errorf("acknowledged and lost: %v", err)
		}
	}
	seen := 0
	for info, err := range b.Verify(t.Context()) {
		if err != nil {
			t.Errorf("%s: %v", info.Key, err)
		}
		seen++
	}
	t.Logf("%d kills, %d objects acknowledged, %d puts failed, %d objects visible", kills, len(put), failed, seen)
	if failed == 0 || len(put) == 0 {
		t.Error("no kill met a write, or none was acknowledged")
	}
}

// TestS3UploadsThatDied: the parts of a writer that died are invisible, and a
// collection frees them.
func TestS3UploadsThatDied(t *testing.T) {
	raw := servers.S3(t)
	d := openS3(t, raw, nil)
	var at []crashpoint.Point
	died := errors.New("died")
	defer crashpoint.Set(crashpoint.Set(func(p crashpoint.Point) {
		at = append(at, p)
		if p == crashpoint.BlobWritten {
			panic(died)
		}
	}))
	p := make([]byte, 20<<20)
	func() {
		defer func() { recover() }()
		blob.New(d).Put(t.Context(), bytes.NewReader(p))
	}()
	crashpoint.Set(nil)
	if fmt.Sprint(at) != "[blob.written]" {
		t.Fatalf("passed %v", at)
	}
	for info := range d.List(t.Context(), "") {
		t.Errorf("there is %s", info.Key)
	}
	if n := uploads(t, raw); n != 1 {
		t.Fatalf("%d uploads were left, want 1", n)
	}
	if err := d.Sweep(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := uploads(t, raw); n != 1 {
		t.Errorf("a young upload was removed")
	}
	if err := d.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := uploads(t, raw); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

// uploads counts the uploads that were begun and not ended.
func uploads(t *testing.T, raw string) int {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := u.User.Password()
	c := s3.New(s3.Options{
		BaseEndpoint: aws.String(u.Query().Get("endpoint")), Region: u.Query().Get("region"), UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: u.User.Username(), SecretAccessKey: secret}, nil
		}),
	})
	out, err := c.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(u.Host), Prefix: aws.String(strings.Trim(u.Path, "/"))})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Uploads)
}

// forgetful carries each request and then loses the answer of some.
type forgetful struct {
	mu   sync.Mutex
	n    int
	lost map[string]int // by method and kind
}

func (f *forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.n%2 == 1 { // so that a second attempt is answered
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		kind := r.Method
		switch q := r.URL.Query(); {
		case q.Has("partNumber"):
			kind += " part"
		case q.Has("uploadId"):
			kind += " upload"
		case q.Has("uploads"):
			kind += " uploads"
		case r.Header.Get("X-Amz-Copy-Source") != "":
			kind += " copy"
		}
		f.lost[kind]++
		return nil, io.ErrUnexpectedEOF
	}
	return answer, nil
}

// TestS3LostAnswers: requests that were carried out and whose answers were lost
// are tried again, and the outcome is the same.
func TestS3LostAnswers(t *testing.T) {
	f := &forgetful{lost: map[string]int{}}
	d := openS3(t, servers.S3(t), &s3blob.Options{Transport: f})
	b := blob.New(d)
	for i := range 2 {
		for _, n := range []int{10, 9 << 20} {
			p := bytes.Repeat([]byte{byte(i + 1)}, n)
			ref, err := b.Put(t.Context(), bytes.NewReader(p))
			if err != nil {
				t.Fatalf("put %d bytes: %v", n, err)
			}
			name := fmt.Sprintf("names/%d/%d", i, n)
			if err := b.Name(t.Context(), ref, name); err != nil {
				t.Fatalf("name %d bytes: %v", n, err)
			}
			r, err := b.OpenName(t.Context(), name, ref)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p) {
				t.Errorf("%d bytes: read %d others, %v", n, len(got), err)
			}
			r.Close()
			if err := b.Unname(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("answers lost: %v", f.lost)
	for _, kind := range []string{"PUT", "PUT part", "POST upload", "POST uploads", "PUT copy", "GET", "HEAD", "DELETE"} {
		if f.lost[kind] == 0 {
			t.Errorf("no answer to %s was lost", kind)
		}
	}
}
