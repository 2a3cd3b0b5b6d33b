package policyfile

import (
	_ "embed"
	"slices"

	"github.com/stella-ops/stella/policy"
)

//go:embed default.yaml
var defaultText []byte

// Default returns the policy that decides where nobody wrote another, and its
// document with comments. It is tested to parse.
func Default() (*policy.Policy, []byte, error) {
	p, _, err := Parse("default.yaml", defaultText)
	return p, slices.Clone(defaultText), err
}
