package syftjson

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/scan/sbom"
)

// interpreter turns a document into the model.
type interpreter struct {
	w      *document
	files  int // relationships with files
	gaps   []sbom.Gap
	unsaid int // notes beyond maxNotes
}

// interpret returns what a document means.
func interpret(w *document) *sbom.Document {
	in := &interpreter{w: w}
	d := &sbom.Document{}
	if t := w.Descriptor; t.Name != "" {
		version := t.Version
		if strings.HasPrefix(version, "[") { // "[not provided]"
			version = ""
		}
		d.Tools = []sbom.Tool{{Vendor: "anchore", Name: t.Name, Version: version}}
	}
	in.subject(d)
	d.Packages = make([]sbom.Package, 0, len(w.Artifacts))
	for i := range w.Artifacts {
		d.Packages = append(d.Packages, in.pkg(&w.Artifacts[i]))
	}
	in.relationships(d)
	if in.files > 0 || w.Files {
		in.note("files", "the document also lists files, which were not read")
	}
	if in.unsaid > 0 {
		in.gaps = append(in.gaps, sbom.Gap{Code: sbom.GapOddity, Where: "document", What: fmt.Sprintf("%d more irregularities", in.unsaid)})
	}
	d.Gaps = in.gaps
	return d
}

// note records a tolerated irregularity.
func (in *interpreter) note(where, format string, args ...any) {
	if len(in.gaps) >= maxNotes {
		in.unsaid++
		return
	}
	in.gaps = append(in.gaps, sbom.Gap{Code: sbom.GapOddity, Where: where, What: fmt.Sprintf(format, args...)})
}

// subject reads what was scanned.
func (in *interpreter) subject(d *sbom.Document) {
	s := in.w.Source
	d.Subject = sbom.Subject{ID: cmp.Or(s.ID, "source"), Kind: sbom.SubjectOther, Name: s.Name, Version: s.Version, OS: in.w.Distro.os()}
	if s.Supplier != "" {
		d.Subject.Package = &sbom.Package{Supplier: s.Supplier}
	}
	switch s.Type {
	case "image":
		in.image(d)
	case "directory":
		d.Subject.Kind = sbom.SubjectDirectory
	}
}

// image reads the metadata of an image.
func (in *interpreter) image(d *sbom.Document) {
	d.Subject.Kind = sbom.SubjectImage
	var m image
	if err := json.Unmarshal(in.w.Source.Metadata, &m); err != nil {
		in.note("source", "metadata: %v", jsonError(err))
		return
	}
	var mf manifest
	if len(m.Manifest) > 0 {
		if err := json.Unmarshal(m.Manifest, &mf); err != nil {
			in.note("source", "manifest: %v", jsonError(err))
		}
	}
	if id := cmp.Or(m.ImageID, mf.Config.Digest); id != "" {
		d.Subject.ConfigDigest, d.Subject.Name, d.Subject.Version = id, id, ""
	}
	d.Subject.Platform = strings.Trim(strings.Join([]string{m.OS, m.Architecture, m.Variant}, "/"), "/")
	for _, l := range m.Layers {
		d.Subject.Layers = append(d.Subject.Layers, sbom.Layer{DiffID: l.Digest})
	}
	in.config(d, m.Config)
	d.Source = &sbom.Source{Reference: m.UserInput, Manifest: m.ManifestDigest, MediaType: m.MediaType, Tags: slices.Sorted(slices.Values(m.Tags))}
	for _, l := range mf.Layers {
		d.Source.Layers = append(d.Source.Layers, sbom.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size})
	}
}

// config reads the image config: when the image was made, and of what.
func (in *interpreter) config(d *sbom.Document, raw []byte) {
	if len(raw) == 0 {
		return
	}
	var c config
	if err := json.Unmarshal(raw, &c); err != nil {
		in.note("source", "config: %v", jsonError(err))
		return
	}
	if t, err := time.Parse(time.RFC3339, c.Created); err == nil && t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 {
		d.Created = t.UTC().Format("2006-01-02T15:04:05Z")
	} else if c.Created != "" {
		in.note("source", "created %.40q is not a time", c.Created)
	}
	if len(c.RootFS.DiffIDs) == 0 {
		return
	}
	d.Subject.Layers = nil
	for _, id := range c.RootFS.DiffIDs {
		d.Subject.Layers = append(d.Subject.Layers, sbom.Layer{DiffID: id})
	}
	next := 0
	for _, h := range c.History {
		if !h.EmptyLayer && next < len(d.Subject.Layers) {
			d.Subject.Layers[next].CreatedBy = h.CreatedBy
			next++
		}
	}
}

// os returns the distribution, or nil.
func (r distro) os() *sbom.OS {
	if r.ID == "" {
		return nil
	}
	return &sbom.OS{ID: r.ID, IDLike: r.IDLike, Name: r.Name, PrettyName: r.PrettyName, VersionID: r.VersionID,
		Codename: r.VersionCodename, CPE: r.CPEName, BuildID: r.BuildID, VariantID: r.VariantID}
}

// relationships reads the edges between packages and the source. A package that
// nothing contains is contained in the source: older versions do not say so.
func (in *interpreter) relationships(d *sbom.Document) {
	known := make(map[string]bool, len(d.Packages)+1)
	for i := range d.Packages {
		known[d.Packages[i].ID] = true
	}
	known[d.Subject.ID] = true
	contained := map[string]bool{}
	others := map[string]int{}
	for _, r := range in.w.Relationships {
		e := sbom.Relationship{From: r.Child, To: r.Parent}
		switch r.Type {
		case "contains":
			if !known[r.Child] {
				in.files++
				continue
			}
			e = sbom.Relationship{From: r.Parent, Kind: sbom.Contains, To: r.Child}
			contained[r.Child] = true
		case "dependency-of":
			e.Kind = sbom.DependsOn
		case "ownership-by-file-overlap":
			e.Kind = sbom.OwnedBy
		case "evident-by":
			in.files++
			continue
		default:
			others[r.Type]++
			continue
		}
		if !known[e.From] || !known[e.To] {
			in.note("relationship "+r.Parent+" "+r.Type+" "+r.Child, "an end of it is not in the document")
			continue
		}
		d.Relationships = append(d.Relationships, e)
	}
	for i := range d.Packages {
		if id := d.Packages[i].ID; !contained[id] {
			d.Relationships = append(d.Relationships, sbom.Relationship{From: d.Subject.ID, Kind: sbom.Contains, To: id})
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(others)) {
		in.note("relationships", "%d of the unknown type %.100q were not read", others[kind], kind)
	}
}
