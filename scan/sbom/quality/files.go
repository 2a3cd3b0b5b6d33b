package quality

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// filename is told by a property, or by where the package lies.
func filename(_ *facts, p *sbom.Package) bool {
	return property("filename")(nil, p) || slices.ContainsFunc(p.Locations, func(l sbom.Location) bool { return isItself(p, l.Path) })
}

// archives are how the names of files end that are packages.
var archives = []string{".jar", ".war", ".ear", ".jpi", ".hpi", ".whl", ".egg", ".gem", ".nupkg", ".dll", ".exe", ".so", ".deb", ".rpm", ".apk", ".crate", ".tgz", ".conda", ".phar"}

// isItself reports whether what lies at place is the package, and no list of packages
// or description of one.
func isItself(p *sbom.Package, place string) bool {
	base := path.Base(place)
	switch {
	case p.Type == sbom.TypeFile:
		return true
	case p.State == sbom.Declared || systemPackage(p.PURL.Type):
		return false
	case slices.ContainsFunc(archives, func(end string) bool { return strings.HasSuffix(strings.ToLower(base), end) }):
		return true
	}
	return p.Type == "application" && path.Ext(base) == "" // a program
}

// systemPackage reports whether packages of that type of package URL are found in
// the database of an operating system.
func systemPackage(purlType string) bool {
	switch purlType {
	case "deb", "rpm", "apk", "alpm", "opkg", "ebuild":
		return true
	}
	return false
}

// authorsOf returns the people and organisations that a decoded document says made it,
// with their addresses: the model itself has tools only.
func authorsOf(doc *sbom.Document) []string {
	var cyclonedx struct {
		Metadata struct {
			Authors      []contact `json:"authors"`
			Manufacturer entity    `json:"manufacturer"`
			Manufacture  entity    `json:"manufacture"` // before 1.6
			Supplier     entity    `json:"supplier"`
		} `json:"metadata"`
	}
	var spdx struct {
		Document struct {
			CreationInfo struct {
				Creators []string `json:"creators"`
			} `json:"creationInfo"`
		} `json:"document"`
	}
	var out []string
	add := func(parts ...string) {
		if text := strings.TrimSpace(strings.Join(parts, " ")); text != "" {
			out = append(out, text)
		}
	}
	if raw, ok := doc.Foreign["cyclonedx"]; ok && json.Unmarshal([]byte(raw), &cyclonedx) == nil {
		for _, a := range cyclonedx.Metadata.Authors {
			add(a.Name, a.Email)
		}
		for _, e := range []entity{cyclonedx.Metadata.Manufacturer, cyclonedx.Metadata.Manufacture, cyclonedx.Metadata.Supplier} {
			parts := append([]string{e.Name}, e.URL...)
			for _, c := range e.Contact {
				parts = append(parts, c.Email)
			}
			add(parts...)
		}
	}
	if raw, ok := doc.Foreign["spdx"]; ok && json.Unmarshal([]byte(raw), &spdx) == nil {
		for _, c := range spdx.Document.CreationInfo.Creators {
			if kind, name, _ := strings.Cut(c, ":"); kind == "Person" || kind == "Organization" {
				add(strings.TrimSuffix(strings.TrimSpace(name), "()"))
			}
		}
	}
	return out
}

// entity and contact are those of CycloneDX.
type entity struct {
	Name    string    `json:"name"`
	URL     []string  `json:"url"`
	Contact []contact `json:"contact"`
}

type contact struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}
