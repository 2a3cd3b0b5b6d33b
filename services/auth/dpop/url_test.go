package dpop

import (
	"net/url"
	"strings"
	"testing"
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"https://api.example.org/a/b", "https://api.example.org/a/b"},
		{"https://api.example.org", "https://api.example.org/"},
		{"HTTPS://API.Example.org:443", "https://api.example.org/"},
		{"http://api.example.org:80/a", "http://api.example.org/a"},
		{"http://api.example.org:443/a", "http://api.example.org:443/a"},
		{"https://api.example.org:/a", "https://api.example.org/a"},
		{"https://api.example.org:8443/", "https://api.example.org:8443/"},
		{"https://api.example.org/a?b=c#d", "https://api.example.org/a"},
		{"https://api.example.org?a", "https://api.example.org/"},
		{"https://api.example.org#a/b", "https://api.example.org/"},
		{"https://h/%7Ea/%41%2f%2F", "https://h/~a/A%2F%2F"},
		{"https://h/a/./b/../c", "https://h/a/c"},
		{"https://h/a/..", "https://h/"},
		{"https://h/a/.", "https://h/a/"},
		{"https://h/../../a", "https://h/a"},
		{"https://h/%2e%2E/a", "https://h/a"},
		{"https://h/a//b", "https://h/a//b"},
		{"https://h/a/...", "https://h/a/..."},
		{"https://h/.a/b.", "https://h/.a/b."},
		{"https://h/a;v=1,2:3@4!$&'()*+=", "https://h/a;v=1,2:3@4!$&'()*+="},
		{"https://[::1]:443/a", "https://[::1]/a"},
		{"https://[2001:DB8:0:0::1]/", "https://[2001:db8::1]/"},
		{"https://[::ffff:1.2.3.4]/", "https://[::ffff:1.2.3.4]/"},
		{"https://[::ffff:102:304]/", "https://[::ffff:1.2.3.4]/"},
		{"https://127.0.0.1:8080/", "https://127.0.0.1:8080/"},
		{"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"},
		{"", ""}, {"/a", ""}, {"https:/h/a", ""}, {"https:h", ""}, {"ftp://h/", ""}, {"https://", ""}, {"https:///a", ""}, {"https://?a", ""}, {"https://:443/", ""},
		{"https://u@h/", ""}, {"https://u:p@h/", ""}, {"https://@h/", ""}, {"https://h:a/", ""}, {"https://h:443:443/", ""}, {"https://h:1234567/", ""}, {"https://h:-1/", ""},
		{"https://h /", ""}, {" https://h/", ""}, {"https://h/ ", ""}, {"https://h/a b", ""}, {"https://h/\n", ""}, {"https://h/é", ""}, {"https://é/", ""}, {"https://%68/", ""},
		{"https://h/%", ""}, {"https://h/%4", ""}, {"https://h/%4g", ""}, {"https://h\\a", ""}, {"https://h/\\a", ""}, {"https://h/\"", ""}, {"https://h/<", ""}, {"https://h/[", ""}, {"https://h/{", ""},
		{"https://h/a?%zz", ""}, {"https://h/a?\x00", ""}, {"https://h/a#é", ""},
		{"https://[::1/", ""}, {"https://[::1]a/", ""}, {"https://[fe80::1%25eth0]/", ""}, {"https://[1.2.3.4]/", ""}, {"https://[v1.a]/", ""}, {"https://::1/", ""},
	} {
		got, err := normalize(c.raw)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q %v, want %q", c.raw, got, err, c.want)
		}
	}
}

// FuzzNormalize: what is normalised stays as it is, and net/url reads the same place out of
// both.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"https://h/a/../b?c#d", "HTTP://H:80", "https://[::1]:1/%2e", "https://h/%7e//", "https://h:443/a;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		one, err := normalize(raw)
		if err != nil {
			return
		}
		if two, err := normalize(one); err != nil || two != one {
			t.Fatalf("%q: %q, then %q: %v", raw, one, two, err)
		}
		if strings.ContainsAny(one, "?#@ ") && strings.ContainsAny(one[:strings.Index(one[8:]+"/", "/")+8], "?#@ ") {
			t.Fatalf("%q", one)
		}
		was, err := url.Parse(raw)
		if err != nil {
			return // net/url refuses some ports
		}
		is, err := url.Parse(one)
		if err != nil {
			t.Fatalf("%q is no URL: %v", one, err)
		}
		if was.User != nil || !strings.EqualFold(was.Hostname(), is.Hostname()) && !strings.Contains(raw, "[") || strings.ToLower(was.Scheme) != is.Scheme {
			t.Fatalf("%q is another place than %q", one, raw)
		}
		if is.RawQuery != "" || is.Fragment != "" || strings.Contains(is.Path, "/../") && !strings.Contains(strings.ToUpper(one), "%2F") {
			t.Fatalf("%q", one)
		}
	})
}
