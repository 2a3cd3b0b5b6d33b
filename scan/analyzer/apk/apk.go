// Package apk reads the installed database of the Alpine Package Keeper, which
// Wolfi, Chainguard and others use too.
//
// Format: apk-package(5) and apk-v2 "installed" (https://wiki.alpinelinux.org/wiki/Apk_spec).
package apk

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	scope   = "apk"
	maxLine = 1 << 20 // bytes of one line

	maxPackages = 100_000   // of one database; all of Alpine has some 30,000
	maxNames    = 1_000_000 // files, dependencies and provided names of one database
)

// Analyzer reads apk databases. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "apk", Version: 1, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Exact: []string{"lib/apk/db/installed", "usr/lib/apk/db/installed"}}
}

// Extract implements analyzer.Analyzer: one fact a package, with its files.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	if limit := f.Budget.Limits.FileBytes; f.Size > limit {
		return nil, &fault.LimitError{What: "bytes of a package database", Where: f.Path, Max: limit, Seen: f.Size}
	}
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	var d database
	for line := 1; s.Scan(); line++ {
		if err := d.take(s.Bytes()); err != nil {
			return d.done(), fmt.Errorf("%s: line %d: %w", f.Path, line, err)
		}
		if err := d.tooMany(f.Path); err != nil {
			return d.done(), err
		}
	}
	if err := s.Err(); err == bufio.ErrTooLong {
		return d.done(), &fault.LimitError{What: "bytes of a line", Where: f.Path, Max: maxLine}
	} else if err != nil && err != io.EOF {
		return d.done(), fmt.Errorf("read %s: %w", f.Path, err)
	}
	if err := d.flush(); err != nil {
		return d.done(), fmt.Errorf("%s: at the end: %w", f.Path, err)
	}
	return d.done(), nil
}

// database collects records, which blank lines separate.
type database struct {
	facts  []analyzer.Fact
	pkg    *sbom.Package
	fact   analyzer.Fact
	origin string
	dir    string // of the files that follow
	names  int    // files, dependencies and provided names of all records
}

// tooMany bounds what one small file can make of itself.
func (d *database) tooMany(where string) error {
	switch {
	case len(d.facts) > maxPackages:
		return &fault.LimitError{What: "packages of one database", Where: where, Max: maxPackages, Seen: int64(len(d.facts))}
	case d.names > maxNames:
		return &fault.LimitError{What: "files and relations of one database", Where: where, Max: maxNames, Seen: int64(d.names)}
	}
	return nil
}

func (d *database) done() []analyzer.Fact { return d.facts }

func (d *database) take(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return d.flush()
	}
	if len(line) < 2 || line[1] != ':' {
		return fmt.Errorf("no field name in %.40q: %w", line, fault.Invalid)
	}
	if d.pkg == nil {
		d.pkg = &sbom.Package{}
	}
	value := strings.ToValidUTF8(strings.TrimSuffix(string(line[2:]), "\r"), "%")
	switch line[0] {
	case 'P':
		d.pkg.Name = value
	case 'V':
		d.pkg.Version = value
	case 'A':
		d.pkg.Arch = value
	case 'T':
		d.pkg.Description = value
	case 'U':
		d.pkg.Homepage = value
	case 'L':
		if value != "" {
			d.pkg.Licenses = []sbom.License{{Name: value}}
		}
	case 'm':
		d.pkg.Supplier = value
	case 'o':
		d.origin = value
	case 'D':
		d.fact.DependsOn = strings.Fields(value)
		d.names += len(d.fact.DependsOn)
	case 'p':
		d.fact.Provides = strings.Fields(value)
		d.names += len(d.fact.Provides)
	case 'F':
		d.dir = value
	case 'R':
		d.names++
		d.fact.Owns = append(d.fact.Owns, strings.TrimPrefix(d.dir+"/"+value, "/"))
	}
	return nil
}

// flush ends a record.
func (d *database) flush() error {
	p := d.pkg
	if p == nil {
		return nil
	}
	f := d.fact
	origin := d.origin
	d.pkg, d.fact, d.origin, d.dir = nil, analyzer.Fact{}, "", ""
	if p.Name == "" || p.Version == "" {
		return fmt.Errorf("package %q with version %q: %w", p.Name, p.Version, fault.Invalid)
	}
	if origin != "" && origin != p.Name {
		p.Upstream = &sbom.Upstream{Name: origin}
	}
	slices.Sort(f.Owns)
	f.Kind, f.Scope, f.Key, f.Package = analyzer.KindPackage, scope, p.Name, p
	d.facts = append(d.facts, f)
	return nil
}
