package osv_test

import (
	"testing"

	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/osv"
)

func TestSources(t *testing.T) {
	for _, s := range []*osv.Source{
		osv.AlmaLinux(), osv.BellSoft(), osv.Bitnami(), osv.Bucket(), osv.DHI(), osv.Drupal(), osv.Echo(), osv.Erlang(), osv.GoVulnDB(), osv.Haskell(), osv.Julia(),
		osv.MaliciousPackages(), osv.Mageia(), osv.OCaml(), osv.OpenEuler(), osv.PSF(), osv.PyPA(), osv.R(), osv.RedHat(), osv.Rocky(), osv.RustSec(), osv.SUSE(), osv.Ubuntu(),
	} {
		name := s.Describe().Name
		t.Run(name, func(t *testing.T) { advisorytest.TestSource(t, s, "testdata/"+name+".txtar") })
	}
}
