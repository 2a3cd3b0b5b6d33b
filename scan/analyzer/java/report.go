package java

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/zipstream"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

func inMemory(data []byte) io.ReaderAt { return bytes.NewReader(data) }

// content inflates a member of at most limit bytes into memory of its own.
func (w *walk) content(at place, z *zipstream.Archive, m *zipstream.Member, limit int64) ([]byte, error) {
	if m.Size > limit {
		return nil, &fault.LimitError{What: "bytes of " + string(m.Name), Where: w.where(at), Max: limit, Seen: m.Size}
	}
	if err := w.file.Budget.Derive(w.where(at), m.Size); err != nil {
		return nil, err
	}
	r, err := z.Open(m)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, m.Size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF { // the end is where the content is checked
		return nil, err
	}
	return data, nil
}

// readManifest inflates and parses the main section, which is all that is
// needed of a manifest: those of signed archives go on for megabytes.
func (w *walk) readManifest(at place, z *zipstream.Archive, m *zipstream.Member) manifest {
	if err := w.file.Budget.Derive(w.where(at), min(m.Size, maxManifest)); err != nil {
		w.problem(at, err)
		return manifest{}
	}
	r, err := z.Open(m)
	if err != nil {
		w.problem(at, err)
		return manifest{}
	}
	defer r.Close()
	var data []byte
	for size := 4 << 10; ; size *= 4 {
		data = slices.Grow(data, size-len(data))
		n, err := io.ReadFull(r, data[len(data):size])
		data = data[:len(data)+n]
		if end := mainSection(data); end >= 0 || err == io.EOF || err == io.ErrUnexpectedEOF {
			return parseManifest(data)
		}
		if err == nil && size >= maxManifest {
			err = &fault.LimitError{What: "bytes of the main section of a manifest", Where: w.where(at), Max: maxManifest}
		}
		if err != nil {
			w.problem(at, err)
			return parseManifest(data)
		}
	}
}

// readDescriptor fills in the coordinates of a descriptor. What its
// pom.properties leaves out comes from the folder's name, then from the
// pom.xml.
func (w *walk) readDescriptor(at place, z *zipstream.Archive, d *descriptor) {
	if d.properties != nil {
		if data, err := w.content(at, z, d.properties, maxDescriptor); err != nil {
			w.problem(at, err)
		} else {
			d.coordinates = parseProperties(data)
		}
	}
	if d.project != nil {
		if data, err := w.content(at, z, d.project, maxProject); err != nil {
			w.problem(at, err)
		} else if p, err := parseProject(data, false); err != nil {
			w.problem(at, fmt.Errorf("%s: %w", d.project.Name, err))
		} else {
			d.licenses = p.licenses
			d.coordinates = d.coordinates.or(p.own())
		}
	}
	if _, folder, ok := strings.Cut("/"+d.folder, "/META-INF/maven/"); ok {
		if group, artifact, ok := strings.Cut(strings.TrimSuffix(folder, "/"), "/"); ok && isID(group) && isID(artifact) {
			d.coordinates = d.coordinates.or(coordinates{group: group, artifact: artifact})
		}
	}
}

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
	if p.PURL.IsZero() || p.Version == "" {
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
