package rpm

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestManifestOfMariner compares with the list that another tool's tests keep
// for a real CBL-Mariner image. It leaves epochs out.
func TestManifestOfMariner(t *testing.T) {
	const pack, dir = "pkgdb/apk-dpkg-rpm-scancode.tar.gz", "tests/packagedcode/data/rpm_installed/mariner/"
	var expected []struct {
		Name, Version string
		Qualifiers    struct{ Arch string }
		Extra         struct{ Filename string } `json:"extra_data"`
	}
	if err := json.Unmarshal(realFile(t, pack, dir+"rpm-manifest-expected.json"), &expected); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, e := range expected {
		want = append(want, e.Name+" "+e.Version+" "+e.Qualifiers.Arch+" "+e.Extra.Filename)
	}
	for _, f := range extract(t, longManifest, realFile(t, pack, dir+"scan/"+longManifest)) {
		_, version, epoch := strings.Cut(f.Package.Version, ":")
		if !epoch {
			version = f.Package.Version
		}
		if epoch != (f.Package.Name == "prebuilt-ca-certificates") || f.Package.Supplier != "Microsoft Corporation" {
			t.Errorf("%s: %s of %s", f.Key, f.Package.Version, f.Package.Supplier)
		}
		got = append(got, f.Package.Name+" "+version+" "+f.Package.Arch+" "+distro.Property(f.Package, propSourceRPM))
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManifestLines(t *testing.T) {
	pkg := func(key, name, version, arch string) []analyzer.Fact {
		return []analyzer.Fact{{Kind: analyzer.KindPackage, Scope: scope, Key: key, Package: &sbom.Package{Name: name, Version: version, Arch: arch}}}
	}
	const tail = "\t1\t2\t(none)\t(none)\t3\t"
	for _, c := range []struct {
		path, line string
		want       []analyzer.Fact
		err        string
	}{
		{longManifest, "a\t1-2" + tail + "x86_64\t0\t(none)", pkg("a-1-2.x86_64", "a", "1-2", "x86_64"), ""},
		{longManifest, "a\t1-2" + tail + "x86_64\t7\t(none)\r", pkg("a-7:1-2.x86_64", "a", "7:1-2", "x86_64"), ""},
		{longManifest, "a\t1-2\tmore", nil, "line 1: 3 columns, not 10"},
		{longManifest, "a\t1" + tail + "x86_64\t0\t(none)", nil, `name "a" with version "1"`},
		{longManifest, "\t1-2" + tail + "x86_64\t0\t(none)", nil, `name ""`},
		{longManifest, "a\t1-2" + tail + "x86_64\t-1\t(none)", nil, `epoch "-1"`},
		{longManifest, "gpg-pubkey\t1-2" + tail + "(none)\t0\t(none)", nil, ""},
		{nameManifest, "a-b-1.0-2.cm2.x86_64", pkg("a-b-1.0-2.cm2.x86_64", "a-b", "1.0-2.cm2", "x86_64"), ""},
		{nameManifest, "gpg-pubkey-3135ce90-5e6fda74", nil, ""},
		{nameManifest, "a-1.x86_64", nil, "is not name-version-release.arch"},
		{nameManifest, "abc", nil, "names no architecture"},
		{nameManifest, "a-1-1.", nil, "names no architecture"},
		{nameManifest, "a--1.x86_64", nil, "is not name-version-release.arch"},
		{longManifest, "a\t1-" + tail + "x86_64\t0\t(none)", nil, `name "a" with version "1-"`},
		{nameManifest, strings.Repeat("a", maxLine), nil, "line 1: bytes of a line"},
		{nameManifest, "\n\n", nil, ""},
	} {
		got, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(c.path, []byte(c.line)))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%.40q (-want +got):\n%s", c.line, diff)
		}
		if (err != nil) != (c.err != "") || err != nil && (!strings.Contains(err.Error(), c.err) || fault.KindOf(err) == "") {
			t.Errorf("%.40q: error %v, want %q", c.line, err, c.err)
		}
	}
}

func TestManifestLimits(t *testing.T) {
	f := analyzer.NewMemoryFile(nameManifest, []byte(strings.Repeat("bad\n", maxBroken*2)))
	if _, err := (Analyzer{}).Extract(context.Background(), f); err == nil || !strings.HasSuffix(err.Error(), "(and 999 more)") {
		t.Error(err)
	}
	f = analyzer.NewMemoryFile(nameManifest, []byte(strings.Repeat("a-1-1.x\n", 100)))
	f.Budget = analyzer.NewBudget(analyzer.Limits{Facts: 10})
	if facts, err := (Analyzer{}).Extract(context.Background(), f); !errors.Is(err, fault.Limit) || len(facts) != 10 {
		t.Errorf("%d facts, %v", len(facts), err)
	}
}
