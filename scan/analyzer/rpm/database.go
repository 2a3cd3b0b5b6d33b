package rpm

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/rpmdb"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	maxText   = 128 << 20 // bytes kept of one database, as estimated here
	maxBroken = 1000      // records that cannot be read before a database is given up

	keyPackage = "gpg-pubkey" // the name of entries that are no packages
)

// readDatabase returns the packages of the database f.
func readDatabase(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	r, err := f.ReaderAt()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	db, err := rpmdb.Open(r, f.Size, &rpmdb.Limits{Headers: f.Budget.Limits.Facts})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	var facts []analyzer.Fact
	var links dependencies
	var text int64
	broken := failures{where: f.Path}
	for blob, err := range db.Headers() {
		var p rpmdb.Package
		if err == nil {
			p, err = rpmdb.Decode(blob, nil)
		}
		if err != nil && broken.add(err) == maxBroken {
			break
		}
		if p.Name != "" && p.Name != keyPackage {
			if text += textSize(&p); text > maxText {
				broken.add(&fault.LimitError{What: "bytes of text kept of one database", Where: f.Path, Max: maxText})
				break
			}
			facts = append(facts, packageFact(&p))
			links.add(p.Requires, p.Provides)
		}
		if err := ctx.Err(); err != nil {
			return facts, fmt.Errorf("read %s: %w", f.Path, err)
		}
	}
	links.resolve(facts)
	return facts, broken.err()
}

// failures keeps the first of many errors and counts the others.
type failures struct {
	where string
	first error
	n     int
}

func (f *failures) add(err error) int {
	if f.n == 0 {
		f.first = err
	}
	f.n++
	return f.n
}

func (f *failures) err() error {
	switch f.n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: %w", f.where, f.first)
	}
	return fmt.Errorf("%s: %w (and %d more)", f.where, f.first, f.n-1)
}

// packageFact says what a header says. Join adds the package URL.
func packageFact(p *rpmdb.Package) analyzer.Fact {
	pkg := &sbom.Package{
		Name: p.Name, Version: p.EVR(), Arch: p.Arch, Supplier: p.Vendor,
		Description: p.Summary, Homepage: p.URL, Upstream: distro.RPMUpstream(p.Name, p.VR(), p.SourceRPM),
	}
	if p.License != "" {
		pkg.Licenses = []sbom.License{{Name: p.License}}
	}
	for _, q := range []sbom.Property{
		{Name: propKeyID, Value: p.KeyID}, {Name: propModularity, Value: p.ModularityLabel},
		{Name: propSigMD5, Value: p.SigMD5}, {Name: propSourceRPM, Value: p.SourceRPM},
	} {
		if q.Value != "" {
			pkg.Properties = append(pkg.Properties, q)
		}
	}
	return analyzer.Fact{Kind: analyzer.KindPackage, Scope: scope, Key: key(pkg), Package: pkg, Owns: p.Files}
}

// The properties of an rpm package, in the order of their names.
const (
	propKeyID      = "rpm:keyid"          // id of the key that signed the package
	propModularity = distro.RPMModularity // name:stream:version:context
	propSigMD5     = "rpm:sigmd5"         // MD5 of header and payload
	propSourceRPM  = distro.RPMSource     // file name of the source package
)

// key is name-epoch:version-release.arch, as rpm -qa --nevra names a package.
func key(p *sbom.Package) string {
	k := p.Name + "-" + p.Version
	if p.Arch != "" {
		k += "." + p.Arch
	}
	return k
}

// textSize is about how much memory p takes.
func textSize(p *rpmdb.Package) int64 {
	n := 1024 + len(p.Name) + len(p.Version) + len(p.Release) + len(p.SourceRPM) + len(p.Vendor) + len(p.License) + len(p.Summary) + len(p.URL)
	for _, list := range [][]string{p.Files, p.Requires, p.Provides} {
		for _, s := range list {
			n += len(s) + 16
		}
	}
	return int64(n)
}
