package vexhttp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// A tenant uploads what it knows about its own image, says that it believes itself,
// and asks what is decided.
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
	acme, err := root.Tenant("acme")
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(&vexhttp.Handler{
		Scope: func(context.Context, string) (vexhttp.VEX, error) { return acme.VEX(), nil },
		Identify: func(*http.Request) (vexhttp.Identity, error) {
			return vexhttp.Identity{Subject: "ann", Tenant: "acme", Writer: true, Admin: true}, nil
		},
	})
	defer server.Close()

	client := &vexhttp.Client{URL: server.URL}
	document := openVEX("app", 1, "CVE-2026-1", "not_affected", "pkg:oci/app@sha256:00")
	if _, err := client.Upload(ctx, "app.openvex.json", []byte(document)); err != nil {
		log.Fatal(err)
	}
	us := vex.Issuer{ID: "us", Tier: 1, Sources: []string{vexhttp.Upload}, Products: []string{"pkg:oci/app"}, Unsigned: []vex.Status{vex.NotAffected}}
	if err := client.SetTrust(ctx, &vex.Trust{Issuers: []vex.Issuer{us}}); err != nil {
		log.Fatal(err)
	}
	p := &ingest.Publisher{Heads: acme.VEX(), Now: func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }}
	if _, err := p.Publish(ctx); err != nil { // a worker does
		log.Fatal(err)
	}
	decisions, err := client.Consensus(ctx, "CVE-2026-1", "")
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range decisions {
		fmt.Println(d.Product, d.Status)
	}
	// Output: pkg:oci/app@sha256:00 not_affected
}
