package image

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
)

var hex64 = strings.Repeat("0123456789abcdef", 4)

func TestParseReference(t *testing.T) {
	for in, want := range map[string]Reference{
		"alpine":                                {"index.docker.io", "library/alpine", "latest", ""},
		"alpine:3.20":                           {"index.docker.io", "library/alpine", "3.20", ""},
		"grafana/grafana":                       {"index.docker.io", "grafana/grafana", "latest", ""},
		"docker.io/alpine":                      {"index.docker.io", "library/alpine", "latest", ""},
		"index.docker.io/library/alpine":        {"index.docker.io", "library/alpine", "latest", ""},
		"localhost/app":                         {"localhost", "app", "latest", ""},
		"localhost:5000/app:v1":                 {"localhost:5000", "app", "v1", ""},
		"registry.example/a/b/c":                {"registry.example", "a/b/c", "latest", ""},
		"registry.example:5000/a":               {"registry.example:5000", "a", "latest", ""},
		"127.0.0.1:5000/a":                      {"127.0.0.1:5000", "a", "latest", ""},
		"[::1]:5000/a:b":                        {"[::1]:5000", "a", "b", ""},
		"[2001:db8::1]/a":                       {"[2001:db8::1]", "a", "latest", ""},
		"Registry.Example/a":                    {"Registry.Example", "a", "latest", ""},
		"a/b_c/d__e/f-g/h--i.j":                 {"index.docker.io", "a/b_c/d__e/f-g/h--i.j", "latest", ""},
		"app:_x.Y-z":                            {"index.docker.io", "library/app", "_x.Y-z", ""},
		"app@sha256:" + hex64:                   {"index.docker.io", "library/app", "", "sha256:" + hex64},
		"app:v1@sha256:" + hex64:                {"index.docker.io", "library/app", "v1", "sha256:" + hex64},
		"app@sha512:" + hex64 + hex64:           {"index.docker.io", "library/app", "", "sha512:" + hex64 + hex64},
		"r.example/" + strings.Repeat("a", 255): {"r.example", strings.Repeat("a", 255), "latest", ""},
	} {
		got, err := ParseReference(in)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%q: %v %s", in, err, d)
			continue
		}
		again, err := ParseReference(got.String())
		if err != nil || again != got {
			t.Errorf("%q: String %q is read as %+v, %v", in, got.String(), again, err)
		}
	}
}

func TestBadReferences(t *testing.T) {
	for _, in := range []string{
		"", " ", "/", ":", "@", "a:", ":tag", "a/", "/a", "a//b", "a/../b", "..", "a/..", ".a", "a.", "-a", "a-", "a._b", "a___b", "A", "Alpine", "r.example/App",
		strings.Repeat("a", 300), "r.example/" + strings.Repeat("a", 256), "a:" + strings.Repeat("t", 129), strings.Repeat("a", 5000),
		"a@b@c", "a@sha256:" + hex64 + "@sha256:" + hex64, "a@sha256:" + hex64[:63], "a@sha256:" + hex64 + "0", "a@sha256:" + strings.ToUpper(hex64),
		"a@SHA256:" + hex64, "a@md5:" + hex64[:32], "a@sha384:" + hex64 + hex64[:32], "a@sha256:", "a@sha256", "a@sha256:" + strings.Repeat("g", 64), "a@sha256+b64u:" + hex64,
		"a:tag\x00", "a:tag\n", "a:..", "a:.x", "a:-x", "a:tag/../x", "a:%2f", "a%2fb", "a:t\u2024g", "a\u2025b", "ａpp", "a:\u202etag",
		"r.example:0/a", "r.example:70000/a", "r.example:-1/a", "r.example:+1/a", "r.example:x/a", "r.example:/a",
		"[fe80::1%25eth0]:5000/a", "[fe80::1%eth0]/a", "[::1/a", "[1.2.3.4]/a", "[]/a", "::1/a",
		"http://r.example/a", "https://r.example/a", "docker://a", "ftp://r.example/a",
		"user:canary@r.example/a", "user@r.example/a", "user:canary@r.example:5000/a:b@sha256:" + hex64,
		"-r.example/a", "r-.example/a", "r..example/a", ".example/a", "r_x.example/a", strings.Repeat("r", 64) + ".example/a",
		"r.example/a?x=1", "r.example/a#x", "r.example/a b", "r.example\\a", "r.example/a;b", "r.example/$(id)",
	} {
		r, err := ParseReference(in)
		if err == nil {
			t.Errorf("%q is read as %+v", in, r)
			continue
		}
		if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: %v has no kind", in, err)
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v shows the password", in, err)
		}
		if strings.ContainsAny(err.Error(), "\x00\n") {
			t.Errorf("%q: %v shows control characters", in, err)
		}
	}
}

// Errors of Open never show user information either, whatever stands before it.
func TestOpenHidesUserInformation(t *testing.T) {
	for _, in := range []string{
		"docker://user:canary@r.example/a", "registry:user:canary@r.example/a", "user:canary@r.example/a", "https://user:canary@r.example/a",
		"docker-daemon:user:canary@r.example/a", "docker://user:canary@r.example/a@sha256:" + hex64,
	} {
		_, err := Open(context.Background(), in, &Options{DockerHost: "unix:///nowhere"})
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestIsLoopbackHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "LOCALHOST:1": true, "app.localhost": true, "127.0.0.1": true, "127.9.9.9:5000": true,
		"[::1]": true, "[::1]:5000": true, "[::ffff:127.0.0.1]:5000": true,
		"127.0.0.1.example": false, "localhost.example": false, "notlocalhost": false, "10.0.0.1:5000": false, "0.0.0.0": false, "[fe80::1]": false, "example": false,
	} {
		if got := isLoopbackHost(host); got != want {
			t.Errorf("isLoopbackHost(%q) = %v", host, got)
		}
	}
}

func FuzzReference(f *testing.F) {
	for _, s := range []string{"alpine", "localhost:5000/a/b:c", "[::1]:80/a", "a@sha256:" + hex64, "user:pw@host/a", "docker.io/a", "a:b:c", "..", "A/b", "index.docker.io/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%q: %v has no kind", s, err)
			}
			return
		}
		again, err := ParseReference(r.String())
		if err != nil || again != r {
			t.Fatalf("%q: %q is read as %+v, %v", s, r.String(), again, err)
		}
		if strings.Contains(r.Repository, "..") || strings.ContainsAny(r.Registry+r.Repository+r.Tag, "%?#\\ ") {
			t.Fatalf("%q: %+v does not fit a URL's path", s, r)
		}
		// The registry library has to take what we take, and the same way.
		lib, err := name.ParseReference(s, name.WithDefaultTag("latest"))
		if err != nil {
			t.Fatalf("%q: the library says %v", s, err)
		}
		if lib.Context().RegistryStr() != r.Registry || lib.Context().RepositoryStr() != r.Repository || lib.Identifier() != r.identifier() {
			t.Fatalf("%q: the library reads %s", s, lib.Name())
		}
	})
}
