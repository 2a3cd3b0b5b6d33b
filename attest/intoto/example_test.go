package intoto_test

import (
	"fmt"

	"github.com/stella-ops/stella/attest/intoto"
)

// What a verified envelope holds is read, and asked what it is about.
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
	fmt.Println(s.PredicateType)
	fmt.Println(s.About("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
	fmt.Println(s.About("sha256:0000000000000000000000000000000000000000000000000000000000000000"))
	// Output:
	// https://openvex.dev/ns/v0.2.0
	// true
	// false
}
