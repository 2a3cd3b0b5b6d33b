package netguard

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard/ssrftest"
)

func TestTarget(t *testing.T) {
	for _, tc := range []struct {
		url   string
		allow string
		rule  string // "" for allowed
	}{
		{"https://hooks.example.org/a?b=c", "", ""},
		{"https://HOOKS.example.org:8443", "", ""},
		{"https://93.184.215.14", "", ""},
		{"https://[2606:4700:4700::1111]:443/", "", ""},
		{"https://xn--bcher-kva.example/", "", ""},
		{"https://xn--fiqs8s/", "xn--fiqs8s", ""},
		{"https://r3---sn-a.example.org/", "", ""},
		{"http://hooks.example.org/", "", "without encryption"},
		{"http://hooks.example.org/", "hooks.example.org", ""},
		{"http://hooks.example.org/", "hooks.example.org:443", "without encryption"},
		{"http://10.0.0.1/", "10.0.0.0/8", ""},
		{"https://10.0.0.1/", "", "private addresses"},
		{"https://localhost/", "", "this machine's own"},
		{"https://localhost/", "localhost", ""},
		{"https://localhost./", "localhost", "final dot"},
		{"https://a.localhost/", "", "this machine's own"},
		{"https://gateway/", "", "without a domain"},
		{"https://gateway/", "gateway", ""},
		{"https://a.svc.cluster.local/", "", "below .local"},
		{"https://hooks.corp/", "*.corp", ""},
		{"https://metadata.google.internal/", "", "below .internal"},
		{"https://a.home.arpa/", "", "private networks"},
		{"https://example.org./", "", "final dot"},
		{"https://a..example.org/", "", "empty"},
		{"https://-a.example.org/", "", "begins and ends"},
		{"https://a_b.example.org/", "", "letters, digits and hyphens"},
		{"https://" + strings.Repeat("a", 64) + ".org/", "", "at most 63"},
		{"https://" + strings.Repeat("a.", 130) + "org/", "", "at most 253"},
		{"https://ex\u00e4mple.org/", "", "ASCII form"},
		{"https://xn--a.example.org/", "", "Punycode"},
		{"https://xn--abc-.example.org/", "", "begins and ends"},
		{"https://xn--pple-43d.com/", "", "mixes scripts"},
		{"https://127.1/", "", "four decimal numbers"},
		{"https://2130706433/", "", "four decimal numbers"},
		{"https://0x7f000001/", "", "four decimal numbers"},
		{"https://0177.0.0.1/", "", "four decimal numbers"},
		{"https://127.0.0.1/", "127.0.0.1", ""},
		{"https://127.1/", "127.0.0.1", "four decimal numbers"},
		{"https://[::ffff:93.184.215.14]/", "", "not inside an IPv6"},
		{"https://[64:ff9b::5db8:d70e]/", "", "carries another"},
		{"https://[64:ff9b::5db8:d70e]/", "64:ff9b::5db8:d70e", ""},
		{"https://[2002:5db8:d70e::1]/", "", "carries another"},
		{"https://[2002:5db8:d70e::1]/", "2002:5db8:d70e::1", ""},
		{"https://[fe80::1%25eth0]/", "fe80::1", "zone"},
		{"https://169.254.169.254/", "169.254.0.0/16", "never reached"},
		{"https://169.254.169.254/", "169.254.169.254", ""},
		{"https://192.0.2.1/", "", "never reached"},
		{"https://hooks.example.org:22/", "", "port 22"},
		{"https://hooks.example.org:22/", "hooks.example.org", "port 22"},
		{"https://hooks.example.org:22/", "hooks.example.org:22", ""},
		{"https://hooks.example.org:25/", "", "port 25"},
		{"https://hooks.example.org:6379/", "", "that of Redis"},
		{"https://hooks.example.org:5432/", "", "that of PostgreSQL"},
		{"https://hooks.example.org:11211/", "", "that of Memcached"},
		{"https://hooks.example.org:9200/", "", "that of Elasticsearch"},
		{"https://93.184.215.14:6379/", "93.184.215.14:6379", ""},
		{"https://hooks.example.org:0/", "", "1 to 65535"},
		{"https://hooks.example.org:0443/", "", "1 to 65535"},
		{"https://hooks.example.org:65536/", "", "1 to 65535"},
	} {
		t.Run(tc.url+" "+tc.allow, func(t *testing.T) {
			var allow []string
			if tc.allow != "" {
				allow = append(allow, tc.allow)
			}
			d, err := Target(allow...).Door()
			if err != nil {
				t.Fatal(err)
			}
			u, err := ParseTarget(tc.url)
			if err != nil {
				t.Fatal(err)
			}
			err = d.CheckURL(u)
			if tc.rule == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.rule) || !errors.Is(err, fault.Forbidden) {
				t.Errorf("got %v, want a refusal by %q", err, tc.rule)
			}
		})
	}
}

func TestParseTarget(t *testing.T) {
	for _, tc := range []struct {
		url  string
		kind error
	}{
		{"https://cAnArY@example.org/", fault.Invalid},
		{"https://example.org/#cAnArY", fault.Invalid},
		{"https://example.org/#", fault.Invalid},
		{"https://cAnArY\x7f/", fault.Invalid},
		{"https:cAnArY", fault.Invalid},
		{"https:///cAnArY", fault.Invalid},
		{"//example.org/cAnArY", fault.Forbidden},
		{"cAnArY://example.org", fault.Forbidden},
		{"", fault.Forbidden},
		{"https://example.org/" + strings.Repeat("cAnArY", 1000), fault.Limit},
	} {
		if _, err := ParseTarget(tc.url); !errors.Is(err, tc.kind) || strings.Contains(strings.ToLower(err.Error()), "canary") {
			t.Errorf("%.60q: got %v, want %v", tc.url, err, tc.kind)
		}
	}
}

func TestMailTarget(t *testing.T) {
	d, err := MailTarget("relay.corp:2526").Door()
	if err != nil {
		t.Fatal(err)
	}
	for at, rule := range map[string]string{
		"mail.example.org:25": "", "mail.example.org:465": "", "mail.example.org:587": "", "mail.example.org:2525": "", "relay.corp:2526": "",
		"mail.example.org:443": "not one of mail", "mail.example.org:6379": "not one of mail", "relay.corp:587": "below .corp", "10.0.0.1:25": "private", "mail:25": "without a domain",
		"mail.example.org": "1 to 65535", "": "1 to 65535",
	} {
		err := d.checkName(at)
		if (err == nil) != (rule == "") || err != nil && !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: got %v, want %q", at, err, rule)
		}
		if rule != "" {
			if _, err := d.DialContext(context.Background(), "tcp", at); !errors.Is(err, fault.Forbidden) {
				t.Errorf("%s: dialled: %v", at, err)
			}
		}
	}
}

// What the corpus calls forbidden is of no class that is reached.
func TestForbiddenAddresses(t *testing.T) {
	d, err := Target().Door()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ssrftest.Addresses() {
		if ClassOf(a) == Public {
			t.Errorf("%s is public", a)
		}
		if err := d.Check("hooks.example.org:443", a); err == nil {
			t.Errorf("%s may be dialled", a)
		}
	}
	for _, a := range ssrftest.Public {
		if err := d.Check("hooks.example.org:443", a); err != nil {
			t.Error(err)
		}
	}
	// NAT64 is how a network without IPv4 reaches public hosts.
	if err := d.Check("hooks.example.org:443", netip.MustParseAddr("64:ff9b::5db8:d70e")); err != nil {
		t.Error(err)
	}
	if err := d.Check("hooks.example.org:443", netip.MustParseAddr("2002:5db8:d70e::1")); err == nil {
		t.Error("6to4 may be dialled")
	}
}

// A name is looked up as it stands: the machine's search domains are for its own names.
func TestAbsoluteNames(t *testing.T) {
	d, err := Target("gateway", "*.corp").Door()
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"hooks.example.org:443": "hooks.example.org.:443", "gateway:443": "gateway:443", "a.corp:443": "a.corp:443", "1.2.3.4:443": "1.2.3.4:443", "[::1]:443": "[::1]:443",
	} {
		if got := d.absolute(in); got != want {
			t.Errorf("%s: looked up as %s, want %s", in, got, want)
		}
	}
}

// RFC 3492, section 7.1, and what is none.
func TestPunycode(t *testing.T) {
	for in, want := range map[string]string{
		"egbpdaj6bu4bxfgehfvwxn":                   "\u0644\u064a\u0647\u0645\u0627\u0628\u062a\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628\u064a\u061f",
		"ihqwcrb4cv8a8dqg056pqjye":                 "\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587",
		"3b-ww4c5e180e575a65lsy2b":                 "3\u5e74b\u7d44\u91d1\u516b\u5148\u751f",
		"bcher-kva":                                "b\u00fccher",
		"-with-super-monkeys-pc58ag80a8qai00g7n9n": "\u5b89\u5ba4\u5948\u7f8e\u6075-with-super-monkeys",
	} {
		got, ok := punycode(in)
		if !ok || strings.ToLower(string(got)) != want {
			t.Errorf("%s: %+q %t, want %+q", in, string(got), ok, want)
		}
	}
	for _, in := range []string{"99999999", "a-!", "kva\u00fc", "0", "zzzzzzzzzzzz"} {
		if got, ok := punycode(in); ok {
			t.Errorf("%s: %+q", in, string(got))
		}
	}
}

// What is told from a URL and what is told when it is dialled never disagree: what the
// check refuses is not dialled, and a literal that it lets through is dialled, at the
// address that was written and at no other.
func FuzzTarget(f *testing.F) {
	for _, a := range []string{"1.2.3.4", "10.0.0.1", "::1", "fd00:ec2::254", "64:ff9b::7f00:1"} {
		for _, l := range ssrftest.Literals(netip.MustParseAddr(a), ssrftest.PublicName) {
			f.Add("https://"+l.Authority+"/", "")
		}
	}
	for _, n := range ssrftest.Names() {
		f.Add("https://"+n+"/", n)
	}
	f.Fuzz(func(t *testing.T, raw, allow string) {
		var list []string
		if allow != "" {
			list = append(list, allow)
		}
		d, err := Target(list...).Door()
		if err != nil {
			return
		}
		u, err := ParseTarget(raw)
		if err != nil {
			if fault.KindOf(err) == "" {
				t.Fatalf("%v has no kind", err)
			}
			return
		}
		refused := d.CheckURL(u)
		host, _ := splitHost(hostPort(u))
		a, err := netip.ParseAddr(host)
		literal := err == nil
		if refused != nil {
			if !errors.Is(refused, fault.Forbidden) {
				t.Fatalf("%q: %v", raw, refused)
			}
			if d.checkName(hostPort(u)) == nil && d.strictURL(u) == "" {
				t.Fatalf("%q is refused, and would be dialled: %v", raw, refused)
			}
			return
		}
		if !literal {
			if rule := spelling(host); rule != "" {
				t.Fatalf("%q: a name that is none: %s", raw, rule)
			}
			return
		}
		if err := d.Check(hostPort(u), a); err != nil {
			t.Fatalf("%q passes, and is not dialled: %v", raw, err)
		}
		if allow == "" && (ClassOf(a) != Public || a.Is4In6() || a.Zone() != "" || carries(a)) {
			t.Fatalf("%q passes, at %s", raw, a)
		}
	})
}
