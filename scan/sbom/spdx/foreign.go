package spdx

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// keptDocument is what Foreign["spdx"] of a document holds: the document as read
// without its packages, and the references in it that lead nowhere. Foreign["spdx"]
// of a package is its element as read.
type keptDocument struct {
	Document document `json:"document"`
	Dangling []string `json:"dangling,omitzero"`
}

// keepForeign keeps those elements of w that the model r.doc alone would not give
// back. The model must be as interpret returned it.
func keepForeign(r *reading, w *document) error {
	bare, _, err := build(r.doc)
	if err != nil {
		return err
	}
	conform(bare, w.version())
	if w.tagValue {
		tagSafe(bare)
	}
	if w.ext != nil && w.CreationInfo != nil && bare.CreationInfo != nil && bare.CreationInfo.Created == nil {
		bare.CreationInfo.Created = w.CreationInfo.Created // filled in when we wrote it
	}
	next := 0 // packages of the model are in the order of those of w
	for i := range w.Packages {
		e := &w.Packages[i]
		var given *packageElement
		switch {
		case isOurOS(e) && i != r.root:
			continue
		case i == r.root:
			given = &bare.Packages[len(r.doc.Packages)]
		default:
			given = &bare.Packages[next]
			next++
		}
		if sameElement(e, given) {
			continue
		}
		raw, err := canonicalJSON(e)
		if err != nil {
			return err
		}
		if i == r.root {
			if r.doc.Subject.Package == nil {
				r.doc.Subject.Package = &sbom.Package{}
			}
			r.doc.Subject.Package.Foreign = sbom.Foreign{Family: raw}
		} else {
			r.doc.Packages[next-1].Foreign = sbom.Foreign{Family: raw}
		}
	}
	sortElements(bare)
	kept := keptDocument{Document: *head(w), Dangling: r.missing}
	if !reflect.DeepEqual(w.Relationships, bare.Relationships) {
		kept.Document.Relationships = w.Relationships
	} else if reflect.DeepEqual(head(w), head(bare)) {
		return nil
	}
	kept.Document.SPDXVersion = w.SPDXVersion
	raw, err := canonicalJSON(&kept)
	r.doc.Foreign = sbom.Foreign{Family: raw}
	return err
}

// sameElement compares packages as written, in any order of lists without one.
func sameElement(e, given *packageElement) bool {
	a, b := *e, *given
	a.ext, b.ext = nil, nil
	sortPackage(&b)
	return reflect.DeepEqual(&a, &b)
}

// head returns what a document has beside its version, packages and
// relationships. A namespace derived from content is left out: it is derived
// again.
func head(w *document) *document {
	h := *w
	h.ext, h.notes, h.tagValue, h.Relationships, h.SPDXVersion = nil, nil, false, nil, nil
	if len(h.Packages) > 0 {
		h.Packages = nil
	}
	if len(w.Relationships) == 0 && w.Relationships != nil {
		h.Relationships = w.Relationships // there, and empty
	}
	if strings.HasPrefix(text(h.Namespace), namespacePrefix) {
		h.Namespace = nil
	}
	return &h
}

// canonicalJSON returns v as JSON with sorted members. Numbers stay as they were
// written.
func canonicalJSON(v any) (sbom.RawObject, error) {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		text := jsontext.Value(raw)
		err = text.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
		raw = text
	}
	if err != nil {
		return "", fmt.Errorf("decode SPDX: keep members: %w", err)
	}
	return sbom.RawObject(raw), nil
}

// parseKept reads what was kept into v and reports whether anything was.
func parseKept(f sbom.Foreign, v any, where string) (bool, error) {
	raw, ok := f[Family]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal([]byte(raw), v); err != nil {
		return false, fmt.Errorf("encode SPDX: kept members of %s: %v: %w", where, err, fault.Invalid)
	}
	return true, nil
}
