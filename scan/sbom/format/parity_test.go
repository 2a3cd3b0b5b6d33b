package format_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/imagetest/scanned"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// readable are the formats that are written and read, and ways through several.
var readable = []string{
	"stella-json@1", "cyclonedx-json@1.4", "cyclonedx-json@1.5", "cyclonedx-json@1.6", "cyclonedx-json@1.7", "cyclonedx-xml@1.4", "cyclonedx-xml@1.7",
	"spdx-json@2.2", "spdx-json@2.3", "spdx-tag-value@2.2", "spdx-tag-value@2.3",
	"cyclonedx-json@1.6 spdx-json@2.3 cyclonedx-xml@1.5", "spdx-tag-value@2.2 cyclonedx-json@1.4 spdx-json@2.3",
}

// TestSBOMIsAsGoodAsItsImage matches real scans with real records, and with
// records that are true for exactly the installed version, then does so again
// with the document that went through each format: every finding, with its
// evidence, and every gap must be the same.
func TestSBOMIsAsGoodAsItsImage(t *testing.T) {
	t.Parallel()
	real := realRecords(t)
	for _, name := range scanned.Names {
		d := withViews(t, scanned.Document(t, name))
		view := compile(t, append(exactRecords(d), real...))
		want := match(t, view, d)
		hits := 0
		for _, f := range want.Findings {
			if strings.HasPrefix(f.Advisory, "EXACT-") {
				hits++
			}
		}
		t.Logf("%s: %d packages, %d findings of real records, %d of made ones, %d gaps of the document, %d of matching", name, len(d.Packages), len(want.Findings)-hits, hits, len(d.Gaps), len(want.Gaps))
		if hits == 0 {
			t.Fatalf("%s: no record about the exact version is found", name)
		}
		for _, way := range readable {
			t.Run(name+" by "+strings.ReplaceAll(way, " ", " and "), func(t *testing.T) {
				back := d
				for step := range strings.FieldsSeq(way) {
					back = through(t, back, step)
				}
				if diff := gocmp.Diff(want, match(t, view, back), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("other findings (-image +SBOM):\n%.3000s", diff)
				}
				if diff := gocmp.Diff(d.Gaps, back.Gaps, cmpopts.EquateEmpty()); diff != "" || d.Blocked() != back.Blocked() {
					t.Errorf("other gaps (-image +SBOM):\n%.3000s", diff)
				}
				if diff := gocmp.Diff(d.Relationships, back.Relationships, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("other relationships (-image +SBOM):\n%.3000s", diff)
				}
				if diff := gocmp.Diff(d.Secrets, back.Secrets, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("other secrets (-image +SBOM):\n%.3000s", diff)
				}
				for i := range d.Packages {
					p, q := &d.Packages[i], back.PackageByID(d.Packages[i].ID)
					if q == nil || !reflect.DeepEqual(p.Usage, q.Usage) || !reflect.DeepEqual(p.Properties, q.Properties) || !reflect.DeepEqual(p.Hashes, q.Hashes) {
						t.Errorf("%s is another package: %+v", p.ID, q)
					}
				}
				if changes := sbom.Diff(d, back); len(changes) > 0 {
					t.Errorf("%d packages differ: %+v", len(changes), changes[0])
				}
			})
		}
	}
}

// withViews gives the document of a scan what further analyzers add: where packages
// stand in the usage view, files that no package accounts for, and secrets; of each
// kind with what formats escape.
func withViews(t *testing.T, d *sbom.Document) *sbom.Document {
	t.Helper()
	layer := d.Subject.Layers[len(d.Subject.Layers)-1].DiffID
	for i := range d.Packages {
		switch i % 3 {
		case 1:
			d.Packages[i].Usage = &sbom.Usage{State: sbom.Unreached}
		case 2:
			d.Packages[i].Usage = &sbom.Usage{State: sbom.Reached, Chain: []string{"entrypoint <a> & \"b\".sh", fmt.Sprintf("usr/lib/é-%d.so", i)}}
		}
	}
	for i, kind := range []string{"elf", "shared-object", "script"} {
		d.Packages = append(d.Packages, sbom.Package{Type: sbom.TypeFile, Name: fmt.Sprintf("opt/<%s> & %d", kind, i), FoundBy: "files", Properties: []sbom.Property{{Name: "file:kind", Value: kind}},
			Locations: []sbom.Location{{Path: fmt.Sprintf("opt/<%s> & %d", kind, i), Layer: layer}}, Hashes: []sbom.Hash{{Algorithm: "sha256", Value: fmt.Sprintf("%064x", i)}}})
	}
	d.Secrets = []sbom.Secret{{Rule: "private-key", Title: "Private key", Path: "root/.ssh/id", Layer: layer, Line: 1, Removed: true}, {Rule: "token", Path: "app/a.jar!/x", Line: 7, Masked: "t=\"***\" <&>"}}
	d.Normalize()
	for i := range d.Packages {
		if p := &d.Packages[i]; p.Type == sbom.TypeFile {
			d.Relationships = append(d.Relationships, sbom.Relationship{From: d.Subject.ID, Kind: sbom.Contains, To: p.ID})
		}
	}
	d.Normalize()
	if problems := d.Check(); len(problems) > 0 {
		t.Fatalf("inconsistent: %v", problems)
	}
	kinds := map[sbom.RelationshipKind]int{}
	for _, r := range d.Relationships {
		kinds[r.Kind]++
	}
	t.Logf("relationships %v", kinds)
	return d
}

// through writes d and reads it again.
func through(t *testing.T, d *sbom.Document, name string) *sbom.Document {
	t.Helper()
	var b bytes.Buffer
	losses, err := format.Encode(&b, d, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range losses {
		t.Errorf("%s cannot carry: %s: %s", name, l.Where, l.What)
	}
	back, read, err := format.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if read != name {
		t.Errorf("%s was read as %s", name, read)
	}
	return back
}

func match(t testing.TB, view advisory.View, d *sbom.Document) *finding.Report {
	t.Helper()
	r, err := advisory.Matcher{View: view}.Match(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func realRecords(t testing.TB) []*advisory.Record {
	t.Helper()
	var paths []string
	for _, pack := range []string{"osv-go", "osv-pypi", "osv-almalinux", "osv-bellsoft", "osv-ghsa-mixed", "osv-other-mixed"} {
		paths = append(paths, testdata.Path(t, "advisories/"+pack+".tar.gz"))
	}
	var list []*advisory.Record
	for r, err := range osv.Walk(context.Background(), nil, paths...) {
		var broken *advisory.RecordError
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func compile(t testing.TB, list []*advisory.Record) *snapshot.Snapshot {
	t.Helper()
	var b bytes.Buffer
	if _, err := snapshot.Build(&b, records(list)); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func records(list []*advisory.Record) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// exactRecords are records of which one half affects exactly the version of one
// package, and the other half all versions before: an epoch, a source package
// or a release that is lost or changed on the way changes the findings.
func exactRecords(d *sbom.Document) []*advisory.Record {
	var list []*advisory.Record
	seen := map[string]bool{}
	add := func(ecosystem, name, v string) {
		if v == "" || seen[ecosystem+name+v] {
			return
		}
		if _, err := version.Compare(ecosystem, v, v); err != nil {
			return
		}
		seen[ecosystem+name+v] = true
		for kind, events := range map[string][]version.Event{
			"EXACT": {{Introduced: v}, {LastAffected: v}}, "TRAP": {{Introduced: "0"}, {Fixed: v}},
		} {
			id := fmt.Sprintf("%s-%s-%s", kind, name, v)
			sum := sha256.Sum256([]byte(id))
			list = append(list, &advisory.Record{ID: id, Modified: "2024-01-01T00:00:00Z", Digest: "sha256:" + hex.EncodeToString(sum[:]),
				Affected: []advisory.Affected{{Ecosystem: ecosystem, Name: name, Ranges: []advisory.Range{{Type: advisory.RangeEcosystem, Events: events}}}}})
		}
	}
	for i := range d.Packages {
		p := &d.Packages[i]
		ecosystem := ecosystemOf(p)
		if ecosystem == "" {
			continue
		}
		add(ecosystem, advisory.CanonicalName(ecosystem, p.Name), p.Version)
		if u := p.Upstream; u != nil {
			add(ecosystem, u.Name, cmp.Or(u.Version, p.Version))
		}
	}
	return list
}

func ecosystemOf(p *sbom.Package) string {
	switch p.PURL.Type {
	case "deb":
		return "Debian:12"
	case "apk":
		if p.PURL.Namespace == "alpaquita" {
			return "Alpaquita:23"
		}
		return "Alpine:v3.18"
	case "rpm":
		if p.PURL.Namespace == "almalinux" {
			return "AlmaLinux:9"
		}
		return "SUSE:Linux Enterprise Server 15 SP3"
	case "npm":
		return "npm"
	case "pypi":
		return "PyPI"
	case "maven":
		return "Maven"
	case "golang":
		return "Go"
	}
	return ""
}
