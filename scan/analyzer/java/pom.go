package java

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// project is what is read of a pom.xml (Maven POM 4.0.0), as it stands:
// placeholders are resolved by expand.
type project struct {
	parent, self coordinates
	relative     *string // parent's relativePath; nil where there is none
	properties   map[string]string
	licenses     []sbom.License
	dependencies []dependency
	managed      []dependency // dependencyManagement
	supplier     string
	homepage     string
}

// dependency is one <dependency>.
type dependency struct {
	coordinates
	scope    string
	optional string
	profile  string // the profile that adds it; empty for the project itself
	active   bool   // whether that profile is active unless another one is
}

// parseProject reads a pom.xml. Dependencies, properties and the rest that only
// a project needs are skipped unless full is set.
func parseProject(data []byte, full bool) (*project, error) {
	x, err := newXMLReader(data)
	if err != nil {
		return nil, err
	}
	root, err := x.root()
	if err != nil {
		return nil, err
	}
	if root != "project" {
		return nil, fmt.Errorf("the root element is <%s>, not <project>: %w", root, fault.Invalid)
	}
	p := &project{properties: map[string]string{}}
	return p, x.each(func(name string) error { return p.element(x, name, full) })
}

// element reads one child of <project>.
func (p *project) element(x *xmlReader, name string, full bool) (err error) {
	switch name {
	case "parent":
		return x.each(func(name string) error {
			if name != "relativePath" {
				return p.parent.element(x, name)
			}
			text, err := x.text()
			p.relative = &text
			return err
		})
	case "groupId", "artifactId", "version":
		return p.self.element(x, name)
	case "packaging":
		p.self.packaging, err = x.text()
		return err
	case "licenses":
		return x.each(func(string) error { return p.license(x) })
	case "properties":
		return x.each(func(name string) error {
			p.properties[name], err = x.text()
			return err
		})
	}
	if !full {
		return x.skip()
	}
	switch name {
	case "url":
		p.homepage, err = x.text()
	case "organization":
		err = x.each(func(name string) error {
			if name != "name" {
				return x.skip()
			}
			p.supplier, err = x.text()
			return err
		})
	case "dependencies":
		p.dependencies, err = readDependencies(x, p.dependencies)
	case "dependencyManagement":
		err = x.each(func(name string) error {
			if name != "dependencies" {
				return x.skip()
			}
			p.managed, err = readDependencies(x, p.managed)
			return err
		})
	case "profiles":
		err = x.each(func(string) error { return p.readProfile(x) })
	default:
		err = x.skip()
	}
	return err
}

// element reads groupId, artifactId or version into c and skips others.
func (c *coordinates) element(x *xmlReader, name string) (err error) {
	switch name {
	case "groupId":
		c.group, err = x.text()
	case "artifactId":
		c.artifact, err = x.text()
	case "version":
		c.version, err = x.text()
	default:
		err = x.skip()
	}
	return err
}

func (p *project) license(x *xmlReader) error {
	var name, url string
	err := x.each(func(child string) (err error) {
		switch child {
		case "name":
			name, err = x.text()
		case "url":
			url, err = x.text()
		default:
			err = x.skip()
		}
		return err
	})
	if l, ok := licence(oneLine(name), oneLine(url)); ok {
		p.licenses = append(p.licenses, l)
	}
	return err
}

// oneLine joins the words of a text that was broken over lines.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\n\t") {
		return strings.Join(strings.Fields(s), " ")
	}
	return s
}

// readProfile reads the dependencies that a profile adds. Whether it is active
// depends on the machine that builds, if not on the default.
func (p *project) readProfile(x *xmlReader) error {
	id, active, from := "", false, len(p.dependencies)
	err := x.each(func(name string) (err error) {
		switch name {
		case "id":
			id, err = x.text()
		case "activation":
			err = x.each(func(name string) error {
				value, err := x.text()
				active = active || name == "activeByDefault" && value == "true"
				return err
			})
		case "dependencies":
			p.dependencies, err = readDependencies(x, p.dependencies)
		default:
			err = x.skip()
		}
		return err
	})
	for i := from; i < len(p.dependencies); i++ {
		p.dependencies[i].profile, p.dependencies[i].active = firstText(id, "default"), active
	}
	return err
}

func readDependencies(x *xmlReader, list []dependency) ([]dependency, error) {
	err := x.each(func(name string) error {
		if name != "dependency" {
			return x.skip()
		}
		var d dependency
		err := x.each(func(name string) (err error) {
			switch name {
			case "type":
				d.packaging, err = x.text()
			case "classifier":
				d.classifier, err = x.text()
			case "scope":
				d.scope, err = x.text()
			case "optional":
				d.optional, err = x.text()
			default:
				err = d.element(x, name)
			}
			return err
		})
		list = append(list, d)
		return err
	})
	return list, err
}

// own returns the coordinates of the project, with what the parent gives to
// its children. Parts that cannot be resolved in the file are empty.
func (p *project) own() coordinates {
	c := coordinates{group: firstText(p.self.group, p.parent.group), artifact: p.self.artifact, version: firstText(p.self.version, p.parent.version)}
	c = p.expandAll(c)
	if !isID(c.group) {
		c.group = ""
	}
	if !isID(c.artifact) {
		c.artifact = ""
	}
	if !isVersion(c.version) {
		c.version = ""
	}
	return c
}

func (p *project) expandAll(c coordinates) coordinates {
	return coordinates{p.expand(c.group), p.expand(c.artifact), p.expand(c.version), p.expand(c.classifier), p.expand(c.packaging)}
}

// expand replaces placeholders by the project's own elements and properties.
// What cannot be resolved in the file stays as it is.
func (p *project) expand(s string) string {
	budget := maxPlaceholders
	return p.expandIn(s, nil, &budget)
}

// maxPlaceholders bounds the work for one value: properties that double each
// other would never end.
const maxPlaceholders = 64

func (p *project) expandIn(s string, within []string, budget *int) string {
	if !strings.Contains(s, "${") {
		return s
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			b.WriteString("${" + rest)
			return b.String()
		}
		s = after
		value, known := p.property(name)
		if *budget--; *budget < 0 || !known || slices.Contains(within, name) || b.Len() > 4096 {
			b.WriteString("${" + name + "}")
			continue
		}
		b.WriteString(p.expandIn(value, append(within, name), budget))
	}
}

// property returns what a placeholder stands for.
func (p *project) property(name string) (string, bool) {
	if v, ok := p.properties[name]; ok {
		return v, true
	}
	element, ok := strings.CutPrefix(name, "project.")
	if !ok {
		element = strings.TrimPrefix(name, "pom.") // Maven 2; bare names are older still
	}
	v := ""
	switch element {
	case "groupId":
		v = firstText(p.self.group, p.parent.group)
	case "artifactId":
		v = p.self.artifact
	case "version":
		v = firstText(p.self.version, p.parent.version)
	case "parent.groupId":
		v = p.parent.group
	case "parent.artifactId":
		v = p.parent.artifact
	case "parent.version":
		v = p.parent.version
	}
	return v, v != ""
}
