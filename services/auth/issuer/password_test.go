package issuer_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/issuer"
)

func TestPasswords(t *testing.T) {
	const good = "correct horse battery"
	hash := must(issuer.Hash(good))
	if must(issuer.Hash(good)) == hash {
		t.Error("two hashes of one password are the same")
	}
	for text, want := range map[string]bool{good: true, good + " ": false, "Correct horse battery": false, "": false, good[:20]: false, strings.Repeat("x", 2000): false} {
		if got, err := issuer.Fits(text, hash); got != want || err != nil {
			t.Errorf("%.30q: %v %v", text, got, err)
		}
	}
	if ok, err := issuer.Fits(good, ""); ok || err != nil {
		t.Errorf("no hash: %v %v", ok, err)
	}
	for _, bad := range []string{"", "short", strings.Repeat("é", 11), strings.Repeat("x", issuer.MaxPassword+1), "not UTF-8 \xff at all"} {
		if _, err := issuer.Hash(bad); !errors.Is(err, issuer.ErrInvalid) || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	must(issuer.Hash(strings.Repeat("é", 12)))
	// A hash with other costs is verified by those; one that is damaged fits nothing.
	if ok, err := issuer.Fits("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"); !ok || err != nil {
		t.Errorf("the vector of the reference implementation: %v %v", ok, err)
	}
	for _, damaged := range []string{"x", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=19456,t=2,p=0$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=19456,t=2,p=1$$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA=", strings.Replace(hash, "m=", "m=-", 1), hash + "$"} {
		if ok, err := issuer.Fits(good, damaged); ok || !errors.Is(err, fault.Mismatch) || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%.60s: %v %v", damaged, ok, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, test := range []struct {
		known, got string
		want       bool
	}{
		{"https://a.example/cb", "https://a.example/cb", true}, {"https://a.example/cb", "https://a.example:444/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", true}, {"http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true}, {"http://[::1]/cb", "http://[::1]:9/cb", true},
		{"http://127.0.0.1/cb", "http://[::1]:9/cb", false}, {"http://127.0.0.1/cb", "http://127.0.0.1:8080/cb/x", false}, {"http://127.0.0.1/cb", "http://127.0.0.1:8080/cb?x", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:8080/cb#x", false}, {"http://127.0.0.1/cb", "http://x@127.0.0.1:8080/cb", false}, {"http://127.0.0.1/cb", "https://127.0.0.1:8080/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false}, {"http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false}, {"http://127.0.0.1/cb", "http://127.0.0.1:x/cb", false},
		{"http://127.0.0.1/cb", "http://localhost:1/cb", false}, {"http://127.0.0.1/cb", "HTTP://127.0.0.1:1/cb", false}, {"http://127.0.0.1/cb", "http://127.0.0.1:1/c%62", false}, {"http://127.0.0.1/cb", "http://127.0.0.2:1/cb", false},
		{"http://127.0.0.1/cb", "http://127.1:1/cb", false}, {"http://127.0.0.1/cb?a=1", "http://127.0.0.1:1/cb?a=1", true},
	} {
		if got := issuer.SameRedirect(test.known, test.got); got != test.want {
			t.Errorf("%s and %s: %v", test.known, test.got, got)
		}
	}
}

// FuzzRedirect: an address that is taken for a registered one goes to the same place.
func FuzzRedirect(f *testing.F) {
	for _, s := range []string{"https://a.example/cb", "http://127.0.0.1:8080/cb", "http://[::1]:1/cb", "http://127.0.0.1:80@evil/cb", "http://127.0.0.1\\@evil/cb", "//evil", "http://127.0.0.1:1/cb\r\nX: y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, got string) {
		for _, known := range []string{"http://127.0.0.1/cb", "http://[::1]:7/cb?x=1"} {
			if !issuer.SameRedirect(known, got) || got == known {
				continue
			}
			k, u := must(url.Parse(known)), must(url.Parse(got))
			if u.Hostname() != k.Hostname() || u.Scheme != "http" || u.User != nil || u.Path != k.Path || u.RawQuery != k.RawQuery || u.Fragment != "" || strings.ContainsAny(got, "\r\n\\@#") {
				t.Fatalf("%q is taken for %q", got, known)
			}
		}
		if issuer.CheckRedirect(got) == nil {
			u := must(url.Parse(got))
			if u.Scheme != "https" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" || u.User != nil || u.Fragment != "" {
				t.Fatalf("%q may be registered", got)
			}
		}
	})
}

// FuzzForm: what is read has each name once, and is what any other reader sees.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"a=b&c=d", "a=b&a=c", "a=%ff", "a;b=c", "=x", "a=%00", "a+b=c%2Bd", strings.Repeat("a=b&", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := issuer.ParseForm(text)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		for name, list := range values {
			if len(list) != 1 || list[0] != "" && m[name] != list[0] {
				t.Fatalf("%q of %q is %q", name, text, m[name])
			}
		}
	})
}

// FuzzUserCode: a code has one form, however it is typed.
func FuzzUserCode(f *testing.F) {
	for _, s := range []string{"BCDF-GHJK", "bcdfghjk", "BCDF GHJK", "ABCD-EFGH", "ſ", "", strings.Repeat("B", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code := issuer.UserCode(text)
		if code == "" {
			return
		}
		if len(code) != 8 || issuer.UserCode(code) != code || issuer.UserCode(strings.ToLower(code[:4]+"-"+code[4:])) != code {
			t.Fatalf("%q is %q", text, code)
		}
	})
}
