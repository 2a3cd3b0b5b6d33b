package scanhttp_test

import (
	"fmt"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/store/storetest"
)

// overWire has the evaluations of the store itself: they are not for the wire.
type overWire struct {
	*scanhttp.Client
	scan.Evaluations
}

// TestScans runs the suite of stores through the client and the handler.
func TestScans(t *testing.T) {
	g := newRig(t)
	n := 0
	storetest.TestScans(t, func(t testing.TB) storetest.Scans {
		n++
		tenant := fmt.Sprint("tenant-", n)
		scans, err := g.scans(tenant)
		if err != nil {
			t.Fatal(err)
		}
		return overWire{g.client(tenant + "/ann/worker"), scans}
	})
}
