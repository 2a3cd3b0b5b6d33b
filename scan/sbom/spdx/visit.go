package spdx

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

// visitStrings calls fn with each string that exported fields of v lead to.
func visitStrings(v reflect.Value, fn func(reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		fn(v)
	case reflect.Pointer:
		if !v.IsNil() {
			visitStrings(v.Elem(), fn)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			visitStrings(v.Index(i), fn)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visitStrings(v.Field(i), fn)
			}
		}
	}
}

// valid returns d with what is not UTF-8 replaced by U+FFFD, as a copy where there
// is any, and where that was.
func valid(d *sbom.Document) (*sbom.Document, []sbom.Loss) {
	var losses []sbom.Loss
	check := func(where string, v any) {
		ok := true
		visitStrings(reflect.ValueOf(v), func(s reflect.Value) { ok = ok && utf8.ValidString(s.String()) })
		if !ok {
			losses = append(losses, sbom.Loss{Where: strings.ToValidUTF8(where, "\ufffd"), What: "bytes that are not UTF-8"})
		}
	}
	rest := *d
	rest.Packages = nil
	check("document", &rest)
	for i := range d.Packages {
		check(d.Packages[i].ID, &d.Packages[i])
	}
	if len(losses) == 0 {
		return d, nil
	}
	var repaired sbom.Document
	raw, err := json.Marshal(d, jsontext.AllowInvalidUTF8(true))
	if err == nil {
		err = json.Unmarshal(raw, &repaired)
	}
	if err != nil { // the model marshals and unmarshals; what fails here fails again, and is reported, later
		return d, losses
	}
	return &repaired, losses
}

// tagSafe replaces what cannot stand in the tag-value form: the end of a text
// inside a text, carriage returns, packages and files without a name.
func tagSafe(w *document) []sbom.Loss {
	var losses []sbom.Loss
	where := "document"
	fix := func(s reflect.Value) {
		old := s.String()
		if s.SetString(tagText(old)); s.String() == old {
			return
		}
		losses = append(losses, sbom.Loss{Where: where, What: fmt.Sprintf("%s or a carriage return in %.40q", textClose, old)})
	}
	rest := *w
	rest.Packages, rest.Files, rest.Relationships = nil, nil, nil
	visitStrings(reflect.ValueOf(&rest), fix)
	rest.Packages, rest.Files, rest.Relationships = w.Packages, w.Files, w.Relationships
	*w = rest
	for i := range w.Packages {
		p := &w.Packages[i]
		where = p.SPDXID
		if p.Name == nil {
			p.Name = new(noAssertion)
		}
		visitStrings(reflect.ValueOf(p), fix)
	}
	for i := range w.Files {
		f := &w.Files[i]
		where = f.SPDXID
		if f.Name == nil {
			f.Name = new(noAssertion)
			losses = append(losses, sbom.Loss{Where: where, What: "that the file has no name"})
		}
		visitStrings(reflect.ValueOf(f), fix)
	}
	for i := range w.Relationships {
		where = relationName(w.Relationships[i])
		visitStrings(reflect.ValueOf(&w.Relationships[i]), fix)
	}
	return losses
}

// tagText replaces what cannot stand in a text of the tag-value form.
func tagText(s string) string {
	if !strings.Contains(s, textClose) && !strings.Contains(s, "\r") {
		return s
	}
	s = strings.ReplaceAll(s, textClose, "< /text>")
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// unknownMembers lists the members that only the JSON form of SPDX 2 can carry.
func unknownMembers(v reflect.Value, where string, losses *[]sbom.Loss) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			unknownMembers(v.Elem(), where, losses)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				unknownMembers(v.Index(i), where, losses)
			}
		}
	case reflect.Struct:
		if id := v.FieldByName("SPDXID"); id.Kind() == reflect.String {
			where = id.String()
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Name == "ArtifactOfs" { // which has tags
				continue
			}
			if raw, ok := v.Field(i).Interface().(jsontext.Value); ok && raw != nil {
				*losses = append(*losses, sbom.Loss{Where: where, What: fmt.Sprintf("members that this form has no place for: %.80s", raw)})
			}
			unknownMembers(v.Field(i), where, losses)
		}
	}
}
