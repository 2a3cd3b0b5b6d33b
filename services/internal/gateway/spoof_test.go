package gateway

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// identityHeaders are those by which services here or elsewhere tell who sends a request, or
// what it is really about.
var identityHeaders = []string{
	"Stella-Identity", "Stella-Tenant", "X-Stella-Tenant", "X-StellaOps-Tenant", "X-Stella-Subject", "X-Stella-Scopes", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
	"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Client-Cert", "X-Forwarded-Prefix", "Forwarded", "X-Real-Ip", "True-Client-Ip", "X-Remote-User", "Remote-User", "X-Auth-Request-User",
	"X-Authenticated-User", "X-User", "X-Client-Cert", "Ssl-Client-Verify", "Nats-Request-Info", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "Proxy-Authorization", "Cookie", "Dpop", "X-Api-Key", "Traceparent",
}

const evil = "attacker-value"

// spoofs are the ways in which a header is written.
func spoofs(name string) map[string]string {
	line := name + ": " + evil
	return map[string]string{
		"plain":          line,
		"lower":          strings.ToLower(line),
		"upper":          strings.ToUpper(name) + ": " + evil,
		"underscore":     strings.ReplaceAll(name, "-", "_") + ": " + evil,
		"dot":            strings.ReplaceAll(name, "-", ".") + ": " + evil,
		"first dot":      strings.Replace(name, "-", ".", 1) + ": " + evil,
		"tilde":          strings.ReplaceAll(name, "-", "~") + ": " + evil,
		"space before":   " " + line,
		"space inside":   strings.ReplaceAll(name, "-", " ") + ": " + evil,
		"space at colon": name + " : " + evil,
		"tab at colon":   name + "\t: " + evil,
		"twice":          line + "\r\n" + line,
		"fold":           "X-A: b\r\n " + line,
		"bare CR":        "X-A: b\r" + line,
		"bare LF":        "X-A: b\n" + line,
		"nominated":      "Connection: " + name + "\r\n" + line,
		"te trailers":    "TE: trailers\r\nTrailer: " + name + "\r\n" + line,
		"suffix":         name + "-: " + evil,
		"plus":           name + "+: " + evil,
		"unicode dash":   strings.ReplaceAll(name, "-", "\u2010") + ": " + evil,
	}
}

// TestSpoof: no value of an attacker arrives, whatever the header is called and however it
// is written.
func TestSpoof(t *testing.T) {
	r := start(t, nil, nil)
	n, passed := 0, 0
	check := func(name string) {
		t.Helper()
		n++
		for _, a := range r.seen() {
			passed++
			if text := fmt.Sprintf("%v %v %v", a.header, a.trailer, a.who); strings.Contains(text, evil) {
				t.Errorf("%s: the backend saw %s", name, text)
			}
			if a.who.Tenant != "acme" || a.who.Subject != "alice" || a.header.Get("X-Forwarded-For") != "127.0.0.1" {
				t.Errorf("%s: the backend took it for %+v from %q", name, a.who, a.header["X-Forwarded-For"])
			}
		}
	}
	for _, name := range identityHeaders {
		for how, lines := range spoofs(name) {
			r.reset()
			exchangeRaw(t, r.address, "GET /e/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+proven+lines+"\r\n\r\n", false)
			check(name + " " + how)
		}
		r.reset()
		exchangeRaw(t, r.address, "POST /e/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+proven+"Trailer: "+name+"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"+name+": "+evil+"\r\n\r\n", false)
		check(name + " in a trailer")
	}
	if n < 200 || passed < n/3 {
		t.Errorf("%d cases, of which %d arrived without the value: the corpus proves little", n, passed)
	}
	t.Logf("%d cases, %d arrived", n, passed)
}

// h2Exchange sends one HTTP/2 request of these fields, and DATA frames, and returns the
// status or how the stream or connection ended.
func h2Exchange(t *testing.T, address string, fields [][2]string, data []string, trailer [][2]string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	var block strings.Builder
	enc := hpack.NewEncoder(&block)
	encode := func(list [][2]string) []byte {
		block.Reset()
		for _, h := range list {
			enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
		}
		return []byte(block.String())
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(fields), EndStream: len(data) == 0 && trailer == nil, EndHeaders: true})
	for i, d := range data {
		f.WriteData(1, i == len(data)-1 && trailer == nil, []byte(d))
	}
	if trailer != nil {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(trailer), EndStream: true, EndHeaders: true})
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "closed"
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return "reset"
		case *http2.GoAwayFrame:
			return "closed"
		}
	}
}

// TestHTTP2: what HTTP/2 lets a client write and HTTP/1 does not, and the other way round,
// does not get to the backend.
func TestHTTP2(t *testing.T) {
	r := start(t, testCertificates(t), nil)
	base := func(change ...[2]string) [][2]string {
		h := [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/e/1"}, {"authorization", "Test acme/alice/scanner:read"}}
		for _, c := range change {
			found := false
			for i := range h {
				if h[i][0] == c[0] {
					h[i][1], found = c[1], true
				}
			}
			if !found {
				h = append(h, c)
			}
		}
		return h
	}
	for name, test := range map[string]struct {
		fields  [][2]string
		data    []string
		trailer [][2]string
	}{
		"path with a line":       {fields: base([2]string{":path", "/e/1 HTTP/1.1\r\nHost: h\r\n\r\nGET /admin"})},
		"path with a space":      {fields: base([2]string{":path", "/e/1 HTTP/1.1"})},
		"path with dots":         {fields: base([2]string{":path", "/e/../admin"})},
		"path with escaped dots": {fields: base([2]string{":path", "/e/%2e%2e/admin"})},
		"path with escape":       {fields: base([2]string{":path", "/e%2f1"})},
		"path with NUL":          {fields: base([2]string{":path", "/e/1\x00"})},
		"path with fragment":     {fields: base([2]string{":path", "/e/1#x"})},
		"relative path":          {fields: base([2]string{":path", "e/1"})},
		"absolute path":          {fields: base([2]string{":path", "https://h/e/1"})},
		"two slashes":            {fields: base([2]string{":path", "//h/e/1"})},
		"star":                   {fields: base([2]string{":path", "*"})},
		"empty path":             {fields: base([2]string{":path", ""})},
		"method with a line":     {fields: base([2]string{":method", "GET /admin HTTP/1.1\r\nX: y"})},
		"method with a space":    {fields: base([2]string{":method", "GET /admin"})},
		"lower-case method":      {fields: base([2]string{":method", "get"})},
		"CONNECT":                {fields: base([2]string{":method", "CONNECT"})},
		"TRACE":                  {fields: base([2]string{":method", "TRACE"})},
		"authority with user":    {fields: base([2]string{":authority", "u@h"})},
		"authority with path":    {fields: base([2]string{":authority", "h/x"})},
		"authority with a line":  {fields: base([2]string{":authority", "h\r\nX: y"})},
		"no authority":           {fields: base([2]string{":authority", ""})},
		"value with CRLF":        {fields: base([2]string{"x-a", "b\r\nStella-Identity: " + evil})},
		"value with LF":          {fields: base([2]string{"accept", "b\nStella-Identity: " + evil})},
		"value with CR":          {fields: base([2]string{"accept", "b\rStella-Identity: " + evil})},
		"value with NUL":         {fields: base([2]string{"accept", "b\x00"})},
		"name with a colon":      {fields: base([2]string{"stella-identity: " + evil + "\r\nx", "y"})},
		"name with a space":      {fields: base([2]string{"stella-identity ", evil})},
		"name with capitals":     {fields: base([2]string{"Stella-Identity", evil})},
		"empty name":             {fields: base([2]string{"", evil})},
		"transfer-encoding":      {fields: base([2]string{"transfer-encoding", "chunked"}), data: []string{"0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n"}},
		"connection":             {fields: base([2]string{"connection", "stella-identity"})},
		"keep-alive":             {fields: base([2]string{"keep-alive", "timeout=5"})},
		"upgrade":                {fields: base([2]string{"upgrade", "h2c"})},
		"proxy-connection":       {fields: base([2]string{"proxy-connection", "keep-alive"})},
		"te gzip":                {fields: base([2]string{"te", "gzip"})},
		"length too long":        {fields: base([2]string{"content-length", "9"}), data: []string{"hello"}},
		"length too short":       {fields: base([2]string{"content-length", "1"}), data: []string{"hello"}},
		"length twice":           {fields: append(base([2]string{"content-length", "5"}), [2]string{"content-length", "1"}), data: []string{"hello"}},
		"length of no number":    {fields: base([2]string{"content-length", "five"}), data: []string{"hello"}},
		"unknown pseudo":         {fields: base([2]string{":stella", evil})},
		"pseudo after":           {fields: append(base(), [2]string{":path", "/admin"})},
		"path twice":             {fields: append([][2]string{{":path", "/admin"}}, base()...)},
		"protocol":               {fields: append([][2]string{{":protocol", "websocket"}}, base([2]string{":method", "CONNECT"})...)},
	} {
		r.reset()
		got := h2Exchange(t, r.address, test.fields, test.data, test.trailer)
		if a := r.seen(); got == "200" || len(a) != 0 {
			t.Errorf("%s: %s, and the backend saw %+v", name, got, a)
		}
	}
	// What arrives without what does not belong there.
	for _, name := range identityHeaders {
		if name == "Stella-Tenant" {
			continue // refused
		}
		for _, spelled := range []string{name, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", ".")} {
			r.reset()
			fields := append(base(), [2]string{strings.ToLower(spelled), evil})
			got := h2Exchange(t, r.address, fields, []string{"hello"}, [][2]string{{strings.ToLower(spelled), evil}, {"x-a", evil}})
			a := r.seen()
			if got != "200" || len(a) != 1 || a[0].body != "hello" {
				t.Fatalf("%s: %s, %+v", spelled, got, a)
			}
			if text := fmt.Sprintf("%v %v %v", a[0].header, a[0].trailer, a[0].who); strings.Contains(text, evil) {
				t.Errorf("%s: the backend saw %s", spelled, text)
			}
		}
	}
}

// TestSecretsStay: credentials end at the gateway, but on public routes.
func TestSecretsStay(t *testing.T) {
	r := start(t, nil, nil)
	send := client(t, nil)
	for path, want := range map[string]bool{"/e/1": false, "/public": true} {
		r.reset()
		send("GET", "http://"+r.address+path, "", "Cookie: a=b", "DPoP: proof").Body.Close()
		a := r.seen()
		if len(a) != 1 {
			t.Fatal(path, a)
		}
		for _, name := range []string{"Authorization", "Cookie", "Dpop"} {
			if got := a[0].header.Get(name) != ""; got != want {
				t.Errorf("%s: %s was passed on: %v, want %v", path, name, got, want)
			}
		}
		if want && a[0].who.Subject != "" {
			t.Errorf("a public route has an identity: %+v", a[0].who)
		}
	}
}

// TestAnswerHeaders: what a backend says to a proxy, or of itself, does not reach clients.
func TestAnswerHeaders(t *testing.T) {
	r := start(t, nil, nil)
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.reply = answerWith(map[string]string{"ETag": `"a"`, "Location": "/e/2", "Server": "x", "X-Powered-By": "x", "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*", "Stella-Identity": "x",
		"X_Odd": "x", "Trailer": "X-T", "Alt-Svc": "h3=\":1\"", "Www-Authenticate": "Basic"})
	h := client(t, nil)("GET", "http://"+r.address+"/e/1", "").Header
	for _, name := range []string{"Server", "X-Powered-By", "Set-Cookie", "Access-Control-Allow-Origin", "Stella-Identity", "X_odd", "X_Odd", "Trailer", "X-T", "Alt-Svc", "Www-Authenticate"} {
		if h.Get(name) != "" {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if h.Get("Etag") != `"a"` || h.Get("Location") != "/e/2" || h.Get("Stella-Request-Id") == "" {
		t.Error(h)
	}
}
