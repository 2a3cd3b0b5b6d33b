package snapshot_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
)

func ExampleStore() {
	dir, err := os.MkdirTemp("", "stella")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	record := `{"id": "GHSA-1", "modified": "2024-05-20T16:03:47Z", "affected": [{"package": {"ecosystem": "npm", "name": "left-pad"}, "versions": ["1.0.0"]}]}`
	if err := os.WriteFile(filepath.Join(dir, "GHSA-1.json"), []byte(record), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	store := snapshot.Store{Dir: filepath.Join(dir, "db")}
	result, err := store.Import(osv.Walk(ctx, nil, dir))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Records, "record,", len(result.Broken), "broken")

	snap, err := store.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer snap.Close()
	entries, err := snap.Affected(ctx, "npm", "left-pad")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range entries {
		r, err := snap.Record(ctx, e.Record)
		fmt.Println(r.ID, e.Versions.Has("1.0.0"), err)
	}
	// Output:
	// 1 record, 0 broken
	// GHSA-1 true <nil>
}
