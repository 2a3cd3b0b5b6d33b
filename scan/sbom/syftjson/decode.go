// Package syftjson reads documents in syft's own JSON format, schema versions
// 11 to 16 (https://github.com/anchore/syft, schema/json). It writes none.
package syftjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// DecodeOptions bound what is read. Nil means the defaults.
type DecodeOptions struct {
	Bytes int64 // of the document. Default 512 MiB.
}

// wire is the format as far as the model has a place for it; other members are
// counted as foreign.
type wire struct {
	Artifacts     []artifact     `json:"artifacts"`
	Relationships []relationship `json:"artifactRelationships"`
	Files         jsontext.Value `json:"files,omitempty"`
	Source        source         `json:"source"`
	Distro        distro         `json:"distro"`
	Descriptor    struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"descriptor"`
	Schema struct {
		Version string `json:"version"`
	} `json:"schema"`
	Unknown jsontext.Value `json:",unknown"`
}

type relationship struct {
	Parent string `json:"parent"`
	Child  string `json:"child"`
	Type   string `json:"type"`
}

type source struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Type     string         `json:"type"`
	Target   jsontext.Value `json:"target,omitempty"` // before schema 8
	Metadata jsontext.Value `json:"metadata,omitempty"`
}

// imageMetadata is the source's metadata when it is an image.
type imageMetadata struct {
	UserInput      string   `json:"userInput"`
	ImageID        string   `json:"imageID"`
	ManifestDigest string   `json:"manifestDigest"`
	MediaType      string   `json:"mediaType"`
	Tags           []string `json:"tags"`
	Architecture   string   `json:"architecture"`
	Variant        string   `json:"variant"`
	OS             string   `json:"os"`
	Path           string   `json:"path"` // of a directory
	Layers         []struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int64  `json:"size"`
	} `json:"layers"`
}

type distro struct {
	PrettyName string   `json:"prettyName"`
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	IDLike     []string `json:"idLike"`
	VersionID  string   `json:"versionID"`
	Codename   string   `json:"versionCodename"`
	CPE        string   `json:"cpeName"`
	BuildID    string   `json:"buildID"`
	VariantID  string   `json:"variantID"`
}

// Decode reads one document. Broken input is an error of the kind "invalid
// input" that says where. What the model has no place for (file digests, the
// evidence of packages) is recorded as an informational gap with its count.
func Decode(r io.Reader, opt *DecodeOptions) (*sbom.Document, error) {
	limit := int64(512 << 20)
	if opt != nil && opt.Bytes > 0 {
		limit = opt.Bytes
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read syft-json: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, &fault.LimitError{What: "bytes of a document", Where: "syft-json", Max: limit}
	}
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, invalid(err)
	}
	if w.Schema.Version == "" || w.Artifacts == nil {
		return nil, fmt.Errorf("decode syft-json: no schema version or no artifacts: %w", fault.Invalid)
	}
	return w.document()
}

func invalid(err error) error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	at := ""
	switch {
	case errors.As(err, &semantic):
		at = string(semantic.JSONPointer)
	case errors.As(err, &syntactic):
		at = string(syntactic.JSONPointer)
	}
	text := err.Error()
	return fmt.Errorf("decode syft-json: at %.200q: %.300s: %w", at, text, fault.Invalid)
}

// Sniff reports whether a document that begins with prefix is syft-json.
func Sniff(prefix []byte) bool {
	trimmed := bytes.TrimLeft(prefix, " \t\r\n\ufeff")
	return bytes.HasPrefix(trimmed, []byte("{")) && bytes.Contains(trimmed, []byte(`"artifacts"`))
}

func (w *wire) document() (*sbom.Document, error) {
	d := &sbom.Document{Tools: []sbom.Tool{{Vendor: "anchore", Name: w.Descriptor.Name, Version: w.Descriptor.Version}}}
	if err := w.subject(d); err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(w.Artifacts))
	noted := map[string]int{}
	for i := range w.Artifacts {
		a := &w.Artifacts[i]
		if a.ID == "" || a.Name == "" || seen[a.ID] {
			return nil, fmt.Errorf("decode syft-json: /artifacts/%d: id %q, name %q: missing or not unique: %w", i, a.ID, a.Name, fault.Invalid)
		}
		seen[a.ID] = true
		p, odd := a.pkg()
		if odd != "" {
			d.Gaps = append(d.Gaps, sbom.Gap{Code: sbom.GapOddity, Where: a.Name, What: odd})
		}
		d.Packages = append(d.Packages, p)
	}
	w.relate(d, seen, noted)
	if len(w.Files) > 0 && string(w.Files) != "null" && string(w.Files) != "[]" {
		noted["files"]++
	}
	if noted["files"] > 0 {
		d.Gaps = append(d.Gaps, sbom.Gap{Code: sbom.GapOddity, Where: "files", What: "the document lists files; they were not taken over"})
	}
	d.Normalize()
	return d, nil
}

// relate turns relationships around where syft reads them from the other end.
func (w *wire) relate(d *sbom.Document, seen map[string]bool, noted map[string]int) {
	contained := map[string]bool{}
	for _, r := range w.Relationships {
		out := sbom.Relationship{From: r.Parent, To: r.Child}
		switch {
		case !seen[r.Child] && !seen[r.Parent], r.Type == "evident-by", r.Type == "contains" && !seen[r.Child]:
			noted["files"]++ // a relationship to a file
			continue
		case r.Type == "contains":
			out.Kind = sbom.Contains
			if !seen[r.Parent] {
				out.From = d.Subject.ID
			}
			contained[r.Child] = true
		case r.Type == "dependency-of":
			out = sbom.Relationship{From: r.Child, Kind: sbom.DependsOn, To: r.Parent}
		case r.Type == "ownership-by-file-overlap":
			out = sbom.Relationship{From: r.Child, Kind: sbom.OwnedBy, To: r.Parent}
		default:
			d.Gaps = append(d.Gaps, sbom.Gap{Code: sbom.GapOddity, Where: r.Parent, What: "relationship of unknown type " + r.Type})
			continue
		}
		if !seen[out.From] && out.From != d.Subject.ID || !seen[out.To] {
			d.Gaps = append(d.Gaps, sbom.Gap{Code: sbom.GapOddity, Where: r.Parent, What: "relationship " + r.Type + " leads to nothing"})
			continue
		}
		d.Relationships = append(d.Relationships, out)
	}
	for i := range d.Packages {
		if id := d.Packages[i].ID; !contained[id] {
			d.Relationships = append(d.Relationships, sbom.Relationship{From: d.Subject.ID, Kind: sbom.Contains, To: id})
		}
	}
}

func (w *wire) subject(d *sbom.Document) error {
	s := &d.Subject
	s.ID = "subject"
	s.Kind, s.Name, s.Version = sbom.SubjectOther, w.Source.Name, w.Source.Version
	meta := w.Source.Metadata
	if len(meta) == 0 {
		meta = w.Source.Target
	}
	var m imageMetadata
	if len(meta) > 0 && meta.Kind() == '{' {
		if err := json.Unmarshal(meta, &m); err != nil {
			return invalid(err)
		}
	}
	switch w.Source.Type {
	case "image":
		s.Kind, s.Name, s.Version, s.ConfigDigest = sbom.SubjectImage, m.ImageID, "", m.ImageID
		s.Platform = strings.TrimSuffix(strings.Trim(m.OS+"/"+m.Architecture+"/"+m.Variant, "/"), "/")
		d.Source = &sbom.Source{Reference: m.UserInput, Manifest: m.ManifestDigest, MediaType: m.MediaType, Tags: m.Tags}
		for _, l := range m.Layers {
			s.Layers = append(s.Layers, sbom.Layer{DiffID: l.Digest})
		}
	case "directory":
		s.Kind = sbom.SubjectDirectory
	}
	if o := w.Distro; o.ID != "" {
		s.OS = &sbom.OS{ID: o.ID, IDLike: o.IDLike, Name: o.Name, PrettyName: o.PrettyName, VersionID: o.VersionID, Codename: o.Codename, CPE: o.CPE, BuildID: o.BuildID, VariantID: o.VariantID}
	}
	return nil
}

// parsePURL reads a package URL; one that cannot be read is left out and said.
func parsePURL(s string) (purl.PackageURL, string) {
	if s == "" {
		return purl.PackageURL{}, ""
	}
	u, err := purl.Parse(s)
	if err != nil {
		return purl.PackageURL{}, err.Error()
	}
	return u, ""
}
