package system

import (
	"slices"
	"strings"
	"testing"

	documents "github.com/stella-ops/stella/docs/openapi"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/internal/gateway"
	"github.com/stella-ops/stella/services/internal/openapi"
)

// TestRoutes: each operation that a document describes has one route that says who may ask,
// and each route is described.
func TestRoutes(t *testing.T) {
	described, err := openapi.Operations(documents.Files)
	if err != nil {
		t.Fatal(err)
	}
	if len(described) < 100 {
		t.Fatalf("only %d operations are described", len(described))
	}
	known, routes := auth.Scopes(), []string{}
	for _, r := range Routes() {
		operation := r.Method + " " + r.Path
		routes = append(routes, operation)
		if !slices.Contains(described, operation) && r.System != "console" { // whose routes are pages
			t.Errorf("%s is described nowhere", operation)
		}
		for _, s := range r.Scopes {
			if known[s] == "" {
				t.Errorf("%s needs %q, which is no right", operation, s)
			}
		}
		if r.Public() && !slices.Contains([]string{"/api/v1/notify/ack"}, r.Path) && r.System != "authority" && r.System != "console" && !strings.HasPrefix(r.Path, "/harbor/") && !strings.HasSuffix(r.Path, "/deltas") && r.Path != "/api/version" {
			t.Errorf("%s is public", operation)
		}
	}
	slices.Sort(routes)
	for i := 1; i < len(routes); i++ {
		if routes[i] == routes[i-1] {
			t.Errorf("%s is there twice", routes[i])
		}
	}
	for _, d := range described {
		if !slices.Contains(routes, d) && d != "GET /revocations" { // that is for gateways
			t.Errorf("%s has no route", d)
		}
	}
}

// TestHeaders: what answers are documented to have passes the gateway.
func TestHeaders(t *testing.T) {
	names, err := openapi.Headers(documents.Files)
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	for _, n := range names {
		if !gateway.PassesOn(n) && n != "WWW-Authenticate" && n != "DPoP-Nonce" && n != "Set-Cookie" { // those are the gateway's own, and Authority's
			t.Errorf("answers have %s, and the gateway takes it away", n)
		}
	}
}
