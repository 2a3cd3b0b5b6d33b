package nuget

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readConfig reads a packages.config (https://learn.microsoft.com/nuget/reference/packages-config):
// the packages of a project before PackageReference, all of them by one version.
func readConfig(_ string, data []byte) ([]analyzer.Fact, error) {
	var f locked.File
	x := newXML(data)
	err := x.root("packages", func() error {
		return x.each(func(e xml.StartElement) error {
			if e.Name.Local == "package" {
				p := sbom.Package{Name: attribute(e, "id")}
				request(&p, attribute(e, "version"))
				if strings.EqualFold(attribute(e, "developmentDependency"), "true") {
					p.Scope = sbom.ScopeDev
				}
				put(&f, p)
			}
			return nil
		})
	})
	return f.Facts(err)
}

// put adds a package under its name in lower case and what is known of its version.
func put(f *locked.File, p sbom.Package) {
	key := strings.ToLower(p.Name) + "@" + p.Version
	if p.Version == "" && len(p.Properties) > 0 {
		key += p.Properties[0].Value
	}
	f.Put(locked.Entry{Key: key, Package: p})
}

// readProps reads the central list of versions of a source tree: Directory.Packages.props
// (https://learn.microsoft.com/nuget/consume-packages/central-package-management) and the
// Packages.props of the SDK that came before it. Conditions are not looked at: what any of
// them can give is listed.
func readProps(_ string, data []byte) ([]analyzer.Fact, error) {
	var f locked.File
	x, properties := newXML(data), map[string]string{}
	err := x.root("Project", func() error {
		return x.each(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "PropertyGroup":
				return x.each(func(e xml.StartElement) error {
					value, err := x.text()
					properties[strings.ToLower(e.Name.Local)] = expand(value, properties)
					return err
				})
			case "ItemGroup":
				return x.each(func(e xml.StartElement) error { return readItem(x, e, &f, properties) })
			}
			return nil
		})
	})
	return f.Facts(err)
}

// readItem reads one item; its version may be an element of its own.
func readItem(x *xmlReader, e xml.StartElement, f *locked.File, properties map[string]string) error {
	switch e.Name.Local {
	case "PackageVersion", "PackageReference", "GlobalPackageReference":
	default:
		return nil
	}
	version := attribute(e, "Version")
	err := x.each(func(e xml.StartElement) (err error) {
		if e.Name.Local == "Version" && version == "" {
			version, err = x.text()
		}
		return err
	})
	names := attribute(e, "Include", "Update")
	if err != nil || names == "" || version == "" {
		return err // an item that names no version is described elsewhere
	}
	for name := range strings.SplitSeq(names, ";") {
		name = strings.TrimSpace(expand(name, properties))
		switch {
		case strings.Contains(name, "$("):
			f.Odd(fmt.Errorf("the name %.100q is a property that the file does not set: %w", name, fault.Unsupported))
		case name != "":
			p := sbom.Package{Name: name}
			request(&p, expand(version, properties))
			put(f, p)
		}
	}
	return nil
}

// maxValue bounds the value of a property: properties that double each other would never end.
const maxValue = 4 << 10

// expand replaces the properties that s refers to, which were expanded when they were set.
// What is not known, or too long, stays as it is.
func expand(s string, properties map[string]string) string {
	if !strings.Contains(s, "$(") || len(s) > maxValue {
		return s
	}
	var b strings.Builder
	for rest := s; ; {
		before, after, ok := strings.Cut(rest, "$(")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, behind, ok := strings.Cut(after, ")")
		value, known := properties[strings.ToLower(strings.TrimSpace(name))]
		if !ok || !known {
			b.WriteString("$(")
			rest = after
			continue
		}
		if b.WriteString(value); b.Len() > maxValue {
			return s
		}
		rest = behind
	}
}
