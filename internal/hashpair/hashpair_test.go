package hashpair_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"math/rand/v2"
	"testing"

	"github.com/stella-ops/stella/internal/hashpair"
)

// TestWrite compares with hashes that are written to one by one, in pieces of all lengths
// and from all places.
func TestWrite(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 200_000)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	for _, news := range [][2]func() hash.Hash{{sha256.New, sha256.New}, {sha256.New, sha512.New}, {sha256.New, sha256.New224}} {
		for range 300 {
			a, b, wantA, wantB := news[0](), news[1](), news[0](), news[1]()
			for range 3 {
				head := data[:64*random.IntN(4)+random.IntN(2)*random.IntN(64)]
				a.Write(head)
				wantA.Write(head)
				at := random.IntN(len(data))
				p := data[at:min(len(data), at+random.IntN(1+random.IntN(20_000)))]
				if random.IntN(2) > 0 {
					p = p[:len(p)&^63]
				}
				hashpair.Write(a, b, p)
				wantA.Write(p)
				wantB.Write(p)
				if !bytes.Equal(a.Sum(nil), wantA.Sum(nil)) || !bytes.Equal(b.Sum(nil), wantB.Sum(nil)) {
					t.Fatalf("%T and %T differ from what they are alone after %d bytes", a, b, len(p))
				}
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	data := make([]byte, 256<<10)
	x, y := sha256.New(), sha256.New()
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"one", func() { x.Write(data) }},
		{"both apart", func() { x.Write(data); y.Write(data) }},
		{"both together", func() { hashpair.Write(x, y, data) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				c.run()
			}
		})
	}
}

func ExampleWrite() {
	layer, file := sha256.New(), sha256.New()
	layer.Write(make([]byte, 512)) // a header
	hashpair.Write(layer, file, []byte("content"))
	fmt.Printf("%x\n", file.Sum(nil))
	// Output: ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73
}
