package secrets

import "math/bits"

// maxEntropy is how many bytes of a secret its entropy is taken of: the first ones.
const maxEntropy = 4096

// Entropy returns the Shannon entropy of the bytes of text, in thousandths of a bit per
// byte, rounded down: 0 for one byte repeated, 4000 for hexadecimal digits that are all as
// frequent. It is computed in integers, so that it is the same everywhere; of longer texts it is
// that of the first 4,096 bytes.
func Entropy(text []byte) int {
	text = text[:min(len(text), maxEntropy)]
	if len(text) == 0 {
		return 0
	}
	var counts [256]uint32
	for _, c := range text {
		counts[c]++
	}
	// H = log n - (sum of c log c)/n
	n := uint64(len(text))
	sum := n * log2(n)
	for _, c := range counts {
		if c > 1 {
			sum -= uint64(c) * log2(uint64(c))
		}
	}
	return int(sum * 1000 / n >> logBits)
}

// logBits is how many bits of log2 are behind the point.
const logBits = 16

// log2 returns the binary logarithm of n, 1 to 4096, rounded down: one bit of the fraction
// for each squaring of the mantissa.
func log2(n uint64) uint64 {
	whole := uint64(bits.Len64(n) - 1)
	m := n << (31 - whole) // in [1, 2), with 31 bits behind the point
	log := whole
	for range logBits {
		m = m * m >> 31
		log <<= 1
		if m >= 2<<31 {
			m >>= 1
			log |= 1
		}
	}
	return log
}
