package nuget

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// deprecatedLicence is what NuGet writes for packages whose licence is a file.
const deprecatedLicence = "https://aka.ms/deprecateLicenseUrl"

// readNuspec reads a *.nuspec (https://learn.microsoft.com/nuget/reference/nuspec). One with
// tokens ("$version$") is a template of a project and names no package yet. What the package
// depends on are ranges for several frameworks; which packages answer them is in a lockfile.
func readNuspec(file string, data []byte) ([]analyzer.Fact, error) {
	p := sbom.Package{}
	var text, address string // of the licence
	x := newXML(data)
	err := x.root("package", func() error {
		return x.each(func(e xml.StartElement) error {
			if e.Name.Local != "metadata" {
				return nil
			}
			return x.each(func(e xml.StartElement) (err error) {
				switch e.Name.Local {
				case "id":
					p.Name, err = x.text()
				case "version":
					p.Version, err = x.text()
				case "authors":
					p.Originator, err = x.text()
				case "projectUrl":
					p.Homepage, err = x.text()
				case "description":
					p.Description, err = x.text()
				case "copyright":
					p.Copyright, err = x.text()
				case "license":
					text, err = x.text()
				case "licenseUrl":
					address, err = x.text()
				}
				return err
			})
		})
	})
	if strings.Contains(p.Name+p.Version, "$") {
		return nil, err
	}
	p.Version = plainVersion(p.Version)
	p.PURL = packageURL(p.Name, p.Version)
	p.Licenses = licences(text, address)
	var f locked.File
	if p.Name != "" || err == nil {
		f.Put(locked.Entry{Package: p})
	}
	facts, err := f.Facts(err)
	if folder := path.Dir(file); len(facts) > 0 && inCache(file, p.Name, p.Version) {
		facts[0].Scope, facts[0].Key, facts[0].Package.State = scopeCache, folder, sbom.Installed
	}
	return facts, err
}

// inCache reports whether a nuspec lies where NuGet installs its package: in <id>/<version>,
// or <id>.<version> as of packages.config.
func inCache(file, name, version string) bool {
	dir := path.Dir(file)
	folder, parent := path.Base(dir), path.Base(path.Dir(dir))
	return strings.EqualFold(path.Base(file), name+".nuspec") &&
		(strings.EqualFold(parent, name) && strings.EqualFold(folder, version) || strings.EqualFold(folder, name+"."+version))
}

// licences returns the licence of a package as it states it: an expression or the name of a
// file in it, or the address that older packages have.
func licences(text, address string) []sbom.License {
	if text != "" {
		return []sbom.License{{Name: text}}
	}
	if address == "" || address == deprecatedLicence {
		return nil
	}
	if expression, ok := strings.CutPrefix(address, "https://licenses.nuget.org/"); ok {
		if expression, err := url.PathUnescape(expression); err == nil && utf8.ValidString(expression) {
			return []sbom.License{{Name: expression, URL: address}}
		}
	}
	return []sbom.License{{Name: address, URL: address}}
}

// readMetadata reads the .nupkg.metadata that NuGet leaves beside what it installs
// (NuGet.Packaging, NupkgMetadataFile): the digest of its content and where it came from.
func readMetadata(file string, data []byte) ([]analyzer.Fact, error) {
	var p sbom.Package
	r := jsontext.New(data)
	err := r.Document(func() {
		r.Object(func(key []byte) {
			switch string(key) {
			case "contentHash":
				text, _ := r.Text()
				contentHash(&p, text)
			case "source":
				p.Download, _ = r.Text()
			}
		})
	})
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scopeCache, Key: path.Dir(file), Package: &p}}, err
}

// readSum reads the *.nupkg.sha512 beside it: the digest of the file that was installed.
func readSum(file string, data []byte) ([]analyzer.Fact, error) {
	hashes := locked.Base64("sha512", strings.TrimSpace(string(data)))
	if hashes == nil {
		return nil, fmt.Errorf("%.100q is no digest of SHA-512 in base64: %w", data, fault.Invalid)
	}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scopeCache, Key: path.Dir(file), Package: &sbom.Package{Hashes: hashes}}}, nil
}
