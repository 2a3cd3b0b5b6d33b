package ingest_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
)

// What a supplier publishes is fetched, kept and read, and what follows is decided.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	v := root.VEX()

	source := &feed{name: "acme", docs: map[string]string{"x.vex": "CVE-2026-1 not_affected pkg:npm/x@1.2.3 2026-06-01\n"}}
	if _, err := (&ingest.Ingester{Store: v, Holder: "example"}).Run(ctx, source); err != nil {
		log.Fatal(err)
	}
	believed := vex.Issuer{ID: "acme", Tier: 1, Sources: []string{"acme"}, Products: []string{"pkg:npm/x"}, Unsigned: []vex.Status{vex.NotAffected}}
	if _, err := v.SetTrust(ctx, &vex.Trust{Issuers: []vex.Issuer{believed}}, "ann"); err != nil {
		log.Fatal(err)
	}
	p := &ingest.Publisher{Heads: v, Now: func() time.Time { return time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC) }}
	if _, err := p.Publish(ctx); err != nil {
		log.Fatal(err)
	}
	decisions, err := v.Consensus(ctx, []string{"CVE-2026-1"})
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range decisions {
		fmt.Println(d.Vulnerability, d.Product, d.Status)
	}
	// Output: CVE-2026-1 pkg:npm/x@1.2.3 not_affected
}
