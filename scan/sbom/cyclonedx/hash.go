package cyclonedx

import (
	"encoding/hex"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// hashAlgorithms gives the model's names and the lengths in hex digits.
var hashAlgorithms = []struct {
	theirs, ours string
	length       int
}{
	{"MD5", "md5", 32}, {"SHA-1", "sha1", 40}, {"SHA-256", "sha256", 64}, {"SHA-384", "sha384", 96},
	{"SHA-512", "sha512", 128}, {"SHA3-256", "sha3256", 64}, {"SHA3-384", "sha3384", 96}, {"SHA3-512", "sha3512", 128},
	{"BLAKE2b-256", "blake2b256", 64}, {"BLAKE2b-384", "blake2b384", 96}, {"BLAKE2b-512", "blake2b512", 128},
	{"BLAKE3", "blake3", 64}, {"Streebog-256", "streebog256", 64}, {"Streebog-512", "streebog512", 128},
}

// hashOf reads {alg, content}. It is good if it can be compared, and exact if
// writing it again gives the same.
func hashOf(n *node) (h sbom.Hash, good, exact bool) {
	alg, content := n.str("alg"), n.str("content")
	for _, a := range hashAlgorithms {
		if alg == a.theirs {
			h := sbom.Hash{Algorithm: a.ours, Value: strings.ToLower(strings.TrimSpace(content))}
			good = hexDigits(h.Value, a.length)
			return h, good, good && h.Value == content && len(n.fields) == 2
		}
	}
	return sbom.Hash{}, false, false
}

func hashName(h sbom.Hash) (name string, ok bool) {
	for _, a := range hashAlgorithms {
		if h.Algorithm == a.ours {
			return a.theirs, hexDigits(h.Value, a.length)
		}
	}
	return "", false
}

func hexDigits(s string, length int) bool {
	if len(s) != length || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}
