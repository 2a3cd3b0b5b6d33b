package sqlite_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/blob"
)

// What a scan that is gone gave a name to loses it; what is of others, or of nothing that
// the store knows, keeps it.
func TestGoneNames(t *testing.T) {
	tenant, err := open(t).Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	job, _, err := tenant.Scans().Submit(t.Context(), scan.Request{Image: "registry.test/app:1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	bucket := blob.New(blob.NewMem(0))
	ref, err := bucket.Put(t.Context(), strings.NewReader("an SBOM"))
	if err != nil {
		t.Fatal(err)
	}
	keep := []string{job.ID + "/bundle.jsonl", job.ID + "/sbom.spdx.json", "policies/scan-gone", "scan-notes"}
	for _, name := range append([]string{"scan-gone/bundle.jsonl", "scan-gone/sbom.spdx.json"}, keep...) {
		if err := bucket.Name(t.Context(), ref, name); err != nil {
			t.Fatal(err)
		}
	}
	n, err := bucket.Prune(t.Context(), tenant.GoneNames())
	if err != nil || n != 2 {
		t.Errorf("%d names, %v", n, err)
	}
	var left []string
	for info, err := range bucket.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(info.Key, "sha256/") {
			left = append(left, info.Key)
		}
	}
	slices.Sort(keep)
	if !slices.Equal(left, keep) {
		t.Errorf("left are %v, want %v", left, keep)
	}
	if err := bucket.Check(t.Context(), ref); err != nil {
		t.Errorf("the object itself: %v", err)
	}
}
