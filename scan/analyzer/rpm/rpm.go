// Package rpm reads the databases of rpm in all three formats, and the package
// manifests that stand in for one in images without rpm (Azure Linux and
// CBL-Mariner distroless).
//
// # Which database counts
//
// rpm itself uses one database. An image that was upgraded, or that several
// tools wrote to, may hold more; then the packages of the one that rpm would use
// are reported and a gap names each of the others. The folders count in this
// order: usr/lib/sysimage/rpm (rpm's folder in SUSE, Fedora 36 and RHEL 10),
// usr/share/rpm (images made by rpm-ostree), var/lib/rpm (everywhere before; in
// the others it is a link, or what an upgrade left). Within a folder the format
// that the distribution configures counts, else the first one in the order in
// which rpm 4.17 and later look for one: SQLite, ndb, Berkeley DB
// (lib/backend/dbi.c). A database without packages hides no other. The
// manifests count last.
//
// # What is left out
//
// Entries named gpg-pubkey are keys that were imported for checking signatures.
// rpm keeps them as headers, but no software comes with them.
package rpm

import (
	"context"
	"path"

	"github.com/stella-ops/stella/scan/analyzer"
)

const (
	scope = "rpm" // all files form one name space; Join leaves facts of one only

	sqliteName   = "rpmdb.sqlite"
	ndbName      = "Packages.db"
	berkeleyName = "Packages"
	walName      = sqliteName + "-wal"
	rollbackName = sqliteName + "-journal"

	manifestDir  = "var/lib/rpmmanifest"
	longManifest = manifestDir + "/container-manifest-2" // one line of fields a package
	nameManifest = manifestDir + "/container-manifest-1" // one name a package
)

// folders are where databases are, the one that counts first.
func folders() []string {
	return []string{"usr/lib/sysimage/rpm", "usr/share/rpm", "var/lib/rpm"}
}

// Analyzer reads rpm databases. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "rpm", Version: 1, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	p := analyzer.Paths{Exact: []string{longManifest, nameManifest}}
	for _, dir := range folders() {
		for _, name := range []string{sqliteName, ndbName, berkeleyName, walName, rollbackName} {
			p.Exact = append(p.Exact, dir+"/"+name)
		}
	}
	return p
}

// Extract implements analyzer.Analyzer. It returns the packages of a database
// or manifest in the order of the file. A record that cannot be read costs
// itself alone, and an error that says how many there are.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	switch {
	case f.Path == longManifest:
		return readManifest(f, longLine)
	case f.Path == nameManifest:
		return readManifest(f, nameLine)
	case path.Base(f.Path) == walName:
		return readWAL(f)
	case path.Base(f.Path) == rollbackName:
		return readRollback(f)
	}
	return readDatabase(ctx, f)
}
