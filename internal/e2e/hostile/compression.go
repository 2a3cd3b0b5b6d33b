package hostile

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/image"
)

func gz(b []byte) []byte { return imagetest.Compress(b, imagetest.Gzip) }
func zs(b []byte) []byte { return imagetest.Compress(b, imagetest.Zstd) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// edit changes a copy of bytes.
func edit(b []byte, change func([]byte)) []byte {
	b = bytes.Clone(b)
	change(b)
	return b
}

// flip changes one byte, counted from the end where at is negative.
func flip(b []byte, at int) []byte {
	if at < 0 {
		at += len(b)
	}
	return edit(b, func(b []byte) { b[at] ^= 0x40 })
}

// incompressible is text that stays nearly as long, so that damage in its
// middle is in the middle of the stream.
func incompressible(n int) string {
	var b strings.Builder
	x := uint32(1)
	for range n {
		x = x*1664525 + 1013904223
		b.WriteByte(byte(x >> 24))
	}
	return b.String()
}

// compressions are layers whose stored bytes are irregular.
func compressions() []hostile {
	const class = "compression"
	e := npm("opt", "seen")
	plain := tarball(file("etc/noise", incompressible(8<<10)), e)
	g, z := gz(plain), zs(plain)
	raw := func(name string, w want, stored []byte, suffix string) hostile {
		return hostile{class: class, name: name, want: w, as: []imagetest.Compression{imagetest.Plain}, kit: func(imagetest.Compression) *kit {
			return &kit{parts: []part{storedWitness(), packed(plain, stored, suffix)}}
		}}
	}
	labelled := func(name string, w want, stored []byte, suffix string) hostile {
		h := raw(name, w, stored, suffix)
		h.at = []where{atLayout, atLayoutTar, atRegistry, atSaved} // docker save had no media types before 25
		return h.but(atSaved, shown("seen"))
	}
	broken := failed(image.ErrInvalid, "layer sha256:")
	seen := shown("seen")
	label := noted("oddity layer").with("seen").saying("media type", "compression")
	return append([]hostile{
		raw("gzip of several members", seen, join(gz(plain[:700]), gz(plain[700:5000]), gz(nil), gz(plain[5000:])), "+gzip"),
		raw("gzip member after member for ever", seen, join(g, bytes.Repeat(gz(nil), 10_000)), "+gzip"),
		raw("gzip with noise after it", failed(image.ErrInvalid, "layer sha256:", "gzip"), join(g, []byte(strings.Repeat("noise", 20))), "+gzip"),
		raw("gzip with zeros after it", failed(image.ErrInvalid, "layer sha256:", "gzip"), join(g, make([]byte, 4096)), "+gzip"),
		raw("gzip with a wrong checksum", failed(image.ErrInvalid, "layer sha256:", "checksum"), flip(g, -8), "+gzip"),
		raw("gzip with a wrong length", failed(image.ErrInvalid, "layer sha256:"), flip(g, -1), "+gzip"),
		raw("gzip cut in its header", broken, g[:7], "+gzip"),
		raw("gzip cut in its middle", broken, g[:len(g)/2], "+gzip"),
		raw("gzip cut in its checksum", broken, g[:len(g)-3], "+gzip"),
		raw("gzip with a flipped byte", broken, flip(g, len(g)/2), "+gzip"),
		raw("gzip by an unknown method", broken, edit(g, func(b []byte) { b[2] = 7 }), "+gzip"),
		raw("gzip with reserved flags", broken, edit(g, func(b []byte) { b[3] = 0xe0 }), "+gzip"),
		raw("gzip with a header checksum that is wrong", broken, join(edit(g[:10], func(b []byte) { b[3] = 2 }), []byte{1, 2}, g[10:]), "+gzip"),
		raw("gzip with a name that never ends", broken, join(edit(g[:10], func(b []byte) { b[3] = 8 }), bytes.Repeat([]byte{'n'}, 2<<20)), "+gzip"),
		raw("gzip with an extra field beyond it", broken, join(edit(g[:10], func(b []byte) { b[3] = 4 }), []byte{0xff, 0xff}, g[10:30]), "+gzip"),
		raw("gzip with a reserved block", broken, join(g[:10], []byte{0x07}), "+gzip"),
		raw("gzip with a stored block that lies", broken, join(g[:10], []byte{0x01, 0x05, 0x00, 0x00, 0x00}, []byte("hello")), "+gzip"),
		raw("gzip in gzip", failed(image.ErrInvalid, "layer sha256:"), gz(g), "+gzip"),
		labelled("gzip labelled as nothing", label, g, ""),
		labelled("gzip labelled zstd", label, g, "+zstd"),
		labelled("zstd labelled gzip", label, z, "+gzip"),
		labelled("plain labelled gzip", label, plain, "+gzip"),
		raw("xz", failed(image.ErrUnsupported, "layer sha256:", "xz"), []byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46"), ""),
		raw("bzip2", failed(image.ErrUnsupported, "layer sha256:", "bzip2"), []byte("BZh91AY&SY"), ""),
		raw("lz4", broken, append([]byte("\x04\x22\x4d\x18"), make([]byte, 600)...), ""),
		raw("noise", broken, []byte(incompressible(5000)), "+gzip"),
		raw("empty where a layer belongs", failed(image.ErrMismatch, "layer sha256:", "diffID"), nil, "+gzip"),
		raw("zstd of several frames", seen, join(zs(plain[:700]), zs(plain[700:5000]), zs(plain[5000:])), "+zstd"),
		raw("zstd with skipped frames", seen, join(skipped(100), z, skipped(0), skipped(9)), "+zstd"),
		raw("zstd of skipped frames alone", failed(image.ErrMismatch, "layer sha256:", "diffID"), bytes.Repeat(skipped(0), 10_000), "+zstd"),
		raw("zstd with a skipped frame of 4 GiB", broken, join([]byte("\x50\x2a\x4d\x18\xff\xff\xff\xff"), z), "+zstd"),
		raw("zstd with noise after it", broken, join(z, []byte("noise")), "+zstd"),
		raw("zstd cut in its header", broken, z[:5], "+zstd"),
		raw("zstd cut in its middle", broken, z[:len(z)/2], "+zstd"),
		raw("zstd cut in its checksum", broken, z[:len(z)-2], "+zstd"),
		raw("zstd with a wrong checksum", broken, flip(z, -1), "+zstd"),
		raw("zstd with a flipped byte", broken, flip(z, len(z)/2), "+zstd"),
		raw("zstd with a window of 2 GiB", failed(image.ErrLimit, "layer sha256:", "window", "33554432"), []byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"), "+zstd"),
		raw("zstd with a window of 3 TiB", failed(image.ErrLimit, "layer sha256:", "window"), []byte("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00"), "+zstd"),
		raw("zstd of a single segment of 2^63 bytes", failed(image.ErrLimit, "layer sha256:"), []byte("\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x00\x00"), "+zstd"),
		raw("zstd with a dictionary", failed(image.ErrUnsupported, "layer sha256:", "dictionary"), []byte("\x28\xb5\x2f\xfd\x01\x58\x2a\x01\x00\x00"), "+zstd"),
		raw("zstd with a reserved bit", broken, []byte("\x28\xb5\x2f\xfd\x08\x58\x01\x00\x00"), "+zstd"),
		raw("zstd with a reserved block", broken, []byte("\x28\xb5\x2f\xfd\x00\x58\x07\x00\x00"), "+zstd"),
		raw("zstd with a block that is too large", broken, []byte("\x28\xb5\x2f\xfd\x00\x58\xfd\xff\xff"), "+zstd"),
		raw("the tar of another layer", failed(image.ErrMismatch, "layer sha256:", "diffID", imagetest.Digest(witness)), gz(witness), "+gzip"),
		raw("the tar with an entry more", failed(image.ErrMismatch, "layer sha256:", "diffID"), gz(join(noEnd(npm("opt", "more")), plain)), "+gzip"),
	}, bombs(class)...)
}

func storedWitness() part { return packed(witness, gz(witness), "+gzip") }

// skipped is a zstd frame that decoders pass over.
func skipped(n int) []byte {
	b := make([]byte, 8+n)
	copy(b, "\x5a\x2a\x4d\x18")
	binary.LittleEndian.PutUint32(b[4:], uint32(n))
	return b
}

// bombs are small and become large.
func bombs(class string) []hostile {
	zeros := make([]byte, 1<<20)
	huge := func(w io.Writer) { // one file of a gibibyte
		w.Write(entry{name: "zeros", size: base256(1 << 30)}.bytes())
		repeat(zeros, 1<<10)(w)
		w.Write(tarball())
	}
	status := func(w io.Writer) { // a package database of half a gibibyte
		w.Write(entry{name: "var/lib/dpkg/status", size: base256(512 << 20)}.bytes())
		repeat(bytes.Repeat([]byte("\n"), 1<<20), 512)(w)
		w.Write(tarball())
	}
	return []hostile{
		grown(class, "zstd of zeros by the gibibyte", failed(image.ErrLimit, "layer sha256:", "ratio", "1032"), huge).stored(imagetest.Zstd),
		grown(class, "gzip of zeros over a limit of bytes", failed(image.ErrLimit, "layer sha256:", "uncompressed bytes", "100000000"), huge).
			stored(imagetest.Gzip).limited(analyzer.Limits{LayerBytes: 100_000_000}),
		grown(class, "gzip of zeros over a limit of ratio", failed(image.ErrLimit, "layer sha256:", "ratio", "100"), huge).
			stored(imagetest.Gzip).limited(analyzer.Limits{Ratio: 100}),
		grown(class, "gzip of zeros within all limits", shown(), huge).stored(imagetest.Gzip),
		grown(class, "package database of half a gibibyte", noted("!limit var/lib/dpkg/status").unseen(), status).stored(imagetest.Gzip),
		{class: class, name: "gzip of zeros after the end", want: shown(), large: true, as: []imagetest.Compression{imagetest.Gzip}, kit: over(func(w io.Writer) {
			w.Write(tarball())
			repeat(zeros, 512)(w)
		})},
		{class: class, name: "thousands of zstd frames with large windows", want: shown("seen"), large: true, as: []imagetest.Compression{imagetest.Plain}, kit: func(imagetest.Compression) *kit {
			plain := tarball(npm("opt", "seen"))
			return &kit{parts: []part{storedWitness(), packed(plain, join(zs(plain), bytes.Repeat([]byte("\x28\xb5\x2f\xfd\x00\x78\x01\x00\x00"), 5000)), "+zstd")}}
		}},
		{class: class, name: "gzip with a quine's header", want: failed(image.ErrInvalid, "layer sha256:"), as: []imagetest.Compression{imagetest.Plain}, kit: func(imagetest.Compression) *kit {
			return &kit{parts: []part{storedWitness(), packed(nil, quineLike(), "+gzip")}}
		}},
	}
}

// quineLike is a gzip whose content begins like itself.
func quineLike() []byte {
	inner := gz([]byte("x"))
	return gz(inner)
}
