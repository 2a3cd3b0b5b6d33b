package deptrack_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/deptrack"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// Example serves the API over a store, and uploads an SBOM as a CI server does.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "stella-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	root, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "stella.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	objects, err := blob.Open(ctx, "file:"+filepath.Join(dir, "artifacts"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer objects.Close()
	server := httptest.NewServer(&deptrack.Handler{
		Scans: func(tenant string) (deptrack.Scans, error) {
			t, err := root.Tenant(tenant)
			if err != nil {
				return nil, err
			}
			return t.Scans(), nil
		},
		Uploads: func(tenant string) (scan.Uploads, error) { return objects.Sub(tenant) },
		Identify: func(*http.Request) (deptrack.Identity, error) { // a service checks X-Api-Key here
			return deptrack.Identity{Tenant: "acme", Subject: "ci"}, nil
		},
	})
	defer server.Close()
	resp, err := http.Post(server.URL+"/api/v1/bom", "application/json",
		strings.NewReader(`{"projectName":"shop","projectVersion":"1.4","autoCreate":true,"bom":"eyJib21Gb3JtYXQiOiJDeWNsb25lRFgiLCJzcGVjVmVyc2lvbiI6IjEuNSJ9"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, strings.Contains(string(body), scan.ProjectID("acme", scan.ProjectName{Name: "shop", Version: "1.4"})), err)
	// Output: 200 true <nil>
}
