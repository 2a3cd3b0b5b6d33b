package osv_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
)

func ExampleParse() {
	r, err := osv.Parse([]byte(`{
		"schema_version": "1.7.0", "id": "GO-2020-0001", "modified": "2024-05-20T16:03:47Z",
		"aliases": ["CVE-2020-36567"], "summary": "Arbitrary log line injection",
		"affected": [{
			"package": {"ecosystem": "Go", "name": "github.com/gin-gonic/gin"},
			"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.6.0"}]}]
		}]
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.ID, r.Aliases, r.Affected[0].Name, r.Affected[0].Ranges[0].Events[1].Fixed)

	_, err = osv.Parse([]byte(`{"id": "X-1", "modified": "2024-05-20T16:03:47Z", "affected": [{"ranges": [{"type": "SEMVER", "events": [{"fixed": "1.0"}]}]}]}`), nil)
	fmt.Println(err)
	// Output:
	// GO-2020-0001 [CVE-2020-36567] github.com/gin-gonic/gin 1.6.0
	// read advisory (X-1) at /affected/0/ranges/0: a range has no introduced event: invalid input
}

// A source of one's own: records in a folder.
func ExampleLocal() {
	dir, err := os.MkdirTemp("", "advisories")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	os.WriteFile(filepath.Join(dir, "MINE-1.yaml"), []byte("id: MINE-1\nmodified: 2024-05-20T16:03:47Z\nsummary: Ours\n"), 0o644)

	source := osv.Local("mine", dir)
	_, err = source.Fetch(context.Background(), nil, nil, func(doc *advisory.Document) error {
		for s, err := range source.Parse(doc) {
			if err != nil {
				return err
			}
			fmt.Println(doc.Name, s.(*advisory.Record).Summary)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// MINE-1.yaml Ours
	// <nil>
}
