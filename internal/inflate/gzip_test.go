package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stella-ops/stella/internal/fault"
)

func gzipped(data []byte, h gzip.Header) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Header = h
	w.Write(data)
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func gunzip(r io.Reader) ([]byte, error) {
	z, err := NewGzip(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// TestGzip: members, what headers may have, and what is no member.
func TestGzip(t *testing.T) {
	data := samples()["text"][:5000]
	plain := gzipped(data, gzip.Header{OS: 3})
	full := gzipped(data, gzip.Header{Name: "layer.tar", Comment: "it is", Extra: []byte("ab\x02\x00xy")})
	sum := bytes.Clone(plain)
	sum[len(sum)-8] ^= 1
	size := bytes.Clone(plain)
	size[len(size)-1] ^= 1
	for name, c := range map[string]struct {
		in   []byte
		want []byte
		err  error
	}{
		"plain": {plain, data, nil}, "full header": {full, data, nil}, "two members": {append(bytes.Clone(full), plain...), append(bytes.Clone(data), data...), nil},
		"an empty member between": {bytes.Join([][]byte{plain, gzipped(nil, gzip.Header{}), plain}, nil), append(bytes.Clone(data), data...), nil},
		"nothing":                 {nil, nil, io.EOF}, "half a header": {plain[:5], nil, io.ErrUnexpectedEOF}, "no trailer": {plain[:len(plain)-3], data, io.ErrUnexpectedEOF},
		"checksum": {sum, data, fault.Invalid}, "length": {size, data, fault.Invalid}, "garbage behind": {append(bytes.Clone(plain), "garbage"...), data, fault.Invalid},
		"zeros behind": {append(bytes.Clone(plain), make([]byte, 512)...), data, fault.Invalid}, "no gzip": {[]byte("PK\x03\x04 and more"), nil, fault.Invalid},
		"reserved flags":   {append([]byte("\x1f\x8b\x08\x20"), plain[4:]...), nil, fault.Invalid},
		"name without end": {append([]byte("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03"), strings.Repeat("n", 600)...), nil, fault.Invalid},
	} {
		for _, src := range []io.Reader{bytes.NewReader(c.in), iotest.OneByteReader(bytes.NewReader(c.in))} {
			got, err := gunzip(src)
			if !errors.Is(err, c.err) || c.err == nil && err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("%s: %d of %d bytes, %v", name, len(got), len(c.want), err)
			}
		}
	}
}

// FuzzGzip holds the reader against compress/gzip, which takes reserved flags for none.
func FuzzGzip(f *testing.F) {
	data := samples()["text"][:300]
	f.Add(gzipped(data, gzip.Header{}))
	f.Add(append(gzipped(data, gzip.Header{Name: "a", Extra: []byte("x")}), gzipped(nil, gzip.Header{})...))
	f.Add([]byte("\x1f\x8b\x08\x1f\x00\x00\x00\x00\x00\x03\x01\x00z\x00c\x00"))
	f.Fuzz(func(t *testing.T, z []byte) {
		var want []byte
		zr, wantErr := gzip.NewReader(bytes.NewReader(z))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(zr, 4<<20))
		}
		got, err := []byte(nil), error(nil)
		r, err := NewGzip(bytes.NewReader(z))
		if err == nil {
			got, err = io.ReadAll(io.LimitReader(r, 4<<20))
		}
		if errors.Is(err, errHeader) && wantErr == nil {
			return
		}
		if (wantErr == nil) != (err == nil) || err == nil && !bytes.Equal(want, got) {
			t.Fatalf("compress/gzip: %d bytes, %v; here %d bytes, %v", len(want), wantErr, len(got), err)
		}
	})
}
