package slsa_test

import (
	"fmt"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/slsa"
)

// Provenance that was verified is held against what is expected of the build.
func Example() {
	p := &slsa.Provenance{
		BuildType: "https://example.com/make/v1", External: []byte(`{"ref":"refs/heads/main","flags":"-x"}`), Builder: slsa.Builder{ID: "https://example.com/builder"},
	}
	predicate, err := p.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	image := "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	subject, err := intoto.NewSubject("", image)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &intoto.Statement{Type: intoto.TypeV1, Subjects: []intoto.Subject{subject}, PredicateType: intoto.PredicateProvenance, Predicate: predicate}
	expected := &slsa.BuildExpectation{
		Builders:   map[string][]string{"key-1": {"https://example.com/builder"}},
		BuildTypes: []string{"https://example.com/make/v1"},
		Parameters: map[string][]string{"ref": {`"refs/heads/main"`}},
	}
	_, err = expected.Check(s, []string{"key-1"}, image)
	fmt.Println(err)
	// Output: provenance: external parameter "flags" is not expected: content mismatch
}
