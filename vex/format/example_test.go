package format_test

import (
	"fmt"

	"github.com/stella-ops/stella/vex/format"
)

func ExampleDetect() {
	fmt.Println(format.Detect([]byte(`{"@context": "https://openvex.dev/ns/v0.2.0", "statements": []}`)))
	fmt.Println(format.Detect([]byte(`{"bomFormat": "CycloneDX", "specVersion": "1.6"}`)))
	// Output:
	// openvex
	// cyclonedx
}
