package layer

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// Frames of every header form are walked over: what is in the frame behind them
// is found, however the bytes arrive.
func TestFramesFindsWhatIsSkipped(t *testing.T) {
	random := make([]byte, 300_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	var stored []byte
	for _, options := range [][]zstd.EOption{
		nil, {zstd.WithEncoderCRC(false)}, {zstd.WithSingleSegment(true)}, {zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(1 << 20)},
	} {
		w, err := zstd.NewWriter(nil, options...)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{nil, random[:1], random[:255], random[:256], random[:70_000], random, make([]byte, 2<<20), bytes.Repeat([]byte("text "), 50_000)} {
			stored = w.EncodeAll(data, stored)
			var b bytes.Buffer
			w.Reset(&b)
			_, _ = w.Write(data) // into memory
			_ = w.Close()
			stored = append(stored, b.Bytes()...)
		}
	}
	at := span{uint64(len(stored) + 8), 5}
	stored = append(stored, "\x5a\x2a\x4d\x18\x05\x00\x00\x00found"...)
	for name, in := range map[string]io.Reader{"whole": bytes.NewReader(stored), "single bytes": iotest.OneByteReader(bytes.NewReader(stored))} {
		f := newFrames()
		if _, err := io.Copy(onlyWriter{f}, in); err != nil {
			t.Fatal(err)
		}
		got, err := f.content(at)
		if diff := cmp.Diff("found", string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if _, err := f.content(span{at.off, 4}); err == nil {
			t.Errorf("%s: a part of a frame was taken for one", name)
		}
	}
}

type onlyWriter struct{ io.Writer }
