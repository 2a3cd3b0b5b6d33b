package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzHead: what the head checker accepts net/http reads in the same way.
func FuzzHead(f *testing.F) {
	for _, c := range framingCases() {
		if len(c.raw) < 4<<10 {
			f.Add([]byte(c.raw))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s scanner
		end, bad := s.scan(raw)
		if end == 0 || bad.status != 0 {
			return
		}
		body, bad := checkHead(raw[:end], "http")
		if bad.status != 0 {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(raw[:end]), strings.NewReader("0\r\n\r\n"))))
		if err != nil {
			t.Fatalf("net/http does not read %q: %v", raw[:end], err)
		}
		chunked := len(r.TransferEncoding) > 0
		if chunked != body.chunked || !chunked && r.ContentLength != body.length || !validHost(r.Host) || !knownMethods[r.Method] {
			t.Errorf("%q: chunked %v of %d, net/http reads chunked %v of %d", raw[:end], body.chunked, body.length, chunked, r.ContentLength)
		}
		if n := bytes.Count(raw[:end], []byte("\r\n")); n != bytes.Count(raw[:end], []byte("\n")) || n != bytes.Count(raw[:end], []byte("\r")) {
			t.Errorf("%q: bare CR or LF", raw[:end])
		}
	})
}

// FuzzTarget: a path that is accepted has one reading: decoded it is clean, and has as many
// segments as before.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/", "/a/b?c=d", "/a%20b", "/%25", "/a/%C3%A9", "/%2e", "/a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkTarget(s) != "" {
			return
		}
		u, err := url.ParseRequestURI(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		escaped, _, _ := strings.Cut(s, "?")
		clean := strings.TrimSuffix(u.Path, "/")
		if u.EscapedPath() != escaped || strings.Count(u.Path, "/") != strings.Count(escaped, "/") || clean != "" && path.Clean(clean) != clean || !utf8.ValidString(u.Path) || strings.ContainsAny(u.Path, ";\\\x00\r\n") {
			t.Errorf("%q is read as %q, and written as %q", s, u.Path, u.EscapedPath())
		}
	})
}

// FuzzChunks: what a strictConn lets through of a chunked body net/http reads to the same
// end, and the next request begins there.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;a\r\nhello\r\n0\r\n\r\n", "A\r\n0123456789\r\n0\r\n\r\nGET /"} {
		f.Add([]byte(s))
	}
	const head = "POST /e/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &strictConn{Conn: &memConn{in: bytes.NewReader(append([]byte(head), body...))}, scheme: "http"}
		var out []byte
		var p [64]byte
		for c.state != inHead || len(out) == 0 {
			n, err := c.Read(p[:])
			if out = append(out, p[:n]...); err != nil {
				return // refused, or not all there
			}
		}
		for c.free > 0 {
			n, _ := c.Read(p[:])
			out = append(out, p[:n]...)
		}
		in := bufio.NewReader(bytes.NewReader(out))
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r.Body); err != nil || len(r.Trailer) > 0 || in.Buffered() > 0 {
			t.Errorf("%q: %v, %d bytes are left", out, err, in.Buffered())
		}
	})
}
