package format_test

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
)

func ExampleDetect() {
	fmt.Println(format.Detect([]byte(`{"@context": "https://openvex.dev/ns/v0.2.0", "statements": []}`)))
	fmt.Println(format.Detect([]byte(`{"bomFormat": "CycloneDX", "specVersion": "1.6"}`)))
	// Output:
	// openvex
	// cyclonedx
}

// What a supplier attested about one image applies to that image, and to no other.
func ExampleDecode() {
	text := `{
		"_type": "https://in-toto.io/Statement/v1",
		"subject": [{"name": "registry.example.com/app", "digest": {"sha256": "` + strings.Repeat("a", 64) + `"}}],
		"predicateType": "https://openvex.dev/ns/v0.2.0",
		"predicate": {
			"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "author": "Example",
			"timestamp": "2026-01-01T00:00:00Z", "version": 1,
			"statements": [{
				"vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:npm/foo@1.0.0"}],
				"status": "not_affected", "justification": "vulnerable_code_not_present"
			}]
		}
	}`
	for s, err := range format.Decode("statement.json", []byte(text), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, image := range []string{"a", "b"} {
			q := vex.Query{
				Vulnerabilities: []string{"CVE-2026-1"}, Package: vex.Part{PURL: "pkg:npm/foo@1.0.0"},
				Image: vex.Image{Digests: []string{"sha256:" + strings.Repeat(image, 64)}},
			}
			fmt.Println(image, len(q.Select([]*vex.Statement{s}).Claims))
		}
	}
	// Output:
	// a 1
	// b 0
}
