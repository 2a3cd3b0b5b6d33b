package gateway

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// The bounds of a request's head.
const (
	maxHead   = 32 << 10 // bytes
	maxFields = 100
)

// flaw is why a head is refused. The zero value is none.
type flaw struct {
	status int
	why    string
}

// framing is how long the body is that follows a head.
type framing struct {
	length  int64 // where it is not chunked
	chunked bool
}

// scanner looks at the bytes of a head as they arrive. It finds what is wrong in any place
// of a head before all of it is there, so that nobody waits for the end of nonsense.
type scanner struct{ seen int }

// scan reports where the head ends, 0 where that is not there yet.
func (s *scanner) scan(b []byte) (end int, f flaw) {
	for ; s.seen < len(b); s.seen++ {
		i := s.seen
		c := b[i]
		if c > ' ' && c < 0x7f && b[max(i, 1)-1] != '\r' && i < maxHead {
			continue
		}
		switch {
		case i > 0 && b[i-1] == '\r' && c != '\n':
			return 0, flaw{http.StatusBadRequest, "a CR that no LF follows"}
		case c == '\n' && (i == 0 || b[i-1] != '\r'):
			return 0, flaw{http.StatusBadRequest, "a LF that no CR precedes"}
		case c == '\n' && i >= 3 && b[i-2] == '\n':
			s.seen = 0
			return i + 1, flaw{}
		case c == '\n' && i == 1:
			return 0, flaw{http.StatusBadRequest, "an empty line before the request"}
		case c < ' ' && c != '\t' && c != '\r' && c != '\n', c >= 0x7f:
			return 0, flaw{http.StatusBadRequest, "a byte that is not printable ASCII"}
		}
		if i >= maxHead {
			return 0, flaw{http.StatusRequestHeaderFieldsTooLarge, "a head over 32 KiB"}
		}
	}
	return 0, flaw{}
}

// checkHead holds a head, whose bytes a scanner let through, against RFC 9112 at its
// strictest: one request line, fields in one form, one way to tell where the body ends.
func checkHead(b []byte, scheme string) (framing, flaw) {
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	authority, f := checkLine(string(line), scheme)
	if f.status != 0 {
		return framing{}, f
	}
	h := fields{}
	for n := 0; len(rest) > 2; n++ {
		if line, rest, _ = bytes.Cut(rest, []byte("\r\n")); n >= maxFields {
			return framing{}, flaw{http.StatusRequestHeaderFieldsTooLarge, "more than 100 fields"}
		}
		if f := h.add(line); f.status != 0 {
			return framing{}, f
		}
	}
	switch {
	case !h.hasHost:
		return framing{}, flaw{http.StatusBadRequest, "no Host"}
	case authority != "" && !strings.EqualFold(authority, h.host):
		return framing{}, flaw{http.StatusBadRequest, "a target whose authority is not the Host"}
	case h.chunked && h.hasLength:
		return framing{}, flaw{http.StatusBadRequest, "both Content-Length and Transfer-Encoding"}
	}
	return framing{h.length, h.chunked}, flaw{}
}

// checkLine checks the request line and returns the authority of an absolute target.
func checkLine(line, scheme string) (authority string, f flaw) {
	method, rest, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	bad := func(status int, why string) (string, flaw) { return "", flaw{status, why} }
	switch {
	case !ok || !ok2 || strings.ContainsAny(version, " \t"):
		return bad(http.StatusBadRequest, "a request line that is not METHOD TARGET HTTP/1.1")
	case method == "" || len(method) > 20 || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return bad(http.StatusBadRequest, "a method that is not in capital letters")
	case version != "HTTP/1.1" && strings.HasPrefix(version, "HTTP/"):
		return bad(http.StatusHTTPVersionNotSupported, "a version that is not HTTP/1.1")
	case version != "HTTP/1.1":
		return bad(http.StatusBadRequest, "a request line that is not METHOD TARGET HTTP/1.1")
	case !knownMethods[method]:
		return bad(http.StatusNotImplemented, "a method that is not known here")
	}
	if !strings.HasPrefix(target, "/") {
		after, ok := strings.CutPrefix(target, scheme+"://")
		i := strings.IndexByte(after, '/')
		if !ok || i < 1 {
			return bad(http.StatusBadRequest, "a target that is neither a path nor a URL of this server")
		}
		authority, target = after[:i], after[i:]
	}
	if why := checkTarget(target); why != "" {
		return bad(http.StatusBadRequest, why)
	}
	return authority, flaw{}
}

// knownMethods are those of HTTP that some route may serve.
var knownMethods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "PATCH": true, "DELETE": true, "OPTIONS": true}

// fields is what those fields say that framing is about.
type fields struct {
	host      string
	hasHost   bool
	length    int64
	hasLength bool
	chunked   bool
}

// add reads one line of a head.
func (h *fields) add(line []byte) flaw {
	bad := func(why string) flaw { return flaw{http.StatusBadRequest, why} }
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return bad("a line that is not a field, or continues one")
	}
	name := line[:colon]
	for _, c := range name {
		if !tokenByte(c) {
			return bad("a field name with a byte that names do not have")
		}
	}
	switch len(name) { // of those below, for speed
	case 4, 6, 10, 14, 17, 19:
	default:
		return flaw{}
	}
	value := strings.Trim(string(line[colon+1:]), " \t")
	switch strings.ToLower(string(name)) {
	case "host":
		if h.hasHost || !validHost(value) {
			return bad("a Host that is there twice, or is not one")
		}
		h.host, h.hasHost = value, true
	case "content-length":
		n, err := strconv.ParseUint(value, 10, 62)
		if h.hasLength || err != nil || value[0] == '+' || value[0] == '0' && len(value) > 1 {
			return bad("a Content-Length that is there twice, or is not a number")
		}
		h.length, h.hasLength = int64(n), true
	case "transfer-encoding":
		if h.chunked {
			return bad("Transfer-Encoding twice")
		}
		if !strings.EqualFold(value, "chunked") {
			return flaw{http.StatusNotImplemented, "a Transfer-Encoding that is not chunked"}
		}
		h.chunked = true
	case "connection":
		for option := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.Trim(option, " \t")) {
			case "close", "keep-alive", "te", "upgrade", "http2-settings":
			default:
				return bad("a Connection option that names another field")
			}
		}
	case "expect":
		if !strings.EqualFold(value, "100-continue") {
			return flaw{http.StatusExpectationFailed, "an Expect that is not 100-continue"}
		}
	}
	return flaw{}
}

// tokenByte reports whether a field name may have c (RFC 9110 §5.6.2).
func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// validHost accepts a name or an address, with or without a port, and nothing else that an
// authority may have.
func validHost(s string) bool {
	if s == "" || len(s) > 261 {
		return false
	}
	host, port := s, ""
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 3 || strings.Trim(s[1:end], "0123456789abcdefABCDEF:.") != "" {
			return false
		}
		host, port = "", s[end+1:]
		if port != "" && port[0] != ':' {
			return false
		}
		if port = strings.TrimPrefix(port, ":"); s[end+1:] == ":" {
			return false
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		if host, port = s[:i], s[i+1:]; host == "" || port == "" {
			return false
		}
	}
	for i := range len(host) {
		if c := host[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0 && port[0] != '+'
}
