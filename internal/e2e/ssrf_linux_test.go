package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/netguard/ssrftest"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
)

const ssrfVariable = "STELLA_SSRF"

// control is a port that only the controls connect to.
const control = "9999"

// TestForbiddenTargets sends by all channels to everything that must not be reached, in a
// network of its own where every address of both families is this machine's and answers.
// Who comes is seen by the listeners, and by the kernel's calls where strace is at hand.
func TestForbiddenTargets(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	unshare := servers.Tool(t, "unshare")
	setup := "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo"
	if out, err := exec.Command(unshare, "--net", "--map-root-user", "sh", "-c", setup).CombinedOutput(); err != nil {
		t.Skipf("a network of its own is not permitted here: %v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	run := fmt.Sprintf("%s && exec '%s' -test.run='^TestForbiddenTargetsChild$' -test.v", setup, self)
	strace, err := exec.LookPath("strace")
	watched := err == nil && exec.Command(strace, "-f", "-yy", "-o", log, "-e", "trace=connect", "true").Run() == nil
	if watched {
		run = strings.Replace(run, "exec ", fmt.Sprintf("exec '%s' -f -yy -o '%s' -e trace=connect ", strace, log), 1)
	}
	cmd := exec.Command(unshare, "--net", "--map-root-user", "sh", "-c", run)
	cmd.Env = append(os.Environ(), ssrfVariable+"=1")
	for _, v := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		cmd.Env = append(cmd.Env, v+"=http://10.0.0.1:3128")
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "connections to forbidden addresses") {
		t.Fatalf("%v: %.4000s", err, out)
	}
	t.Logf("%s", out)
	if !watched {
		t.Log("strace does not work here: seen by the listeners alone")
		return
	}
	calls, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	controls, public := 0, 0
	for _, m := range connects.FindAllStringSubmatch(string(calls), -1) {
		a, err := netip.ParseAddr(m[2])
		switch {
		case m[1] == control:
			controls++
		case err == nil && (a.Unmap() == ssrftest.Public[0] || a == ssrftest.Public[1]):
			public++
		default:
			t.Errorf("the kernel was asked for a connection: %s", m[0])
		}
	}
	if controls == 0 || public == 0 {
		t.Errorf("the log is of something else: %d controls, %d public connections in %d bytes", controls, public, len(calls))
	}
	t.Logf("the kernel saw %d calls of the controls, %d to public addresses, none to others", controls, public)
}

// connects are the calls that connect by TCP. Sockets of UDP are connected to ask which of
// the own addresses would be used; nothing is sent by that.
var connects = regexp.MustCompile(`connect\(\d+<TCP(?:v6)?:.*sin6?_port=htons\((\d+)\).*?"([^"]+)".*`)

// gate listens at all addresses, and notes at which of them somebody came.
type gate struct {
	mu   sync.Mutex
	seen map[netip.Addr]int
	to   string // what it redirects to
}

func (g *gate) listen(t *testing.T, ports ...string) {
	t.Helper()
	for _, port := range ports {
		l, err := net.Listen("tcp", "[::]:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go g.serve(c)
			}
		}()
	}
}

func (g *gate) serve(c net.Conn) {
	defer c.Close()
	at := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	g.mu.Lock()
	g.seen[at]++
	to := g.to
	g.mu.Unlock()
	c.SetDeadline(time.Now().Add(time.Second))
	if at != ssrftest.Public[0] && at != ssrftest.Public[1] {
		return
	}
	r := bufio.NewReader(c)
	if b, _ := r.Peek(1); len(b) == 0 || b[0] != 'P' {
		return // TLS, of which nothing is known here
	}
	if line, _ := r.ReadString('\n'); strings.HasPrefix(line, "POST ") {
		fmt.Fprintf(c, "HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", to)
	}
}

// count returns how often somebody came to forbidden addresses, and to public ones.
func (g *gate) count() (forbidden, public int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for a, n := range g.seen {
		if a == ssrftest.Public[0] || a == ssrftest.Public[1] {
			public += n
		} else {
			forbidden += n
		}
	}
	return forbidden, public
}

// secretURL opens an endpoint whose URL is a secret, so that it is judged by the door alone.
func secretURL(kind string) *notify.Endpoint {
	e := &notify.Endpoint{ID: "e", Type: kind, Secrets: map[string]string{"url": "url"}}
	if kind == "webhook" {
		e.Secrets["signing"] = "signing"
	}
	return e
}

// TestForbiddenTargetsChild is what TestForbiddenTargets runs.
func TestForbiddenTargetsChild(t *testing.T) {
	if os.Getenv(ssrfVariable) == "" {
		t.Skip("it is run by TestForbiddenTargets")
	}
	net.DefaultResolver = ssrftest.Resolver(t)
	g := &gate{seen: map[netip.Addr]int{}}
	g.listen(t, "22", "25", "80", "443", "465", "587", "3128", "6379", "8443", control)
	for i, a := range []string{"10.0.0.1", "127.0.0.1", "169.254.169.254", "93.184.215.99", "[fd00:ec2::254]", "[2606:2800::1]"} {
		c, err := net.DialTimeout("tcp", a+":"+control, time.Second)
		if err != nil {
			t.Fatalf("the control: nobody answers at %s: %v", a, err)
		}
		c.Read(make([]byte, 1)) // it is closed once it is counted
		c.Close()
		if n, _ := g.count(); n != i+1 {
			t.Fatalf("the control: %d of %d connections were seen", n, i+1)
		}
	}
	g.seen = map[netip.Addr]int{}
	var url string
	o := &channels.Options{Timeout: 2 * time.Second, Secret: func(_ context.Context, _, ref string) ([]byte, error) {
		if ref == "url" {
			return []byte(url), nil
		}
		return []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), nil
	}}
	open := channels.Opener("acme", o)
	sent := 0
	opened := map[string]notify.Channel{} // those whose URL is read when they send
	send := func(e *notify.Endpoint, open notify.Opener, as string) {
		t.Helper()
		sent++
		c, err := opened[as+e.Type], error(nil)
		if c == nil {
			c, err = open(e, nil)
		}
		if err != nil && e.URL != "" {
			return // refused before it is kept
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.URL == "" {
			opened[as+e.Type] = c
		}
		if _, err := c.Send(t.Context(), &notify.Dispatch{ID: "d", Tenant: "acme", Attempt: 1, Payload: notify.Payload{MediaType: "application/json", Body: []byte(`{"text":"x"}`)}}); err == nil {
			t.Errorf("%s: delivered to %s%s", e.Type, e.URL, url)
		}
	}
	web := []string{"webhook", "slack", "teams"}
	named := map[string]string{"pagerduty": "routing_key", "opsgenie": "api_key"} // their URL is no secret
	mail := func(host string) *notify.Endpoint {
		return &notify.Endpoint{ID: "e", Type: "email", URL: "smtps://" + host, To: "a@example.org", Options: map[string]string{"from": "s@example.org"}}
	}
	listed := *o
	listed.Allow = []string{ssrftest.PublicName} // for http
	openListed := channels.Opener("acme", &listed)
	for _, a := range ssrftest.Addresses() {
		for _, l := range ssrftest.Literals(a, ssrftest.PublicName) {
			for _, scheme := range []string{"https://", "http://"} {
				url = scheme + l.Authority + "/hook"
				for _, kind := range web {
					send(secretURL(kind), open, "")
				}
			}
			for kind, role := range named {
				send(&notify.Endpoint{ID: "e", Type: kind, URL: "https://" + l.Authority, Secrets: map[string]string{role: "key"}}, open, "")
			}
			send(mail(l.Authority), open, "")
		}
		for i, p := range []ssrftest.Plan{ssrftest.Only, ssrftest.Alias, ssrftest.Flip, ssrftest.Flip, ssrftest.Mixed} {
			url = "https://" + ssrftest.Name(p, a) + "/hook"
			for _, kind := range web {
				send(secretURL(kind), open, "")
			}
			for kind, role := range named {
				send(&notify.Endpoint{ID: "e", Type: kind, URL: url, Secrets: map[string]string{role: "key"}}, open, "")
			}
			send(mail(ssrftest.Name(p, a)+[]string{":25", ":465", ":587", ":2525", ""}[i]), open, "")
		}
		g.mu.Lock()
		g.to = "http://" + net.JoinHostPort(a.String(), "80") + "/"
		g.mu.Unlock()
		url = "http://" + ssrftest.PublicName + "/hook"
		for _, kind := range web {
			send(secretURL(kind), openListed, "listed ")
		}
	}
	for _, name := range ssrftest.Names() {
		url = "https://" + name + "/hook"
		for _, kind := range web {
			send(secretURL(kind), open, "")
		}
		send(mail(name), open, "")
	}
	forbidden, public := g.count()
	if forbidden != 0 {
		t.Errorf("somebody came: %v", g.seen)
	}
	if public < len(ssrftest.Addresses()) {
		t.Errorf("%d connections to public addresses: the redirections were not asked for", public)
	}
	t.Logf("%d forbidden addresses and %d names, %d attempts over %d channels: %d connections to forbidden addresses, %d to public ones",
		len(ssrftest.Addresses()), len(ssrftest.Names()), sent, len(web)+len(named)+1, forbidden, public)
}
