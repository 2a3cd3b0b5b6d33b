package verify_test

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/notify/timeline/verify"
)

// The golden export of package timeline, and the same with another owner. Without
// checkpoints the chain alone is checked, and the report says so.
func Example() {
	const export = `{"first":1,"format":"stella.timeline.v1","tenant":"acme"}
{"body":{"id":"scan-1/queued","job_id":"scan-1","source":"scanner","status":"queued","tenant":"acme","time":"2026-11-29T12:00:00.123456Z","type":"scan.queued"},"digest":"sha256:68ca7467073d1d4b0cf3ea3901c9d9a3753643828e8f357a473960479b41805e","hash":"sha256:f85025dbd092fda37725566b7976d43014f1b6f84b3406abd64dcec96d1e8690","id":"scan-1/queued","indexed":"2026-11-29T12:00:01.123456Z","seq":1,"time":"2026-11-29T12:00:00.123456Z","topic":"scanner:events","type":"scan.queued"}
{"end":1,"hash":"sha256:f85025dbd092fda37725566b7976d43014f1b6f84b3406abd64dcec96d1e8690"}
`
	for _, text := range []string{export, strings.Replace(export, `"id":"scan-1/queued","indexed"`, `"id":"scan-2/queued","indexed"`, 1)} {
		r, err := verify.Verify(strings.NewReader(text), nil)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%d rows of %s, %d of them covered by no checkpoint\n", r.Last, r.Tenant, r.Uncovered())
	}
	// Output:
	// 1 rows of acme, 1 of them covered by no checkpoint
	// the timeline is altered from row 1 on (line 2): it does not have the hash that it had
}
