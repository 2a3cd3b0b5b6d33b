package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// TestAddress: a client is whom the proxies in front name, and nobody else is believed.
func TestAddress(t *testing.T) {
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.0.2.1/32")}
	for name, test := range map[string]struct {
		proxies   []netip.Prefix
		from      string
		forwarded []string
		want      string
	}{
		"nobody is believed":      {nil, "10.0.0.1:80", []string{"203.0.113.9"}, "10.0.0.1"},
		"straight":                {prefixes, "203.0.113.9:80", nil, "203.0.113.9"},
		"a client says so":        {prefixes, "203.0.113.9:80", []string{"198.51.100.1"}, "203.0.113.9"},
		"by a proxy":              {prefixes, "10.0.0.1:80", []string{"203.0.113.9"}, "203.0.113.9"},
		"by two":                  {prefixes, "10.0.0.1:80", []string{"203.0.113.9, 192.0.2.1"}, "203.0.113.9"},
		"two headers":             {prefixes, "10.0.0.1:80", []string{"203.0.113.9", "192.0.2.1"}, "203.0.113.9"},
		"what a client put there": {prefixes, "10.0.0.1:80", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"a proxy put there":       {prefixes, "10.0.0.1:80", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		"all are proxies":         {prefixes, "10.0.0.1:80", []string{"10.0.0.7, 10.0.0.8"}, "10.0.0.7"},
		"a proxy that says none":  {prefixes, "10.0.0.1:80", nil, "10.0.0.1"},
		"empty":                   {prefixes, "10.0.0.1:80", []string{""}, "10.0.0.1"},
		"no address":              {prefixes, "10.0.0.1:80", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		"no address behind one":   {prefixes, "10.0.0.1:80", []string{"for=x, 192.0.2.1"}, "192.0.2.1"},
		"with ports":              {prefixes, "10.0.0.1:80", []string{"203.0.113.9:5, [fd00::1]:7"}, "203.0.113.9"},
		"sixth version":           {prefixes, "[fd00::1]:80", []string{"2001:db8::9"}, "2001:db8::9"},
		"mapped":                  {prefixes, "[::ffff:10.0.0.1]:80", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"zone":                    {prefixes, "10.0.0.1:80", []string{"fe80::1%eth0"}, "fe80::1%eth0"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.from
		r.Header["X-Forwarded-For"] = test.forwarded
		x := &exchange{g: &Gateway{c: Config{Proxies: test.proxies}}, r: r}
		if got := x.address(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestNeighbours: whoever was believed lately is checked, whatever others of his address do;
// whoever shows something else is not.
func TestNeighbours(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := start(t, nil, func(c *Config, _ *Server) {
		c.Now = func() time.Time { return now }
		c.Refused = Rate{time.Minute, 3}
	})
	send := client(t, nil)
	step := func(who string, want int) {
		t.Helper()
		if resp := send("GET", "http://"+r.address+"/e/1", "", "Authorization: Test "+who+"/x"); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", who, resp.StatusCode, want)
		}
	}
	step("acme/alice", 200)
	for range 3 {
		step("nobody", 401)
	}
	step("nobody", 429)
	step("acme/bob", 429) // not known yet
	step("acme/alice", 200)
	now = now.Add(time.Minute)
	step("acme/bob", 200)
	step("nobody", 401)
	step("acme/alice", 200)
	step("acme/bob", 200)
}

// TestBelieved: what is remembered is bounded and ends.
func TestBelieved(t *testing.T) {
	var b believed
	now := time.Unix(1_800_000_000, 0)
	b.note(0, now)
	if b.lately(0, now) {
		t.Error("nothing was believed")
	}
	for i := range uint64(believedKeys + 100) {
		b.note(i+1, now)
	}
	if n := len(b.last); n != believedKeys || !b.lately(believedKeys+100, now) {
		t.Errorf("%d are remembered", n)
	}
	if now = now.Add(believedFor); b.lately(believedKeys+100, now) {
		t.Error("believed for ever")
	}
	if b.note(1<<40, now); len(b.last) != 1 {
		t.Errorf("%d of old ones are kept", len(b.last)-1)
	}
}

// TestCredentials: the same text elsewhere is something else.
func TestCredentials(t *testing.T) {
	g := &Gateway{}
	seen := map[uint64]string{0: "nothing"}
	for i, h := range []http.Header{
		{"Authorization": {"a"}}, {"X-Api-Key": {"a"}}, {"X-Scanneradapter-Api-Key": {"a"}}, {"Authorization": {"b"}}, {"Authorization": {"a"}, "X-Api-Key": {"b"}},
	} {
		key := (&exchange{g: g, r: &http.Request{Header: h}}).credentials()
		if other, ok := seen[key]; ok {
			t.Errorf("%v is taken for %s", h, other)
		}
		seen[key] = strconv.Itoa(i)
	}
	if (&exchange{g: g, r: &http.Request{Header: http.Header{}}}).credentials() != 0 {
		t.Error("no credentials are some")
	}
}
