package harbor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/harbor"
)

// Example mounts the scanner below /harbor, where Harbor is given its address.
func Example() {
	handler := &harbor.Handler{
		Store:     func(tenant string) (scan.Store, error) { return nil, harbor.ErrUnavailable },       // those of a store, with a key to seal credentials
		Documents: func(tenant string) (harbor.Documents, error) { return nil, harbor.ErrUnavailable }, // a bucket
		Identify: func(*http.Request) (harbor.Identity, error) {
			return harbor.Identity{Tenant: "acme", Subject: "harbor"}, nil
		},
	}
	server := httptest.NewServer(http.StripPrefix("/harbor", handler))
	defer server.Close()
	resp, err := http.Get(server.URL + "/harbor/api/v1/metadata")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"))
	// Output: 200 application/vnd.scanner.adapter.metadata+json; version=1.1
}
