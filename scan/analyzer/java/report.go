package java

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// report adds the facts of one archive: itself, and the packages whose
// descriptors it carries.
func (w *walk) report(at place, c *contents, e *evidence, own identity) {
	p := own.pkg()
	p.Properties = []sbom.Property{{Name: "java:identified-by", Value: own.by}}
	if e.file.extension == "war" || e.file.extension == "ear" {
		p.Type = "application"
	}
	p.Supplier = firstText(e.manifest.vendor, e.manifest.bundleVendor)
	if own.own >= 0 {
		p.Licenses = c.descriptors[own.own].licenses
	}
	if len(p.Licenses) == 0 {
		p.Licenses = e.manifest.licenses()
	}
	if w.digests && !own.complete() {
		hashes, err := digest(at)
		if err != nil {
			w.problem(at, err)
		}
		p.Hashes = hashes
	}
	w.facts = append(w.facts, analyzer.Fact{Kind: analyzer.KindPackage, Key: at.key, Inner: at.inner, Parent: at.parent, Package: p})
	seen := map[coordinates]bool{own.coordinates: true}
	for i, d := range c.descriptors {
		if i == own.own || seen[d.coordinates] || !d.reportable() {
			continue
		}
		seen[d.coordinates] = true
		p := d.pkg()
		p.Licenses = d.licenses
		p.Properties = []sbom.Property{{Name: "java:identified-by", Value: byDescriptor}}
		key := at.key + "#" + d.name() + ":" + d.version
		w.facts = append(w.facts, analyzer.Fact{Kind: analyzer.KindPackage, Key: w.key(key), Inner: at.inner, Parent: at.key, Package: p})
	}
}

// reportable reports whether a descriptor names something: outside the folder
// of Maven's descriptors there are templates of projects, too.
func (d *descriptor) reportable() bool {
	return d.complete() || d.group != "" && d.artifact != "" && inDescriptors(d.folder)
}

func firstText(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// extractDescriptor reads a loose pom.properties: the classes of the package
// are beside it, unpacked.
func extractDescriptor(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxDescriptor)
	if err != nil {
		return nil, err
	}
	c := parseProperties(data)
	if c.group == "" || c.artifact == "" {
		return nil, fmt.Errorf("read %s: no groupId and artifactId: %w", f.Path, fault.Invalid)
	}
	p := c.pkg()
	p.Properties = []sbom.Property{{Name: "java:identified-by", Value: byDescriptor}}
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Key: c.name() + ":" + c.version, Package: p}}, nil
}

// digest returns the SHA-1 of an archive.
func digest(at place) ([]sbom.Hash, error) {
	h := sha1.New()
	if _, err := io.Copy(h, io.NewSectionReader(at.r, 0, at.size)); err != nil {
		return nil, err
	}
	return []sbom.Hash{{Algorithm: "sha1", Value: hex.EncodeToString(h.Sum(nil))}}, nil
}
