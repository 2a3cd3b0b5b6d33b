package scanhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// Example serves the scans of a store, submits one, and asks for its status.
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
	artifacts, err := blob.Open(ctx, "file:"+filepath.Join(dir, "artifacts"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer artifacts.Close()

	scans := func(tenant string) (*store.Scans, error) {
		t, err := root.Tenant(tenant)
		if err != nil {
			return nil, err
		}
		return t.Scans(), nil
	}
	server := httptest.NewServer(&scanhttp.Handler{
		Store:     func(tenant string) (scan.Store, error) { return scans(tenant) },
		Jobs:      func(tenant string) (scan.Jobs, error) { return scans(tenant) },
		Documents: func(tenant string) (scanhttp.Documents, error) { return artifacts.Sub(tenant) },
		Identify: func(r *http.Request) (scanhttp.Identity, error) { // a service checks a token here
			return scanhttp.Identity{Tenant: "acme", Subject: "ann"}, nil
		},
	})
	defer server.Close()

	client := &scanhttp.Client{URL: server.URL}
	job, _, err := client.Submit(ctx, scan.Request{Image: "docker://alpine:latest"}, "build-7")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, repeated, err := client.Submit(ctx, scan.Request{Image: "docker://alpine:latest"}, "build-7")
	fmt.Println("repeated:", repeated, err)
	job, err = client.Job(ctx, job.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Image, job.State, job.Owner)
	// Output:
	// repeated: true <nil>
	// docker://alpine:latest queued ann
}
