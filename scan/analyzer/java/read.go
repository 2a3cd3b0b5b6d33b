package java

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/zipstream"
)

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
