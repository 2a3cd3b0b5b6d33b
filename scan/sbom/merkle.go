package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// MerkleRoot returns the root over fragment digests in their order, as
// "sha256:…": the Merkle Tree Hash of RFC 6962 §2.1 whose leaf inputs are the
// 32 raw bytes of each digest. No fragments give the hash of the empty string.
// A digest that is not SHA-256 in lower-case hex is an error.
func MerkleRoot(digests []string) (string, error) {
	leaves := make([][32]byte, len(digests))
	for i, d := range digests {
		hexed, ok := strings.CutPrefix(d, "sha256:")
		raw, err := hex.DecodeString(hexed)
		if !ok || err != nil || len(raw) != sha256.Size || hexed != strings.ToLower(hexed) {
			return "", fmt.Errorf("merkle root: fragment %d: digest %q is not sha256: %w", i, d, fault.Invalid)
		}
		leaves[i] = sha256.Sum256(append([]byte{0}, raw...))
	}
	root := treeHash(leaves)
	return "sha256:" + hex.EncodeToString(root[:]), nil
}

func treeHash(leaves [][32]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	split := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // largest power of two below the length
	left, right := treeHash(leaves[:split]), treeHash(leaves[split:])
	node := make([]byte, 0, 1+2*sha256.Size)
	node = append(node, 1)
	node = append(node, left[:]...)
	return sha256.Sum256(append(node, right[:]...))
}
