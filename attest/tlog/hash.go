package tlog

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 of the tree: of a leaf, of a node, or the root.
type Hash [sha256.Size]byte

// String returns the hash in base64, as checkpoints and proofs have it.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString(h[:]) }

// ParseHash reads what String returned, and no other spelling of it.
func ParseHash(text string) (Hash, error) {
	var h Hash
	if len(text) == base64.StdEncoding.EncodedLen(len(h)) {
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err == nil && len(b) == len(h) {
			copy(h[:], b)
			return h, nil
		}
	}
	return h, &Error{Reason: ReasonMalformed, What: "hash", Detail: fmt.Sprintf("%.60q is not 32 bytes in base64", text)}
}

// LeafHash returns the hash by which an entry stands in the tree (RFC 6962, section
// 2.1).
func LeafHash(entry []byte) Hash { return Hash(merkle.RecordHash(entry)) }

// EmptyRoot is the root of the tree without entries.
func EmptyRoot() Hash { return sha256.Sum256(nil) }

// VerifyInclusion returns nil if the proof shows that the leaf stands at that index
// of the tree of that size and root (RFC 6962, section 2.1.1). Sizes over MaxSize are
// not judged but refused.
func VerifyInclusion(leaf Hash, index, size int64, root Hash, proof []Hash) error {
	const what = "inclusion proof"
	if size < 0 || size > MaxSize || index < 0 || index >= size {
		return &Error{Reason: ReasonIndex, What: what, Detail: fmt.Sprintf("index %d of a tree with %d entries", index, size)}
	}
	if want := inclusionLength(index, size); len(proof) != want {
		return &Error{Reason: ReasonProof, What: what, Detail: fmt.Sprintf("%d hashes, want %d for index %d of %d", len(proof), want, index, size)}
	}
	if err := merkle.CheckRecord(toMerkle(proof), size, merkle.Hash(root), index, merkle.Hash(leaf)); err != nil {
		return &Error{Reason: ReasonRoot, What: what, Detail: fmt.Sprintf("index %d of %d does not lead to root %s", index, size, root)}
	}
	return nil
}

// VerifyConsistency returns nil if the proof shows that the tree of the old size and
// root is the beginning of that of the new ones (RFC 6962, section 2.1.2). Every tree
// begins with the empty one; that has no proof.
func VerifyConsistency(oldSize, newSize int64, oldRoot, newRoot Hash, proof []Hash) error {
	const what = "consistency proof"
	refuse := func(r Reason, format string, args ...any) error {
		return &Error{Reason: r, What: what, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case oldSize < 0 || newSize < 0 || newSize > MaxSize:
		return refuse(ReasonIndex, "from size %d to %d", oldSize, newSize)
	case oldSize > newSize:
		return refuse(ReasonRollback, "from size %d to %d", oldSize, newSize)
	case oldSize == 0 || oldSize == newSize:
		if len(proof) > 0 {
			return refuse(ReasonProof, "%d hashes, want none from size %d to %d", len(proof), oldSize, newSize)
		}
		if oldSize == 0 && oldRoot != EmptyRoot() || newSize == 0 && newRoot != EmptyRoot() {
			return refuse(ReasonRoot, "no entries, but root %s", oldRoot)
		}
		if oldSize == newSize && oldRoot != newRoot {
			return refuse(ReasonSplitView, "two roots of size %d: %s and %s", oldSize, oldRoot, newRoot)
		}
		return nil
	case len(proof) > MaxProof:
		return refuse(ReasonProof, "%d hashes, the most there can be are %d", len(proof), MaxProof)
	}
	if err := merkle.CheckTree(toMerkle(proof), newSize, merkle.Hash(newRoot), oldSize, merkle.Hash(oldRoot)); err != nil {
		return refuse(ReasonSplitView, "size %d with root %s is not shown to begin size %d with root %s", oldSize, oldRoot, newSize, newRoot)
	}
	return nil
}

// inclusionLength is how many hashes an inclusion proof has.
func inclusionLength(index, size int64) int {
	n := 0
	for lo, hi := int64(0), size; hi-lo > 1; n++ {
		k := int64(1)
		for k<<1 < hi-lo {
			k <<= 1
		}
		if index < lo+k {
			hi = lo + k
		} else {
			lo += k
		}
	}
	return n
}

func toMerkle(in []Hash) []merkle.Hash {
	out := make([]merkle.Hash, len(in))
	for i, h := range in {
		out[i] = merkle.Hash(h)
	}
	return out
}

func fromMerkle(in []merkle.Hash) []Hash {
	out := make([]Hash, len(in))
	for i, h := range in {
		out[i] = Hash(h)
	}
	return out
}
