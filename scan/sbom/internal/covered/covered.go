// Package covered tells tests of codecs which fields of the model their documents leave out,
// so that a field that is added later cannot be forgotten.
package covered

import (
	"reflect"
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// Missing returns the fields of the model, as "Type.Field", that are zero in every document.
// Members of foreign formats are no part of the model.
func Missing(docs ...*sbom.Document) (out []string) {
	set := map[string]bool{}
	for _, d := range docs {
		note(reflect.ValueOf(d), set)
	}
	for _, name := range fields(reflect.TypeFor[sbom.Document](), map[reflect.Type]bool{}) {
		if !set[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// fields are those of a struct of the model, and of the structs in them.
func fields(t reflect.Type, seen map[reflect.Type]bool) (out []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[sbom.Document]().PkgPath() || seen[t] {
		return nil
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == reflect.TypeFor[sbom.Foreign]() {
			continue
		}
		out = append(append(out, t.Name()+"."+f.Name), fields(f.Type, seen)...)
	}
	return out
}

// note notes the fields of structs that are not zero.
func note(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			note(v.Elem(), set)
		}
	case reflect.Slice:
		for i := range v.Len() {
			note(v.Index(i), set)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				set[v.Type().Name()+"."+v.Type().Field(i).Name] = true
				note(v.Field(i), set)
			}
		}
	}
}
