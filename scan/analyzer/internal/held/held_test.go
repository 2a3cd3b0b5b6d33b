package held

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
)

func TestBelow(t *testing.T) {
	const site = "usr/lib/python3.11/site-packages"
	for file, want := range map[string]string{
		"requests/api.py":            site + "/requests/",
		"six.py":                     site + "/six.py",
		"a.dist-info/METADATA":       site + "/a.dist-info/",
		"./a/../b/c.py":              site + "/b/",
		"../../../bin/flask":         "usr/bin/flask",
		"../../../share/x/y.json":    "",
		"../../../../app/settings":   "",
		"bin/tool":                   site + "/bin/tool",
		"__pycache__/six.pyc":        "",
		"/usr/local/sbin/daemon":     "usr/local/sbin/daemon",
		"/opt/x/notes.txt":           "",
		"../../../../../../bin/evil": "",
		"":                           "",
		"..":                         "",
	} {
		var s Set
		s.Below(site, file)
		got, err := s.List(nil)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v, want %q", file, got, err, want)
		}
	}
	var s Set
	s.Below("", "a/b") // the root itself
	if got, _ := s.List(nil); !slices.Equal(got, []string{"a/"}) {
		t.Errorf("%q", got)
	}
}

func TestPrefix(t *testing.T) {
	for file, want := range map[string]string{
		"bin/openssl": "opt/conda/bin/openssl", "lib/libz.so.1.3": "opt/conda/lib/libz.so.1.3", "lib/libz.a": "", "include/zlib.h": "",
		"lib/python3.11/site-packages/numpy/core/x.so": "opt/conda/lib/python3.11/site-packages/numpy/", "share/terminfo/x/xterm": "opt/conda/share/terminfo/",
		"../../etc/x": "", "/etc/x.sh": "", "jre/bin/java": "opt/conda/jre/", "lib/jvm/bin/java": "opt/conda/lib/jvm/",
	} {
		var s Set
		s.Prefix("opt/conda", file)
		if got, _ := s.List(nil); strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

// TestWithin: nothing that a file says leads out of the image, or to all of it.
func TestWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(\.\./|/|\./|a/|bin/|b){0,8}`)
		var s Set
		s.Add(text.Draw(t, "added"))
		s.Below(text.Draw(t, "folder"), text.Draw(t, "below"))
		s.Prefix(text.Draw(t, "prefix"), text.Draw(t, "in it"))
		list, err := s.List(nil)
		if err != nil || !slices.IsSorted(list) {
			t.Fatalf("%q, %v", list, err)
		}
		for _, p := range list {
			if p == "" || p[0] == '/' || p == "./" || strings.Contains("/"+p, "/../") || strings.Contains(p, "//") {
				t.Fatalf("%q", list)
			}
		}
	})
}

func TestMax(t *testing.T) {
	var s Set
	for i := range Max + 5 {
		s.Add(fmt.Sprint(i))
	}
	list, err := s.List(nil)
	if len(list) != Max || !errors.Is(err, fault.Limit) {
		t.Errorf("%d, %v", len(list), err)
	}
	first := errors.New("first")
	if _, err := s.List(first); !errors.Is(err, first) {
		t.Errorf("got %v", err)
	}
}
