// Package licenses says what the licence files in an image are the text of:
// LICENSE, COPYING, NOTICE and the like, wherever they lie. A scan attaches them
// to the package in whose folder they are.
//
// What package managers declare is read by their own analyzers. This one reads
// the texts, so that the two can be compared; see
// [github.com/stella-ops/stella/scan/sbom/license/detect].
package licenses

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license/detect"
)

// Name is the name of the analyzer.
const Name = "licenses"

// Analyzer reads licence files. The zero value is ready to use.
type Analyzer struct {
	// Copyright also reads the texts of usr/share/doc/*/copyright. Those that are
	// machine-readable, or name files of common-licenses, are read by package dpkg
	// in any case; the texts add about an eighth to the scan of a Debian image.
	Copyright bool
}

// Info implements analyzer.Analyzer.
func (a Analyzer) Info() analyzer.Info {
	info := analyzer.Info{Name: Name, Version: 1}
	if a.Copyright {
		info.Rules = "copyright"
	}
	return info
}

// stems are the names of licence files, without what may follow.
var stems = []string{"LICENSE", "LICENCE", "LICENSES", "COPYING", "UNLICENSE", "NOTICE"}

// variants are what may stand behind a stem or, with a dash, before it.
var variants = []string{"MIT", "APACHE", "APACHE2", "APACHE-2.0", "BSD", "GPL", "LGPL", "ISC", "ZLIB", "MPL", "UNLICENSE", "LESSER", "LIB", "PSF"}

// endings are the suffixes of text files.
var endings = []string{"", ".txt", ".md", ".rst"}

const (
	docDir    = "usr/share/doc"
	copyright = "copyright"
)

// Paths implements analyzer.Analyzer.
func (a Analyzer) Paths() analyzer.Paths {
	var names []string
	for i, s := range stems {
		bases := []string{s}
		for _, v := range variants {
			if i < 4 { // of a licence
				bases = append(bases, s+"-"+v, s+"."+v, v+"-"+s)
			}
		}
		for _, b := range bases {
			for _, end := range endings {
				names = append(names, b+end, strings.ToLower(b)+end, b[:1]+strings.ToLower(b[1:])+end, b+strings.ToUpper(end))
			}
		}
	}
	if a.Copyright {
		names = append(names, copyright)
	}
	slices.Sort(names)
	return analyzer.Paths{Names: slices.Compact(names), Accept: accept}
}

// accept takes copyright files where dpkg has them alone.
func accept(p string) bool {
	return path.Base(p) != copyright || path.Dir(path.Dir(p)) == docDir
}

// Extract implements analyzer.Analyzer: one fact of analyzer.KindLicense with the
// licences that the file says, if it says any. The NOTICE of a work under the
// Apache licence names those of other works; of it only whole texts count.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	if f.Size > detect.MaxBytes {
		return nil, &fault.LimitError{What: "bytes of a licence file", Where: f.Path, Max: detect.MaxBytes, Seen: f.Size}
	}
	data, err := f.Bytes(detect.MaxBytes)
	if err != nil {
		return nil, err
	}
	if machineReadable(f.Path, data) {
		return nil, nil
	}
	matches, err := detect.Find(data)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.ToUpper(path.Base(f.Path)), "NOTICE") {
		kept := matches[:0]
		for _, m := range matches {
			if m.Kind == detect.Text {
				kept = append(kept, m)
			}
		}
		matches = kept
	}
	said := &sbom.Package{}
	for _, expr := range detect.Expressions(matches) {
		said.Licenses = append(said.Licenses, sbom.License{Kind: sbom.LicenseDetected, Expression: expr})
	}
	if len(said.Licenses) == 0 {
		return nil, nil
	}
	return []analyzer.Fact{{Kind: analyzer.KindLicense, Package: said}}, nil
}

// machineReadable reports whether a copyright file has the format of DEP 5, of
// which package dpkg reads the fields.
func machineReadable(p string, data []byte) bool {
	if path.Base(p) != copyright {
		return false
	}
	head := string(data[:min(len(data), 4096)])
	return strings.HasPrefix(head, "Format:") || strings.Contains(head, "copyright-format")
}
