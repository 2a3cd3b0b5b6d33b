package snapshot

// hash is the FNV-1a hash of ecosystem, a zero byte and name, with its bits
// mixed so that the first ones spread well. Names that share a hash are told
// apart by their text.
func hash(ecosystem, name string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(ecosystem) {
		h = (h ^ uint64(ecosystem[i])) * prime
	}
	h *= prime
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * prime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}
