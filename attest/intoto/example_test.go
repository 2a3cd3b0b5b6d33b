package intoto_test

import (
	"fmt"

	"github.com/stella-ops/stella/attest/intoto"
)

const image = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// What a verified envelope holds is read, and asked whether it is what is wanted.
func Example() {
	payload := []byte(`{
		"_type": "https://in-toto.io/Statement/v1",
		"subject": [{"name": "app", "digest": {"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}],
		"predicateType": "https://openvex.dev/ns/v0.2.0",
		"predicate": {"@context": "https://openvex.dev/ns/v0.2.0"}
	}`)
	s, err := intoto.Decode(intoto.PayloadType, payload)
	if err != nil {
		fmt.Println(err)
		return
	}
	predicate, err := s.Expect(intoto.PredicateOpenVEX, image)
	fmt.Printf("%s %v\n", predicate, err)
	_, err = s.Expect(intoto.PredicateCycloneDX, image)
	fmt.Println(err)
	// Output:
	// {"@context": "https://openvex.dev/ns/v0.2.0"} <nil>
	// statement: predicate type "https://openvex.dev/ns/v0.2.0", want "https://cyclonedx.org/bom": content mismatch
}

// The payload of an envelope that is to be signed.
func ExampleStatement_Encode() {
	subject, err := intoto.NewSubject("", image)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &intoto.Statement{
		Type: intoto.TypeV1, Subjects: []intoto.Subject{subject},
		PredicateType: intoto.OpenVEX.Type(), Predicate: []byte(`{"@context": "https://openvex.dev/ns/v0.2.0"}`),
	}
	payload, err := s.Encode()
	fmt.Println(string(payload), err)
	// Output:
	// {"_type":"https://in-toto.io/Statement/v1","predicate":{"@context": "https://openvex.dev/ns/v0.2.0"},"predicateType":"https://openvex.dev/ns","subject":[{"digest":{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}]} <nil>
}
