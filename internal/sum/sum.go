// Package sum names content by its SHA-256.
package sum

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const prefix = "sha256:"

// Of returns the digest of content: "sha256:" and 64 digits, in lower case.
func Of(content []byte) string {
	sum := sha256.Sum256(content)
	return prefix + hex.EncodeToString(sum[:])
}

// Is reports whether s can be the digest of something. Of one there is one spelling.
func Is(s string) bool {
	digits, ok := strings.CutPrefix(s, prefix)
	return ok && len(digits) == 2*sha256.Size && strings.Trim(digits, "0123456789abcdef") == ""
}
