package scan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/layer"
)

// fragmentOf makes a fragment of paths: "d/" is a folder, "-d/f" a whiteout, "=d" opaque.
func fragmentOf(paths ...string) *layer.Fragment {
	f := &layer.Fragment{}
	for _, p := range paths {
		switch {
		case p[0] == '-':
			f.Whiteouts = append(f.Whiteouts, p[1:])
		case p[0] == '=':
			f.Opaque = append(f.Opaque, p[1:])
		case p[len(p)-1] == '/':
			f.Entries.Add(layer.EntryDir, p[:len(p)-1], "")
		default:
			f.Entries.Add(layer.EntryFile, p, "")
		}
	}
	return f
}

func TestPresence(t *testing.T) {
	c := &composition{links: links{"bin": "usr/bin"}, fragments: []*layer.Fragment{
		fragmentOf("etc/", "etc/a", "etc/b", "bin/tool", "opt/x/old", "opt/x/y/old", "top", "var/log"),
		fragmentOf("-etc/b", "=opt/x", "opt/x/new", "-top"),
		fragmentOf("etc/b", "-var"),
	}}
	p, err := c.presence()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"etc/a", "etc/b", "opt/x/new", "usr/bin/tool"}
	if diff := cmp.Diff(want, p.below("")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, q := range []string{"etc/a", "etc/b", "etc", "bin/tool", "usr/bin/tool", "opt/x/old", "opt/x/y/old", "opt/x/new", "top", "var/log"} {
		if got, want := p.has(q), slices.Contains(want, q); got != want {
			t.Errorf("has %s: %v", q, got)
		}
	}
	if diff := cmp.Diff([]string{"opt/x/new"}, p.below("opt/x/")); diff != "" {
		t.Errorf("below a folder (-want +got):\n%s", diff)
	}
}
