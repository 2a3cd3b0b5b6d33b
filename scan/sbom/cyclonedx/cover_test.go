package cyclonedx

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/sbom"
)

// TestGeneratorCoversTheModel: the documents of TestRoundTrip together set every
// field of the model, so that one that is added later cannot be forgotten.
func TestGeneratorCoversTheModel(t *testing.T) {
	seen := map[string]bool{}
	documents := rapid.Custom(func(t *rapid.T) *sbom.Document { return drawDocument(t, newest) })
	for seed := range 400 { // always the same ones: chance must not decide
		setFields(reflect.ValueOf(documents.Example(seed)), seen)
	}
	for _, v := range []any{sbom.Document{}, sbom.Subject{}, sbom.OS{}, sbom.Layer{}, sbom.Package{}, sbom.Upstream{}, sbom.Location{}, sbom.License{}, sbom.Hash{}, sbom.Property{},
		sbom.Usage{}, sbom.Relationship{}, sbom.Secret{}, sbom.Gap{}, sbom.Composition{}, sbom.FragmentRef{}, sbom.Source{}, sbom.Descriptor{}, sbom.Tool{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			if name := typ.Name() + "." + typ.Field(i).Name; !seen[name] && typ.Field(i).Name != "Foreign" {
				t.Errorf("no generated document sets %s", name)
			}
		}
	}
}

// setFields notes the fields of structs that are not zero.
func setFields(v reflect.Value, seen map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			setFields(v.Elem(), seen)
		}
	case reflect.Slice:
		for i := range v.Len() {
			setFields(v.Index(i), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				seen[v.Type().Name()+"."+v.Type().Field(i).Name] = true
				setFields(v.Field(i), seen)
			}
		}
	}
}
