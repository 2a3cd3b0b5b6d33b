package sbom_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/sbom"
)

// line is a change in short: kind, name, from and to, cause.
func line(c *sbom.Change) string {
	return strings.Join([]string{string(c.Kind), c.Name, c.From + ">" + c.To, string(c.Cause.Kind), c.Cause.Layer + "<" + c.Cause.Was, c.Cause.CreatedBy + c.Cause.Path}, " ")
}

func lines(changes []sbom.Change) (out []string) {
	for i := range changes {
		out = append(out, line(&changes[i]))
	}
	return out
}

func image(layers string, packages ...sbom.Package) *sbom.Document {
	d := &sbom.Document{Subject: sbom.Subject{Kind: sbom.SubjectImage, ConfigDigest: layers}, Packages: packages, Tools: []sbom.Tool{{Name: "t", Version: "1"}}}
	for l := range strings.FieldsSeq(layers) {
		step, _, _ := strings.Cut(l, "-")
		d.Subject.Layers = append(d.Subject.Layers, sbom.Layer{DiffID: l, CreatedBy: step})
	}
	d.Normalize()
	return d
}

func licensed(p sbom.Package, expression string) sbom.Package {
	p.Licenses = []sbom.License{{Expression: expression}}
	return p
}

func hashed(p sbom.Package, value string) sbom.Package {
	p.Hashes = []sbom.Hash{{Algorithm: "sha256", Value: value}}
	return p
}

func used(p sbom.Package, u *sbom.Usage) sbom.Package {
	p.Usage = u
	return p
}

// TestDiffCauses: each change says which layer, file or reader made it.
func TestDiffCauses(t *testing.T) {
	for name, c := range map[string]struct {
		before, after *sbom.Document
		want          []string
	}{
		"layer added":   {image("base"), image("base run", pkg("a", "1", "run")), []string{"added a >1 layer-added run< run"}},
		"layer removed": {image("base run", pkg("a", "1", "run")), image("base"), []string{"removed a 1> layer-removed run< run"}},
		"layer rebuilt": {image("base run-1", pkg("a", "1", "run-1"), pkg("b", "1", "run-1")), image("base run-2", pkg("a", "2", "run-2"), pkg("c", "1", "run-2")),
			[]string{"version a 1>2 layer-replaced run-2<run-1 run", "removed b 1> layer-replaced run-2<run-1 run", "added c >1 layer-replaced run-2<run-1 run"}},
		"upgraded above":    {image("base", pkg("a", "1", "base")), image("base run", pkg("a", "2", "run")), []string{"version a 1>2 layer-added run< run"}},
		"moved":             {image("base-1", pkg("a", "1", "base-1")), image("base-2", pkg("a", "1", "base-2")), []string{"layer a base-1>base-2 layer-replaced base-2<base-1 base"}},
		"deleted above":     {image("base", pkg("a", "1", "base")), image("base rm"), []string{"removed a 1> hidden rm< rm"}},
		"no longer deleted": {image("base rm"), image("base", pkg("a", "1", "base")), []string{"added a >1 uncovered rm< rm"}},
		"one of two hides":  {image("base", pkg("a", "1", "base")), image("base rm mv"), []string{"removed a 1> hidden < "}},
		"same image":        {image("base", pkg("a", "1", "base")), image("base", licensed(pkg("a", "1", "base"), "MIT")), []string{"license a >MIT document < "}},
		"licence by version": {image("base", licensed(pkg("a", "1", "base"), "MIT")), image("base run", licensed(pkg("a", "2", "run"), "BUSL-1.1")),
			[]string{"license a MIT>BUSL-1.1 layer-added run< run", "version a 1>2 layer-added run< run"}},
		"file": {document(pkg("a", "1", ""), pkg("gone", "1", "", "")), document(pkg("a", "2", ""), licensed(pkg("new", "1", ""), "MIT")),
			[]string{"version a 1>2 file-changed < p0", "removed gone 1> file-removed < p1", "added new >1 file-changed < p0"}},
		"content": {image("base-1", hashed(sbom.Package{Type: sbom.TypeFile, Name: "bin/x"}, "aa")), image("base-2", hashed(sbom.Package{Type: sbom.TypeFile, Name: "bin/x"}, "bb")),
			[]string{"content bin/x sha256:aa>sha256:bb document < "}},
		"usage": {image("base-1", used(pkg("a", "1"), &sbom.Usage{State: sbom.Reached, Chain: []string{"bin/a"}}), used(pkg("b", "1"), &sbom.Usage{State: sbom.Unreached})),
			image("base-2", used(pkg("a", "1"), &sbom.Usage{State: sbom.Unreached}), pkg("b", "1")),
			[]string{"usage a reached>unreached start < bin/a", "usage b unreached> start < "}},
		"nobody looked at usage":         {image("base-1", used(pkg("a", "1"), &sbom.Usage{State: sbom.Unreached})), image("base-2", pkg("a", "1")), nil},
		"two of a version in two places": {image("base", pkg("a", "1", "base"), pkg("a", "1", "base", "base")), image("base", pkg("a", "1", "base", "base"), pkg("a", "1", "base")), nil},
	} {
		if diff := cmp.Diff(c.want, lines(sbom.Diff(c.before, c.after))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestDiffTools: what another version of a scanner sees in the same image is its
// own doing.
func TestDiffTools(t *testing.T) {
	before, after := image("base", pkg("a", "1", "base")), image("base", pkg("a", "1", "base"), pkg("b", "1", "base"))
	after.Tools[0].Version = "2"
	if got := lines(sbom.Diff(before, after)); !cmp.Equal(got, []string{"added b >1 tool < "}) {
		t.Error(got)
	}
}

func TestDiffSecrets(t *testing.T) {
	before, after := image("base run"), image("base other")
	key := sbom.Secret{Rule: "key", Path: "a", Layer: "base", Line: 3, Masked: "x=***"}
	before.Secrets = []sbom.Secret{key, {Rule: "token", Path: "b", Layer: "run"}}
	moved := key
	moved.Line, moved.Removed, moved.Layer = 9, true, "other"
	after.Secrets = []sbom.Secret{moved, {Rule: "token", Path: "c", Layer: "other"}, {Rule: "token", Path: "c", Layer: "other", Line: 2}}
	want := []string{"secret-removed b > layer-removed run< run", "secret-added c > layer-added other< other"}
	got := sbom.Diff(before, after)
	if diff := cmp.Diff(want, lines(got)); diff != "" || got[0].Secret.Rule != "token" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMergeUsage: a package is unreached only where all that know it say so, and
// secrets of all are kept.
func TestMergeUsage(t *testing.T) {
	reached, unreached := &sbom.Usage{State: sbom.Reached, Chain: []string{"bin/a"}}, &sbom.Usage{State: sbom.Unreached}
	for _, c := range []struct{ one, two, want *sbom.Usage }{
		{reached, unreached, reached}, {unreached, reached, reached}, {nil, reached, reached}, {unreached, unreached, unreached}, {nil, unreached, nil}, {unreached, nil, nil}, {nil, nil, nil},
	} {
		one, two := document(used(pkg("a", "1"), c.one)), document(used(pkg("a", "1"), c.two))
		one.Secrets, two.Secrets = []sbom.Secret{{Rule: "r", Path: "b"}}, []sbom.Secret{{Rule: "r", Path: "a"}, {Rule: "r", Path: "b"}}
		merged, _ := sbom.Merge(sbom.Subject{Name: "all"}, one, two)
		if diff := cmp.Diff(c.want, merged.Packages[0].Usage); diff != "" || len(merged.Secrets) != 2 {
			t.Errorf("%v and %v give (-want +got):\n%s%v", c.one, c.two, diff, merged.Secrets)
		}
	}
}

func TestCheckUsageAndSecrets(t *testing.T) {
	d := document(used(pkg("a", "1"), &sbom.Usage{State: "perhaps"}), used(pkg("b", "1"), &sbom.Usage{State: sbom.Unreached, Chain: []string{"x"}}),
		used(pkg("c", "1"), &sbom.Usage{State: sbom.Unreached}), used(pkg("d", "1"), &sbom.Usage{State: sbom.Reached}))
	d.Secrets = []sbom.Secret{{Rule: "r", Path: "p"}, {Path: "p"}, {Rule: "r"}, {Rule: "r", Path: "p", Line: -1}}
	if got := d.Check(); len(got) != 5 {
		t.Errorf("%d problems: %v", len(got), got)
	}
}
