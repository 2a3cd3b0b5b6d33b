package oval_test

import (
	"testing"

	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/oval"
)

func TestSources(t *testing.T) {
	for name, s := range map[string]*oval.Source{"redhat": oval.RedHat(), "oracle": oval.Oracle(), "suse": oval.SUSE(), "azure": oval.Azure(), "photon": oval.Photon()} {
		t.Run(name, func(t *testing.T) { advisorytest.TestSource(t, s, "testdata/"+name+".txtar") })
	}
}
