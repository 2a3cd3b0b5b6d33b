package spdx

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// annotator marks the annotations that carry what SPDX has no member for. The
// number is the version of their content.
const annotator = "Tool: stella-sbom-1"

// extension is what our annotations of one element say. Document, Subject and
// Package are patches: objects whose members replace the fields of that JSON name
// in the model, null standing for the zero value.
type extension struct {
	Document    jsontext.Value    `json:"document,omitzero"`
	Subject     jsontext.Value    `json:"subject,omitzero"`
	Package     jsontext.Value    `json:"package,omitzero"`
	OS          *sbom.OS          `json:"os,omitzero"`
	Source      *sbom.Source      `json:"source,omitzero"`
	Composition *sbom.Composition `json:"composition,omitzero"`
	Secret      *sbom.Secret      `json:"secret,omitzero"`
	Gap         *sbom.Gap         `json:"gap,omitzero"`

	// of all annotations together
	secrets []sbom.Secret
	gaps    []sbom.Gap
}

// Fields that patches never hold, because they have their own place.
var (
	outsideDocument = []string{"namespace", "subject", "packages", "relationships", "secrets", "gaps", "composition", "source", "foreign"}
	outsideSubject  []string
	outsidePackage  = []string{"foreign"}
)

// takeExtensions moves our annotations out of the document and its packages into
// their ext fields. An annotation of ours that cannot be read stays where it is
// and is noted.
func takeExtensions(w *document) {
	var err error
	if w.ext, w.Annotations, err = splitAnnotations(w.Annotations); err != nil {
		w.notes = append(w.notes, note{"document", err.Error()})
	}
	for i := range w.Packages {
		p := &w.Packages[i]
		if p.ext, p.Annotations, err = splitAnnotations(p.Annotations); err != nil {
			w.notes = append(w.notes, note{p.SPDXID, err.Error()})
		}
	}
}

// splitAnnotations tells our annotations from others. ext is nil where there are
// none of ours.
func splitAnnotations(list []annotation) (ext *extension, others []annotation, failed error) {
	for i, a := range list {
		if a.Annotator != annotator {
			if ext != nil || failed != nil {
				others = append(others, a)
			}
			continue
		}
		if ext == nil && failed == nil {
			others = append(others, list[:i]...)
		}
		body, err := parseExtension(a.Comment)
		if err != nil {
			failed = fmt.Errorf("the annotation %q cannot be read: %v", annotator, err)
			others = append(others, a)
			continue
		}
		if ext == nil {
			ext = &extension{}
		}
		ext.add(body)
	}
	if ext == nil && failed == nil {
		return nil, list, nil
	}
	return ext, others, failed
}

// parseExtension reads the comment of one annotation, and checks that its patches
// fit, so that applying them later cannot fail.
func parseExtension(comment string) (*extension, error) {
	var e extension
	if err := json.Unmarshal([]byte(comment), &e, json.RejectUnknownMembers(true)); err != nil {
		return nil, jsonError(err)
	}
	for _, p := range []struct {
		patch   jsontext.Value
		target  any
		outside []string
	}{{e.Document, &sbom.Document{}, outsideDocument}, {e.Subject, &sbom.Subject{}, outsideSubject}, {e.Package, &sbom.Package{}, outsidePackage}} {
		if err := amend(p.target, p.patch, p.outside); err != nil {
			return nil, err
		}
	}
	return &e, nil
}

// add takes over what e says; a part that several annotations have is that of
// the last.
func (x *extension) add(e *extension) {
	if e.Document != nil {
		x.Document = e.Document
	}
	if e.Subject != nil {
		x.Subject = e.Subject
	}
	if e.Package != nil {
		x.Package = e.Package
	}
	if e.OS != nil {
		x.OS = e.OS
	}
	if e.Source != nil {
		x.Source = e.Source
	}
	if e.Composition != nil {
		x.Composition = e.Composition
	}
	if e.Secret != nil {
		x.secrets = append(x.secrets, *e.Secret)
	}
	if e.Gap != nil {
		x.gaps = append(x.gaps, *e.Gap)
	}
}

// annotate makes an annotation of e. The text has no "<", which would end it in
// the tag-value form.
func annotate(e extension, date string) (annotation, error) {
	comment, err := json.Marshal(&e, jsontext.EscapeForHTML(true), json.Deterministic(true))
	if err != nil {
		return annotation{}, fmt.Errorf("encode SPDX annotation: %w", err)
	}
	return annotation{Date: date, Type: "OTHER", Annotator: annotator, Comment: string(comment)}, nil
}

// difference returns the patch that makes got equal to want, which are structs of
// one type, or nil where they are equal. Fields named in outside are left out.
func difference[T any](want, got *T, outside []string) (jsontext.Value, error) {
	w, g := reflect.ValueOf(want).Elem(), reflect.ValueOf(got).Elem()
	var buf bytes.Buffer
	enc := jsontext.NewEncoder(&buf, jsontext.EscapeForHTML(true), json.Deterministic(true))
	for i := range w.NumField() {
		if same(w.Field(i), g.Field(i)) {
			continue
		}
		name := jsonName(w.Type().Field(i))
		if slices.Contains(outside, name) {
			continue
		}
		if buf.Len() == 0 && enc.StackDepth() == 0 {
			if err := enc.WriteToken(jsontext.BeginObject); err != nil {
				return nil, err
			}
		}
		if err := enc.WriteToken(jsontext.String(name)); err != nil {
			return nil, err
		}
		if w.Field(i).IsZero() {
			if err := enc.WriteToken(jsontext.Null); err != nil {
				return nil, err
			}
		} else if err := json.MarshalEncode(enc, w.Field(i).Interface()); err != nil {
			return nil, err
		}
	}
	if enc.StackDepth() == 0 {
		return nil, nil
	}
	if err := enc.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(buf.Bytes()), nil
}

// same compares two fields; an empty list is the same as none.
func same(a, b reflect.Value) bool {
	switch a.Kind() { // most fields are strings or empty: they need no copy
	case reflect.String:
		return a.String() == b.String()
	case reflect.Slice:
		if a.Len() == 0 || b.Len() == 0 {
			return a.Len() == b.Len()
		}
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// amend applies a patch to the struct that target points to. A member that is no
// field, or one named in outside, is an error.
func amend(target any, patch jsontext.Value, outside []string) error {
	if patch == nil {
		return nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(patch, &members); err != nil {
		return jsonError(err)
	}
	v := reflect.ValueOf(target).Elem()
	for i := range v.NumField() {
		name := jsonName(v.Type().Field(i))
		value, ok := members[name]
		if !ok || slices.Contains(outside, name) {
			continue
		}
		delete(members, name)
		v.Field(i).SetZero()
		if value.Kind() == 'n' {
			continue
		}
		if err := json.Unmarshal(value, v.Field(i).Addr().Interface()); err != nil {
			return fmt.Errorf("member %q: %w", name, jsonError(err))
		}
	}
	if len(members) > 0 {
		return fmt.Errorf("unknown member %q: %w", slices.Min(slices.Collect(maps.Keys(members))), fault.Invalid)
	}
	return nil
}

// jsonName returns the member name of a field of the model.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
