package pear

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/held"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// Channels: whose files lie in the registry itself, and of packages that were installed from an
// address, which no channel has.
const (
	home    = "pear.php.net"
	nowhere = "__uri"
)

// Limits of one package. Further licences than that are no statement that anybody reads.
const (
	maxWants    = 1000
	maxLicenses = 1000
)

// record is what is kept of a package file, of version 1 or 2 (PEAR manual, "package.xml 2.0";
// PEAR_Registry, PEAR_PackageFile_v2). The file has the elements of the XML as arrays: an
// element with attributes has "attribs" and "_content", one that is repeated is a list.
type record struct {
	name, channel, version string
	summary, author        string
	licenses               []sbom.License
	wants                  []string
	files                  held.Set
	odd                    error
}

// readPackage reads the file of one package.
func readPackage(file string, data []byte) ([]analyzer.Fact, error) {
	r, rec := &reader{data: data}, &record{}
	isArray := r.array(func(key string) { rec.field(r, key) })
	r.end()
	err := cmp.Or(r.err, rec.odd)
	if rec.name == "" || rec.version == "" {
		if err == nil {
			what := fmt.Sprintf("package %.100q with version %.100q", rec.name, rec.version)
			if !isArray {
				what = "no array"
			}
			err = fmt.Errorf("%s: %w", what, fault.Invalid)
		}
		return nil, err
	}
	channel := strings.ToLower(cmp.Or(rec.channel, channelOf(file)))
	p := sbom.Package{Name: rec.name, Version: rec.version, Description: rec.summary, Originator: rec.author, Licenses: rec.licenses}
	if channel != nowhere {
		p.PURL = locked.URL("pear", channel, rec.name, rec.version)
	}
	f := analyzer.Fact{Kind: analyzer.KindPackage, Scope: registryOf(file), Key: key(channel, rec.name), Package: &p}
	f.DependsOn = slices.DeleteFunc(rec.wants, func(k string) bool { return k == f.Key })
	slices.Sort(f.DependsOn)
	f.DependsOn = slices.Compact(f.DependsOn)
	f.Holds, err = rec.files.List(err)
	return []analyzer.Fact{f}, err
}

// key names a package in its registry, whose files have names in lower case.
func key(channel, name string) string { return strings.ToLower(channel + "/" + name) }

// field reads one field of the file.
func (rec *record) field(r *reader, name string) {
	switch name {
	case "name", "package": // version 2, version 1
		if text, ok := r.line(); ok {
			rec.name = text
		}
	case "channel":
		rec.channel, _ = r.line()
	case "version":
		if text, ok := r.line(); ok { // version 1
			rec.version = text
			return
		}
		r.array(func(name string) {
			if name == "release" {
				rec.version, _ = r.line()
			}
		})
	case "summary":
		rec.summary, _ = r.line()
	case "license", "release_license":
		r.each(func() { rec.license(r) })
	case "lead":
		r.each(func() { rec.lead(r) })
	case "filelist":
		r.array(func(string) {
			r.array(func(name string) {
				if name == "installed_as" {
					if at, ok := r.line(); ok && strings.HasPrefix(at, "/") {
						rec.files.Add(at)
					}
				}
			})
		})
	case "dependencies":
		r.array(func(name string) {
			if name == "required" {
				r.array(func(name string) {
					if name == "package" || name == "subpackage" {
						r.each(func() { rec.want(r) })
					}
				})
			}
		})
	}
}

func (rec *record) license(r *reader) {
	name, ok := r.line()
	address := ""
	if !ok {
		r.array(func(field string) {
			switch field {
			case "_content":
				name, _ = r.line()
			case "attribs":
				r.array(func(field string) {
					if field == "uri" {
						address, _ = r.line()
					}
				})
			}
		})
	}
	if name == "" || len(rec.licenses) == maxLicenses {
		return
	}
	if expr, ok := license.Normalize(name); ok {
		rec.licenses = append(rec.licenses, sbom.License{Expression: expr, URL: address})
	} else {
		rec.licenses = append(rec.licenses, sbom.License{Name: name, URL: address})
	}
}

// lead reads who leads a package: the first counts.
func (rec *record) lead(r *reader) {
	var name, mail string
	r.array(func(field string) {
		switch field {
		case "name":
			name, _ = r.line()
		case "email":
			mail, _ = r.line()
		}
	})
	if rec.author == "" && name != "" {
		if rec.author = name; mail != "" {
			rec.author += " (" + mail + ")"
		}
	}
}

// want reads a package that this one needs. One with an address has no channel.
func (rec *record) want(r *reader) {
	var name, channel string
	conflicts := false
	r.array(func(field string) {
		switch field {
		case "name":
			name, _ = r.line()
		case "channel":
			channel, _ = r.line()
		case "conflicts":
			conflicts = true
		}
	})
	switch {
	case name == "" || channel == "" || conflicts:
	case len(rec.wants) == maxWants:
		rec.odd = &fault.LimitError{What: "dependencies of a package", Where: name, Max: maxWants, Seen: maxWants + 1}
	default:
		rec.wants = append(rec.wants, key(channel, name))
	}
}
