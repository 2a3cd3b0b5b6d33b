package syftjson

import (
	"cmp"
	"encoding/hex"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// pkg reads one artifact.
func (in *interpreter) pkg(a *artifact) sbom.Package {
	p := sbom.Package{ID: a.ID, Name: a.Name, Version: a.Version, FoundBy: a.FoundBy, State: state(a), Locations: locations(a.Locations)}
	if a.PURL != "" {
		u, err := purl.Parse(a.PURL)
		if err != nil {
			in.gaps = append(in.gaps, sbom.Gap{Code: sbom.GapUnreadable, Blocking: true, Where: a.ID, What: "package URL: " + err.Error()})
		}
		p.PURL = u
	}
	if p.Version == "UNKNOWN" { // syft's word for a version that nobody states
		p.Version = ""
		if p.PURL.Version == "UNKNOWN" {
			p.PURL.Version = ""
		}
	}
	if p.PURL.Type == "maven" && p.PURL.Namespace != "" && !strings.Contains(p.Name, ":") {
		p.Name = p.PURL.Namespace + ":" + p.Name
	}
	for _, l := range a.Licenses {
		if one, ok := licenseOf(l); ok {
			p.Licenses = append(p.Licenses, one)
		}
	}
	for _, c := range a.CPEs {
		if strings.HasPrefix(c.Value, "cpe:2.3:") {
			p.CPEs = append(p.CPEs, c.Value)
		} else {
			in.note(a.ID, "CPE %.100q is not a CPE 2.3 name", c.Value)
		}
	}
	in.metadata(&p, a)
	kept := struct {
		Language     string `json:"language,omitzero"`
		MetadataType string `json:"metadataType,omitzero"`
		Type         string `json:"type,omitzero"`
	}{a.Language, a.MetadataType, a.Type}
	if raw, err := json.Marshal(kept); err == nil && string(raw) != "{}" { // plain strings: cannot fail
		p.Foreign = sbom.Foreign{Family: sbom.RawObject(raw)}
	}
	return p
}

// declaring are the catalogers that read lockfiles and manifests, beside those
// whose name says "-lock-".
var declaring = map[string]bool{
	"go-module-file-cataloger": true, "python-package-cataloger": true, "java-pom-cataloger": true, "java-gradle-lockfile-cataloger": true,
	"ruby-gemfile-cataloger": true, "haskell-cataloger": true, "cocoapods-cataloger": true, "conan-cataloger": true, "swift-package-manager-cataloger": true,
	"github-actions-usage-cataloger": true, "github-action-workflow-usage-cataloger": true, "terraform-lock-cataloger": true, "opam-cataloger": true,
}

func state(a *artifact) sbom.State {
	if declaring[a.FoundBy] || strings.Contains(a.FoundBy, "-lock-") {
		return sbom.Declared
	}
	return sbom.Installed
}

// locations returns those places that are primary evidence, or all where none is.
func locations(list []location) []sbom.Location {
	var primary, all []sbom.Location
	for _, l := range list {
		path := l.Path
		if inner, ok := strings.CutPrefix(l.AccessPath, l.Path+":"); ok {
			path += "!/" + strings.ReplaceAll(inner, ":", "!/")
		}
		place := sbom.Location{Path: strings.TrimPrefix(path, "/"), Layer: l.LayerID}
		all = append(all, place)
		if l.Annotations.Evidence == "primary" {
			primary = append(primary, place)
		}
	}
	if len(primary) > 0 {
		return primary
	}
	return all
}

// licenseOf reads one licence.
func licenseOf(l licence) (sbom.License, bool) {
	var out sbom.License
	if l.Type == "concluded" {
		out.Kind = sbom.LicenseConcluded
	}
	if len(l.URLs) > 0 {
		out.URL = l.URLs[0]
	}
	switch {
	case license.Valid(l.Expression):
		out.Expression = l.Expression
	case license.Valid(l.Value):
		out.Expression = l.Value
	case l.Value != "":
		out.Name = l.Value
	default:
		out.Name = l.Expression
	}
	return out, out.Expression != "" || out.Name != ""
}

// metadata reads what the ecosystem's own record says. Which members there are
// depends on the package type; a member of another kind than expected is left out.
func (in *interpreter) metadata(p *sbom.Package, a *artifact) {
	switch p.PURL.Type {
	case "deb", "rpm", "apk", "alpm":
		p.Arch = p.PURL.Qualifier("arch")
	}
	var m map[string]jsontext.Value
	if len(a.Metadata) == 0 || a.Metadata.Kind() != '{' || json.Unmarshal(a.Metadata, &m) != nil {
		return
	}
	text := func(name string) string {
		var s string
		if v := m[name]; v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
			return s
		}
		return ""
	}
	switch a.Type {
	case "deb":
		p.Arch, p.Supplier = cmp.Or(text("architecture"), p.Arch), actor(text("maintainer"))
		p.Upstream = upstream(p, text("source"), text("sourceVersion"))
	case "rpm":
		p.Arch, p.Supplier = cmp.Or(text("architecture"), p.Arch), actor(text("vendor"))
		p.Upstream = upstream(p, sourceRPM(text("sourceRpm")), sourceRPMVersion(text("sourceRpm")))
		if label := text("modularityLabel"); label != "" {
			p.Properties = []sbom.Property{{Name: "rpm:modularitylabel", Value: label}}
		}
	case "apk":
		p.Arch, p.Supplier = cmp.Or(text("architecture"), p.Arch), actor(text("maintainer"))
		p.Upstream = upstream(p, text("originPackage"), "")
		p.Homepage, p.Description = text("url"), text("description")
	case "npm", "gem":
		p.Homepage, p.Description = text("homepage"), text("description")
		p.Originator = actor(text("author"))
	case "java-archive":
		p.Hashes = digests(m["digest"])
	}
}

// upstream returns the source package, where it is another than the package. A
// version that is the package's own, but for its epoch, is left out.
func upstream(p *sbom.Package, name, version string) *sbom.Upstream {
	if _, release, ok := strings.Cut(p.Version, ":"); version == p.Version || ok && version == release {
		version = ""
	}
	if name == "" || name == p.Name && version == "" {
		return nil
	}
	return &sbom.Upstream{Name: name, Version: version}
}

// sourceRPM and sourceRPMVersion split name-version-release.src.rpm.
func sourceRPM(file string) string { return splitRPM(file)[0] }

func sourceRPMVersion(file string) string { return splitRPM(file)[1] }

func splitRPM(file string) [2]string {
	base, ok := strings.CutSuffix(file, ".rpm")
	dot := strings.LastIndexByte(base, '.')
	if !ok || dot < 0 {
		return [2]string{}
	}
	base = base[:dot]
	release := strings.LastIndexByte(base, '-')
	if release < 0 {
		return [2]string{}
	}
	version := strings.LastIndexByte(base[:release], '-')
	if version < 0 {
		return [2]string{}
	}
	return [2]string{base[:version], base[version+1:]}
}

// actor turns "Name <mail>" into "Name (mail)".
func actor(s string) string {
	s = strings.TrimSpace(s)
	if name, mail, ok := strings.Cut(s, "<"); ok && strings.HasSuffix(mail, ">") {
		return strings.TrimSpace(strings.TrimSpace(name) + " (" + strings.TrimSuffix(mail, ">") + ")")
	}
	return s
}

// digests reads a list of {algorithm, value}.
func digests(raw jsontext.Value) []sbom.Hash {
	var list []struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"value"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var out []sbom.Hash
	for _, d := range list {
		if _, err := hex.DecodeString(d.Value); err == nil && d.Value != "" && d.Algorithm != "" {
			out = append(out, sbom.Hash{Algorithm: strings.ReplaceAll(strings.ToLower(d.Algorithm), "-", ""), Value: strings.ToLower(d.Value)})
		}
	}
	return out
}
