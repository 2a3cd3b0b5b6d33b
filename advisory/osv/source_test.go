package osv_test

import (
	"testing"

	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/osv"
)

func TestSources(t *testing.T) {
	for _, s := range []*osv.Source{
		osv.AlmaLinux(), osv.BellSoft(), osv.Bitnami(), osv.Bucket(), osv.DHI(), osv.Drupal(), osv.GoVulnDB(), osv.Haskell(), osv.Julia(),
		osv.MaliciousPackages(), osv.OCaml(), osv.PSF(), osv.PyPA(), osv.R(), osv.Rocky(), osv.RustSec(), osv.Ubuntu(),
	} {
		name := s.Describe().Name
		t.Run(name, func(t *testing.T) { advisorytest.TestSource(t, s, "testdata/"+name+".txtar") })
	}
}
