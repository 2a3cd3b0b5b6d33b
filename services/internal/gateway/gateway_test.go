package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
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

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/envelope"
)

func digestOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return "Content-Digest: sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// TestDecisions: who is let in where, and what each refusal says.
func TestDecisions(t *testing.T) {
	r := start(t, nil, func(c *Config, _ *Server) { c.Hosts = nil })
	send := client(t, nil)
	long := strings.Repeat("x", 1<<20+1)
	for name, test := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		says               string
	}{
		"in":                  {"GET", "/e/1", "", nil, 200, "GET /e/1"},
		"head":                {"HEAD", "/e/1", "", nil, 200, ""},
		"nobody":              {"GET", "/e/1", "", []string{"Authorization: Basic x"}, 401, "unauthenticated"},
		"without the right":   {"GET", "/admin", "", nil, 403, "authority:admin"},
		"with the right":      {"GET", "/admin", "", []string{"Authorization: Test acme/root/authority:admin"}, 200, "GET /admin"},
		"its tenant":          {"GET", "/e/1", "", []string{"Stella-Tenant: acme"}, 200, ""},
		"another tenant":      {"GET", "/e/1", "", []string{"Stella-Tenant: other"}, 403, "another tenant"},
		"empty tenant":        {"GET", "/e/1", "", []string{"Stella-Tenant: "}, 403, "another tenant"},
		"no such path":        {"GET", "/nowhere", "", nil, 404, "not part of this API"},
		"long query":          {"GET", "/e/1?x=" + strings.Repeat("x", 4000), "", nil, 200, ""},
		"too long a query":    {"GET", "/e/1?x=" + strings.Repeat("x", 6500), "", nil, 414, "too many to be passed on"},
		"trailing slash":      {"GET", "/e/1/", "", nil, 404, "not part of this API"},
		"no such method":      {"PATCH", "/e/1", "", nil, 405, "DELETE, GET, HEAD, POST, PUT"},
		"digest":              {"POST", "/e/1", "hello", []string{digestOf("hello")}, 200, "hello"},
		"several digests":     {"POST", "/e/1", "hello", []string{digestOf("hello") + ", sha-512=:eA==:"}, 200, "hello"},
		"wrong digest":        {"POST", "/e/1", "hello", []string{digestOf("hallo")}, 400, "content mismatch"},
		"digest of nothing":   {"POST", "/e/1", "", []string{digestOf("x")}, 400, "content mismatch"},
		"other algorithm":     {"POST", "/e/1", "hello", []string{"Content-Digest: sha-512=:eA==:"}, 400, "sha-256"},
		"no digest":           {"POST", "/e/1", "hello", []string{"Content-Digest: sha-256=:eA==:"}, 400, "sha-256"},
		"two digests":         {"POST", "/e/1", "hello", []string{digestOf("hello") + "," + digestOf("hello")[16:]}, 400, "sha-256"},
		"over the limit":      {"POST", "/e/1", long, []string{digestOf(long)}, 413, "over the limit"},
		"long":                {"PUT", "/e/1", long, []string{digestOf(long)}, 200, long},
		"long without digest": {"PUT", "/e/1", long, nil, 400, "Content-Digest"},
		"long and wrong":      {"PUT", "/e/1", long, []string{digestOf(long + "x")}, 400, "content mismatch"},
		"too long":            {"PUT", "/e/1", strings.Repeat(long, 9), []string{digestOf("")}, 413, "over the limit"},
	} {
		resp := send(test.method, "http://"+r.address+test.path, test.body, test.header...)
		got := text(resp)
		if resp.StatusCode != test.status || !strings.Contains(got, test.says) {
			t.Errorf("%s: %d %.300s", name, resp.StatusCode, got)
		}
		if resp.StatusCode >= 400 && (resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got, `"request_id":"`+resp.Header.Get("Stella-Request-Id"))) {
			t.Errorf("%s: %s %s", name, resp.Header, got)
		}
		if (resp.StatusCode == 401 || name == "without the right") && resp.Header.Get("Www-Authenticate") == "" {
			t.Errorf("%s: no challenge", name)
		}
	}
	if n := r.g.held.Load(); n != 0 {
		t.Errorf("%d bytes of bodies are still held", n)
	}
}

// TestUnknownLength: bodies whose length is not known before.
func TestUnknownLength(t *testing.T) {
	r := start(t, nil, nil)
	long := strings.Repeat("x", 2<<20)
	for name, test := range map[string]struct {
		method, body, digest string
		status               int
	}{
		"short":               {"POST", "hello", "", 200},
		"long without digest": {"PUT", long, "", 411},
		"long":                {"PUT", long, digestOf(long), 200},
		"wrong":               {"PUT", long, digestOf("x"), 400},
		"over the limit":      {"POST", long, digestOf(long), 413},
		"far over":            {"PUT", strings.Repeat(long, 5), digestOf(long), 413},
	} {
		req, _ := http.NewRequest(test.method, "http://"+r.address+"/e/1", io.MultiReader(strings.NewReader(test.body)))
		req.Header.Set("Authorization", "Test acme/alice/x")
		if test.digest != "" {
			name, value, _ := strings.Cut(test.digest, ": ")
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := text(resp); resp.StatusCode != test.status || test.status == 200 && !strings.HasSuffix(got, test.body) {
			t.Errorf("%s: %d %.200s", name, resp.StatusCode, got)
		}
		resp.Body.Close()
	}
}

// TestRequestID: one that is well formed is kept, here and at the backend, others are made.
func TestRequestID(t *testing.T) {
	r := start(t, nil, nil)
	send := client(t, nil)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for id, kept := range map[string]bool{"scan-123_456": true, "short": false, "with a space": false, strings.Repeat("x", 65): false, "a\"b\"c\"d\"e": false} {
		r.reset()
		resp := send("GET", "http://"+r.address+"/e/1", "", "Stella-Request-Id: "+id, "Traceparent: "+trace, "Tracestate: a=b")
		h := r.seen()[0].header
		if got := resp.Header.Get("Stella-Request-Id"); got != h.Get("Stella-Request-Id") || (got == id) != kept || h.Get("Traceparent") != trace || h.Get("Tracestate") != "a=b" {
			t.Errorf("%q: the client has %q, the backend %v", id, got, h)
		}
	}
	for _, bad := range []string{"", "x", strings.Replace(trace, "00-", "ff-", 1), strings.ToUpper(trace), trace + "-x", "00-" + strings.Repeat("0", 32) + trace[35:]} {
		r.reset()
		send("GET", "http://"+r.address+"/e/1", "", "Traceparent: "+bad, "Tracestate: a=b")
		if h := r.seen()[0].header; h.Get("Traceparent") == bad || !validTrace(h.Get("Traceparent")) || h.Get("Tracestate") != "" {
			t.Errorf("%q: %v", bad, h)
		}
	}
}

// TestRates: the client's, the tenant's, and that of those who have no credentials.
func TestRates(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := start(t, nil, func(c *Config, _ *Server) {
		c.Now = func() time.Time { return now }
		c.Rates = map[string]Rates{"few": {Client: Rate{time.Second, 3}, Tenant: Rate{time.Second, 5}}}
		c.Refused = Rate{time.Minute, 4}
		c.Routes[0].Rate = "few"
	})
	send := client(t, nil)
	get := func(who string) *http.Response {
		return send("GET", "http://"+r.address+"/e/1", "", "Authorization: Test "+who+"/x")
	}
	step := func(who string, want int) *http.Response {
		t.Helper()
		resp := get(who)
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", who, resp.StatusCode, want, text(resp))
		}
		return resp
	}
	for range 3 {
		step("acme/alice", 200)
	}
	resp := step("acme/alice", 429)
	if h := resp.Header; h.Get("Retry-After") != "1" || h.Get("Ratelimit") != `"few-client";r=0;t=3` || h.Get("Ratelimit-Policy") != `"few-client";q=3;w=3` {
		t.Error(h)
	}
	step("acme/bob", 200)
	step("acme/bob", 200)
	if h := step("acme/carol", 429).Header; h.Get("Ratelimit") != `"few-tenant";r=0;t=5` {
		t.Error(h)
	}
	step("other/alice", 200)
	now = now.Add(time.Second)
	step("acme/alice", 200)
	step("acme/alice", 429)
	for range 4 {
		step("nobody", 401)
	}
	if h := step("nobody", 429).Header; h.Get("Retry-After") != "60" {
		t.Error(h)
	}
	if n := r.decisions(ReasonRate); n != 4 {
		t.Errorf("%d decisions", n)
	}
}

// shared is a limit that may be away.
type shared struct {
	ok   bool
	err  error
	n    int
	last string
}

func (s *shared) Allow(_ context.Context, key string, _ int, _ time.Duration, _ int) (bool, time.Duration, error) {
	s.n++
	s.last = key
	return s.ok, 7 * time.Second, s.err
}

// TestShared: a shared limit refuses; while it is away the local one holds alone, which is
// reported, and it is not asked again for a second.
func TestShared(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := &shared{ok: true}
	r := start(t, nil, func(c *Config, _ *Server) {
		c.Now = func() time.Time { return now }
		c.Rates = map[string]Rates{"few": {Client: Rate{time.Second, 4}}}
		c.Routes[0].Rate = "few"
		c.Shared = s
	})
	send := client(t, nil)
	step := func(want, asked int, local bool) *http.Response {
		t.Helper()
		r.reset()
		resp := send("GET", "http://"+r.address+"/e/1", "")
		if resp.StatusCode != want || s.n != asked || r.made[0].LocalOnly != local {
			t.Errorf("%d, asked %d times, local only %v", resp.StatusCode, s.n, r.made[0].LocalOnly)
		}
		return resp
	}
	step(200, 1, false)
	s.ok = false
	if h := step(429, 2, false).Header; h.Get("Retry-After") != "7" {
		t.Error(h)
	}
	s.err = errors.New("away")
	step(200, 3, true)
	step(200, 3, true)
	step(429, 3, false) // by the local one
	now = now.Add(time.Second)
	step(200, 4, true)
}

// TestBalance: the least busy target that is healthy, another one where one takes no
// connections, and 503 where none does.
func TestBalance(t *testing.T) {
	one, two := &backend{}, &backend{}
	a, b := httptest.NewServer(guarded("echo", one)), httptest.NewServer(guarded("echo", two))
	defer b.Close()
	hold := make(chan struct{})
	r := start(t, nil, func(c *Config, _ *Server) {
		c.Backends[0].Targets = []Target{{URL: a.URL}, {URL: b.URL}}
	})
	send := client(t, nil)
	one.reply = func(http.ResponseWriter, *http.Request, *arrival) { <-hold }
	two.reply = one.reply
	var all sync.WaitGroup
	for range 10 {
		before := len(one.seen()) + len(two.seen())
		all.Go(func() { send("GET", "http://"+r.address+"/e/1", "") })
		for len(one.seen())+len(two.seen()) == before {
			time.Sleep(time.Millisecond)
		}
	}
	if len(one.seen()) != 5 || len(two.seen()) != 5 {
		t.Errorf("%d and %d requests", len(one.seen()), len(two.seen()))
	}
	close(hold)
	all.Wait()
	a.Close()
	for range 20 {
		if resp := send("POST", "http://"+r.address+"/e/1", "hello"); resp.StatusCode != 200 {
			t.Errorf("one of two is away: %d %s", resp.StatusCode, text(resp))
		}
	}
	b.Close()
	var last *http.Response
	for range 3 {
		last = send("POST", "http://"+r.address+"/e/1", "hello")
	}
	if last.StatusCode != 503 || last.Header.Get("Retry-After") == "" || r.decisions(ReasonAway) == 0 {
		t.Errorf("both are away: %d %s", last.StatusCode, last.Header)
	}
	if err := r.g.Ready(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

// TestNotSentAgain: a request of which anything was sent is never sent again, whatever its
// method.
func TestNotSentAgain(t *testing.T) {
	var n atomic.Int64
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		if r.URL.Path == "/e/cut" {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "ok")
	}))
	defer cut.Close()
	r := start(t, nil, func(c *Config, _ *Server) {
		c.Backends[0].Targets = []Target{{URL: cut.URL}, {URL: cut.URL}, {URL: cut.URL}}
	})
	send := client(t, nil)
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, path := range []string{"/e/ok", "/e/cut"} { // on a new connection, and on one used before
			n.Store(0)
			resp := send(method, "http://"+r.address+path, "", "Idempotency-Key: k")
			if want := map[string]int{"/e/ok": 200, "/e/cut": 502}[path]; resp.StatusCode != want || n.Load() != 1 {
				t.Errorf("%s %s: %d, arrived %d times", method, path, resp.StatusCode, n.Load())
			}
			for _, target := range r.g.pools["echo"].targets {
				target.until.Store(0)
				target.fails.Store(0)
			}
		}
	}
}

// TestChecks: a target that is not ready gets nothing, and gets something again when it is.
func TestChecks(t *testing.T) {
	var ready sync.Map
	ready.Store("ready", false)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ok, _ := ready.Load("ready"); r.URL.Path == "/readyz" && ok == false {
			w.WriteHeader(503)
		}
	}))
	defer s.Close()
	r := start(t, nil, func(c *Config, _ *Server) { c.Backends[0].Targets = []Target{{URL: s.URL, Ready: "/readyz"}} })
	send := client(t, nil)
	r.g.checkTargets(t.Context())
	if resp := send("GET", "http://"+r.address+"/e/1", ""); resp.StatusCode != 503 {
		t.Error(resp.StatusCode)
	}
	ready.Store("ready", true)
	r.g.checkTargets(t.Context())
	if resp := send("GET", "http://"+r.address+"/e/1", ""); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
}

// TestTime: a backend that does not answer in time, and one that ends within its answer.
func TestTime(t *testing.T) {
	r := start(t, nil, func(c *Config, _ *Server) { c.Routes[0].Limits.Time = 50 * time.Millisecond })
	r.reply = func(w http.ResponseWriter, q *http.Request, a *arrival) {
		if a.target == "/e/slow" {
			<-q.Context().Done()
		}
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	if resp := client(t, nil)("GET", "http://"+r.address+"/e/slow", ""); resp.StatusCode != 504 {
		t.Error(resp.StatusCode, text(resp))
	}
	if got := exchangeRaw(t, r.address, "GET /e/half HTTP/1.1\r\nHost: h\r\n"+proven+"\r\n"+probe, false); len(got) > 1 || len(got) == 1 && !strings.HasPrefix(got[0], "broken") {
		t.Errorf("half an answer looks like a whole one: %q", got)
	}
}

// TestHere: a handler of this process is served as one elsewhere is.
func TestHere(t *testing.T) {
	b := &backend{}
	r := start(t, nil, func(c *Config, _ *Server) { c.Backends[0].Targets = []Target{{Handler: guarded("echo", b)}} })
	send := client(t, nil)
	long := strings.Repeat("x", 2<<20)
	for body, digest := range map[string]string{"": "X-A: b", "hello": "Stella-Identity: x", long: digestOf(long)} {
		resp := send("PUT", "http://"+r.address+"/e/a%20b?q=%2F", body, digest)
		if got := text(resp); resp.StatusCode != 200 || got != "PUT /e/a%20b?q=%2F "+body {
			t.Errorf("%d %.100s", resp.StatusCode, got)
		}
	}
	if a := b.seen()[0]; a.who.Subject != "alice" || a.header.Get("Authorization") != "" {
		t.Errorf("%+v", a)
	}
	if resp := send("PUT", "http://"+r.address+"/e/1", long, digestOf(long+"x")); resp.StatusCode != 400 {
		t.Error(resp.StatusCode, text(resp))
	}
	b.reply = func(http.ResponseWriter, *http.Request, *arrival) { panic("secret") }
	resp := send("GET", "http://"+r.address+"/e/1", "")
	if got := text(resp); resp.StatusCode != 500 || strings.Contains(got, "secret") {
		t.Error(resp.StatusCode, got)
	}
	b.reply = answerWith(map[string]string{"Server": "x", "Etag": `"a"`})
	if h := send("GET", "http://"+r.address+"/e/1", "").Header; h.Get("Server") != "" || h.Get("Etag") != `"a"` {
		t.Error(h)
	}
}

// TestUnbelieved: a service that does not know the gateway's key is the operator's trouble,
// not the client's.
func TestUnbelieved(t *testing.T) {
	v := &envelope.Verifier{Audience: "echo"}
	s := httptest.NewServer(v.Middleware(&backend{}))
	defer s.Close()
	for _, target := range []Target{{URL: s.URL}, {Handler: v.Middleware(&backend{})}} {
		r := start(t, nil, func(c *Config, _ *Server) { c.Backends[0].Targets = []Target{target} })
		resp := client(t, nil)("GET", "http://"+r.address+"/e/1", "")
		if resp.StatusCode != 502 || r.made[0].Err == nil {
			t.Error(resp.StatusCode, text(resp), r.made)
		}
	}
}

// TestReload: a certificate is replaced while connections are open, and a broken one is not
// taken.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	var told []error
	certs, err := OpenCertificates(writeCertificate(t, dir, "one.example"), func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, certs, nil)
	name := func() string {
		conn, err := tls.Dial("tcp", r.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	look := func() {
		certs.mu.Lock()
		certs.looked = time.Time{}
		certs.mu.Unlock()
	}
	if got := name(); got != "one.example" {
		t.Error(got)
	}
	conn := client(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true})
	conn("GET", "https://"+r.address+"/e/1", "")
	files := writeCertificate(t, dir, "a-longer-name.example")
	look()
	if got := name(); got != "a-longer-name.example" {
		t.Error(got)
	}
	if resp := conn("GET", "https://"+r.address+"/e/1", ""); resp.StatusCode != 200 || resp.ProtoMajor != 2 {
		t.Error(resp.Status, resp.Proto)
	}
	if err := writeFile(files.Key, "broken"); err != nil {
		t.Fatal(err)
	}
	look()
	if got := name(); got != "a-longer-name.example" || len(told) != 1 || !errors.Is(told[0], fault.Invalid) {
		t.Error(got, told)
	}
	if _, err := OpenCertificates(files, nil); !errors.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

// TestNew: all mistakes at once.
func TestNew(t *testing.T) {
	_, err := New(Config{
		Backends: []Backend{{System: "a"}, {System: "b", Targets: []Target{{URL: "ftp://x"}, {}}}, {System: "c", Targets: []Target{{URL: "http://h"}}}},
		Hosts:    []string{"a/b"},
		Routes: []Route{{System: "nobody", Method: "FETCH", Pattern: "x", Rate: "none", Pass: []string{"Cookie"}, Limits: Limits{Body: -1}}, {System: "c", Method: "GET", Pattern: "/{a}/{a}", Public: true},
			{System: "c", Method: "GET", Pattern: "/x", Public: true}, {System: "c", Method: "GET", Pattern: "/x", Public: true}},
	})
	for _, want := range []string{"Check and a Signer", `backend "a"`, `backend "b"`, "http://HOST:PORT", "a URL or a handler", `host "a/b"`, `"nobody"`, `"FETCH"`, "slash", "public, or has scopes", `"none"`, `"Cookie"`, "not negative", "{a}", "twice"} {
		if !errors.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

// TestHosts: only the names of this gateway.
func TestHosts(t *testing.T) {
	r := start(t, nil, func(c *Config, _ *Server) { c.Hosts = []string{"Stella.Example"} })
	for host, want := range map[string]string{"stella.example": "GET /e/1 ", "STELLA.example": "GET /e/1 ", "evil.example": "421", "stella.example.evil": "421", "stella.example:81": "421"} {
		got := exchangeRaw(t, r.address, "GET /e/1 HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n"+proven+"\r\n", false)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", host, got)
		}
	}
}

// TestRefusal: an answer of the door is passed on with its challenges and nonce.
func TestRefusal(t *testing.T) {
	r := start(t, nil, func(c *Config, _ *Server) {
		c.Check = func(h http.Header, r *http.Request) (*auth.Identity, error) {
			return nil, &auth.Refusal{Status: 401, Code: "use_dpop_nonce", Description: "a nonce is needed", Challenges: []string{`DPoP error="use_dpop_nonce"`, "Bearer"}, Nonce: "n1", Err: errors.New("secret")}
		}
		c.Refused = Rate{time.Hour, 1}
	})
	for range 3 {
		resp := client(t, nil)("GET", "http://"+r.address+"/e/1", "")
		got := text(resp)
		if h := resp.Header; resp.StatusCode != 401 || len(h.Values("Www-Authenticate")) != 2 || h.Get("Dpop-Nonce") != "n1" || !strings.Contains(got, `"error":"use_dpop_nonce"`) || !strings.Contains(got, "request_id") || strings.Contains(got, "secret") {
			t.Error(resp.StatusCode, h, got)
		}
	}
}

// slow is a client that sends a byte at a time.
func slow(t *testing.T, address, begin string) (closed time.Duration, answer string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, begin)
	began := time.Now()
	done := make(chan string, 1)
	go func() { b, _ := io.ReadAll(conn); done <- string(b) }()
	for {
		select {
		case answer := <-done:
			return time.Since(began), answer
		case <-time.After(20 * time.Millisecond):
			io.WriteString(conn, "x")
		}
		if time.Since(began) > 10*time.Second {
			return time.Since(began), "still open"
		}
	}
}

// TestSlowloris: a head and a body that do not end are ended, also between requests.
func TestSlowloris(t *testing.T) {
	r := start(t, nil, func(c *Config, _ *Server) {
		for i := range c.Routes {
			c.Routes[i].Limits.Time = 300 * time.Millisecond
		}
	})
	for name, test := range map[string]struct{ begin, says string }{
		"head":        {"GET /e/1 HTTP/1.1\r\nHost: h\r\nX-A: ", ""},
		"line":        {"GET /", ""},
		"second head": {"GET /e/1 HTTP/1.1\r\nHost: h\r\n" + proven + "\r\nGET /e/2 HTTP/1.1\r\nX-A: ", "200 OK"},
		"body":        {"POST /e/1 HTTP/1.1\r\nHost: h\r\n" + proven + "Content-Length: 1000000\r\n\r\n", " 408 "},
	} {
		took, answer := slow(t, r.address, test.begin)
		if took > 9*time.Second || !strings.Contains(answer, test.says) {
			t.Errorf("%s: after %v: %q", name, took, answer)
		}
	}
}

// TestConcurrency: a tenant, a route and the gateway have as many requests under way as they
// may, and no more.
func TestConcurrency(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		status int
	}{
		"tenant":  {func(c *Config) { c.TenantConcurrency = 2 }, 429},
		"route":   {func(c *Config) { c.Routes[0].Limits.Concurrency = 2 }, 503},
		"gateway": {func(c *Config) { c.Concurrency = 2 }, 503},
	} {
		hold := make(chan struct{})
		r := start(t, nil, func(c *Config, _ *Server) { test.change(c) })
		r.reply = func(http.ResponseWriter, *http.Request, *arrival) { <-hold }
		send := client(t, nil)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { send("GET", "http://"+r.address+"/e/1", "") })
		}
		for len(r.seen()) < 2 {
			time.Sleep(time.Millisecond)
		}
		resp := send("GET", "http://"+r.address+"/e/1", "")
		if resp.StatusCode != test.status || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		close(hold)
		all.Wait()
		if resp := send("GET", "http://"+r.address+"/e/1", ""); resp.StatusCode != 200 {
			t.Errorf("%s: afterwards %d", name, resp.StatusCode)
		}
	}
}

// TestMemory: a body that is only announced costs nothing, and when all are held that may be
// held others are refused until they are not.
func TestMemory(t *testing.T) {
	r := start(t, nil, func(c *Config, _ *Server) { c.Memory = 100 << 10 })
	var conns []net.Conn
	for i := range 20 {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /e/%d HTTP/1.1\r\nHost: h\r\n%sContent-Length: 1048576\r\n\r\nx", i, proven)
		conns = append(conns, conn)
	}
	wait := func(want int64) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); r.g.held.Load() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d bytes are held, want %d", r.g.held.Load(), want)
			}
		}
	}
	wait(20 * 4 << 10)
	if resp := client(t, nil)("POST", "http://"+r.address+"/e/1", strings.Repeat("x", 64<<10)); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Error(resp.StatusCode)
	}
	if resp := client(t, nil)("POST", "http://"+r.address+"/e/1", "hello"); resp.StatusCode != 200 {
		t.Error(resp.StatusCode)
	}
	for _, c := range conns {
		c.Close()
	}
	wait(0)
}

// TestConnections: more than may be are not accepted until others end.
func TestConnections(t *testing.T) {
	r := start(t, nil, func(_ *Config, s *Server) { s.Connections, s.HeadTime = 2, time.Minute })
	open := func() net.Conn {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /e/1 HTTP/1.1\r\nHost: h\r\n%s\r\n", proven)
		return conn
	}
	answered := func(c net.Conn, within time.Duration) bool {
		c.SetReadDeadline(time.Now().Add(within))
		_, err := c.Read(make([]byte, 1))
		return err == nil
	}
	a, b, c := open(), open(), open()
	defer b.Close()
	defer c.Close()
	if !answered(a, 10*time.Second) || !answered(b, 10*time.Second) || answered(c, 100*time.Millisecond) {
		t.Error("not the first two of three were served")
	}
	a.Close()
	if !answered(c, 10*time.Second) {
		t.Error("the third was not served when one had ended")
	}
}
