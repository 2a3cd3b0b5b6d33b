package layer

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"testing"
)

// TestFollow: whatever was looked at, passed over or taken before, the digests of the stream
// and of a part of it are right.
func TestFollow(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	data := make([]byte, 4<<20)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	want := sha256.Sum256(data)
	for range 200 {
		all, part := sha256.New(), sha256.New()
		s := newPlain(bytes.NewReader(data), all)
		if random.IntN(2) > 0 {
			s = newStream(bytes.NewReader(data), all)
		}
		err := s.skip(random.Int64N(4)*chunkSize + chunkSize - random.Int64N(headroom)) // near the end of a chunk
		if err != nil {
			t.Fatal(err)
		}
		for range random.IntN(4) {
			switch random.IntN(3) {
			case 0:
				err = s.skip(random.Int64N(400_000))
			case 1:
				_, err = s.view(random.Int64N(400_000) + 1)
			case 2:
				s.whole(random.Int64N(400_000))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.peek(random.IntN(headroom)); err != nil {
			t.Fatal(err)
		}
		from, n := s.offset(), random.Int64N(900_000)
		s.follow(part, n)
		if err := s.skip(n); err != nil {
			t.Fatal(err)
		}
		s.digest(s.pos)
		if got, want := part.Sum(nil), sha256.Sum256(data[from:from+n]); !bytes.Equal(got, want[:]) {
			t.Errorf("%d bytes from %d: another digest", n, from)
		}
		if _, err := s.drain(); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		s.close()
		if got := all.Sum(nil); !bytes.Equal(got, want[:]) {
			t.Errorf("after %d bytes from %d: another digest of all", n, from)
		}
	}
}
