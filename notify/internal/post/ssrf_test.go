package post

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/internal/netguard/ssrftest"
	"github.com/stella-ops/stella/notify"
)

// watch listens on this machine in both families where there are both, and counts who
// comes.
func watch(t *testing.T) (port string, came *atomic.Int32) {
	t.Helper()
	came = new(atomic.Int32)
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(first.Addr().String())
	listeners := []net.Listener{first}
	if second, err := net.Listen("tcp", "[::1]:"+port); err == nil {
		listeners = append(listeners, second)
	} else {
		t.Logf("without IPv6: %v", err)
	}
	for _, l := range listeners {
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				came.Add(1)
				c.Close()
			}
		}()
	}
	return port, came
}

// TestForbiddenTargets asks for everything that must not be reached, in every way to write
// it, and sees that nobody is asked. The same runs over all channels, in a network where
// every address answers, in internal/e2e.
func TestForbiddenTargets(t *testing.T) {
	policy := netguard.Target()
	policy.Resolver = ssrftest.Resolver(t)
	port, came := watch(t)
	rt, err := through(policy)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(v, "http://127.0.0.1:"+port)
	}
	c := Client{Transport: rt, Timeout: 2 * time.Second}
	cases := 0
	refused := func(url string) {
		t.Helper()
		cases++
		_, err := c.Do(context.Background(), &Request{URL: url, Body: []byte("x")})
		var f *notify.Failure
		if !errors.As(err, &f) || f.Sent != notify.No || !f.Permanent {
			t.Errorf("%q: %+v", url, err)
		}
	}
	addrs := ssrftest.Addresses()
	for _, a := range addrs {
		for _, l := range ssrftest.Literals(a, ssrftest.PublicName) {
			refused("https://" + l.Authority + "/hook")
			if a.IsLoopback() {
				refused("https://" + l.Authority + ":" + port + "/hook")
				refused("http://" + l.Authority + ":" + port + "/hook")
			}
		}
		at := ":443"
		if a.IsLoopback() {
			at = ":" + port
		}
		for _, p := range []ssrftest.Plan{ssrftest.Only, ssrftest.Alias, ssrftest.Flip} {
			name := ssrftest.Name(p, a)
			if p == ssrftest.Flip { // whoever looked first saw nothing wrong
				if got, err := policy.Resolver.LookupNetIP(context.Background(), "ip", name); err != nil || len(got) != 2 {
					t.Fatalf("%s: %v %v", name, got, err)
				}
			}
			refused("https://" + name + at + "/hook")
		}
	}
	for _, n := range ssrftest.Names() {
		refused("https://" + n + "/hook")
		refused("https://" + n + ":" + port + "/hook")
	}
	for _, scheme := range []string{"http", "file", "gopher", "ftp", "data", "unix", "ldap", "dict", "ws", "javascript", ""} {
		refused(scheme + "://" + ssrftest.PublicName + "/hook")
		refused(scheme + ":" + ssrftest.PublicName)
	}
	if n := came.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	t.Logf("%d forbidden addresses and %d names, %d requests: %d connections", len(addrs), len(ssrftest.Names()), cases, came.Load())
	if len(addrs) < 250 {
		t.Errorf("%d addresses, want 250 at least", len(addrs))
	}
	listed, err := Door("127.0.0.1") // the control: the listener would have seen it
	if err != nil {
		t.Fatal(err)
	}
	c.Transport = listed
	if _, err := c.Do(context.Background(), &Request{URL: "http://127.0.0.1:" + port}); err == nil || came.Load() != 1 {
		t.Errorf("the control: %v after %d connections", err, came.Load())
	}
}

// No answer leads anywhere else, in whatever way it asks for that.
func TestRedirectsToForbiddenTargets(t *testing.T) {
	port, came := watch(t)
	var to string
	var asked int
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Location", to)
		w.Header().Set("Refresh", "0; url="+to)
		w.Header().Set("Link", "<"+to+">; rel=preload")
		w.Header().Set("Alt-Svc", `h2="`+to+`"`)
		w.WriteHeader([]int{301, 302, 303, 307, 308, 201}[asked%6])
	})
	c := local(t)
	n := 0
	for _, a := range append(ssrftest.Addresses(), netip.MustParseAddr("127.0.0.1")) {
		host := net.JoinHostPort(a.String(), port)
		for _, scheme := range []string{"http://", "https://"} {
			n++
			to = scheme + host + "/"
			if _, err := c.Do(context.Background(), &Request{URL: s.URL, Body: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if asked != n || came.Load() != 0 {
		t.Errorf("%d requests for %d redirections, %d connections to what they lead to", asked, n, came.Load())
	}
	t.Logf("%d redirections, none followed", n)
}

func TestBadEntry(t *testing.T) {
	if _, err := Door("http://a"); !errors.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}
