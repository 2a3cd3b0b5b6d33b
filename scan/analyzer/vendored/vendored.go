// Package vendored reads the SBOM documents that are part of an image: those that Bitnami
// puts beside each application, those of Python wheels (PEP 770), of Spring Boot and of
// whoever else leaves one under a name that says so; and Bitnami's older list of components.
//
// A document is testimony, and is taken for no more than that. Its packages are found at the
// document's place, installed unless it says otherwise, with the relations between them. It
// owns no files, names no distribution, and adds nothing to the packages of one: those (deb,
// rpm, apk, alpm) are what the system's own database says, and a gap tells how many a document
// names. What it says of itself, its tools and its gaps stays with it. A document that breaks
// its format is a gap.
//
// Left out are documents below folders of tests, those of var/lib/db/sbom, which describe apk
// packages one by one, and vcpkg.spdx.json, which is read with vcpkg.
package vendored

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// maxBytes bounds one document.
const maxBytes = 32 << 20

// Analyzer reads SBOM documents. The zero value is ready to use. Keys are the identifiers of
// the document.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "vendored", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Suffixes: []string{".json", ".xml", ".spdx"}, Accept: func(p string) bool { return kindOf(p) != none }}
}

// kind says how a file is named.
type kind int

const (
	none       kind = iota
	perhaps         // it may be another thing, which is no error
	document        // an SBOM document
	components      // Bitnami's list
)

func kindOf(p string) kind {
	dir, base := path.Split(strings.ToLower(p))
	switch {
	case strings.HasPrefix(dir, "var/lib/db/sbom/"), base == "vcpkg.spdx.json", inTests(dir):
		return none
	case p == "opt/bitnami/.bitnami_components.json":
		return components
	case strings.HasPrefix(dir, "opt/bitnami/") && strings.HasPrefix(base, ".spdx-") && strings.HasSuffix(base, ".spdx"):
		return document
	case hasSuffix(base, ".spdx.json", ".cdx.json", ".cdx.xml", ".bom.json", ".bom.xml", ".syft.json"):
		return document
	case base == "bom.json", base == "sbom.json", base == "bom.xml", base == "sbom.xml":
		return perhaps
	}
	if parent := path.Base(dir); parent == "sbom" || parent == "sboms" || strings.HasPrefix(dir, "usr/share/sbom/") {
		return perhaps
	}
	return none
}

func hasSuffix(s string, ends ...string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(s, end) })
}

// inTests reports whether a folder is one of tests: documents there are examples.
func inTests(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		switch part {
		case "testdata", "tests", "test", "fixtures", "__fixtures__", "test-fixtures":
			return true
		}
	}
	return false
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	k := kindOf(f.Path)
	if k == components {
		facts, err := readComponents(data)
		if err != nil {
			err = fmt.Errorf("read %s: %w", f.Path, err)
		}
		return facts, err
	}
	doc, name, err := format.Decode(bytes.NewReader(data))
	if err != nil {
		if k == perhaps && name == "" && errors.Is(err, fault.Unsupported) {
			return nil, nil // something else of that name
		}
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, err := testimony(doc, name)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// Join implements analyzer.Joiner: packages are what Extract found, and what was left out
// becomes a gap.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	out := make([]analyzer.Located, 0, len(in.Facts))
	documents, packages, first := 0, 0, ""
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPart || f.Key != ofSystem || f.Package == nil {
			out = append(out, f)
			continue
		}
		n, err := strconv.Atoi(f.Package.Version)
		if err != nil {
			continue
		}
		if packages += n; documents == 0 {
			first = f.Path
		}
		documents++
	}
	if documents == 0 {
		return out, nil
	}
	return out, []sbom.Gap{{Code: sbom.GapUnsupported, Where: first,
		What: fmt.Sprintf("SBOM documents in the image (%d) name %d operating system packages, which only the system's own database can", documents, packages)}}
}
