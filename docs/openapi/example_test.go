package openapi_test

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/docs/openapi"
)

// Each system describes its API in a file of its own.
func Example() {
	text, err := openapi.Files.ReadFile("signer.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	first, _, _ := strings.Cut(string(text), "\n")
	fmt.Println(first)
	// Output: openapi: 3.1.0
}
