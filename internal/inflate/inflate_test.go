package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stella-ops/stella/internal/fault"
)

// samples are texts of several kinds, and how each is compressed.
func samples() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	text := make([]byte, 0, 900_000)
	words := []string{"the ", "layer ", "of ", "an ", "image ", "is ", "read ", "once\n", "0123456789", "\x00\x00\x00\x00"}
	for len(text) < 900_000 {
		text = append(text, words[random.IntN(len(words))]...)
		if random.IntN(9) == 0 {
			text = append(text, byte(random.Uint32()))
		}
	}
	skew := make([]byte, 300_000)
	for i := range skew {
		skew[i] = byte(min(random.ExpFloat64()*9, 255))
	}
	return map[string][]byte{"empty": nil, "one": {7}, "noise": noise, "text": text, "zeros": make([]byte, 700_000), "skew": skew,
		"far": append(append(bytes.Clone(noise[:32768]), noise[:32768]...), text[:100]...)}
}

func deflated(data []byte, level int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestSame: what compress/flate writes at every level is read back, however the source gives
// it and the caller takes it.
func TestSame(t *testing.T) {
	for name, data := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, 1, 6, 9} {
			z := deflated(data, level)
			for kind, src := range map[string]io.Reader{"whole": bytes.NewReader(z), "halves": iotest.HalfReader(bytes.NewReader(z)), "with its end": iotest.DataErrReader(bytes.NewReader(z))} {
				got, err := io.ReadAll(NewReader(src))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s, level %d, %s: %d of %d bytes, %v", name, level, kind, len(got), len(data), err)
				}
			}
			if len(data) < 20_000 {
				if got, err := io.ReadAll(iotest.OneByteReader(NewReader(iotest.OneByteReader(bytes.NewReader(z))))); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s, level %d, byte by byte: %d of %d bytes, %v", name, level, len(got), len(data), err)
				}
			}
		}
	}
}

// TestShort: a stream that ends early says so, wherever it ends, and gives what came before.
func TestShort(t *testing.T) {
	data := samples()["text"][:700]
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, 1, 9} {
		z := deflated(data, level)
		for n := range len(z) - 1 {
			got, err := io.ReadAll(NewReader(bytes.NewReader(z[:n])))
			if err != io.ErrUnexpectedEOF && n < len(z)-1 || !bytes.HasPrefix(data, got) {
				t.Fatalf("level %d, %d of %d bytes: %d bytes, %v", level, n, len(z), len(got), err)
			}
		}
	}
}

// TestSource: the source's own error is passed on.
func TestSource(t *testing.T) {
	away := errors.New("away")
	z := deflated(samples()["text"], 6)
	if _, err := io.ReadAll(NewReader(io.MultiReader(bytes.NewReader(z[:len(z)/2]), iotest.ErrReader(away)))); !errors.Is(err, away) {
		t.Error(err)
	}
}

// FuzzInflate holds the reader against compress/flate: the same input accepted, the same
// bytes, and where both refuse one gives a beginning of what the other gives.
func FuzzInflate(f *testing.F) {
	for _, data := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, 1, 9} {
			if z := deflated(data[:min(len(data), 5000)], level); len(z) < 4000 {
				f.Add(z)
			}
		}
	}
	f.Fuzz(func(t *testing.T, z []byte) {
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(z)), 4<<20))
		got, err := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(z)), 4<<20))
		if (wantErr == nil) != (err == nil) {
			t.Fatalf("compress/flate: %v, here: %v", wantErr, err)
		}
		if err == nil && !bytes.Equal(want, got) || err != nil && !bytes.HasPrefix(want, got) && !bytes.HasPrefix(got, want) {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
		if err != nil && err != io.ErrUnexpectedEOF && !errors.Is(err, fault.Invalid) {
			t.Fatalf("error without a kind: %v", err)
		}
		if slow, slowErr := io.ReadAll(io.LimitReader(NewReader(iotest.OneByteReader(bytes.NewReader(z))), 4<<20)); (slowErr == nil) != (err == nil) || err == nil && !bytes.Equal(slow, got) {
			t.Fatalf("byte by byte: %d bytes, %v; at once %d bytes, %v", len(slow), slowErr, len(got), err)
		}
	})
}
