package sbom

import (
	"cmp"
	"strings"
)

// Secret is something that looks like a credential and lies in the subject for
// everybody to read. The secret itself is never kept.
type Secret struct {
	Rule  string `json:"rule"`            // ID of the rule that found it, such as "aws-access-key-id"
	Title string `json:"title,omitempty"` // what it is, for people
	Path  string `json:"path"`            // relative to the root; members of archives follow "!/"
	Layer string `json:"layer,omitempty"` // diffID of the layer that has it; empty outside images
	Line  int    `json:"line,omitempty"`  // of the file, from 1; 0 where the file has none
	// Masked is the line's text around the secret with asterisks in its place, at most
	// 100 bytes.
	Masked string `json:"masked,omitempty"`
	// Removed means that a layer above deletes or replaces the file: whoever has
	// the image has the secret all the same.
	Removed bool `json:"removed,omitempty"`
}

func compareSecrets(a, b Secret) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), strings.Compare(a.Rule, b.Rule),
		strings.Compare(a.Layer, b.Layer), strings.Compare(a.Masked, b.Masked), strings.Compare(a.Title, b.Title))
}
