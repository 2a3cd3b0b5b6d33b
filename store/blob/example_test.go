package blob_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/stella-ops/stella/store/blob"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "artifacts-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	bucket, err := blob.Open(ctx, "file:"+dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bucket.Close()

	ref, err := bucket.Put(ctx, strings.NewReader("an SBOM"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ref.Size, ref.Digest[:14]) // kept with what refers to it

	// A copy that people find.
	if err := bucket.Name(ctx, ref, "scan-1/sbom.spdx.json"); err != nil {
		fmt.Println(err)
		return
	}
	r, err := bucket.OpenName(ctx, "scan-1/sbom.spdx.json", ref)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	text, err := io.ReadAll(r) // checked before it is given out
	fmt.Println(string(text), err)
	// Output:
	// 7 sha256:937a769
	// an SBOM <nil>
}
