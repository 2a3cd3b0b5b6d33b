package osv_test

import (
	"fmt"

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
