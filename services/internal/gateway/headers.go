package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/stella-ops/stella/services/auth/envelope"
)

// What is passed on. A list of what is let through cannot be got around by a name that
// nobody thought of; a name that is none of ^[A-Za-z][A-Za-z0-9-]*$ is on no list.
var (
	up = names("Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Encoding", "Content-Digest", "Content-Disposition",
		"Idempotency-Key", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range", "Prefer", "User-Agent")
	// upPublic are passed on to routes that check credentials themselves.
	upPublic = names("Authorization", "Dpop", "Cookie", "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest")
	down     = names("Accept-Ranges", "Allow", "Cache-Control", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Range", "Content-Security-Policy", "Content-Type", "Etag", "Expires", "Last-Modified", "Link", "Location", "Preference-Applied", "Refresh-After",
		"Ratelimit", "Ratelimit-Policy", "Referrer-Policy", "Repr-Digest", "Retry-After", "Stella-Attestation", "Vary", "X-Content-Type-Options",
		"X-Frame-Options", "X-Robots-Tag",
		"Idempotency-Replayed", "Stella-Checkpoint", "Stella-Document", "Stella-Key-Id", "Stella-Media-Type", "Stella-Missing", "Stella-State", "Stella-Version",
		"X-Total-Count") // the last is Dependency-Track's
	downPublic = names("Www-Authenticate", "Dpop-Nonce", "Set-Cookie", "Pragma", "Refresh", "Clear-Site-Data")
	// reserved are the gateway's own, which no route has passed on.
	reserved = names("Host", "Connection", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect", "Keep-Alive", "Proxy-Connection",
		"Proxy-Authorization", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Traceparent", "Tracestate",
		envelope.Header, envelope.RequestIDHeader, tenantHeader, "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "Authorization", "Dpop", "Cookie")
)

const tenantHeader = "Stella-Tenant"

func names(list ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range list {
		m[n] = true
	}
	return m
}

// plainName reports whether a name has one spelling for all who read it.
func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && ('0' <= c && c <= '9' || c == '-')) {
			return false
		}
	}
	return s != ""
}

// upward makes the headers for a backend.
func (x *exchange) upward() http.Header {
	h := make(http.Header, 16)
	for name, values := range x.r.Header {
		if up[name] || x.route.Public && upPublic[name] || x.route.pass[name] {
			h[name] = values
		}
	}
	address := x.address()
	h["X-Forwarded-For"] = []string{address}
	h["X-Forwarded-Host"] = []string{x.r.Host}
	h["X-Forwarded-Proto"] = []string{x.scheme()}
	h[envelope.RequestIDHeader] = []string{x.id}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{"stella-gateway"}
	}
	h["Traceparent"] = []string{x.trace}
	if x.traced {
		if state := x.r.Header["Tracestate"]; len(state) == 1 && len(state[0]) <= 512 {
			h["Tracestate"] = state
		}
	}
	return h
}

// downward copies the headers of an answer.
func (x *exchange) downward(from http.Header) {
	to := x.w.Header()
	for name, values := range from {
		if down[name] || x.route.Public && downPublic[name] {
			to[name] = values
		}
	}
}

// address is that of the client, without its port: of who connects, or of whom the proxies
// that are believed name. What a client wrote into the header itself comes before what a
// proxy appended, so it is read from its end, as far as proxies vouch for it.
func (x *exchange) address() string {
	if x.client != "" {
		return x.client
	}
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		host = x.r.RemoteAddr
	}
	hops := strings.Split(strings.Join(x.r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0 && x.g.proxy(host); i-- {
		hop, ok := hopAddress(hops[i])
		if !ok {
			break
		}
		host = hop
	}
	x.client = host
	return host
}

// proxy reports whether an address is that of a proxy in front of the gateway.
func (g *Gateway) proxy(address string) bool {
	if len(g.c.Proxies) == 0 {
		return false
	}
	a, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(g.c.Proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap().WithZone("")) })
}

// hopAddress reads an entry of X-Forwarded-For, which may have a port.
func hopAddress(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if at, err := netip.ParseAddrPort(s); err == nil {
		return at.Addr().Unmap().String(), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().String(), err == nil
}

// network is what an address is counted by: an IPv6 client has a /64 for itself.
func (x *exchange) network() string {
	ip := net.ParseIP(x.address())
	if ip == nil || ip.To4() != nil {
		return x.address()
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}

func (x *exchange) scheme() string {
	if x.r.TLS != nil {
		return "https"
	}
	return "http"
}

// requestID takes the client's name for a request where it is a plain one.
func requestID(h http.Header) string {
	if ids := h[envelope.RequestIDHeader]; len(ids) == 1 && len(ids[0]) >= 8 && len(ids[0]) <= 64 &&
		strings.Trim(ids[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == "" {
		return ids[0]
	}
	return rand.Text()
}

// traceparent takes the client's trace (W3C Trace Context) where it is one, or begins one.
func traceparent(h http.Header) (string, bool) {
	if v := h["Traceparent"]; len(v) == 1 && validTrace(v[0]) {
		return v[0], true
	}
	var b [24]byte
	rand.Read(b[:])
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-01", false
}

func validTrace(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	for _, part := range []string{s[3:35], s[36:52], s[53:]} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return false
		}
	}
	return s[3:35] != strings.Repeat("0", 32) && s[36:52] != strings.Repeat("0", 16)
}

// PassesOn reports whether an answer's header of a name reaches clients.
func PassesOn(name string) bool { return down[http.CanonicalHeaderKey(name)] }
