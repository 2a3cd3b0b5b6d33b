package java

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/zipstream"
	"github.com/stella-ops/stella/scan/sbom"
)

// contents are the members of an archive that are looked at.
type contents struct {
	manifest    *zipstream.Member // the last one, as for a Java runtime
	descriptors []descriptor
	inner       []zipstream.Member
}

// descriptor is a folder META-INF/maven/group/artifact: its pom.properties,
// its pom.xml, or both, and what they say.
type descriptor struct {
	folder     string
	properties *zipstream.Member
	project    *zipstream.Member

	coordinates
	licenses []sbom.License
}

// collect streams through the directory of an archive.
func (w *walk) collect(at place, z *zipstream.Archive) (contents, error) {
	var c contents
	folders := map[string]int{}
	n := 0
	for m, err := range z.Members() {
		if err != nil {
			w.problem(at, err)
			break
		}
		if n++; n%1024 == 0 && w.ctx.Err() != nil {
			return c, w.ctx.Err()
		}
		if err = c.take(m, folders); err != nil {
			w.problem(at, err)
		}
	}
	if overlap := zipstream.Overlap(slices.Clone(c.inner)); overlap != nil {
		w.problem(at, overlap)
		c.inner = nil
	}
	return c, w.ctx.Err()
}

// manifestName is the place of a manifest, in any case.
const manifestName = "META-INF/MANIFEST.MF"

// take keeps m if it is one of those that are looked at.
func (c *contents) take(m *zipstream.Member, folders map[string]int) error {
	switch name := m.Name; {
	case m.IsDir():
	case len(name) > maxName:
		if isArchive(name) || isFile(name, "pom.properties") || isFile(name, "pom.xml") {
			return &fault.LimitError{What: "bytes of the name of a member", Where: string(name[:200]) + "…", Max: maxName, Seen: int64(len(name))}
		}
	case len(name) == len(manifestName) && strings.EqualFold(string(name), manifestName):
		own := m.Clone()
		c.manifest = &own
	case isFile(name, "pom.properties"):
		return c.describe(m, folders)
	case isFile(name, "pom.xml") && inDescriptors(string(name)):
		return c.describe(m, folders)
	case isArchive(name):
		if len(c.inner) >= maxInner {
			return &fault.LimitError{What: "archives in one archive", Where: string(name), Max: maxInner}
		}
		c.inner = append(c.inner, m.Clone())
	}
	return nil
}

// isFile reports whether the last element of a path is base.
func isFile(name []byte, base string) bool {
	before := len(name) - len(base)
	return before >= 0 && string(name[before:]) == base && (before == 0 || name[before-1] == '/')
}

// describe adds one file of a descriptor. Where a name appears twice, each is a
// descriptor of its own: none is lost.
func (c *contents) describe(m *zipstream.Member, folders map[string]int) error {
	own := m.Clone()
	folder, base := path.Split(string(own.Name))
	slot := func(d *descriptor) **zipstream.Member {
		if base == "pom.xml" {
			return &d.project
		}
		return &d.properties
	}
	if i, ok := folders[folder]; ok {
		if s := slot(&c.descriptors[i]); *s == nil {
			*s = &own
			return nil
		}
	}
	if len(c.descriptors) >= maxDescriptors {
		return &fault.LimitError{What: "Maven descriptors in one archive", Where: string(own.Name), Max: maxDescriptors}
	}
	folders[folder] = len(c.descriptors)
	d := descriptor{folder: folder}
	*slot(&d) = &own
	c.descriptors = append(c.descriptors, d)
	return nil
}

// directory looks for names by streaming through the directory again, which is
// asked for where nothing else tells what an archive is.
type directory struct{ *zipstream.Archive }

func (d directory) has(dir string) bool {
	return d.any(func(name []byte) bool { return len(name) > len(dir) && string(name[:len(dir)]) == dir })
}

func (d directory) hasClasses() bool {
	return d.any(func(name []byte) bool { return bytes.HasSuffix(name, []byte(".class")) })
}

func (d directory) any(fits func(name []byte) bool) bool {
	for m, err := range d.Members() {
		if err != nil {
			return false
		}
		if fits(m.Name) {
			return true
		}
	}
	return false
}
