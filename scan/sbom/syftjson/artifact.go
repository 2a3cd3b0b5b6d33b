package syftjson

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

// artifact is one package of syft.
type artifact struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	Version   string           `json:"version"`
	Type      string           `json:"type"`
	FoundBy   string           `json:"foundBy"`
	PURL      string           `json:"purl"`
	Locations []location       `json:"locations"`
	Licenses  []jsontext.Value `json:"licenses"`
	CPEs      []jsontext.Value `json:"cpes"`
	Metadata  jsontext.Value   `json:"metadata,omitempty"`
}

type location struct {
	Path        string            `json:"path"`
	LayerID     string            `json:"layerID"`
	Annotations map[string]string `json:"annotations"`
}

// metadata are the members that the model knows, over all kinds of packages.
type metadata struct {
	Source        string         `json:"source"`        // dpkg
	SourceVersion string         `json:"sourceVersion"` // dpkg
	OriginPackage string         `json:"originPackage"` // apk
	SourceRPM     string         `json:"sourceRpm"`     // rpm
	Epoch         jsontext.Value `json:"epoch,omitempty"`
	Architecture  string         `json:"architecture"`
	Maintainer    string         `json:"maintainer"`
	Vendor        string         `json:"vendor"`
	URL           jsontext.Value `json:"url,omitempty"`
	Homepage      string         `json:"homepage"`
	Description   string         `json:"description"`
}

// declaredBy tells the catalogers whose packages are declared, not installed.
func declaredBy(cataloger string) bool {
	return strings.Contains(cataloger, "lock") || strings.HasPrefix(cataloger, "python-package-cataloger")
}

// pkg turns an artifact into a package; odd says what was tolerated.
func (a *artifact) pkg() (sbom.Package, string) {
	u, odd := parsePURL(a.PURL)
	p := sbom.Package{ID: a.ID, Name: a.Name, Version: a.Version, PURL: u, FoundBy: a.FoundBy}
	if p.Version == "UNKNOWN" {
		p.Version = "" // syft's word for a version that nobody states
		if p.PURL.Version == "UNKNOWN" {
			p.PURL.Version = ""
		}
	}
	if declaredBy(a.FoundBy) {
		p.State = sbom.Declared
	}
	p.Locations = a.locations()
	for _, raw := range a.Licenses {
		if l, ok := licenseOf(raw); ok {
			p.Licenses = append(p.Licenses, l)
		}
	}
	for _, raw := range a.CPEs {
		if c := textOr(raw, "cpe"); c != "" {
			p.CPEs = append(p.CPEs, c)
		}
	}
	var m metadata
	if len(a.Metadata) > 0 && a.Metadata.Kind() == '{' {
		if err := json.Unmarshal(a.Metadata, &m); err != nil {
			odd = cmp.Or(odd, fmt.Sprintf("metadata of %s was not read: %.200s", a.Name, err))
		}
	}
	p.Arch = cmp.Or(u.Qualifier("arch"), m.Architecture)
	p.Supplier = cmp.Or(m.Maintainer, m.Vendor)
	p.Homepage = cmp.Or(m.Homepage, textOr(m.URL, "url"))
	p.Description = m.Description
	p.Upstream = m.upstream(a)
	return p, odd
}

// upstream finds the source package that each database names in its own way.
func (m *metadata) upstream(a *artifact) *sbom.Upstream {
	switch {
	case m.Source != "":
		return &sbom.Upstream{Name: m.Source, Version: m.SourceVersion}
	case m.OriginPackage != "" && m.OriginPackage != a.Name:
		return &sbom.Upstream{Name: m.OriginPackage}
	case m.SourceRPM != "":
		return sourceRPM(m.SourceRPM)
	}
	return nil
}

// sourceRPM splits "name-version-release.src.rpm".
func sourceRPM(file string) *sbom.Upstream {
	nvr := strings.TrimSuffix(strings.TrimSuffix(file, ".rpm"), ".src")
	nvr = strings.TrimSuffix(nvr, ".nosrc")
	release := strings.LastIndexByte(nvr, '-')
	if release <= 0 {
		return nil
	}
	version := strings.LastIndexByte(nvr[:release], '-')
	if version <= 0 {
		return nil
	}
	return &sbom.Upstream{Name: nvr[:version], Version: nvr[version+1:]}
}

// locations keeps the primary evidence; a document without annotations keeps all.
func (a *artifact) locations() []sbom.Location {
	var out, all []sbom.Location
	for _, l := range a.Locations {
		x := sbom.Location{Path: strings.TrimPrefix(l.Path, "/"), Layer: l.LayerID}
		all = append(all, x)
		if l.Annotations["evidence"] == "primary" {
			out = append(out, x)
		}
	}
	if out == nil {
		return all
	}
	return out
}

// licenseOf reads a licence: an object since schema 8, a string before.
func licenseOf(raw jsontext.Value) (sbom.License, bool) {
	if raw.Kind() == '"' {
		text := textOr(raw, "")
		return sbom.License{Name: text}, text != ""
	}
	var l struct {
		Value      string   `json:"value"`
		Expression string   `json:"spdxExpression"`
		Type       string   `json:"type"`
		URLs       []string `json:"urls"`
	}
	if json.Unmarshal(raw, &l) != nil || l.Value == "" && l.Expression == "" {
		return sbom.License{}, false
	}
	out := sbom.License{Expression: l.Expression}
	if l.Expression == "" {
		out.Name = l.Value
	}
	if l.Type == "concluded" {
		out.Kind = sbom.LicenseConcluded
	}
	if len(l.URLs) > 0 {
		out.URL = l.URLs[0]
	}
	return out, true
}

// textOr reads a string, or a member of an object, and "" for anything else.
func textOr(raw jsontext.Value, member string) string {
	switch {
	case len(raw) == 0:
		return ""
	case raw.Kind() == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	case raw.Kind() == '{' && member != "":
		var m map[string]jsontext.Value
		if json.Unmarshal(raw, &m) != nil {
			return ""
		}
		return textOr(m[member], "")
	}
	return ""
}
