package image_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/image"
)

func TestAuthorization(t *testing.T) {
	for value, want := range map[string]image.Credential{
		"Basic dXNlcjpwYXNzOndvcmQ=": {Username: "user", Password: "pass:word"}, "basic Og==": {}, "BEARER abc.def": {RegistryToken: "abc.def"},
	} {
		lookup, err := image.Authorization(value)
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if got, err := lookup(t.Context(), "registry.example", "a"); err != nil || got != want {
			t.Errorf("%s: %v", value, err)
		}
	}
	for value, want := range map[string]error{
		"": image.ErrInvalid, "Basic": image.ErrInvalid, "Basic  ": image.ErrInvalid, "Basic canary": image.ErrInvalid, "Basic Y2FuYXJ5": image.ErrInvalid, "Digest canary": image.ErrUnsupported, "canary x": image.ErrUnsupported,
	} {
		if _, err := image.Authorization(value); !errors.Is(err, want) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "Y2Fu") {
			t.Errorf("%q: %v", value, err)
		}
	}
}
