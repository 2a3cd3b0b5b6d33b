package hex

import (
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// The name spaces of facts, before the folder that they are in.
const (
	applications = "applications:" // of resource files
	unpacked     = "packages:"     // of Hex's metadata
	releases     = "release"       // Key: the folder of the release; Package: its name
)

// readResource reads the resource file of an application
// (https://www.erlang.org/doc/apps/kernel/app.html).
func readResource(file string, data []byte) ([]analyzer.Fact, error) {
	r := newReader(data, false)
	doc := r.all()
	name, about := doc.at(0).at(1).str(), doc.at(0).at(2)
	if doc.at(0).at(0).str() != "application" || name == "" {
		return nil, orInvalid(r.err, "not the resource file of an application")
	}
	p := &sbom.Package{Name: name, Description: oneLine(about.get("description"))}
	if vsn := about.get("vsn"); vsn.kind == text { // and not what a build should have replaced by it
		p.Version = vsn.str()
	}
	describe(p, about)
	if hex := about.get("pkg_name").str(); hex != "" { // where the package has another name
		p.Name = hex
	}
	if origin := platform(name); origin != "" {
		if p.PURL = otpURL(name, p.Version); !p.PURL.IsZero() {
			p.PURL = p.PURL.With("repository_url", "https://github.com/"+origin)
		}
	} else {
		p.PURL = packageURL("", p.Name, p.Version)
	}
	f := analyzer.Fact{Kind: analyzer.KindPackage, Scope: applications + folderOf(path.Dir(file)), Key: name + "@" + p.Version, Package: p, Provides: []string{name}}
	for _, list := range []string{"applications", "included_applications"} {
		for _, other := range about.get(list).items {
			f.DependsOn = append(f.DependsOn, other.str())
		}
	}
	return finish(f), r.err
}

// readMetadata reads what Hex leaves beside the sources of a package
// (https://github.com/hexpm/specifications, package_metadata.md).
func readMetadata(file string, data []byte) ([]analyzer.Fact, error) {
	r := newReader(data, false)
	about := r.all()
	name := about.get("name").str()
	if name == "" {
		return nil, orInvalid(r.err, "metadata without the name of a package")
	}
	p := &sbom.Package{Name: name, Version: about.get("version").str(), Description: oneLine(about.get("description"))}
	describe(p, &about)
	p.PURL = packageURL("", p.Name, p.Version)
	f := analyzer.Fact{Kind: analyzer.KindPackage, Scope: unpacked + folderOf(file), Key: name + "@" + p.Version, Package: p, Provides: []string{name}}
	for _, need := range about.get("requirements").items {
		if need.kind == tuple { // {name, [{app, …}, …]}
			f.DependsOn = append(f.DependsOn, need.at(0).str())
		} else { // [{name, …}, …]
			f.DependsOn = append(f.DependsOn, need.get("name").str())
		}
	}
	return finish(f), r.err
}

// readRelease reads what a release consists of, of which its own name counts
// (https://www.erlang.org/doc/apps/sasl/rel.html).
func readRelease(file string, data []byte) ([]analyzer.Fact, error) {
	r := newReader(data, false)
	doc := r.all()
	name := doc.at(0).at(1).at(0).str()
	if doc.at(0).at(0).str() != "release" || name == "" {
		return nil, orInvalid(r.err, "not the file of a release")
	}
	return []analyzer.Fact{{
		Kind: analyzer.KindPart, Scope: releases, Key: path.Dir(path.Dir(path.Dir(file))),
		Package: &sbom.Package{Name: name},
	}}, r.err
}

// folderOf returns the folder that holds the folder of a package's file: "app/lib" of
// "app/lib/jason-1.4.1/ebin".
func folderOf(file string) string { return path.Dir(path.Dir(file)) }

func orInvalid(err error, what string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", what, fault.Invalid)
}

// finish is a fact in the form that facts are kept in: what Join looks up is sorted.
func finish(f analyzer.Fact) []analyzer.Fact {
	f.DependsOn = sorted(f.DependsOn)
	return []analyzer.Fact{f}
}

// describe takes licences and links, which both kinds of files write alike.
func describe(p *sbom.Package, about *term) {
	for _, l := range about.get("licenses").items {
		if name := strings.TrimSpace(l.str()); name != "" {
			p.Licenses = append(p.Licenses, sbom.License{Name: name})
		}
	}
	rank := len(homepages)
	for _, link := range about.get("links").items {
		label := strings.ToLower(strings.ReplaceAll(link.at(0).str(), " ", ""))
		for i, h := range homepages[:rank] {
			if label == h {
				p.Homepage, rank = link.at(1).str(), i
				break
			}
		}
	}
}

// homepages are what packages call the link to their home page, the better ones first.
var homepages = [...]string{"homepage", "website", "home", "github", "gitlab", "source", "sourcecode", "repository"}

// oneLine returns a text without its line breaks.
func oneLine(t *term) string { return strings.Join(strings.Fields(t.str()), " ") }

func otpURL(name, version string) purl.PackageURL {
	return locked.URL("otp", "", strings.ToLower(name), version)
}
