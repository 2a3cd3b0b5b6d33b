package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	proven = "Authorization: Test acme/alice/scanner:read\r\n"
	probe  = "GET /e/probe HTTP/1.1\r\nHost: h\r\n" + proven + "Connection: close\r\n\r\n"
)

// framingCase is bytes on a connection, to which a probe is appended, and the answers.
type framingCase struct {
	name, raw string
	want      []string
}

// framingCases are the corpus. A refused request ends its connection: the probe after it is
// not answered, and not seen by the backend.
func framingCases() (out []framingCase) {
	good := func(name, raw string, want ...string) {
		out = append(out, framingCase{name, raw, append(want, "GET /e/probe ")})
	}
	bad := func(status int, name, raw string) {
		out = append(out, framingCase{name, raw, []string{fmt.Sprint(status)}})
	}
	head := func(line string, fields ...string) string {
		return line + " HTTP/1.1\r\nHost: h\r\n" + proven + strings.Join(fields, "\r\n") + "\r\n"
	}
	get := func(fields ...string) string {
		if len(fields) == 0 {
			return "GET /e/1 HTTP/1.1\r\nHost: h\r\n" + proven + "\r\n"
		}
		return head("GET /e/1", fields...) + "\r\n"
	}
	post := func(body string, fields ...string) string { return head("POST /e/1", fields...) + "\r\n" + body }
	const smuggled = "GET /e/smuggled HTTP/1.1\r\nHost: h\r\n" + proven + "\r\n"
	chunked := "Transfer-Encoding: chunked"
	long := func(s string) string { return fmt.Sprintf("Content-Length: %d", len(s)) }

	// What must work.
	good("GET", get(), "GET /e/1 ")
	good("two", get()+get(), "GET /e/1 ", "GET /e/1 ")
	good("length", post("hello", "Content-Length: 5"), "POST /e/1 hello")
	good("length 0", post("", "Content-Length: 0"), "POST /e/1 ")
	good("no body", post("", "X-A: b"), "POST /e/1 ")
	good("chunked", post("5\r\nhello\r\n0\r\n\r\n", chunked), "POST /e/1 hello")
	good("chunks", post("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", chunked), "POST /e/1 hello")
	good("upper-case chunked", post("A\r\n0123456789\r\n0\r\n\r\n", "transfer-encoding: CHUNKED"), "POST /e/1 0123456789")
	good("request in a body", post(smuggled, long(smuggled)), "POST /e/1 "+smuggled)
	good("request in a chunk", post(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled), chunked), "POST /e/1 "+smuggled)
	good("absolute form", strings.Replace(get(), "GET /e", "GET http://h/e", 1), "GET /e/1 ")
	good("absolute form, other case", strings.Replace(get(), "GET /e", "GET http://H/e", 1), "GET /e/1 ")
	good("expect", post("hello", "Content-Length: 5", "Expect: 100-continue"), "POST /e/1 hello")
	good("spaces around a value", post("hello", "Content-Length: \t 5 \t"), "POST /e/1 hello")
	good("GET with a body", head("GET /e/1", "Content-Length: 5")+"\r\nhello", "GET /e/1 hello")
	good("query", strings.Replace(get(), "/e/1", "/e/1?a=b&c=%2F&d", 1), "GET /e/1?a=b&c=%2F&d ")
	good("empty query", strings.Replace(get(), "/e/1", "/e/1?", 1), "GET /e/1? ")
	good("escaped UTF-8", strings.Replace(get(), "/e/1", "/e/%C3%A9", 1), "GET /e/%C3%A9 ")
	good("lower-case escape", strings.Replace(get(), "/e/1", "/e/a%20b", 1), "GET /e/a%20b ")
	good("keep-alive", get("Connection: keep-alive"), "GET /e/1 ")
	good("upgrade ignored", get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), "GET /e/1 ")
	good("websocket ignored", get("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"), "GET /e/1 ")
	good("TE", get("TE: trailers", "Connection: TE"), "GET /e/1 ")
	good("names that are only alike", post("hello", "Content-Length: 5", "Content_Length: 0", "Transfer_Encoding: chunked", "Content.Length: 1", "X-Transfer-Encoding: chunked"), "POST /e/1 hello")
	good("not found keeps in step", strings.Replace(post("hello", "Content-Length: 5"), "/e/1", "/nowhere", 1), "404")
	good("method keeps in step", head("PATCH /e/1", "Content-Length: 5")+"\r\nhello", "405")
	good("unauthenticated keeps in step", strings.Replace(post("hello", "Content-Length: 5"), proven, "", 1), "401")
	good("override is not heard", get("X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE", "X-Original-URL: /admin", "X-Rewrite-URL: /admin"), "GET /e/1 ")

	// Two ways to tell the length.
	for _, te := range []string{"chunked", "Chunked", "chunked ", "identity", "gzip", "chunked, identity", "identity, chunked", "gzip, chunked", "chunked, chunked", "xchunked", "chunkedx", `"chunked"`, "'chunked'", "chunked;q=1", "chunked\t", ",chunked", "chunked,", "", " "} {
		want := 501
		if t := strings.Trim(te, " \t"); strings.EqualFold(t, "chunked") {
			want = 400
		}
		bad(want, "CL.TE "+te, post("0\r\n\r\n"+smuggled, "Content-Length: 6", "Transfer-Encoding: "+te))
		if want = 501; !strings.EqualFold(strings.Trim(te, " \t"), "chunked") {
			bad(want, "TE "+te, post("0\r\n\r\n"+smuggled, "Transfer-Encoding: "+te))
		}
	}
	bad(400, "TE.CL", post("5\r\nhello\r\n0\r\n\r\n", chunked, "Content-Length: 4"))
	bad(400, "TE.TE", post("0\r\n\r\n", chunked, chunked))
	bad(501, "TE.TE other", post("0\r\n\r\n", "Transfer-Encoding: identity", chunked))
	bad(400, "TE.TE second", post("0\r\n\r\n", chunked, "Transfer-Encoding: identity"))
	bad(400, "CL.CL", post("hello", "Content-Length: 5", "Content-Length: 6"))
	bad(400, "CL.CL alike", post("hello", "Content-Length: 5", "Content-Length: 5"))
	bad(400, "CL.CL other case", post("hello", "Content-Length: 5", "content-length: 0"))
	for _, n := range []string{"", "+5", "-5", "-0", "05", "0x5", "5.0", "5,5", "5, 5", "5 5", "5;", "five", "1e1", "5_0", "99999999999999999999", "9223372036854775808", "4611686018427387904", "\"5\"", "(5)"} {
		bad(400, "CL "+n, post("hello", "Content-Length: "+n))
	}
	bad(400, "CL of wide digits", post("hello", "Content-Length: \xef\xbc\x95"))

	// Lines.
	lf := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
	bad(400, "bare LF everywhere", lf(get()))
	bad(400, "bare LF after the line", strings.Replace(get(), "\r\n", "\n", 1))
	bad(400, "bare LF in a value", get("X-A: b\nTransfer-Encoding: chunked"))
	bad(400, "bare LF at the end", strings.TrimSuffix(get(), "\r\n")+"\n")
	bad(400, "LF LF", "GET /e/1 HTTP/1.1\r\nHost: h\n\n")
	bad(400, "bare CR in a value", get("X-A: b\rc"))
	bad(400, "bare CR as a line", get("X-A: b\rContent-Length: 5"))
	bad(400, "CR CR LF", get("X-A: b\r"))
	bad(400, "bare CR in the line", strings.Replace(get(), " HTTP", "\rHTTP", 1))
	bad(400, "obs-fold", get("X-A: b", " c"))
	bad(400, "obs-fold by tab", get("X-A: b", "\tc"))
	bad(501, "obs-fold of TE", post("0\r\n\r\n", "Transfer-Encoding:", " chunked"))
	bad(400, "obs-fold of CL", post("hello", "Content-Length:", " 5"))
	bad(400, "fold before the first field", strings.Replace(get(), "\r\nHost", "\r\n Host", 1))
	bad(400, "empty line first", "\r\n"+get())
	bad(400, "empty lines first", "\r\n\r\n"+get())
	bad(400, "LF first", "\n"+get())
	bad(400, "space first", " "+get())
	bad(400, "NUL first", "\x00"+get())
	bad(400, "TLS on a plain port", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03")
	for name, c := range map[string]string{"NUL": "\x00", "BEL": "\x07", "VT": "\x0b", "FF": "\x0c", "ESC": "\x1b", "DEL": "\x7f", "NEL": "\xc2\x85", "0xff": "\xff"} {
		bad(400, name+" in a value", get("X-A: b"+c+"d"))
		bad(400, name+" in a name", get("X"+c+"A: b"))
	}

	// Fields.
	for _, sep := range []string{" :", "\t:", "  :"} {
		bad(400, "space before colon"+sep, post("hello", "Content-Length"+sep+" 5"))
		bad(400, "space before colon of TE"+sep, post("0\r\n\r\n", "Transfer-Encoding"+sep+" chunked"))
		bad(400, "space before colon of Host"+sep, "GET /e/1 HTTP/1.1\r\nHost"+sep+" h\r\n"+proven+"\r\n")
	}
	for _, field := range []string{"no colon", ": no name", "X A: b", "X(A: b", "X@A: b", "X/A: b", "X[A]: b", "{X}: b", "X=A: b", "X\"A: b", "X,A: b", "X;A: b", "X?A: b", "X\\A: b", "<X>: b"} {
		bad(400, "field "+field, get(field))
	}
	bad(400, "no Host", "GET /e/1 HTTP/1.1\r\n"+proven+"\r\n")
	for _, host := range []string{"", " ", "h, h", "h h", "h/x", "h?x", "h#x", "u@h", "u:p@h", "h:", "h:0", "h:99999", "h:+1", "h:x", "h:1:2", ":80", "[::1", "[::1]x", "[::1]:", "[x]", "h\\x", "h%00", "h%2e", "h;", "h,i", "http://h", "*", "h<", "h'"} {
		bad(400, "Host "+host, "GET /e/1 HTTP/1.1\r\nHost: "+host+"\r\n"+proven+"\r\n")
	}
	bad(400, "two Hosts", get("Host: i"))
	bad(400, "two Hosts alike", get("Host: h"))
	bad(400, "two Hosts, other case", get("hOST: h"))
	bad(431, "many fields", get(slices.Repeat([]string{"X-A: b"}, 101)...))
	bad(431, "long head", get("X-A: "+strings.Repeat("b", 33<<10)))
	bad(431, "long line", "GET /e/"+strings.Repeat("a", 33<<10))
	for _, c := range []string{"Host", "Content-Length", "Transfer-Encoding", "Authorization", "Stella-Identity", "X-Forwarded-For", "close, Content-Digest", "x", "", "close,", ",", "keep-alive, Idempotency-Key"} {
		bad(400, "Connection "+c, get("Connection: "+c))
	}
	for _, e := range []string{"200-ok", "100-continue, 100-continue", "100-continue;x", "", "100"} {
		bad(417, "Expect "+e, post("hello", "Content-Length: 5", "Expect: "+e))
	}

	// The line.
	for _, line := range []string{"GET /e/1", "GET  /e/1 HTTP/1.1", "GET /e/1  HTTP/1.1", "GET /e/1 HTTP/1.1 ", "GET\t/e/1 HTTP/1.1", "GET /e/1\tHTTP/1.1", "GET /e/1 /e/2 HTTP/1.1", "GET /e/1 HTTP/1.1 HTTP/1.1",
		"get /e/1 HTTP/1.1", "Get /e/1 HTTP/1.1", "G3T /e/1 HTTP/1.1", "GET /e/1 http/1.1", "GET /e/1 HTTPS/1.1", "GET /e/1 HTTP", "GET", "", "GET /e/1 ICY/1.1", " GET /e/1 HTTP/1.1", "G-T /e/1 HTTP/1.1"} {
		bad(400, "line "+line, line+"\r\nHost: h\r\n"+proven+"\r\n")
	}
	for _, v := range []string{"HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/2", "HTTP/3", "HTTP/1.1.1", "HTTP/1", "HTTP/01.1", "HTTP/1.01", "HTTP/11"} {
		bad(505, v, "GET /e/1 "+v+"\r\nHost: h\r\n"+proven+"\r\n")
	}
	bad(505, "1.0 with TE", "POST /e/1 HTTP/1.0\r\nHost: h\r\n"+proven+chunked+"\r\n\r\n0\r\n\r\n")
	bad(505, "h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	for _, m := range []string{"CONNECT", "TRACE", "TRACK", "DEBUG", "PROPFIND", "PURGE", "X", "QUERY", "LINK"} {
		bad(501, m, head(m+" /e/1", "X-A: b")+"\r\n")
	}
	for _, target := range []string{"*", "e/1", "h:80", "http://i/e/1", "http://h:80/e/1", "https://h/e/1", "ftp://h/e/1", "http://h", "http:///e/1", "http://u@h/e/1", "http:/e/1", "HTTP://h/e/1", "//h/e/1", "\\e\\1", "", "?a", "#/e/1"} {
		bad(400, "target "+target, head("GET "+target, "X-A: b")+"\r\n")
	}

	// Paths.
	for _, p := range []string{"/e/../admin", "/e/./1", "/e//1", "//e/1", "/e/1/..", "/e/..", "/..", "/.", "/e/%2e%2e/admin", "/e/%2E./admin", "/e/.%2e/admin", "/e%2f1", "/e%2F1", "/e/..%2fadmin", "/e/%5c..%5cadmin", "/e/1%00", "/%00/e/1", "/e/1%0d%0aX:y", "/e/1%0a",
		"/e/1;a=b", "/e;x/1", "/e/1%3b", "/e\\1", "/e/..\\admin", "/e/%c0%ae%c0%ae/admin", "/e/%c0%af", "/e/%e0%80%af", "/e/%ff", "/e/%ed%a0%80", "/e/%f8%80%80%80%af", "/e/%252e%252e", "/e/%252f", "/e/%25%32%66", "/e/%", "/e/%2", "/e/%zz", "/e/%u002e", "/e/1#f", "/e/1\"", "/e/<1>", "/e/{1}", "/e/|1", "/e/^1", "/e/`1",
		"/e/1?a;b", "/e/1?a=%", "/e/1?a=%zz", "/e/1?a#b", "/e/1?a=<b>", "/e/1?a\\b", "/e/%7f", "/e/\x7f", "/e/1?%", "/e/%2e", "/%2e%2e%2f"} {
		bad(400, "path "+p, head("GET "+p, "X-A: b")+"\r\n")
	}

	// Chunks.
	for _, body := range []string{"5;a=b\r\nhello\r\n0\r\n\r\n", "5;\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
		"5\r\nhello0\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n", "4\r\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\r\nhello\r\n0\r\n\r\n", "000000005\r\nhello\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFF\r\nhello", "100000000\r\nhello", "g\r\nhello", "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n", "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
		"5\r\nhello\r\n0\r\n\n", "5\r\nhello\r\n0\n\r\n", "5\r\nhello\r\n0;x\r\n\r\n", "5\r\nhello\r\n0\r\n \r\n", "5\r\nhello\r\n\r\n", "0\r\n" + smuggled, "5,5\r\nhello\r\n0\r\n\r\n", "5_0\r\nhello\r\n0\r\n\r\n", "５\r\nhello", "5\x00\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\rX", ";\r\nhello\r\n0\r\n\r\n"} {
		bad(400, "chunk "+strings.ReplaceAll(body, "\r\n", "/"), post(body, chunked))
	}
	bad(413, "too long", post(strings.Repeat("x", 10), "Content-Length: 1048577"))
	return out
}

// TestFraming: for each of the corpus, what was answered, what was decided and what arrived
// at the backend are the same requests in the same order.
func TestFraming(t *testing.T) {
	certs := testCertificates(t)
	for _, secure := range []bool{false, true} {
		c := certs
		if !secure {
			c = nil
		}
		r := start(t, c, nil)
		n := 0
		for _, test := range framingCases() {
			if secure && strings.Contains(test.raw, "://") {
				continue
			}
			n++
			r.reset()
			got := exchangeRaw(t, r.address, test.raw+probe, secure)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (TLS %v): answers: %s", test.name, secure, diff)
			}
			var want, arrived []string
			for _, answer := range got {
				if strings.Contains(answer, " /") {
					want = append(want, answer)
				}
			}
			for _, a := range r.seen() {
				arrived = append(arrived, a.method+" "+a.target+" "+a.body)
			}
			if diff := cmp.Diff(want, arrived); diff != "" || r.decisions(ReasonForwarded) != len(arrived) {
				t.Errorf("%s (TLS %v): %d were decided to be passed on, %d arrived: %s", test.name, secure, r.decisions(ReasonForwarded), len(arrived), diff)
			}
		}
		if n < 150 {
			t.Errorf("the corpus has %d cases", n)
		}
		t.Logf("%d cases, TLS %v", n, secure)
	}
}

// TestFramingSlices: how the bytes arrive makes no difference.
func TestFramingSlices(t *testing.T) {
	r := start(t, nil, func(_ *Config, s *Server) { s.HeadTime = 5e9 })
	raw := "POST /e/1 HTTP/1.1\r\nHost: h\r\n" + proven + "Content-Length: 5\r\n\r\nhello" +
		"POST /e/2 HTTP/1.1\r\nHost: h\r\n" + proven + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n" + probe
	want := []string{"POST /e/1 hello", "POST /e/2 hello0123456789", "GET /e/probe "}
	for step := 1; step < len(raw); step += 1 + step/3 {
		if got := exchangeSlices(t, r.address, raw, step); !slices.Equal(got, want) {
			t.Errorf("%d bytes at a time: %q", step, got)
		}
	}
}
