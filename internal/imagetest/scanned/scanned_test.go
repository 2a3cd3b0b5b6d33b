package scanned_test

import (
	"testing"

	"github.com/stella-ops/stella/internal/imagetest/scanned"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestDocuments: the images have what tests on them count on.
func TestDocuments(t *testing.T) {
	for name, least := range map[string]map[string]int{
		"debian":    {"deb": 80, "npm": 100, "pypi": 50, "maven": 10, "golang": 2, "no package URL": 20, "declared": 100, "owned": 1, "gaps": 20, "blocking gaps": 1, "epochs": 1, "upstream": 20, "licences": 50, "layers": 2},
		"alpine":    {"apk": 10, "upstream": 2},
		"alpaquita": {"apk": 10, "upstream": 2},
		"rpm":       {"rpm": 2, "upstream": 1},
		"sle":       {"rpm": 30, "upstream": 10},
	} {
		d := scanned.Document(t, name)
		got := count(d)
		for what, n := range least {
			if got[what] < n {
				t.Errorf("%s has %d %s, want at least %d: %v", name, got[what], what, n, got)
			}
		}
		if problems := d.Check(); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
	if len(scanned.Names) != 5 {
		t.Errorf("there are %d images: %v", len(scanned.Names), scanned.Names)
	}
}

func count(d *sbom.Document) map[string]int {
	n := map[string]int{"gaps": len(d.Gaps), "layers": len(d.Subject.Layers)}
	for _, p := range d.Packages {
		kind := p.PURL.Type
		if kind == "" {
			kind = "no package URL"
		}
		n[kind]++
		n[string(p.State)]++
		n["licences"] += len(p.Licenses)
		if p.PURL.Type == "deb" && p.Version[1] == ':' {
			n["epochs"]++
		}
		if p.Upstream != nil {
			n["upstream"]++
		}
	}
	for _, r := range d.Relationships {
		if r.Kind == sbom.OwnedBy {
			n["owned"]++
		}
	}
	for _, g := range d.Gaps {
		if g.Blocking {
			n["blocking gaps"]++
		}
	}
	return n
}
