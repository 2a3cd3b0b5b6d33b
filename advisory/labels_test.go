package advisory_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// label is what people found out about a match of another scanner: whether a
// vulnerability affects a package of an image.
type label struct {
	Vulnerability string `json:"vulnerability_id"`
	Effective     string `json:"effective_cve"`
	Label         string `json:"label"`
	Image         struct {
		Exact string `json:"exact"`
	} `json:"image"`
	Package struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"package"`
}

// labels reads the shared labels that say yes or no about a package.
func labels(t testing.TB) []label {
	t.Helper()
	f, err := os.Open(testdata.Path(t, "labels/match-labels.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []label
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var l label
		if filepath.Ext(h.Name) != ".json" || json.Unmarshal(text, &l) != nil { // one is not JSON
			continue
		}
		if l.Package.Name != "" && (l.Label == "TP" || l.Label == "FP") {
			out = append(out, l)
		}
	}
}

var elRelease = regexp.MustCompile(`[._]el(\d+)`)

// candidates are the packages that a label can be about, by the records that
// name its vulnerability: packages of AlmaLinux by their versions, and packages
// of languages by their names. A label that is about neither has none.
func candidates(l *label, alma map[string]bool, records []*advisory.Record) (out []string) {
	release := elRelease.FindStringSubmatch(l.Package.Version)
	for _, r := range records {
		for _, a := range r.Affected {
			base, rest, _ := strings.Cut(a.Ecosystem, ":")
			switch base {
			case "AlmaLinux":
				if release != nil && alma[l.Image.Exact] && rest == release[1] && a.Name == l.Package.Name {
					epoch, version, ok := strings.Cut(l.Package.Version, ":")
					if !ok {
						epoch, version = "", l.Package.Version
					}
					u := purl.PackageURL{Type: "rpm", Namespace: "almalinux", Name: a.Name, Version: version, Qualifiers: []purl.Qualifier{{Key: "distro", Value: "almalinux-" + rest}}}
					if epoch != "" {
						u.Qualifiers = append(u.Qualifiers, purl.Qualifier{Key: "epoch", Value: epoch})
					}
					out = append(out, u.String())
				}
			case "Maven":
				if group, artifact, _ := strings.Cut(a.Name, ":"); release == nil && artifact == l.Package.Name && strings.HasPrefix(l.Vulnerability, "GHSA-") {
					out = append(out, purl.PackageURL{Type: "maven", Namespace: group, Name: artifact, Version: l.Package.Version}.String())
				}
			case "Go", "npm", "PyPI", "crates.io", "RubyGems", "Packagist":
				if release == nil && strings.HasPrefix(l.Vulnerability, "GHSA-") && advisory.CanonicalName(a.Ecosystem, a.Name) == advisory.CanonicalName(a.Ecosystem, l.Package.Name) {
					typ := map[string]string{"Go": "golang", "npm": "npm", "PyPI": "pypi", "crates.io": "cargo", "RubyGems": "gem", "Packagist": "composer"}[base]
					namespace, name := "", a.Name
					if i := strings.LastIndexByte(a.Name, '/'); i >= 0 {
						namespace, name = a.Name[:i], a.Name[i+1:]
					}
					out = append(out, purl.PackageURL{Type: typ, Namespace: namespace, Name: name, Version: l.Package.Version}.String())
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// bySources are packages of AlmaLinux that an erratum names, and that the labels
// call unaffected because the bug is in another package that is built from the
// same sources: there the database is right about what it says, and people about
// what they looked at (docs/parity.md).
var bySources = map[string]bool{"mariadb": true, "mariadb-common": true}

// agreement counts how matching compares with labels.
type agreement struct{ truePositive, falsePositive, falseNegative, trueNegative int }

func (a agreement) precision() float64 {
	return float64(a.truePositive) / float64(max(1, a.truePositive+a.falsePositive))
}

func (a agreement) recall() float64 {
	return float64(a.truePositive) / float64(max(1, a.truePositive+a.falseNegative))
}

// TestLabels compares matching with what people found out, where the shared
// advisories have a record about the label's vulnerability and package. The
// least figures are a ratchet: raise them, never lower them without a line in
// docs/parity.md.
func TestLabels(t *testing.T) {
	least := map[string][2]float64{"rpm": {0.99, 0.98}, "maven": {1, 0.97}, "golang": {1, 1}, "pypi": {1, 1}}
	var paths []string
	for _, p := range []string{"osv-almalinux", "osv-ghsa-mixed", "osv-go", "osv-crates", "osv-other-mixed"} {
		paths = append(paths, testdata.Path(t, "advisories/"+p+".tar.gz"))
	}
	var all []*advisory.Record
	byID := map[string][]*advisory.Record{}
	for r, err := range osv.Walk(t.Context(), nil, paths...) {
		var broken *advisory.RecordError
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
		for _, list := range [][]string{{r.ID}, r.Aliases, r.Upstream, r.Related} {
			for _, id := range list {
				byID[id] = append(byID[id], r)
			}
		}
	}
	m := advisory.Matcher{View: view(t, all...)}
	list := labels(t)
	alma := map[string]bool{}
	for _, l := range list {
		if strings.Contains(l.Package.Version, ".alma") || strings.Contains(l.Package.Version, "module_el") {
			alma[l.Image.Exact] = true
		}
	}
	// A label names no ecosystem and no Maven group: it is about any candidate.
	type subject struct{ typ, name, version, id string }
	said, urls := map[subject]map[string]bool{}, map[subject][]string{}
	for i := range list {
		l := &list[i]
		if bySources[l.Package.Name] && alma[l.Image.Exact] {
			continue
		}
		for _, u := range candidates(l, alma, byID[l.Vulnerability]) {
			key := subject{pkg(u).PURL.Type, l.Package.Name, l.Package.Version, l.Vulnerability}
			if said[key] == nil {
				said[key] = map[string]bool{}
			}
			said[key][l.Label] = true
			if !slices.Contains(urls[key], u) {
				urls[key] = append(urls[key], u)
			}
		}
	}
	got, disputed := map[string]*agreement{}, 0
	for key, labels := range said {
		if len(labels) > 1 {
			disputed++
			continue
		}
		found := slices.ContainsFunc(urls[key], func(u string) bool { return finds(t, m, pkg(u), key.id) })
		a := got[key.typ]
		if a == nil {
			a = &agreement{}
			got[key.typ] = a
		}
		switch {
		case labels["TP"] && found:
			a.truePositive++
		case labels["TP"]:
			a.falseNegative++
		case found:
			a.falsePositive++
		default:
			a.trueNegative++
		}
		if labels["TP"] != found {
			t.Logf("label %v, found %v: %v", labels, found, key)
		}
	}
	for typ, a := range got {
		t.Logf("%-8s %+v precision %.3f recall %.3f", typ, *a, a.precision(), a.recall())
		if want := least[typ]; a.precision() < want[0] || a.recall() < want[1] {
			t.Errorf("%s: precision %.3f and recall %.3f, want at least %v", typ, a.precision(), a.recall(), want)
		}
	}
	t.Logf("%d labels, %d about one package and record, %d disputed among people", len(list), len(said), disputed)
}

// finds reports whether matching finds that a vulnerability affects a package.
func finds(t testing.TB, m advisory.Matcher, p sbom.Package, id string) bool {
	t.Helper()
	report, err := m.Match(t.Context(), &sbom.Document{Packages: []sbom.Package{p}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Vulnerability == id || f.Advisory == id || slices.Contains(f.Aliases, id) {
			return true
		}
	}
	return false
}
