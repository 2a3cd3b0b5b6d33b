package cyclonedx

import (
	"reflect"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// osPackage is the component that Encode writes for a distribution.
func osPackage(os *sbom.OS) sbom.Package {
	p := sbom.Package{Type: "operating-system", Name: os.ID, Version: os.VersionID, Description: os.PrettyName}
	add := func(name, value string) {
		if value != "" {
			p.Properties = append(p.Properties, sbom.Property{Name: name, Value: value})
		}
	}
	p.Properties = append(p.Properties, sbom.Property{Name: ownOSID, Value: os.ID})
	add(ownOSIDLike, strings.Join(os.IDLike, " "))
	add(ownOSName, os.Name)
	add(ownOSCodename, os.Codename)
	add(ownOSBuildID, os.BuildID)
	add(ownOSVariantID, os.VariantID)
	add(ownOSCPE, os.CPE)
	return p
}

// readOS is the way back from osPackage. It returns nil for a component that
// says anything else.
func readOS(p *sbom.Package, foreign node) *sbom.OS {
	os := &sbom.OS{ID: p.Name, VersionID: p.Version, PrettyName: p.Description}
	for _, prop := range p.Properties {
		switch prop.Name {
		case ownOSID:
			os.ID = prop.Value
		case ownOSIDLike:
			os.IDLike = strings.Fields(prop.Value)
		case ownOSName:
			os.Name = prop.Value
		case ownOSCodename:
			os.Codename = prop.Value
		case ownOSBuildID:
			os.BuildID = prop.Value
		case ownOSVariantID:
			os.VariantID = prop.Value
		case ownOSCPE:
			os.CPE = prop.Value
		}
	}
	want, got := osPackage(os), *p
	got.ID = ""
	if len(foreign.fields) > 0 || !reflect.DeepEqual(want, got) {
		return nil
	}
	return os
}

// operatingSystem writes the distribution as a component, unless a package
// stands for it already.
func (e *encoder) operatingSystem() {
	os := e.doc.Subject.OS
	if os == nil {
		return
	}
	found := 0
	for i := range e.doc.Packages {
		p := &e.doc.Packages[i]
		if p.Type != "operating-system" {
			continue
		}
		found++
		if f := osFacts(p); f != nil && sameOS(f, os) && found == 1 {
			return
		}
	}
	p := osPackage(os)
	p.ID = e.freeID("os-" + os.ID)
	e.pkg(&p)
}

func sameOS(a, b *sbom.OS) bool {
	x, y := *a, *b
	like := slices.Equal(x.IDLike, y.IDLike)
	x.IDLike, y.IDLike = nil, nil
	return like && reflect.DeepEqual(x, y)
}

// freeID returns id, with dashes if an element has it already.
func (e *encoder) freeID(id string) string {
	for e.doc.PackageByID(id) != nil || e.doc.Subject.ID == id {
		id += "-"
	}
	return id
}

// osFacts reads the distribution that a component of the type
// operating-system stands for.
func osFacts(p *sbom.Package) *sbom.OS {
	if p.Type != "operating-system" || p.Name == "" {
		return nil
	}
	os := &sbom.OS{ID: p.Name, VersionID: p.Version, PrettyName: p.Description}
	for _, prop := range p.Properties {
		switch prop.Name {
		case "syft:distro:id":
			os.ID = prop.Value
		case "syft:distro:versionID":
			os.VersionID = prop.Value
		case "syft:distro:name":
			os.Name = prop.Value
		case "syft:distro:prettyName":
			os.PrettyName = prop.Value
		case "syft:distro:versionCodename":
			os.Codename = prop.Value
		case "syft:distro:buildID":
			os.BuildID = prop.Value
		case "syft:distro:variantID":
			os.VariantID = prop.Value
		}
		if like, ok := strings.CutPrefix(prop.Name, "syft:distro:idLike:"); ok && like != "" {
			os.IDLike = append(os.IDLike, prop.Value)
		}
	}
	return os
}
