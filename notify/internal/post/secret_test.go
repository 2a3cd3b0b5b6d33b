package post

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

const canary = "cAnArY"

// shown is all that a caller could print of an error.
func shown(err error) string {
	s := ""
	for ; err != nil; err = errors.Unwrap(err) {
		s += fmt.Sprintf("%v %+v %#v\n", err, err, err)
	}
	return strings.ToLower(s)
}

// What is secret in a request, and what a receiver says, is in no error: whatever goes
// wrong, and whatever the transport's own error says.
func TestErrorsShowNoSecret(t *testing.T) {
	echo, _ := raw(t, func(c net.Conn) {
		request(c)
		io.WriteString(c, "HTTP/1.1 "+canary+" "+canary+"\r\n"+canary+"\r\n\r\n"+canary)
	})
	closed, _ := raw(t, func(net.Conn) {})
	own := errors.New("dial https://me:" + canary + "@" + canary + "/" + canary)
	transports := map[string]http.RoundTripper{
		"door":          local(t).Transport,
		"its own error": roundTrip(func(*http.Request) (*http.Response, error) { return nil, own }),
		"an error of the network": roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Name: canary, Server: canary, Err: canary}}
		}),
		"a limit": roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, &fault.LimitError{What: canary, Where: canary}
		}),
	}
	n := 0
	for name, rt := range transports {
		for _, base := range []string{
			echo, closed, "http://127.0.0.1:1", "https" + strings.TrimPrefix(echo, "http"), "https://10.0.0.1", "http://" + canary + ".example.org", "https://" + canary + ".localhost", "https://" + canary,
			"https://" + canary + ".example.org:6379", "https://me:" + canary + "@example.org", "https://me:" + canary + "@[", "https://example.org:" + canary, "https://" + canary + "\x7f", "https://example.org/%" + canary + "#",
			canary + "://example.org", canary + ":", canary, "https://" + canary + "." + strings.Repeat("a", 64) + ".org", "https://ex\u0430mple" + canary + ".org", "https://" + canary + strings.Repeat("a", 5000),
		} {
			for _, h := range []http.Header{{"Authorization": {"Bearer " + canary}}, {"Authorization": {canary + "\r\nX: y"}}, {canary + "\n": {canary}}} {
				n++
				c := Client{Transport: rt, Timeout: 300 * time.Millisecond}
				_, err := c.Do(context.Background(), &Request{URL: base + "/" + canary + "?token=" + canary, Header: h, Body: []byte(canary)})
				if err == nil {
					t.Errorf("%s: %s: no error", name, base)
				}
				if s := shown(err); strings.Contains(s, strings.ToLower(canary)) {
					t.Errorf("%s: %q shows a secret: %s", name, base, s)
				}
			}
		}
	}
	t.Logf("%d failing requests show nothing", n)
}

// Where the host is no secret it is named, and nothing else of the URL.
func TestShowHost(t *testing.T) {
	c := Client{}
	_, err := c.Do(context.Background(), &Request{URL: "https://10.1.2.3:8443/" + canary + "?" + canary, ShowHost: true})
	if err == nil || !strings.HasPrefix(err.Error(), "https://10.1.2.3:8443: refused by the target network policy: private addresses") || strings.Contains(shown(err), strings.ToLower(canary)) {
		t.Errorf("got %v", err)
	}
}

// A judgement names a status in the standard's words, not in the receiver's.
func TestJudgeShowsNothing(t *testing.T) {
	c := Client{}
	for status := 300; status < 600; status++ {
		f := c.Judge(&Answer{Status: status, Header: http.Header{"Retry-After": {canary}, "Location": {canary}}, Body: []byte(canary)}, true)
		if strings.Contains(shown(f), strings.ToLower(canary)) {
			t.Errorf("%d: %s", status, shown(f))
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
