// Package cpan reads distributions of CPAN, the archive of Perl: what cpanm, cpm and carton
// installed, and what a cpanfile.snapshot of Carton names.
//
// Installed are the folders .meta/<distribution>: install.json says what was installed and
// from where, and MYMETA.json, which lies beside it, describes it. Other installers leave a
// .packlist without a version, or nothing; such distributions are not found. A META.json of
// CPAN elsewhere is that of the project that it lies in.
//
// What was compiled of the modules that install.json names came with a distribution; its
// programs are not listed anywhere.
//
// A package is a distribution ("libwww-perl"), not one of its modules ("LWP::UserAgent").
// Its package URL needs the author who uploaded it (purl-spec, type cpan), which MYMETA.json
// does not have.
package cpan

import (
	"bytes"
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// Analyzer reads the files of the CPAN ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "cpan", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:  []string{"cpanfile.snapshot", "install.json", "MYMETA.json", "META.json"},
		Accept: func(file string) bool { return formatOf(file) != nil },
	}
}

// format reads one kind of file.
type format func(file string, data []byte) ([]analyzer.Fact, error)

// formatOf returns the format of a file by its path, or nil.
func formatOf(file string) format {
	dir, base := path.Split(file)
	meta := path.Base(path.Dir(strings.TrimSuffix(dir, "/"))) == ".meta"
	switch base {
	case "cpanfile.snapshot":
		return readSnapshot
	case "install.json":
		if meta {
			return readInstall
		}
	case "MYMETA.json":
		if meta {
			return readMyMeta
		}
	case "META.json":
		if !meta && !strings.Contains("/"+dir, "/.cpanm/") && !strings.Contains("/"+dir, "/.cpan/") { // where archives are unpacked
			return readMeta
		}
	}
	return nil
}

// Extract implements analyzer.Analyzer: one fact for each distribution, which Join completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read := formatOf(f.Path)
	if read == nil {
		return nil, nil
	}
	return locked.Read(f, locked.MaxBytes, func(data []byte) ([]analyzer.Fact, error) {
		return read(f.Path, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	})
}
