package netguard

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
)

func TestDoorCheck(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy *Policy
		entry  []string
		host   string
		addr   string
		rule   string // part of the refusal, "" for allowed
	}{
		{"zero policy, public", &Policy{}, nil, "a.example:443", "1.2.3.4", ""},
		{"zero policy, private", &Policy{}, nil, "a.example:443", "10.0.0.1", "private addresses are reached only where they are listed"},
		{"service, loopback", Service(), nil, "a.example:443", "127.0.0.1", "loopback addresses"},
		{"service, mapped loopback", Service(), nil, "a.example:443", "::ffff:127.0.0.1", "loopback addresses"},
		{"service, entry does not help", Service(), []string{"a.example"}, "a.example:443", "10.0.0.1", "private addresses"},
		{"service, listed name", Service("a.example"), nil, "A.Example.:443", "10.0.0.1", ""},
		{"service, listed name with port", Service("a.example:5000"), nil, "a.example:5000", "10.0.0.1", ""},
		{"service, listed name, other port", Service("a.example:5000"), nil, "a.example:22", "10.0.0.1", "private addresses"},
		{"service, listed prefix", Service("10.0.0.0/8"), nil, "a.example:443", "10.9.9.9", ""},
		{"service, listed domain", Service("*.corp.example"), nil, "r.corp.example:443", "10.9.9.9", ""},
		{"service, listed domain is not the apex", Service("*.corp.example"), nil, "corp.example:443", "10.9.9.9", "private"},
		{"service, listed domain is no suffix", Service("*.corp.example"), nil, "evilcorp.example:443", "10.9.9.9", "private"},
		{"metadata", CLI(), nil, "a.example:80", "169.254.169.254", "never reached"},
		{"metadata, name was named", CLI(), []string{"a.example"}, "a.example:80", "169.254.169.254", "never reached"},
		{"metadata, name was listed", Service("a.example"), nil, "a.example:80", "169.254.169.254", "never reached"},
		{"metadata, prefix was listed", Service("169.254.0.0/16"), nil, "a.example:80", "169.254.169.254", "never reached"},
		{"metadata, address was listed", Service("169.254.169.254"), nil, "169.254.169.254:80", "169.254.169.254", ""},
		{"metadata, address was named", CLI(), []string{"169.254.169.254"}, "169.254.169.254:80", "169.254.169.254", ""},
		{"metadata in v6", CLI(), nil, "a.example:80", "fd00:ec2::254", "never reached"},
		{"link-local with zone", CLI(), []string{"fe80::1"}, "[fe80::1%25eth0]:80", "fe80::1%eth0", ""},
		{"reach all, private", &Policy{Reach: ReachAll}, nil, "a.example:80", "10.0.0.1", ""},
		{"reach all, metadata", &Policy{Reach: ReachAll}, nil, "a.example:80", "169.254.169.254", "never reached"},
		{"cli, named private", CLI(), []string{"r.example:5000"}, "r.example:5000", "10.0.0.1", ""},
		{"cli, named, other port", CLI(), []string{"r.example:5000"}, "r.example:22", "10.0.0.1", "named"},
		{"cli, other private", CLI(), []string{"r.example:5000"}, "s3.example:443", "10.0.0.1", "named"},
		{"air gap, public", AirGap(), nil, "1.2.3.4:443", "1.2.3.4", "not on the list"},
		{"air gap, named", AirGap(), []string{"r.example"}, "r.example:443", "1.2.3.4", "not on the list"},
		{"air gap, listed", AirGap("r.example"), nil, "r.example:443", "10.0.0.1", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := tc.policy.Door(tc.entry...)
			if err != nil {
				t.Fatal(err)
			}
			err = d.Check(tc.host, netip.MustParseAddr(tc.addr))
			if tc.rule == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.rule) || !errors.Is(err, fault.Forbidden) {
				t.Fatalf("got %v, want a refusal by %q", err, tc.rule)
			}
			if !strings.Contains(err.Error(), tc.host) {
				t.Errorf("%v does not name %s", err, tc.host)
			}
		})
	}
}

// Hosts that the entry host leads to lie no further inside than it does.
func TestEntryOpensInwards(t *testing.T) {
	check := func(d *Door, host, addr string) bool { return d.Check(host, netip.MustParseAddr(addr)) == nil }
	d, err := CLI().Door("r.example")
	if err != nil {
		t.Fatal(err)
	}
	if !check(d, "r.example:443", "1.2.3.4") || check(d, "s3.example:443", "10.0.0.2") {
		t.Fatal("a public entry host leads to a private one")
	}
	if !check(d, "r.example:443", "10.0.0.1") || !check(d, "s3.example:443", "10.0.0.2") {
		t.Fatal("a private entry host does not lead to a private one")
	}
	if check(d, "s3.example:443", "127.0.0.1") {
		t.Fatal("a private entry host leads to this machine")
	}
	if !check(d, "r.example:443", "127.0.0.1") || !check(d, "s3.example:443", "127.0.0.1") {
		t.Fatal("an entry host on this machine does not lead to this machine")
	}
	if check(d, "s3.example:443", "169.254.169.254") {
		t.Fatal("an entry host leads to the metadata service")
	}
}

func TestDoorRejectsBadEntries(t *testing.T) {
	for _, s := range []string{"", "*.", "a b", "http://a.example", "a/b", "user@a.example", "1:2:3:zz", "*"} {
		if _, err := Service(s).Door(); !errors.Is(err, fault.Invalid) {
			t.Errorf("entry %q: got %v, want an invalid one", s, err)
		}
	}
}

// counted is a server that counts the connections made to it.
func counted(t *testing.T) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("inside")) }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &n
}

func get(d *Door, target string) error {
	tr, err := d.Transport(nil)
	if err != nil {
		return err
	}
	defer tr.CloseIdleConnections()
	resp, err := Client(tr).Get(target)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

func TestNoConnectionThroughAShutDoor(t *testing.T) {
	s, n := counted(t)
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, p := range []*Policy{Service(), {}, AirGap("registry.example")} {
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "017700000001"} {
			d, err := p.Door()
			if err != nil {
				t.Fatal(err)
			}
			if err := get(d, "http://"+host+port+"/"); err == nil {
				t.Errorf("%s reached %s", p.Name, host)
			}
		}
	}
	if n.Load() != 0 {
		t.Errorf("%d connections were made", n.Load())
	}
	d, _ := Service("127.0.0.1").Door()
	if err := get(d, s.URL); err != nil || n.Load() != 1 {
		t.Errorf("a listed address: %v after %d connections", err, n.Load())
	}
}

func TestRefusedIsTold(t *testing.T) {
	var seen []string
	var mu sync.Mutex
	p := AirGap()
	p.Refused = func(r *Refusal) { mu.Lock(); defer mu.Unlock(); seen = append(seen, r.Host) }
	d, err := p.Door()
	if err != nil {
		t.Fatal(err)
	}
	err = get(d, "https://registry.example/v2/")
	var r *Refusal
	if !errors.As(err, &r) || r.Host != "registry.example:443" || r.Policy != "air-gap" {
		t.Fatalf("got %v", err)
	}
	if len(seen) == 0 || seen[0] != "registry.example:443" {
		t.Fatalf("told of %q", seen)
	}
}

func TestDoorSpeaksOnlyTCP(t *testing.T) {
	d, _ := (&Policy{Reach: ReachAll}).Door()
	if _, err := d.DialContext(context.Background(), "unix", "/run/docker.sock"); !errors.Is(err, fault.Forbidden) {
		t.Fatalf("got %v", err)
	}
}

// A name that is public when it is looked at and inside when it is used gets no
// connection: the address that is judged is the one that is dialled.
func TestRebinding(t *testing.T) {
	s, n := counted(t)
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	var turn atomic.Int32
	dns := nameServer(t, func() netip.Addr {
		if turn.Add(1) == 1 {
			return netip.MustParseAddr("203.0.113.1")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	if got, err := dns.LookupNetIP(context.Background(), "ip4", "rebind.example"); err != nil || got[0].String() != "203.0.113.1" {
		t.Fatalf("first look: %v %v", got, err)
	}
	for _, p := range []*Policy{Service(), CLI(), {}} {
		d, err := p.Door("other.example")
		if err != nil {
			t.Fatal(err)
		}
		d.lookup = dns
		err = get(d, "http://rebind.example"+port+"/")
		var r *Refusal
		if !errors.As(err, &r) || r.Addr.String() != "127.0.0.1" {
			t.Errorf("%q: got %v, want a refusal of 127.0.0.1", p.Name, err)
		}
	}
	if n.Load() != 0 {
		t.Errorf("%d connections were made", n.Load())
	}
	d, _ := Service("rebind.example").Door()
	d.lookup = dns
	if err := get(d, "http://rebind.example"+port+"/"); err != nil {
		t.Errorf("a listed name: %v", err)
	}
}

// nameServer is a resolver whose every name has the address that answer gives.
func nameServer(t *testing.T, answer func() netip.Addr) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			pc.WriteTo(dnsAnswer(buf[:n], answer), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// dnsAnswer answers a query for A, and with nothing a query for anything else.
func dnsAnswer(q []byte, answer func() netip.Addr) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	question := q[12 : end+5]
	out := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 {
		out[7] = 1
		ip := answer().As4()
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ip[0], ip[1], ip[2], ip[3])
	}
	return out
}

func TestProxyIsTheOperatorsChoice(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
	}))
	defer proxy.Close()
	at, _ := url.Parse(proxy.URL)
	p := CLI()
	p.Proxy = http.ProxyURL(at)
	d, err := p.Door("registry.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := get(d, "http://registry.example/v2/"); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"http://169.254.169.254/latest/", "http://[::ffff:a9fe:a9fe]/", "http://10.0.0.1/"} {
		if err := get(d, target); !errors.Is(err, fault.Forbidden) {
			t.Errorf("%s: got %v, want a refusal", target, err)
		}
	}
	if len(asked) != 1 || asked[0] != "http://registry.example/v2/" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

func TestProxySettingIsNotShown(t *testing.T) {
	p := &Policy{Proxy: func(*http.Request) (*url.URL, error) {
		return nil, errors.New("invalid proxy address http://me:canary@proxy")
	}}
	d, _ := p.Door()
	err := get(d, "http://registry.example/")
	if err == nil || strings.Contains(err.Error(), "canary") || !errors.Is(err, fault.Invalid) {
		t.Fatalf("got %v", err)
	}
}

func FuzzPolicyEntry(f *testing.F) {
	for _, s := range []string{"a.example", "a.example:5000", "*.example", "10.0.0.0/8", "[::1]:80", "fe80::1%eth0", "::ffff:1.2.3.4", "1.2.3.4:99999"} {
		f.Add(s, "a.example:443", "10.0.0.1")
	}
	f.Fuzz(func(t *testing.T, entry, host, addr string) {
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return
		}
		d, err := Service(entry).Door()
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("%v has no kind", err)
			}
			return
		}
		err = d.Check(host, a)
		if err == nil && ClassOf(a) == Special {
			if e, _ := parseEntry(entry); !e.prefix.IsSingleIP() || !e.prefix.Contains(a.Unmap().WithZone("")) {
				t.Fatalf("entry %q opened %s at %s", entry, host, a)
			}
		}
	})
}
