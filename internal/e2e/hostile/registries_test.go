package hostile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/image"
)

// server is a way for a registry to misbehave. It answers in place of the
// registry where it returns true.
type server struct {
	name  string
	serve func(w http.ResponseWriter, r *http.Request) bool
	want  want
	slow  bool // takes seconds by its nature
}

func isManifest(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }
func isBlob(r *http.Request) bool     { return strings.Contains(r.URL.Path, "/blobs/") }
func isPing(r *http.Request) bool     { return r.URL.Path == "/v2/" }
func always(*http.Request) bool       { return true }

func on(match func(*http.Request) bool, h http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if match(r) {
			h(w, r)
			return true
		}
		return false
	}
}

func reply(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func leadTo(place string) http.HandlerFunc { return reply(307, "", "Location", place) }

// raw takes the connection over.
func raw(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(conn, s)
			conn.Close()
		}
	}
}

// endless writes until nobody listens.
func endless(header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reply(200, "", header...)(w, r)
		chunk := bytes.Repeat([]byte("x"), 64<<10)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

func challenge(header string) func(http.ResponseWriter, *http.Request) bool {
	return on(always, reply(401, secret, "WWW-Authenticate", header))
}

// token is a registry that wants a token from itself.
func token(h http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			h(w, r)
		case r.Header.Get("Authorization") == "":
			reply(401, "", "WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="s"`)(w, r)
		default:
			return false
		}
		return true
	}
}

func servers(k *kit) []server {
	layerDigest := imagetest.Digest(k.parts[1].stored)
	isLayer := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, layerDigest) }
	isConfig := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, imagetest.Digest(k.configD)) }
	top := k.blobs[k.topDesc["digest"].(string)]
	stored := k.parts[1].stored
	manifest := func(body []byte, header ...string) func(http.ResponseWriter, *http.Request) bool {
		return on(isManifest, reply(200, string(body), append([]string{"Content-Type", typeManifest}, header...)...))
	}
	no := failed
	return []server{
		{name: "401 for ever", serve: challenge(`Basic realm="x"`), want: no(image.ErrUnauthenticated, "127.0.0.1", "401")},
		{name: "401 without a scheme", serve: challenge(""), want: no(image.ErrUnauthenticated, "127.0.0.1")},
		{name: "401 of an unknown scheme", serve: challenge("Negotiate x"), want: no(image.ErrUnsupported, "negotiate")},
		{name: "401 of 100,000 challenges", serve: challenge(strings.Repeat(`Bearer realm="x",`, 3000)), want: no(image.ErrInvalid, "127.0.0.1")},
		{name: "realm is a file", serve: challenge(`Bearer realm="file:///etc/passwd"`), want: no(image.ErrInvalid, "realm")},
		{name: "realm is without encryption elsewhere", serve: challenge(`Bearer realm="http://192.0.2.1/token"`), want: no(image.ErrForbidden, "192.0.2.1")},
		{name: "realm is the metadata service", serve: challenge(`Bearer realm="https://169.254.169.254/token"`), want: no(image.ErrForbidden, "169.254.169.254")},
		{name: "realm is the metadata service in IPv6", serve: challenge(`Bearer realm="https://[fd00:ec2::254]/token"`), want: no(image.ErrForbidden, "fd00:ec2::254")},
		{name: "realm is mapped to the metadata service", serve: challenge(`Bearer realm="https://[::ffff:a9fe:a9fe]/token"`), want: no(image.ErrForbidden)},
		{name: "realm has user information", serve: challenge(`Bearer realm="https://u:p@192.0.2.1/"`), want: no(image.ErrInvalid, "realm")},
		{name: "token of 10 MB", serve: token(reply(200, strings.Repeat("x", 10<<20))), want: no(image.ErrLimit, "token", "49152")},
		{name: "token without end", serve: token(endless()), want: no(image.ErrLimit, "token")},
		{name: "token is not JSON", serve: token(reply(200, secret)), want: no(image.ErrInvalid, "token")},
		{name: "token is empty", serve: token(reply(200, `{"token":""}`)), want: no(image.ErrInvalid, "token")},
		{name: "token has a line break", serve: token(reply(200, `{"token":"a\r\nX: 1"}`)), want: no(image.ErrInvalid, "token")},
		{name: "token that expires at once", serve: token(reply(200, `{"token":"x","expires_in":0,"issued_at":"1970-01-01T00:00:00Z"}`)), want: shown("seen")},
		{name: "token endpoint leads to metadata", serve: token(leadTo("https://169.254.169.254/")), want: no(image.ErrForbidden, "169.254.169.254")},
		{name: "token endpoint is down", serve: token(reply(503, secret)), want: no(image.ErrUnavailable, "503")},
		{name: "redirects in a loop", serve: on(always, leadTo("/v2/")), want: no(image.ErrLimit, "redirects")},
		{name: "redirect to a file", serve: on(isManifest, leadTo("file:///etc/passwd")), want: no(image.ErrForbidden, `"file"`)},
		{name: "redirect to metadata", serve: on(isManifest, leadTo("http://169.254.169.254/latest/meta-data/")), want: no(image.ErrForbidden, "169.254.169.254")},
		{name: "redirect to nowhere", serve: on(isManifest, reply(302, "")), want: no(image.ErrInvalid).orUnavailable()},
		{name: "redirect to a broken address", serve: on(isManifest, leadTo("http://[::1")), want: no(image.ErrInvalid).orUnavailable()},
		{name: "config leads to metadata", serve: on(isConfig, leadTo("http://[::ffff:169.254.169.254]/")), want: no(image.ErrForbidden, "169.254.169.254")},
		{name: "layer leads to metadata", serve: on(isLayer, leadTo("http://169.254.169.254/")), want: no(image.ErrForbidden, "169.254.169.254")},
		{name: "layer leads to a link-local host", serve: on(isLayer, leadTo("https://[fe80::1]/")), want: no(image.ErrForbidden, "fe80::1")},
		{name: "not HTTP", serve: on(always, raw("SSH-2.0-x\r\n\r\n")), want: no(image.ErrUnavailable, "127.0.0.1")},
		{name: "connection closes at once", serve: on(always, raw("")), want: no(image.ErrUnavailable, "127.0.0.1")},
		{name: "500 for ever", serve: on(always, reply(500, secret)), want: no(image.ErrUnavailable, "500")},
		{name: "418", serve: on(isManifest, reply(418, secret)), want: no(image.ErrInvalid, "418")},
		{name: "204 where a manifest belongs", serve: on(isManifest, reply(204, "")), want: no(image.ErrInvalid, "204")},
		{name: "206 where a manifest belongs", serve: on(isManifest, reply(206, "x", "Content-Range", "bytes 0-0/1")), want: no(image.ErrInvalid, "206")},
		{name: "429 for ever", serve: on(isManifest, reply(429, "")), want: no(image.ErrUnavailable, "429")},
		{name: "429 for a year", serve: on(isManifest, reply(429, "", "Retry-After", "31536000")), want: no(image.ErrUnavailable, "31536000")},
		{name: "login page", serve: on(isManifest, reply(200, "<html>"+secret, "Content-Type", "text/html")), want: no(image.ErrUnsupported, `"text/html"`)},
		{name: "manifest of 10 MB", serve: manifest(make([]byte, 10<<20)), want: no(image.ErrLimit, "4194304")},
		{name: "manifest without end", serve: on(isManifest, endless("Content-Type", typeManifest)), want: no(image.ErrLimit, "4194304")},
		{name: "manifest shorter than it says", serve: on(isManifest, raw("HTTP/1.1 200 OK\r\nContent-Type: "+typeManifest+"\r\nContent-Length: 9999\r\n\r\n{")), want: no(image.ErrUnavailable, "early")},
		{name: "manifest longer than it says", serve: on(isManifest, raw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: "+typeManifest+"\r\nContent-Length: 5\r\n\r\n{    }")), want: no(image.ErrInvalid, "manifest")},
		{name: "manifest of two lengths", serve: on(isManifest, raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{    }")), want: no(image.ErrUnavailable)},
		{name: "manifest compressed on its way", serve: manifest(gz(top), "Content-Encoding", "gzip"), want: no(image.ErrInvalid, "JSON")},
		{name: "manifest that is a bomb on its way", serve: manifest(gz(make([]byte, 64<<20)), "Content-Encoding", "gzip"), want: no(image.ErrInvalid, "JSON")},
		{name: "manifest of 30,000 layers", serve: manifest(manyLayers(30_000)(top)), want: no(image.ErrLimit)},
		{name: "manifest of another digest", serve: manifest(top, "Docker-Content-Digest", imagetest.Digest([]byte("x"))), want: no(image.ErrMismatch, imagetest.Digest([]byte("x")))},
		{name: "headers without end", serve: on(isManifest, raw("HTTP/1.1 200 OK\r\n"+strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 2000)+"\r\n")), want: no(image.ErrUnavailable)},
		{name: "100 continue without end", serve: on(isManifest, raw(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 10_000))), want: no(image.ErrUnavailable)},
		{name: "status line shows what it was sent", serve: on(isManifest, func(w http.ResponseWriter, r *http.Request) {
			raw("HTTP/1.1 "+r.Header.Get("Authorization")+" "+secret+"\r\n\r\n")(w, r)
		}), want: no(image.ErrUnavailable)},
		{name: "config is not there", serve: on(isConfig, reply(404, secret)), want: no(image.ErrNotFound, "config", "404")},
		{name: "config is another", serve: on(isConfig, reply(200, "{}")), want: no(image.ErrMismatch, "config")},
		{name: "config without end", serve: on(isConfig, endless()), want: no(image.ErrMismatch, "config").orLimit()},
		{name: "layer is not there", serve: on(isLayer, reply(404, secret)), want: no(image.ErrNotFound, layerDigest, "404")},
		{name: "layer is denied", serve: on(isLayer, reply(403, secret)), want: no(image.ErrForbidden, layerDigest, "403")},
		{name: "layer is another", serve: on(isLayer, func(w http.ResponseWriter, r *http.Request) {
			w.Write(flip(stored, 9))
		}), want: no(image.ErrMismatch, "layer", layerDigest)},
		{name: "layer is shorter than its size", serve: on(isLayer, func(w http.ResponseWriter, r *http.Request) { w.Write(stored[:len(stored)-5]) }), want: no(image.ErrMismatch, "size", layerDigest)},
		{name: "layer is longer than its size", serve: on(isLayer, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(append(bytes.Clone(stored), "more"...))
		}), want: no(image.ErrMismatch, "size", layerDigest)},
		{name: "layer without end", serve: on(isLayer, endless()), want: no(image.ErrMismatch).orInvalid()},
		{name: "layer of zeros without end", serve: on(isLayer, func(w http.ResponseWriter, r *http.Request) {
			w.Write(stored[:20])
			endless()(w, r)
		}), want: no(image.ErrMismatch).orInvalid()},
		{name: "layer breaks off each time", serve: on(isLayer, raw("HTTP/1.1 200 OK\r\nContent-Length: "+fmt.Sprint(len(stored))+"\r\n\r\n"+string(stored[:9]))), want: no(image.ErrUnavailable, layerDigest)},
		{name: "layer in another part than asked for", serve: breaking(isLayer, stored, "bytes 0-8/99999"), want: no(image.ErrInvalid, layerDigest, "another part")},
		{name: "layer breaks off once", serve: breaking(isLayer, stored, ""), want: shown("seen")},
		{name: "layer by a byte a second", slow: true, serve: on(isLayer, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(stored)))
			for i := range stored {
				if _, err := w.Write(stored[i : i+1]); err != nil || r.Context().Err() != nil {
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
		}), want: want{kind: context.DeadlineExceeded}},
		{name: "nothing is ever answered", slow: true, serve: on(always, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), want: want{kind: context.DeadlineExceeded}},
	}
}

// or… leave open which of two kinds it is.
func (w want) orUnavailable() want { w.also = image.ErrUnavailable; return w }
func (w want) orLimit() want       { w.also = image.ErrLimit; return w }
func (w want) orInvalid() want     { w.also = image.ErrInvalid; return w }

// breaking breaks the first answer off; later ones are a part as the header
// says, or the right one.
func breaking(match func(*http.Request) bool, stored []byte, part string) func(http.ResponseWriter, *http.Request) bool {
	var once sync.Once
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !match(r) {
			return false
		}
		first := false
		once.Do(func() { first = true })
		switch {
		case first:
			raw("HTTP/1.1 200 OK\r\nContent-Length: "+fmt.Sprint(len(stored))+"\r\n\r\n"+string(stored[:9]))(w, r)
		case part == "":
			return false
		default:
			reply(206, string(stored[:9]), "Content-Range", part)(w, r)
		}
		return true
	}
}

func soundKit() *kit {
	k := over(whole(tarball(npm("opt", "seen"))))(imagetest.Gzip)
	k.build()
	return k
}

// registries are servers that lie.
func (l *lab) registries(each func(class, name string, run func(t *testing.T))) {
	k := soundKit()
	for _, s := range servers(k) {
		each("registry", s.name, func(t *testing.T) {
			inner := k.shelf()
			srv := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !s.serve(w, r) {
					inner(w, r)
				}
			}))
			defer func() { srv.CloseClientConnections(); srv.Close() }()
			h := &hostile{want: s.want, options: image.Options{Credentials: known}}
			if s.slow {
				h.patience = 2 * time.Second
			}
			l.runs++
			l.scan(t, h, strings.TrimPrefix(srv.URL, "http://")+"/app")
		})
	}
	l.credentials(each, k)
}

// known has credentials that must not be seen anywhere else.
func known(context.Context, string, string) (image.Credential, error) {
	return image.Credential{Username: "user", Password: secret}, nil
}

// watcher is another origin that notes what it is sent.
type watcher struct {
	mu   sync.Mutex
	hits int
	seen []string
}

func (o *watcher) note(r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hits++
	user, password, _ := r.BasicAuth()
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	for _, s := range []string{user, password, r.Header.Get("Authorization"), r.Header.Get("Cookie"), r.URL.RawQuery, string(body)} {
		if strings.Contains(s, secret) || s == "user" {
			o.seen = append(o.seen, r.Method+" "+r.URL.Path+" "+s)
		}
	}
}

// credentials: wherever a registry points to, another origin is not shown them.
func (l *lab) credentials(each func(class, name string, run func(t *testing.T)), k *kit) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, kind := range []string{"basic", "token"} {
			for name, from := range map[string]func(*http.Request) bool{"ping": isPing, "manifest": isManifest, "blob": isBlob} {
				each("credential", fmt.Sprintf("%d, %s, from %s", code, kind, name), func(t *testing.T) { l.leak(t, k, code, kind, from) })
			}
		}
	}
}

func (l *lab) leak(t *testing.T, k *kit, code int, kind string, from func(*http.Request) bool) {
	inner := k.shelf()
	var o watcher
	other := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.note(r)
		inner(w, r)
	}))
	defer other.Close()
	srv := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			io.WriteString(w, `{"token":"`+secret+`"}`)
		case r.Header.Get("Authorization") == "" && !(isPing(r) && from(r)):
			h := `Basic realm="x"`
			if kind == "token" {
				h = `Bearer realm="http://` + r.Host + `/token"`
			}
			reply(401, "", "WWW-Authenticate", h)(w, r)
		case from(r):
			reply(code, "", "Location", other.URL+r.URL.RequestURI(), "Set-Cookie", "a="+secret)(w, r)
		default:
			inner(w, r)
		}
	}))
	defer srv.Close()
	l.runs++
	opt := &image.Options{Credentials: known, Platform: "linux/amd64"}
	var c trace
	_, err := scanned(c.context(t.Context()), strings.TrimPrefix(srv.URL, "http://")+"/app", opt, hostile{}.limits)
	if len(o.seen) > 0 {
		t.Errorf("the other origin saw %q", o.seen)
	}
	if o.hits == 0 {
		t.Errorf("nothing was redirected: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("shows credentials: %v", err)
	}
	if out := c.outside(); len(out) > 0 {
		t.Errorf("connected to %q", out)
	}
}
