package dpkg_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
)

// A diverted file is where dpkg put it; the package that diverts has the path itself.
func TestDiversions(t *testing.T) {
	in := &analyzer.Squashed{Resolve: func(p string) string { return p }}
	for _, file := range []struct{ path, text string }{
		{"var/lib/dpkg/status", "Package: dev\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\nPackage: common\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"},
		{"var/lib/dpkg/info/dev.list", "/.\n/usr/bin/pg_config\n/usr/bin/z\n"},
		{"var/lib/dpkg/info/common.list", "/usr/bin/pg_config\n"},
		{"var/lib/dpkg/info/dev.postinst", "#!/bin/sh\n"},
		{"var/lib/dpkg/info/dev.prerm", "#!/bin/sh\n"},
		{"var/lib/dpkg/diversions", "/usr/bin/pg_config\n/usr/bin/pg_config.dev\ncommon\n/usr/bin/z\n/usr/bin/z.real\n:\n/cut off\n"},
	} {
		facts, err := extract(t, file.path, []byte(file.text))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: file.path})
		}
	}
	before := slices.Clone(in.Facts)
	out, _ := dpkg.Analyzer{}.Join(in)
	got := map[string][]string{}
	for _, f := range out {
		got[f.Package.Name] = f.Owns
	}
	want := map[string][]string{"dev": {"usr/bin/pg_config.dev", "usr/bin/z.real"}, "common": {"usr/bin/pg_config"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, in.Facts); diff != "" {
		t.Errorf("Join changed its input:\n%s", diff)
	}
	if want := []string{"var/lib/dpkg/info/dev.postinst", "var/lib/dpkg/info/dev.prerm"}; !slices.Equal(out[0].Holds, want) || out[1].Holds != nil {
		t.Errorf("holds %q and %q", out[0].Holds, out[1].Holds)
	}
}
