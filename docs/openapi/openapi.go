// Package openapi carries the OpenAPI 3.1 documents of the systems' APIs, one file each, for
// those who serve or check them.
package openapi

import "embed"

// Files has the documents: scanner.yaml, policy.yaml and so on.
//
//go:embed *.yaml
var Files embed.FS
