package advisory_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// record makes a record of affected packages; change sets the rest.
func record(id string, affected []advisory.Affected, change ...func(*advisory.Record)) *advisory.Record {
	sum := sha256.Sum256([]byte(id))
	r := &advisory.Record{ID: id, Modified: "2024-05-20T16:03:47Z", Affected: affected, Digest: "sha256:" + hex.EncodeToString(sum[:])}
	for _, c := range change {
		c(r)
	}
	return r
}

func aliases(ids ...string) func(*advisory.Record) {
	return func(r *advisory.Record) { r.Aliases = ids }
}

func upstream(ids ...string) func(*advisory.Record) {
	return func(r *advisory.Record) { r.Upstream = ids }
}

func related(ids ...string) func(*advisory.Record) {
	return func(r *advisory.Record) { r.Related = ids }
}

func summary(s string) func(*advisory.Record) {
	return func(r *advisory.Record) { r.Summary = s }
}

func scored(pairs ...string) func(*advisory.Record) {
	return func(r *advisory.Record) {
		for i := 0; i < len(pairs); i += 2 {
			r.Scores = append(r.Scores, finding.Score{Type: pairs[i], Value: pairs[i+1]})
		}
	}
}

func rated(word string) func(*advisory.Record) {
	return func(r *advisory.Record) { r.Rating = word }
}

func withdrawn(r *advisory.Record) { r.Withdrawn = "2024-06-20T16:03:47Z" }

// in makes an affected package. Each range is of events: versions that start
// with "<=" are the last affected, the others are introduced and fixed in turn.
func in(ecosystem, name string, ranges ...[]string) []advisory.Affected {
	a := advisory.Affected{Ecosystem: ecosystem, Name: name}
	for _, versions := range ranges {
		r := advisory.Range{Type: advisory.RangeEcosystem}
		for i, v := range versions {
			last, isLast := strings.CutPrefix(v, "<=")
			switch {
			case isLast:
				r.Events = append(r.Events, version.Event{LastAffected: last})
			case i%2 == 0:
				r.Events = append(r.Events, version.Event{Introduced: v})
			default:
				r.Events = append(r.Events, version.Event{Fixed: v})
			}
		}
		a.Ranges = append(a.Ranges, r)
	}
	return []advisory.Affected{a}
}

// v is a list of versions.
func v(versions ...string) []string { return versions }

// enumerated makes an affected package of enumerated versions.
func enumerated(ecosystem, name string, versions ...string) []advisory.Affected {
	return []advisory.Affected{{Ecosystem: ecosystem, Name: name, Versions: advisory.NewVersionList(versions...)}}
}

func records(list ...*advisory.Record) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// fataler is what tests and properties have in common.
type fataler interface {
	Helper()
	Fatal(...any)
}

func view(t fataler, list ...*advisory.Record) *snapshot.Snapshot {
	t.Helper()
	var b bytes.Buffer
	if _, err := snapshot.Build(&b, records(list...)); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pkg makes a package as analyzers and codecs do: its name is the one of its
// ecosystem, its source package is the upstream qualifier.
func pkg(url string) sbom.Package {
	u, err := purl.Parse(url)
	if err != nil {
		panic(err)
	}
	p := sbom.Package{ID: url, Name: u.Name, Version: u.Version, PURL: u}
	switch u.Type {
	case "deb", "apk", "rpm":
		if epoch := u.Qualifier("epoch"); epoch != "" {
			p.Version = epoch + ":" + u.Version
		}
	case "maven":
		p.Name = u.Namespace + ":" + u.Name
	default:
		p.Name = strings.TrimPrefix(u.Namespace+"/"+u.Name, "/")
	}
	if up := u.Qualifier("upstream"); up != "" {
		name, version, _ := strings.Cut(up, "@")
		p.Upstream = &sbom.Upstream{Name: name, Version: version}
	}
	return p
}

func document(os *sbom.OS, urls ...string) *sbom.Document {
	doc := &sbom.Document{Subject: sbom.Subject{OS: os}}
	for _, u := range urls {
		doc.Packages = append(doc.Packages, pkg(u))
	}
	return doc
}

// match returns the report as lines: findings as "package vulnerability by
// advisory in range [fixed]", gaps as "gap code where", with "!" if blocking.
func match(t testing.TB, m advisory.Matcher, doc *sbom.Document) []string {
	t.Helper()
	report, err := m.Match(context.Background(), doc)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, f := range report.Findings {
		lines = append(lines, fmt.Sprintf("%s %s by %s in %s %s", f.Name, f.Vulnerability, f.Advisory, f.Evidence.Range, f.Fixed))
	}
	for _, g := range report.Gaps {
		mark := ""
		if g.Blocking {
			mark = "!"
		}
		lines = append(lines, fmt.Sprintf("gap %s%s %s", g.Code, mark, g.Where))
	}
	return lines
}
