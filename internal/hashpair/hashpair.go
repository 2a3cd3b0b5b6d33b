// Package hashpair gives the same bytes to two SHA-256 hashes at once: that of a layer, and
// that of a file in it. What a block is expanded to is the same for both, and the rounds of
// one fill the time in which those of the other wait for themselves: where the processor has
// instructions for SHA-256, two cost little more than one.
package hashpair

import (
	"crypto/fips140"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// roundKeys are the constants of FIPS 180-4, 4.2.2.
var roundKeys = [64]uint32{
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

// least is the number of bytes for which it is worth taking the hashes' states apart.
const least = 4 << 10

// Write writes p to a and to b, as their own Write does. It is faster than that where both
// are of crypto/sha256 and stand between two blocks of 64 bytes.
func Write(a, b hash.Hash, p []byte) {
	if whole := len(p) &^ (sha256.BlockSize - 1); whole >= least && together && !fips140.Enabled() && pair(a, b, p[:whole]) {
		p = p[whole:]
	}
	a.Write(p)
	b.Write(p)
}

// pair hashes whole blocks. It reports false, and changes nothing, where it cannot.
func pair(a, b hash.Hash, p []byte) bool {
	var x, y state
	if !x.take(a) || !y.take(b) {
		return false
	}
	blocks(&x.words, &y.words, &roundKeys, p)
	x.put(a, len(p))
	y.put(b, len(p))
	return true
}

// state is what crypto/sha256 gives and takes as the state of a hash: a mark, eight words,
// a block that is not full, and the count of bytes.
type state struct {
	text  []byte
	words [8]uint32 // f e b a h g d c, as the instructions want them
}

const (
	mark      = "sha\x03"
	countAt   = len(mark) + sha256.Size + sha256.BlockSize
	stateSize = countAt + 8
)

// order says where the words of a hash, a to h, are among those of a state.
var order = [8]int{3, 2, 7, 6, 1, 0, 5, 4}

// take reads the state of h, if h is one of crypto/sha256 that has no bytes of a block that
// is not full.
func (s *state) take(h hash.Hash) bool {
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return false
	}
	var err error
	if s.text, err = m.MarshalBinary(); err != nil || len(s.text) != stateSize || string(s.text[:len(mark)]) != mark {
		return false
	}
	if _, ok := h.(encoding.BinaryUnmarshaler); !ok || s.count()%sha256.BlockSize != 0 {
		return false
	}
	for i, to := range order {
		s.words[to] = binary.BigEndian.Uint32(s.text[len(mark)+4*i:])
	}
	return true
}

func (s *state) count() uint64 { return binary.BigEndian.Uint64(s.text[countAt:]) }

// put makes the state, after n bytes more, that of h.
func (s *state) put(h hash.Hash, n int) {
	for i, from := range order {
		binary.BigEndian.PutUint32(s.text[len(mark)+4*i:], s.words[from])
	}
	binary.BigEndian.PutUint64(s.text[countAt:], s.count()+uint64(n))
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.text); err != nil {
		panic(err) // a hash that does not take the state that it gave
	}
}
