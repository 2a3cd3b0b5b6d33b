package hashpair

// together says that the processor has the instructions that blocks is made of.
var together = supported()

// supported asks the processor for SSSE3, SSE4.1 and SHA.
func supported() bool {
	const ssse3, sse41, sha = 1 << 9, 1 << 19, 1 << 29
	if most, _, _ := cpuid(0, 0); most < 7 {
		return false
	}
	_, _, features := cpuid(1, 0)
	_, more, _ := cpuid(7, 0)
	return features&ssse3 != 0 && features&sse41 != 0 && more&sha != 0
}

//go:noescape
func cpuid(leaf, sub uint32) (eax, ebx, ecx uint32)

// blocks runs both states over the whole blocks of p.
//
//go:noescape
func blocks(a, b *[8]uint32, keys *[64]uint32, p []byte)
