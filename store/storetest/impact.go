package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store"
)

// impactPackages is how many packages each stored document has.
const impactPackages = 300

// BenchmarkImpact measures how long it takes from one advisory that changed to all
// documents that it concerns: one of them, a thousand, and all. There are 10,000
// documents of 300 packages, or as many as STELLA_IMPACT_SBOMS says; db reaches the
// database of root as one who may write its index, and dot is what stands between
// a schema and a table there.
func BenchmarkImpact(b *testing.B, root *store.Root, db *sql.DB, dot string) {
	n := 10_000
	if s := os.Getenv("STELLA_IMPACT_SBOMS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1000 {
			b.Fatalf("STELLA_IMPACT_SBOMS=%s: want at least 1000", s)
		}
	}
	fillIndex(b, db, dot, n)
	tn, err := root.Tenant("acme")
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := tn.Scans().Submit(context.Background(), scan.Request{Image: "a"}, ""); err != nil { // a tenant is who has scans
		b.Fatal(err)
	}
	if _, err := root.Collect(context.Background(), nil); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		hits int
	}{{"one", 1}, {"thousand", 1000}, {"all", n}} {
		b.Run(fmt.Sprintf("hits=%d", c.hits), func(b *testing.B) {
			before, after := (&known{}).seal(), (&known{records: map[string]*advisory.Record{"GHSA-1": {ID: "GHSA-1", Affected: []advisory.Affected{{Ecosystem: "npm", Name: c.name,
				Ranges: []advisory.Range{{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}}}}}}}}}).seal()
			for b.Loop() {
				if got := impact(b, root, c.name, before, after); got != c.hits {
					b.Fatalf("found %d documents, want %d", got, c.hits)
				}
			}
		})
	}
}

// impact does what a drift.Worker does to find documents, and counts them.
func impact(b *testing.B, root *store.Root, name string, before, after *known) int {
	ctx := context.Background()
	var documents []int64
	for c, err := range root.Drift().Candidates(ctx, []finding.Key{{Ecosystem: "npm", Name: name}}) {
		if err != nil {
			b.Fatal(err)
		}
		docs, err := advisory.Recall([]string{c.Fact})
		if err != nil {
			b.Fatal(err)
		}
		var found [2]*finding.Report
		for i, v := range []*known{before, after} {
			if found[i], err = (advisory.Matcher{View: v}).Match(ctx, docs[0]); err != nil {
				b.Fatal(err)
			}
		}
		if len(finding.Compare(found[0].Findings, found[1].Findings)) == 0 {
			continue
		}
		for p, err := range root.Drift().Postings(ctx, c.Tenant, []int64{c.Package}) {
			if err != nil {
				b.Fatal(err)
			}
			documents = append(documents, p.Document)
		}
	}
	slices.Sort(documents)
	return len(slices.Compact(documents))
}

// fillIndex makes the index of n documents. A package is in all of them, one in a
// thousand and one in one; the others have 1 to 1,000 versions, as libraries do.
func fillIndex(b *testing.B, db *sql.DB, dot string, n int) {
	b.Helper()
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback()
	exec := func(statement string) {
		if _, err := tx.Exec(strings.ReplaceAll(statement, "scanner.", "scanner"+dot)); err != nil {
			b.Fatalf("%.200s: %v", statement, err)
		}
	}
	overriding := ""
	if dot == "." {
		overriding = " OVERRIDING SYSTEM VALUE"
	}
	insert := func(table, columns string) (add func(format string, args ...any), flush func()) {
		var rows []string
		flush = func() {
			if len(rows) > 0 {
				over := overriding
				if strings.HasSuffix(table, "keys") || strings.HasSuffix(table, "postings") {
					over = ""
				}
				exec("INSERT INTO scanner." + table + " (" + columns + ")" + over + " VALUES " + strings.Join(rows, ","))
				rows = rows[:0]
			}
		}
		return func(format string, args ...any) {
			if rows = append(rows, "("+fmt.Sprintf(format, args...)+")"); len(rows) == 500 {
				flush()
			}
		}, flush
	}
	addSBOM, flush := insert("sboms", "sbom_no, tenant_id, digest, indexed_us")
	for i := range n {
		addSBOM("%d, 'acme', 'sha256:%064d', 0", i+1, i+1)
	}
	flush()
	addFact, flushFacts := insert("package_facts", "fact_no, tenant_id, digest, fact")
	addKey, flushKeys := insert("package_keys", "tenant_id, ecosystem, name, fact_no")
	addPosting, flushPostings := insert("package_postings", "tenant_id, fact_no, sbom_no")
	number := 0
	add := func(name, version string, first, step, last int) {
		number++
		p := sbom.Package{Name: name, Version: version, PURL: purl.PackageURL{Type: "npm", Name: name, Version: version}}
		addFact("%d, 'acme', '%032d', '%s'", number, number, advisory.Keys(&sbom.Document{Packages: []sbom.Package{p}})[0].Fact)
		addKey("'acme', 'npm', '%s', %d", name, number)
		for i := first; i < last; i += step {
			addPosting("'acme', %d, %d", number, i+1)
		}
	}
	add("all", "1", 0, 1, n)
	add("thousand", "1", 0, n/1000, n/1000*1000)
	add("one", "1", n/2, n, n)
	for i := range impactPackages - 2 {
		versions := 1 + i*i*1000/impactPackages/impactPackages
		for v := range versions {
			add(fmt.Sprint("lib-", i), fmt.Sprint(v, ".0"), v, versions, n)
		}
	}
	flushFacts()
	flushKeys()
	flushPostings()
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
