package netguard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/stella-ops/stella/internal/fault"
)

// maxRedirects bounds the hops that a Client follows for one request.
const maxRedirects = 5

// Client returns an HTTP client over rt that follows at most five redirects, to
// http and https only, never from https to http, and never takes credentials
// along to another origin (scheme, host and port).
func Client(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt, CheckRedirect: CheckRedirect}
}

// CheckRedirect is the redirect policy of [Client].
func CheckRedirect(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	if len(via) > maxRedirects {
		return &fault.LimitError{What: "redirects", Where: via[0].URL.Host, Max: maxRedirects, Seen: int64(len(via))}
	}
	if err := checkTarget(req.URL); err != nil {
		return fmt.Errorf("redirect from %s: %w", last.URL.Host, err)
	}
	if req.URL.User != nil {
		return fmt.Errorf("redirect from %s to %s: refused, the target carries user information: %w", last.URL.Host, req.URL.Host, fault.Forbidden)
	}
	if last.URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirect from https to %s://%s: refused, it would leave encryption: %w", req.URL.Scheme, req.URL.Host, fault.Forbidden)
	}
	if LeftOrigin(req) {
		for _, h := range []string{"Authorization", "Cookie", "Proxy-Authorization", "Referer"} {
			req.Header.Del(h)
		}
		if req.Body != nil && req.Body != http.NoBody {
			return fmt.Errorf("redirect from %s to %s: refused, it would take the request's body along: %w", last.URL.Host, req.URL.Host, fault.Forbidden)
		}
	}
	return nil
}

// LeftOrigin reports whether the request came about by redirects of which at
// least one led to another origin than that of the first request.
func LeftOrigin(req *http.Request) bool {
	for r := req; r.Response != nil && r.Response.Request != nil; {
		prev := r.Response.Request
		if Origin(prev.URL) != Origin(r.URL) {
			return true
		}
		r = prev
	}
	return false
}

// Origin returns scheme, host and port of a URL as one comparable string.
func Origin(u *url.URL) string {
	host, port, err := net.SplitHostPort(hostPort(u))
	if err != nil {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + net.JoinHostPort(canonicalHost(host), port)
}

// checkTarget refuses URLs that are not plain http or https ones. Its errors
// show neither path nor query.
func checkTarget(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("scheme %q: refused, only http and https are spoken: %w", clip(u.Scheme), fault.Forbidden)
	case u.Hostname() == "":
		return fmt.Errorf("a URL without a host: %w", fault.Invalid)
	}
	return nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
