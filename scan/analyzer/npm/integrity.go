package npm

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// hashSizes are the digests that npm writes, by length in bytes.
var hashSizes = map[string]int{"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}

// integrity decodes the digests of a Subresource Integrity text such as
// "sha512-<base64>?options sha1-<base64>". Words that are not digests are
// ignored, as the specification asks.
func integrity(text string) []sbom.Hash {
	var out []sbom.Hash
	for word := range strings.FieldsSeq(text) {
		alg, digest, _ := strings.Cut(word, "-")
		digest, _, _ = strings.Cut(digest, "?")
		raw, err := base64.StdEncoding.DecodeString(digest)
		if size := hashSizes[alg]; err == nil && size > 0 && len(raw) == size {
			out = append(out, sbom.Hash{Algorithm: alg, Value: hex.EncodeToString(raw)})
		}
	}
	return out
}

// shasum returns the hash that a hex text of 40 digits stands for.
func shasum(text string) []sbom.Hash {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != hashSizes["sha1"] {
		return nil
	}
	return []sbom.Hash{{Algorithm: "sha1", Value: strings.ToLower(text)}}
}
