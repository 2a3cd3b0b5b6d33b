package packagefile

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/inflate"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// readAPK reads .PKGINFO: a package is three tar archives in gzip members, one after the other
// (signature, control data, files), of which the first two lack an end.
func readAPK(in io.Reader, f *analyzer.File) (*sbom.Package, error) {
	z, err := inflate.NewGzip(in)
	if err != nil {
		return nil, err
	}
	data, err := member(&inflated{r: z, f: f}, ".PKGINFO", f.Path)
	if err != nil {
		return nil, err
	}
	p := &sbom.Package{}
	origin := ""
	for line := range bytes.Lines(data) {
		key, value, ok := strings.Cut(strings.ToValidUTF8(strings.TrimSpace(string(line)), "\uFFFD"), " = ")
		if ok && len(value) <= maxField {
			apkField(p, &origin, key, value)
		}
	}
	if p.Name == "" || p.Version == "" {
		return nil, fmt.Errorf(".PKGINFO: package %q with version %q: %w", cut(p.Name), cut(p.Version), fault.Invalid)
	}
	if origin != "" && origin != p.Name {
		p.Upstream = &sbom.Upstream{Name: origin}
	}
	return p, nil
}

func apkField(p *sbom.Package, origin *string, key, value string) {
	switch key {
	case "pkgname":
		p.Name = value
	case "pkgver":
		p.Version = value
	case "arch":
		p.Arch = value
	case "origin":
		*origin = value
	case "pkgdesc":
		p.Description = value
	case "url":
		p.Homepage = value
	case "maintainer":
		p.Supplier = value
	case "license":
		p.Licenses = []sbom.License{{Name: value}}
	}
}
