package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/store/sqlite"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ingest")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	root, err := sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	i := &ingest.Ingester{Store: root.Advisories(nil), Holder: "example"}
	out, err := i.Run(ctx, &feed{name: "npm", docs: map[string]string{"GHSA-1.json": record("GHSA-1", 1, "")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Source, out.Documents, out.Records, out.Held == "")
	// Output: npm 1 1 true
}
