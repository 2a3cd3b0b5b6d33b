// Package sources lists every source of advisories that the SDK has.
//
// [All] returns them, [Named] those of some names. Each is an [advisory.Source]: it says
// what it is, from whom and under which licence (Describe), fetches documents through a
// door that the caller gives it, and parses them without any. Nothing is fetched by listing
// them, and each call makes new ones.
//
// Who imports this package carries the readers of all formats. A program that needs a few
// sources imports their packages instead, such as advisory/debian or advisory/osv, which
// also have what a name cannot say: options of a source, or databases of one's own.
//
// To run sources, keep what they say and make snapshots of it is the work of package
// advisory/ingest; a source of one's own is proved by package advisory/advisorytest.
package sources

import (
	"fmt"
	"slices"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
	"github.com/stella-ops/stella/advisory/cve5"
	"github.com/stella-ops/stella/advisory/debian"
	"github.com/stella-ops/stella/advisory/epss"
	"github.com/stella-ops/stella/advisory/friendsofphp"
	"github.com/stella-ops/stella/advisory/ghsa"
	"github.com/stella-ops/stella/advisory/kev"
	"github.com/stella-ops/stella/advisory/npmwg"
	"github.com/stella-ops/stella/advisory/nvd"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/oval"
	"github.com/stella-ops/stella/advisory/rubysec"
	"github.com/stella-ops/stella/advisory/secdb"
	"github.com/stella-ops/stella/advisory/ubuntu"
	"github.com/stella-ops/stella/advisory/updateinfo"
	"github.com/stella-ops/stella/internal/fault"
)

// ErrNotFound is the kind of error for a name that no source has.
var ErrNotFound error = fault.NotFound

// All returns every source, new ones each time, sorted by name. Those that
// gather what others publish, such as "osv", repeat what the others say.
func All() []advisory.Source {
	all := []advisory.Source{
		osv.AlmaLinux(),
		osv.BellSoft(),
		osv.Bitnami(),
		osv.Bucket(),
		osv.DHI(),
		osv.Drupal(),
		osv.Echo(),
		osv.Erlang(),
		osv.GoVulnDB(),
		osv.Haskell(),
		osv.Julia(),
		osv.Mageia(),
		osv.MaliciousPackages(),
		osv.OCaml(),
		osv.OpenEuler(),
		osv.PSF(),
		osv.PyPA(),
		osv.R(),
		osv.RedHat(),
		osv.Rocky(),
		osv.RustSec(),
		osv.SUSE(),
		osv.Ubuntu(),
		ghsa.New(nil),
		csaf.CISA(),
		csaf.RedHatAdvisories(),
		csaf.RedHatVEX(),
		csaf.SUSE(),
		csaf.SUSEVEX(),
		cve5.Source{},
		epss.Source{},
		friendsofphp.Source{},
		kev.Source{},
		npmwg.Source{},
		nvd.Source{},
		rubysec.Source{},
		debian.New(),
		oval.Azure(),
		oval.Oracle(),
		oval.Photon(),
		oval.RedHat(),
		oval.SUSE(),
		secdb.Alpine(),
		secdb.Chainguard(),
		secdb.MinimOS(),
		secdb.Wolfi(),
		ubuntu.New(),
		updateinfo.AlmaLinux(),
		updateinfo.Amazon(),
		updateinfo.Fedora(),
		updateinfo.Oracle(),
		updateinfo.Rocky(),
	}
	slices.SortFunc(all, func(a, b advisory.Source) int {
		if a.Describe().Name < b.Describe().Name {
			return -1
		}
		return 1
	})
	return all
}

// Named returns the sources of some names, in that order; none for no names. An
// error wraps ErrNotFound.
func Named(names ...string) ([]advisory.Source, error) {
	all := All()
	out := make([]advisory.Source, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(all, func(s advisory.Source) bool { return s.Describe().Name == name })
		if i < 0 {
			return nil, fmt.Errorf("find the source %.80q: %w", name, fault.NotFound)
		}
		out = append(out, all[i])
	}
	return out, nil
}
