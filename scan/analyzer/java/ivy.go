package java

import (
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// isIvyReport reports whether p is where Ivy and sbt keep reports of what they
// resolved: "<organisation>-<module>-<configuration>.xml" in Ivy's cache or a
// folder of the build.
func isIvyReport(p string) bool {
	dir := path.Dir("/" + p)
	return strings.HasSuffix(p, ".xml") && (strings.HasSuffix(dir, "/resolution-cache/reports") || strings.HasSuffix(dir, "/.ivy2/cache"))
}

// ivyCoordinates reads the attributes of a module in any of Ivy's spellings.
func ivyCoordinates(a map[string]string) coordinates {
	return coordinates{group: firstText(a["organisation"], a["org"]), artifact: firstText(a["module"], a["name"]), version: firstText(a["revision"], a["rev"])}
}

// ivyProject adds the module that a file is about. A revision that Ivy made up
// names the machine.
func (l *resolved) ivyProject(c coordinates, licences []sbom.License, homepage string) {
	if strings.HasPrefix(c.version, "working@") {
		c.version = ""
	}
	n := len(l.Entries)
	if l.put(c, locked.Entry{Package: sbom.Package{Licenses: licences, Homepage: homepage}}); len(l.Entries) > n {
		l.project = 1 + n
	}
}

// ivyLicence reads <license name="…" url="…"/>.
func ivyLicence(x *xmlReader) (list []sbom.License) {
	a := x.attributes()
	if l, ok := licence(oneLine(a["name"]), oneLine(a["url"])); ok {
		list = append(list, l)
	}
	return list
}

// readRoot reads a document whose root element has this name.
func readRoot(data []byte, name string, read func(x *xmlReader) error) error {
	x, err := newXMLReader(data)
	if err != nil {
		return err
	}
	root, err := x.root()
	if err == nil && root != name {
		err = fmt.Errorf("the root element is <%.60s>, not <%s>: %w", root, name, fault.Invalid)
	}
	if err == nil {
		err = read(x)
	}
	return err
}

// readIvy reads an ivy.xml (https://ant.apache.org/ivy/history/latest-milestone/ivyfile.html):
// the module, and what it asks for. What needs a repository to be known has no
// version, as in a pom.xml.
func readIvy(data []byte) ([]analyzer.Fact, error) {
	var l resolved
	var self coordinates
	var licences []sbom.License
	homepage := ""
	put := func() {
		if self.artifact != "" {
			l.ivyProject(self, licences, homepage)
		}
	}
	err := readRoot(data, "ivy-module", func(x *xmlReader) error {
		return x.each(func(name string) error {
			switch name {
			case "info":
				self = ivyCoordinates(x.attributes())
				err := x.each(func(name string) error {
					switch name {
					case "license":
						licences = append(licences, ivyLicence(x)...)
					case "description":
						homepage = x.attributes()["homepage"]
					}
					return x.skip()
				})
				put()
				return err
			case "dependencies":
				return x.each(func(name string) error {
					if name == "dependency" {
						l.ivyDependency(x.attributes(), self.group)
					}
					return x.skip()
				})
			}
			return x.skip()
		})
	})
	if err == nil && self.artifact == "" {
		err = fmt.Errorf("no module: %w", fault.Invalid)
	}
	return l.Facts(err)
}

// ivyDependency reads <dependency org="…" name="…" rev="…" conf="test->default"/>.
func (l *resolved) ivyDependency(a map[string]string, group string) {
	c := ivyCoordinates(a)
	c.group = firstText(c.group, group)
	asked := c
	e := locked.Entry{Package: sbom.Package{Scope: configured(leftOf(a["conf"]))}}
	if c.version = exactVersion(c.version); strings.HasSuffix(c.version, "+") || strings.HasPrefix(c.version, "latest.") {
		c.version = ""
	}
	if c.version == "" {
		e.Package.Properties = unresolved(asked)
	}
	n := len(l.Entries)
	if l.put(c, e); l.project > 0 && len(l.Entries) > n {
		p := &l.Entries[l.project-1]
		p.Wants = append(p.Wants, l.Entries[n].Key)
	}
}

// leftOf returns the configurations that a mapping such as
// "compile,runtime->default; test->*" is for.
func leftOf(conf string) (names []string) {
	for mapping := range strings.SplitSeq(conf, ";") {
		left, _, _ := strings.Cut(mapping, "->")
		if left = strings.TrimSpace(left); left != "" {
			names = append(names, strings.Split(left, ",")...)
		}
	}
	return names
}

// ivyReport reads a report of Ivy (fr.jayasoft and later org.apache.ivy,
// XmlReportWriter): every revision that was met, and by which modules. Those
// that lost against another one are left out.
type ivyReport struct {
	resolved
	scope   sbom.Scope
	at      map[string]int // key → entry
	callers []caller
}

// caller says that the module from depends on the module to.
type caller struct{ from, to string }

func readIvyReport(data []byte) ([]analyzer.Fact, error) {
	r := ivyReport{at: map[string]int{}}
	err := readRoot(data, "ivy-report", func(x *xmlReader) error {
		return x.each(func(name string) error {
			switch name {
			case "info":
				a := x.attributes()
				r.scope = configured(leftOf(a["conf"]))
				c := ivyCoordinates(a)
				if r.ivyProject(c, nil, ""); r.project > 0 {
					r.at[c.group+":"+c.artifact+":"+c.version] = r.project - 1 // as callers name it
				}
			case "dependencies":
				return x.each(func(string) error {
					module := ivyCoordinates(x.attributes())
					return x.each(func(name string) error {
						if name != "revision" {
							return x.skip()
						}
						return r.revision(x, module)
					})
				})
			}
			return x.skip()
		})
	})
	for _, c := range r.callers {
		if i, ok := r.at[c.from]; ok {
			r.Entries[i].Wants = append(r.Entries[i].Wants, c.to)
		}
	}
	return r.Facts(err)
}

func (r *ivyReport) revision(x *xmlReader, c coordinates) error {
	a := x.attributes()
	if a["evicted"] != "" {
		return x.skip()
	}
	c.version = a["name"]
	key := c.group + ":" + c.artifact + ":" + c.version
	e := locked.Entry{Package: sbom.Package{Scope: r.scope, Homepage: a["homepage"]}}
	err := x.each(func(name string) error {
		switch name {
		case "license":
			e.Package.Licenses = append(e.Package.Licenses, ivyLicence(x)...)
		case "caller":
			by := x.attributes()
			if len(r.callers) == locked.MaxEdges {
				return &fault.LimitError{What: "dependencies of a report", Where: key, Max: locked.MaxEdges, Seen: locked.MaxEdges + 1}
			}
			r.callers = append(r.callers, caller{by["organisation"] + ":" + by["name"] + ":" + by["callerrev"], key})
		}
		return x.skip()
	})
	n := len(r.Entries)
	if r.put(c, e); len(r.Entries) > n {
		r.at[key] = n
	}
	return err
}
