package proof

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/crashpoint"
)

// TestProofRedo has an export die at each point that it passes, the first and another
// time, and be done over by the next process: documents, bundles and pushes have the
// bytes that they have without a crash, and there is one pointer to each. Points in the
// log are passed by goroutines of its own, which package crash kills with their process.
func TestProofRedo(t *testing.T) {
	base := newLab(t, newParties(t))
	calm := base.copy(t)
	calm.work()
	want := calm.result()
	if len(want) < 12 {
		t.Fatalf("%d results: %v", len(want), want)
	}
	calm.close()
	tried := 0
	for _, p := range crashpoint.All() {
		flow, _, _ := strings.Cut(string(p), ".")
		if flow != "sign" && flow != "attest" && flow != "export" || p == crashpoint.ExportFailed { // nothing fails here
			continue
		}
		for _, nth := range []int{1, 3} {
			if nth > 1 && testing.Short() {
				continue
			}
			t.Run(fmt.Sprintf("%s-%d", p, nth), func(t *testing.T) {
				l := base.copy(t)
				if !l.crash(p, nth) {
					if nth == 1 || p != crashpoint.ExportRequested && p != crashpoint.ExportPushed && p != crashpoint.ExportNoted { // those happen once
						t.Errorf("it was not passed %d times", nth)
					}
					return
				}
				tried++
				l.restart()
				l.work()
				if diff := cmp.Diff(want, l.result()); diff != "" {
					t.Errorf("pass %d: it is another (-without a crash +done over):\n%.2000s", nth, diff)
				}
				l.close()
			})
		}
	}
	t.Logf("%d crashes", tried)
}
