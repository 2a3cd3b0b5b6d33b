package image

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/imagetest"
)

// hostile is a way for a registry to misbehave. Each ends in an error of a kind
// that says what, where and why.
type hostile struct {
	name string
	// serve answers in place of the registry; true means that it did.
	serve func(w http.ResponseWriter, r *http.Request) bool
	kind  error
	say   []string
	layer bool // the error comes when a layer is read
}

func isManifest(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }
func isBlob(r *http.Request) bool     { return strings.Contains(r.URL.Path, "/blobs/") }
func isLayer(f *fixture) func(r *http.Request) bool {
	var d struct{ Layers []struct{ Digest string } }
	mustUnmarshal(f.top, &d)
	return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, d.Layers[0].Digest) }
}

// answerWith answers requests that match.
func answerWith(match func(r *http.Request) bool, h http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if match(r) {
			h(w, r)
			return true
		}
		return false
	}
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

// manifestBody serves these bytes for any manifest.
func manifestBody(mediaType string, b []byte, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return answerWith(isManifest, status(200, string(b), append(header, "Content-Type", mediaType)...))
}

func any401(header string) func(http.ResponseWriter, *http.Request) bool {
	return answerWith(func(*http.Request) bool { return true }, status(401, "", "WWW-Authenticate", header))
}

// tokenBody is a registry whose token endpoint answers so.
func tokenBody(h http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			h(w, r)
			return true
		}
		if r.Header.Get("Authorization") == "" {
			status(401, "", "WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="s"`)(w, r)
			return true
		}
		return false
	}
}

// raw takes the connection over and writes bytes that HTTP does not allow.
func raw(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(conn, s)
			conn.Close()
		}
	}
}

func flatIndex(n int) []byte {
	var list []obj
	for i := range n {
		list = append(list, obj{"mediaType": typeOCIManifest, "digest": imagetest.Digest([]byte(fmt.Sprint(i))), "size": 1, "platform": obj{"os": "linux", "architecture": "amd64"}})
	}
	return marshal(obj{"schemaVersion": 2, "manifests": list})
}

func gzipped(b []byte) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.String()
}

func hostileRegistries(f *fixture) []hostile {
	first := isLayer(f)
	return []hostile{
		{name: "401 for ever, no scheme", serve: any401(""), kind: ErrUnauthenticated, say: []string{"401"}},
		{name: "401 for ever, basic", serve: any401(`Basic realm="x"`), kind: ErrUnauthenticated, say: []string{"401"}},
		{name: "unknown scheme", serve: any401(`Negotiate abc`), kind: ErrUnsupported, say: []string{"negotiate"}},
		{name: "bearer without realm", serve: any401(`Bearer service="x"`), kind: ErrInvalid, say: []string{"realm"}},
		{name: "token is refused again and again", serve: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				status(200, `{"token":"a"}`)(w, r)
			} else {
				status(401, "", "WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token"`)(w, r)
			}
			return true
		}, kind: ErrUnauthenticated, say: []string{"401"}},
		{name: "realm over http on another host", serve: any401(`Bearer realm="http://auth.example/token"`), kind: ErrForbidden, say: []string{"http://auth.example", "only over https"}},
		{name: "realm of another scheme", serve: any401(`Bearer realm="ftp://auth.example/token"`), kind: ErrForbidden, say: []string{"ftp://auth.example"}},
		{name: "realm is a file", serve: any401(`Bearer realm="file:///etc/passwd"`), kind: ErrInvalid, say: []string{"realm"}},
		{name: "realm with user information", serve: any401(`Bearer realm="https://me:canary@auth.example/token"`), kind: ErrInvalid, say: []string{"realm"}},
		{name: "realm is the metadata service", serve: any401(`Bearer realm="https://169.254.169.254/token"`), kind: ErrForbidden, say: []string{"169.254.169.254", "never reached"}},
		{name: "realm is the metadata service, mapped", serve: any401(`Bearer realm="https://[::ffff:169.254.169.254]/token"`), kind: ErrForbidden, say: []string{"never reached"}},
		{name: "token of 10 MB", serve: tokenBody(status(200, strings.Repeat("x", 10<<20))), kind: ErrLimit, say: []string{"token", "49152"}},
		{name: "token is not JSON", serve: tokenBody(status(200, "canary-token")), kind: ErrInvalid, say: []string{"no usable token"}},
		{name: "token is empty", serve: tokenBody(status(200, `{"token":"","refresh_token":"canary-refresh"}`)), kind: ErrInvalid, say: []string{"no usable token"}},
		{name: "token with a line break", serve: tokenBody(status(200, `{"token":"a\r\nX-Evil: 1"}`)), kind: ErrInvalid, say: []string{"token68"}},
		{name: "token endpoint is down", serve: tokenBody(status(503, "canary")), kind: ErrUnavailable, say: []string{"503", "realm"}},
		{name: "token endpoint refuses", serve: tokenBody(status(403, "canary")), kind: ErrForbidden, say: []string{"403", "realm"}},
		{name: "token endpoint leads to metadata", serve: tokenBody(redirect("https://169.254.169.254/")), kind: ErrForbidden, say: []string{"169.254.169.254"}},
		{name: "ping redirects in a loop", serve: answerWith(func(r *http.Request) bool { return true }, redirect("/v2/")), kind: ErrLimit, say: []string{"redirects"}},
		{name: "ping leads to a file", serve: answerWith(func(r *http.Request) bool { return true }, redirect("file:///etc/passwd")), kind: ErrForbidden, say: []string{`scheme "file"`}},
		{name: "ping never ends", serve: answerWith(func(r *http.Request) bool { return r.URL.Path == "/v2/" }, func(w http.ResponseWriter, _ *http.Request) {
			for range 200 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}), kind: nil},
		{name: "ping is an error", serve: answerWith(func(r *http.Request) bool { return true }, status(500, "canary")), kind: ErrUnavailable, say: []string{"500"}},
		{name: "ping is not HTTP", serve: answerWith(func(r *http.Request) bool { return true }, raw("canary canary\r\n\r\n")), kind: ErrUnavailable, say: []string{"broken"}},
		{name: "manifest redirects in a loop", serve: answerWith(isManifest, redirect("/v2/app/manifests/latest")), kind: ErrLimit, say: []string{"redirects", "5"}},
		{name: "manifest leads to a file", serve: answerWith(isManifest, redirect("file:///etc/passwd")), kind: ErrForbidden, say: []string{`"file"`}},
		{name: "manifest leads to metadata", serve: answerWith(isManifest, redirect("https://169.254.169.254/latest/meta-data/")), kind: ErrForbidden, say: []string{"169.254.169.254:443", "cli", "never reached"}},
		{name: "manifest leads off without encryption", serve: answerWith(isManifest, redirect("http://public.example/x")), kind: ErrForbidden, say: []string{"http://public.example", "without encryption"}},
		{name: "manifest leads to a login", serve: answerWith(isManifest, redirect("https://me:canary@public.example/x")), kind: ErrForbidden, say: []string{"user information"}},
		{name: "manifest is not there", serve: answerWith(isManifest, status(404, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"canary"}]}`)), kind: ErrNotFound, say: []string{"404", "MANIFEST_UNKNOWN"}},
		{name: "manifest is denied", serve: answerWith(isManifest, status(403, `{"errors":[{"code":"canary"}]}`)), kind: ErrForbidden, say: []string{"403"}},
		{name: "manifest is an odd status", serve: answerWith(isManifest, status(418, "canary")), kind: ErrInvalid, say: []string{"418"}},
		{name: "manifest is no content", serve: answerWith(isManifest, status(204, "")), kind: ErrInvalid, say: []string{"204"}},
		{name: "manifest is a part", serve: answerWith(isManifest, status(206, "x", "Content-Range", "bytes 0-0/1")), kind: ErrInvalid, say: []string{"206"}},
		{name: "429 without a time", serve: answerWith(isManifest, status(429, `{"errors":[{"code":"TOOMANYREQUESTS"}]}`)), kind: ErrUnavailable, say: []string{"429", "TOOMANYREQUESTS"}},
		{name: "429 for an hour", serve: answerWith(isManifest, status(429, "", "Retry-After", "3600")), kind: ErrUnavailable, say: []string{"wait 3600 seconds", "30"}},
		{name: "429 with nonsense", serve: answerWith(isManifest, status(429, "", "Retry-After", "-1")), kind: ErrUnavailable, say: []string{"429"}},
		{name: "login page", serve: manifestBody("text/html; charset=utf-8", []byte("<html>canary")), kind: ErrUnsupported, say: []string{`"text/html"`}},
		{name: "manifest of 10 MB", serve: manifestBody(typeOCIManifest, make([]byte, 10<<20)), kind: ErrLimit, say: []string{"4194304"}},
		{name: "manifest ends early", serve: answerWith(isManifest, raw("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nContent-Type: "+typeOCIManifest+"\r\n\r\n{")), kind: ErrUnavailable, say: []string{"too early"}},
		{name: "manifest is longer than it says", serve: answerWith(isManifest, raw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\nContent-Type: "+typeOCIManifest+"\r\n\r\n{    }  ")), kind: ErrInvalid, say: []string{"too early"}},
		{name: "manifest compressed on the way", serve: manifestBody(typeOCIManifest, []byte(gzipped(bytes.Repeat([]byte{' '}, 1<<20))), "Content-Encoding", "gzip"), kind: ErrInvalid, say: []string{"JSON"}},
		{name: "digest header is another's", serve: manifestBody(typeOCIManifest, f.top, "Docker-Content-Digest", imagetest.Digest([]byte("x"))), kind: ErrMismatch, say: []string{imagetest.Digest([]byte("x")), imagetest.Digest(f.top)}},
		{name: "header without end", serve: answerWith(isManifest, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 60 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("canary", 1<<10))
			}
		}), kind: ErrUnavailable, say: []string{"broken"}},
		{name: "status line echoes", serve: answerWith(isManifest, func(w http.ResponseWriter, r *http.Request) {
			raw("HTTP/1.1 canary "+r.Header.Get("Authorization")+"\r\n\r\n")(w, r)
		}), kind: ErrUnavailable, say: []string{"broken"}},
		{name: "config is not there", serve: answerWith(isBlob, status(404, "canary")), kind: ErrNotFound, say: []string{"config", "404"}},
		{name: "config is another blob", serve: answerWith(isBlob, status(200, "{}")), kind: ErrMismatch, say: []string{"config"}},
		{name: "config leads to metadata", serve: answerWith(isBlob, redirect("http://169.254.169.254/")), kind: ErrForbidden, say: []string{"169.254.169.254"}},

		{name: "layer is not there", serve: answerWith(first, status(404, "")), kind: ErrNotFound, say: []string{"layer sha256:"}, layer: true},
		{name: "layer is shorter", serve: answerWith(first, status(200, "x")), kind: ErrMismatch, say: []string{"size of layer sha256:", "1 bytes"}, layer: true},
		{name: "layer is longer", serve: answerWith(first, status(200, strings.Repeat("x", 100_000))), kind: ErrMismatch, say: []string{"size of layer"}, layer: true},
		{name: "layer is longer, unsaid", serve: answerWith(first, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, strings.Repeat("x", 100_000))
		}), kind: ErrMismatch, say: []string{"size of layer", "more"}, layer: true},
		{name: "layer is shorter, unsaid", serve: answerWith(first, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, "x")
		}), kind: ErrMismatch, say: []string{"size of layer", "1 bytes"}, layer: true},
		{name: "layer leads to a file", serve: answerWith(first, redirect("file:///etc/passwd")), kind: ErrForbidden, say: []string{`"file"`}, layer: true},
		{name: "layer leads to metadata", serve: answerWith(first, redirect("https://[fe80::1]/")), kind: ErrForbidden, say: []string{"never reached"}, layer: true},
		{name: "layer breaks off for ever", serve: answerWith(first, func(w http.ResponseWriter, r *http.Request) { breakOff(w, r, f, 10) }), kind: ErrUnavailable, say: []string{"after ", "bytes"}, layer: true},
		{name: "layer goes on with another part", serve: answerWith(first, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				status(206, "x", "Content-Range", "bytes 3-3/5")(w, r)
				return
			}
			breakOff(w, r, f, 10)
		}), kind: ErrInvalid, say: []string{"another part"}, layer: true},
	}
}

// breakOff sends the first n bytes of what is left and cuts the connection.
func breakOff(w http.ResponseWriter, r *http.Request, f *fixture, n int) {
	b := f.blobs[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	var from int
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		fmt.Fprintf(conn, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n", from, len(b)-1, len(b), len(b)-from)
	} else {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(b))
	}
	conn.Write(b[from:min(from+n, len(b))])
	time.Sleep(20 * time.Millisecond) // so that the bytes come before the end does
}

func TestHostileRegistries(t *testing.T) {
	f := oneImage()
	inner := f.handler()
	for _, tc := range hostileRegistries(f) {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !tc.serve(w, r) {
					inner(w, r)
				}
			}))
			err := pull(host+"/app", withCredentials(), tc.layer)
			if !errors.Is(err, tc.kind) {
				t.Fatalf("got %v, want kind %v", err, tc.kind)
			}
			if err == nil {
				return
			}
			for _, s := range append(tc.say, "127.0.0.1") {
				if !strings.Contains(err.Error(), s) && !(tc.layer && s == "127.0.0.1") {
					t.Errorf("%v does not say %q", err, s)
				}
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), strings.TrimPrefix(basicHeader(), "Basic ")) {
				t.Errorf("shows what it should not: %v", err)
			}
		})
	}
}

// pull opens an image and, when it should come to that, reads its layers.
func pull(ref string, opt *Options, layers bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	m, err := Open(ctx, ref, opt)
	if err != nil {
		if layers {
			return fmt.Errorf("too early: %v", err)
		}
		return err
	}
	defer m.Close()
	for _, l := range m.Layers {
		rc, err := l.Open(ctx)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, rc)
		rc.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// A layer whose connection breaks goes on where it was, whether the registry
// knows parts or not.
func TestLayerGoesOnAfterABreak(t *testing.T) {
	f := oneImage()
	first := isLayer(f)
	inner := f.handler()
	for _, parts := range []bool{true, false} {
		var breaks atomic.Int32
		host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !parts {
				r.Header.Del("Range")
			}
			if first(r) && breaks.Add(1) <= 2 {
				breakOff(w, r, f, 10)
				return
			}
			inner(w, r)
		}))
		m := mustOpen(t, host+"/app", anonymous())
		if got := imagetest.Digest(readLayer(t, m, 0)); got != m.Layers[0].Descriptor.Digest {
			t.Errorf("parts %v: read %s, want %s", parts, got, m.Layers[0].Descriptor.Digest)
		}
		if breaks.Load() != 3 {
			t.Errorf("parts %v: asked %d times", parts, breaks.Load())
		}
	}
}

func TestRetriesEnd(t *testing.T) {
	f := oneImage()
	inner := f.handler()
	for _, fail := range []int32{1, 2, 3} {
		var n atomic.Int32
		host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isManifest(r) && n.Add(1) <= fail {
				status(503, "", "Retry-After", "0")(w, r)
				return
			}
			inner(w, r)
		}))
		err := pull(host+"/app", anonymous(), false)
		if want := fail == 3; errors.Is(err, ErrUnavailable) != want || n.Load() != min(fail+1, 3) {
			t.Errorf("%d failures: %v after %d tries", fail, err, n.Load())
		}
	}
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	f := oneImage()
	inner := f.handler()
	var n atomic.Int32
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			status(429, "", "Retry-After", "1")(w, r)
			return
		}
		inner(w, r)
	}))
	start := time.Now()
	if err := pull(host+"/app", anonymous(), false); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < time.Second {
		t.Errorf("waited %s", d)
	}
}

func TestCancelledPull(t *testing.T) {
	stop := make(chan struct{})
	host := serveHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	t.Cleanup(func() { close(stop) })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, host+"/app", anonymous()); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

// watched is a server that notes which canaries reach it.
type watched struct {
	mu   sync.Mutex
	seen []string
	hits int
}

func (c *watched) note(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hits++
	r.ParseForm()
	for _, s := range []string{r.Header.Get("Authorization"), r.Header.Get("Cookie"), r.URL.RawQuery, r.Form.Encode()} {
		if strings.Contains(s, "canary") || strings.Contains(s, strings.TrimPrefix(basicHeader(), "Basic ")) {
			c.seen = append(c.seen, r.URL.Path+" "+s)
		}
	}
}

// Wherever a registry points to with whatever code, the other origin sees no
// credentials: another port of the host, another name of it, and from a token
// endpoint.
func TestCredentialsStayHome(t *testing.T) {
	f := oneImage()
	inner := f.handler()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, auth := range []string{"basic", "token", "identity"} {
			for _, from := range []string{"/v2/", "/manifests/", "/blobs/", "/token"} {
				for _, name := range []string{"127.0.0.1", "localhost"} {
					t.Run(fmt.Sprint(code, auth, strings.ReplaceAll(from, "/", "_"), name), func(t *testing.T) {
						stayHome(t, inner, code, auth, from, name)
					})
				}
			}
		}
	}
}

func stayHome(t *testing.T, inner http.Handler, code int, auth, from, name string) {
	var c watched
	other := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.note(r)
		if r.URL.Path == "/token" {
			io.WriteString(w, `{"token":"other"}`)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	other = name + other[strings.LastIndexByte(other, ':'):]
	away := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, from) || from == "/v2/" && r.URL.Path != from {
			return false
		}
		w.Header().Set("Location", "http://"+other+r.URL.RequestURI())
		w.WriteHeader(code)
		return true
	}
	guard := basicAuth(inner)
	if auth != "basic" {
		guard = func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/token" && !away(w, r):
				io.WriteString(w, `{"token":"canary-token"}`)
			case r.URL.Path == "/token":
			case r.Header.Get("Authorization") == "":
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token"`)
				w.WriteHeader(http.StatusUnauthorized)
			default:
				inner.ServeHTTP(w, r)
			}
		}
	}
	host := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" || r.URL.Path != "/v2/" && r.Header.Get("Authorization") == "" || !away(w, r) {
			guard(w, r)
		}
	}))
	opt := withCredentials()
	if auth == "identity" {
		opt.Credentials = func(context.Context, string, string) (Credential, error) {
			return Credential{IdentityToken: "canary-refresh"}, nil
		}
	}
	err := pull(host+"/app", opt, false)
	if len(c.seen) != 0 {
		t.Errorf("the other origin saw %q", c.seen)
	}
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("shows credentials: %v", err)
	}
	refused := from == "/token" && auth != "basic"
	fires := from != "/token"
	if fires && !refused && c.hits == 0 {
		t.Errorf("the redirect did not happen: %v", err)
	}
	if refused && c.hits != 0 {
		t.Error("a token was asked for elsewhere")
	}
	if refused && !errors.Is(err, ErrForbidden) {
		t.Errorf("got %v, want a refusal", err)
	}
}
