package target_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/export/target"
	"github.com/stella-ops/stella/store/blob"
)

// An export is pushed to a folder; a service would not have opened one.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "exports")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	d := export.Destination{Name: "archive", URL: "file:" + filepath.ToSlash(dir)}
	content := []byte(`{"spdxVersion":"SPDX-2.3"}`)
	ref := blob.Ref{Digest: "sha256:d4f269605ffe72fbe7a3021d68284798ec364111376ee2eace17688bb52a9e1d", Size: int64(len(content))}
	parcel := &export.Parcel{
		Tenant: "acme", ScanID: "scan-1", Format: export.SPDX, Object: export.Object{Name: "sbom.spdx.json", MediaType: "application/spdx+json", Ref: ref},
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}

	place, err := target.Open(ctx, d, &target.Options{Local: true})
	if err != nil {
		log.Fatal(err)
	}
	at, err := place.Push(ctx, parcel)
	fmt.Println(at, err)

	_, err = target.Open(ctx, d, nil)
	fmt.Println(errors.Is(err, target.ErrForbidden))
	// Output:
	// acme/scan-1/d4f269605ffe72fbe7a3021d68284798ec364111376ee2eace17688bb52a9e1d/sbom.spdx.json <nil>
	// true
}
