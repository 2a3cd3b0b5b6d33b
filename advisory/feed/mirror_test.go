package feed_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

func TestMirrors(t *testing.T) {
	var asked []string
	say := func(who string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, who+r.URL.Path+" "+r.Header.Get("If-None-Match"))
			switch {
			case strings.Contains(r.URL.Path, who+"-absent"):
				w.WriteHeader(http.StatusNotFound)
			case strings.Contains(r.URL.Path, who+"-down"):
				w.WriteHeader(http.StatusBadGateway)
			case r.Header.Get("If-None-Match") == `"`+who+`"`:
				w.WriteHeader(http.StatusNotModified)
			default:
				w.Header().Set("ETag", `"`+who+`"`)
				w.Write([]byte(who))
			}
		}
	}
	upstream, one, two := serve(t, say("upstream")), serve(t, say("one")), serve(t, say("two"))
	opts := feed.Options{Mirrors: []feed.Mirror{{Prefix: upstream + "/", Base: one + "/copy"}, {Prefix: upstream, Base: two}}}
	tests := []struct {
		path, want string
		only       bool
		kind       error
		asked      []string
	}{
		{"/a", "one", false, nil, []string{"one/copy/a "}},
		{"/one-absent", "two", false, nil, []string{"one/copy/one-absent ", "two/one-absent "}},
		{"/one-down", "two", false, nil, []string{"one/copy/one-down ", "one/copy/one-down ", "two/one-down "}},
		{"/one-absent/two-absent", "upstream", false, nil, []string{"one/copy/one-absent/two-absent ", "two/one-absent/two-absent ", "upstream/one-absent/two-absent "}},
		{"/one-absent/two-absent", "", true, feed.ErrNotFound, []string{"one/copy/one-absent/two-absent ", "two/one-absent/two-absent "}},
		{"/one-absent/two-absent/upstream-absent", "", false, feed.ErrNotFound, []string{"one/copy/one-absent/two-absent/upstream-absent ", "two/one-absent/two-absent/upstream-absent ", "upstream/one-absent/two-absent/upstream-absent "}},
	}
	for _, tt := range tests {
		asked = nil
		o := opts
		o.MirrorsOnly = tt.only
		c, _ := client(t, &o)
		got, _, err := read(t, c, advisory.Request{URL: upstream + tt.path})
		if got != tt.want || !errors.Is(err, tt.kind) || tt.kind == nil && err != nil {
			t.Errorf("%s: %q %v", tt.path, got, err)
		}
		if diff := cmp.Diff(tt.asked, asked); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.path, diff)
		}
	}

	// What a mirror calls current is asked of that mirror alone.
	asked = nil
	c, _ := client(t, &opts)
	_, resp, err := read(t, c, advisory.Request{URL: upstream + "/a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := read(t, c, advisory.Request{URL: upstream + "/a", ETag: resp.ETag, Modified: resp.Modified}); err != nil || !again.NotModified || again.ETag != resp.ETag {
		t.Errorf("%+v %v", again, err)
	}
	plain, _ := client(t, nil)
	got, _, err := read(t, plain, advisory.Request{URL: upstream + "/a", ETag: resp.ETag, Modified: resp.Modified})
	if got != "upstream" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	got, _, err = read(t, c, advisory.Request{URL: upstream + "/a", ETag: `"one"`})
	if got != "one" || err != nil {
		t.Errorf("%q %v", got, err)
	}

	only, _ := client(t, &feed.Options{Mirrors: opts.Mirrors, MirrorsOnly: true})
	if _, _, err := read(t, only, advisory.Request{URL: "https://elsewhere.example.org/a"}); !errors.Is(err, feed.ErrForbidden) {
		t.Errorf("an address that no mirror has: %v", err)
	}
}

// A mirror that is away is asked, and then passed over for a minute.
func TestMirrorAway(t *testing.T) {
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("upstream")) })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	clock := now
	for _, only := range []bool{false, true} {
		c, pauses := client(t, &feed.Options{Mirrors: []feed.Mirror{{Prefix: upstream, Base: gone.URL}}, MirrorsOnly: only, Now: func() time.Time { return clock }})
		for i, want := range []int{1, 1, 1, 2} { // pauses: one before the second attempt
			got, _, err := read(t, c, advisory.Request{URL: upstream + "/a"})
			switch {
			case only && !errors.Is(err, feed.ErrUnavailable):
				t.Errorf("%q %v", got, err)
			case !only && (got != "upstream" || err != nil || len(pauses.list) != want):
				t.Errorf("request %d: %q %v, pauses %v", i, got, err, pauses.list)
			}
			clock = clock.Add(25 * time.Second)
		}
		if only && len(pauses.list) != 12 {
			t.Errorf("the only place was asked with %d pauses, want 12", len(pauses.list))
		}
	}
}

// A mirror's prefix ends where a part of an address does, and a mirror of all
// has hosts as folders.
func TestMirrorAddresses(t *testing.T) {
	var asked []string
	at := serve(t, func(w http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.RequestURI()) })
	open := func(prefix, address string) {
		t.Helper()
		c, _ := client(t, &feed.Options{Mirrors: []feed.Mirror{{Prefix: prefix, Base: at + "/m"}}, MirrorsOnly: true})
		read(t, c, advisory.Request{URL: address})
	}
	open("https://a.example", "https://a.example.evil/x")
	open("https://a.example/b", "https://a.example/bc")
	if len(asked) != 0 {
		t.Errorf("asked for %q", asked)
	}
	open("https://a.example/b", "https://a.example/b/c%20d?q=1")
	open("https://a.example/b", "https://a.example/b?q=1")
	open("https://a.example/", "https://a.example/b")
	open("", "https://a.example:8443/b/c?q=1/2")
	if diff := cmp.Diff([]string{"/m/c%20d?q=1", "/m?q=1", "/m/b", "/m/a.example%253A8443/b/c%253Fq=1%252F2"}, asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
