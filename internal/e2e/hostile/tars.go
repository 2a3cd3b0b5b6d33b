package hostile

import (
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/image"
)

// over puts layers on the witness.
func over(writes ...func(io.Writer)) func(imagetest.Compression) *kit {
	return func(c imagetest.Compression) *kit {
		k := &kit{parts: []part{stored(whole(witness), c)}}
		for _, w := range writes {
			k.parts = append(k.parts, stored(w, c))
		}
		return k
	}
}

// layered is a case whose upper layers are these tars.
func layered(class, name string, w want, tars ...[]byte) hostile {
	var writes []func(io.Writer)
	for _, b := range tars {
		writes = append(writes, whole(b))
	}
	return hostile{class: class, name: name, kit: over(writes...), want: w}
}

// grown is a case with a layer that is too large to be held.
func grown(class, name string, w want, write func(io.Writer)) hostile {
	return hostile{class: class, name: name, kit: over(write), want: w, large: true, as: []imagetest.Compression{imagetest.Gzip, imagetest.Zstd}}
}

// limited holds a case to a limit that it goes over.
func (h hostile) limited(l analyzer.Limits) hostile { h.limits = l; return h }

// tars are irregular headers.
func tars() []hostile {
	const class = "tar"
	e := npm("opt", "seen")
	one := func(name string, w want, entries ...entry) hostile {
		return layered(class, name, w, tarball(entries...))
	}
	return append([]hostile{
		one("absolute path", shown("seen"), file("/"+e.name, e.data)),
		one("dots lead out", noted("oddity opt/node_modules/seen/package.json").with("seen"), file("../../"+e.name, e.data)),
		one("dots lead out from within", noted("oddity etc/passwd"), file("a/../../etc/passwd", "x")),
		one("dots lead to the canary", noted("oddity node_modules/outside/new"), file("../node_modules/outside/new", "x")),
		one("dots inside stay inside", shown("seen"), file("a/../"+e.name, e.data)),
		one("dot slash twice", shown("seen"), file("./././"+e.name, e.data)),
		one("double slashes", shown("seen"), file(strings.ReplaceAll(e.name, "/", "//"), e.data)),
		one("empty name", noted("oddity layer"), file("", "x"), e).with("seen"),
		one("name is the root", noted("oddity layer"), file("./", "x"), e).with("seen"),
		one("name of slashes", noted("oddity layer"), file("///", "x"), e).with("seen"),
		one("name is two dots", noted("oddity layer", "oddity layer"), file("..", "x"), e).with("seen"),
		one("NUL ends a name", shown("seen"), file(e.name+"\x00.txt", e.data)),
		one("NUL in a PAX path", failed(image.ErrInvalid, "layer sha256:", "zero byte"), pax(record("path", "a\x00b")), e),
		one("NUL in a PAX link", failed(image.ErrInvalid, "layer sha256:", "zero byte"), pax(record("linkpath", "a\x00b")), symlink("l", "x")),
		one("PAX path names the file", shown("seen"), pax(record("path", e.name)), file("etc/other", e.data)),
		one("PAX path of a megabyte", failed(image.ErrLimit, "layer sha256:", "1048576"), pax(record("path", strings.Repeat("a/", 1<<19))), e),
		one("PAX path over PATH_MAX", failed(image.ErrLimit, "layer sha256:", "4096", "5000"), pax(record("path", strings.Repeat("a", 5000))), e),
		one("PAX header over a megabyte", failed(image.ErrLimit, "layer sha256:", "1048576"), pax(record("comment", strings.Repeat("c", 2<<20))), e),
		one("PAX size hides two headers in a file", shown("seen"), pax(record("size", "1024")), file("pad", ""), file("hidden", ""), file("hidden2", ""), e),
		one("PAX size is smaller", failed(image.ErrInvalid, "layer sha256:", "checksum"), pax(record("size", "0")), file("pad", strings.Repeat("x", 512)), e),
		one("PAX size is negative", failed(image.ErrInvalid, "layer sha256:", `"-1"`), pax(record("size", "-1")), e),
		one("PAX size is no number", failed(image.ErrInvalid, "layer sha256:", `"1e3"`), pax(record("size", "1e3")), e),
		one("PAX size is huge", failed(image.ErrInvalid, "layer sha256:"), pax(record("size", "9223372036854775807")), e),
		one("PAX size overflows", failed(image.ErrInvalid, "layer sha256:"), pax(record("size", "9223372036854775808")), e),
		one("PAX record is shorter than it says", failed(image.ErrInvalid, "layer sha256:", "PAX record"), entry{name: "x", flag: 'x', data: "99 path=a\n"}, e),
		one("PAX record is longer than it says", failed(image.ErrInvalid, "layer sha256:", "PAX record"), entry{name: "x", flag: 'x', data: "9 path=abc\n"}, e),
		one("PAX record of length zero", failed(image.ErrInvalid, "layer sha256:", "PAX record"), entry{name: "x", flag: 'x', data: "0 path=abc\n"}, e),
		one("PAX record of negative length", failed(image.ErrInvalid, "layer sha256:", "PAX record"), entry{name: "x", flag: 'x', data: "-5 path=a\n"}, e),
		one("PAX record without a key", failed(image.ErrInvalid, "layer sha256:", "key"), entry{name: "x", flag: 'x', data: record("", "x")}, e),
		one("PAX record twice, the last counts", shown("seen"), pax(record("path", "etc/other"), record("path", e.name)), file("x", e.data)),
		one("PAX headers twice", noted("oddity "+e.name).with("seen"), pax(record("path", "a")), pax(record("path", e.name)), file("x", e.data)),
		one("PAX header at the end is about nothing", shown("seen"), e, pax(record("path", "etc/other"))),
		one("global PAX header with a path", noted("oddity "+e.name).with("seen"), entry{name: "g", flag: 'g', data: record("path", "etc/other")}, e),
		one("global PAX header with a size", noted("oddity "+e.name).with("seen"), entry{name: "g", flag: 'g', data: record("size", "0")}, e),
		one("GNU long names in a chain", noted("oddity "+e.name).with("seen"), longName("a"), longName("b"), longName(e.name), file("x", e.data)),
		one("GNU long name of a megabyte", failed(image.ErrLimit, "layer sha256:", "4096"), longName(strings.Repeat("a", 1<<20-1)), e),
		one("GNU long name over a megabyte", failed(image.ErrLimit, "layer sha256:", "1048576"), longName(strings.Repeat("a", 1<<20)), e),
		one("GNU long name is empty", shown("seen"), longName(""), e),
		one("GNU long name of negative size", failed(image.ErrInvalid, "layer sha256:"), entry{name: "././@LongLink", flag: 'L', size: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0"}, e),
		one("negative modification time", shown("seen"), entry{name: e.name, data: e.data, mtime: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}),
		one("owner beyond 31 bits", shown("seen"), entry{name: e.name, data: e.data, uid: "\x80\x00\x00\x00\x80\x00\x00\x00"}),
		one("size in base 256", shown("seen"), entry{name: e.name, data: e.data, size: base256(len(e.data))}),
		one("size in base 256 overflows", failed(image.ErrInvalid, "layer sha256:", "size"), entry{name: e.name, size: "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}),
		one("size in base 256 is negative", failed(image.ErrInvalid, "layer sha256:", "size"), entry{name: e.name, size: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}),
		one("size is no number", failed(image.ErrInvalid, "layer sha256:", "size"), entry{name: e.name, size: "0x00000000a\x00"}),
		one("mode is no number", failed(image.ErrInvalid, "layer sha256:", "mode"), entry{name: e.name, data: e.data, mode: "rw-r--r-"}),
		one("size beyond the layer", failed(image.ErrInvalid, "layer sha256:"), entry{name: e.name, data: e.data, size: "77777777777\x00"}),
		one("wrong checksum", failed(image.ErrInvalid, "layer sha256:", "checksum"), e, entry{name: "x", sum: "000001\x00 "}),
		one("checksum is no number", failed(image.ErrInvalid, "layer sha256:", "checksum"), e, entry{name: "x", sum: "zzzzzz\x00 "}),
		one("checksum of signed bytes", shown("seen"), signedSum(e)),
		one("unknown type of entry", noted("oddity odd"), entry{name: "odd", flag: 'Z', data: "x"}, e).with("seen"),
		one("device, fifo and block at well-known paths", shown("seen"), entry{name: "lib/apk/db/installed", flag: '3'}, entry{name: "usr/lib/apk/db/installed", flag: '6'}, entry{name: "opt/package.json", flag: '4'}, e),
		one("folder with content", failed(image.ErrInvalid, "layer sha256:", "checksum"), entry{name: "d/", flag: '5', data: strings.Repeat("x", 512)}, e),
		one("file with a slash at its end", shown("seen"), file("d/", "x"), e),
		one("old header, folder by its slash", shown("seen"), entry{name: "d/", rest: func(b []byte) { b[156] = 0; copy(b[257:265], make([]byte, 8)) }}, e),
		one("path twice, the last counts", noted("oddity "+e.name).with("later"), e, file(e.name, npmText("later"))),
		one("path twice, spelled otherwise", noted("oddity "+e.name).with("later"), e, file("./opt/../"+e.name, npmText("later"))),
		one("name is not UTF-8", noted("oddity opt/%FF/node_modules/seen/package.json").with("seen"), npm("opt/\xff", "seen")),
		one("name is not UTF-8 and its escape", noted("oddity opt/%FF/node_modules/one/package.json").with("one", "two"), npm("opt/\xff", "one"), npm("opt/%FF", "two")),
		one("composed and decomposed twins", shown("one", "two"), npm("opt/\u00e9", "one"), npm("opt/e\u0301", "two")),
		one("names that differ in case", shown("one", "two"), npm("opt/A", "one"), npm("opt/a", "two")),
		one("name that reads from the right", shown("seen"), npm("opt/\u202egpj", "seen")),
		one("name with line breaks and escapes", shown("seen"), npm("opt/\n\x1b[2J\r", "seen")),
		one("name with a backslash", shown("seen"), npm(`opt/..\..\x`, "seen")),
		one("folder where a file is", shown("seen"), file("opt/node_modules/seen", "x"), e),
		one("file where a folder is", shown("seen"), e, file("opt/node_modules/seen", "x")),
	}, moreTars(class, e)...)
}

// with adds packages to what is wanted.
func (h hostile) with(pkgs ...string) hostile { h.want.pkgs = append(h.want.pkgs, pkgs...); return h }

// stored keeps a case to these compressions.
func (h hostile) stored(as ...imagetest.Compression) hostile { h.as = as; return h }

// moreTars are ends, sparse files and large counts.
func moreTars(class string, e entry) []hostile {
	raw := func(name string, w want, b []byte) hostile { return layered(class, name, w, b) }
	sparse := func(name string, w want, entries ...entry) hostile {
		return layered(class, name, w, tarball(append(entries, npm("opt", "after"))...))
	}
	path := e.name
	return []hostile{
		raw("no end marker", shown("seen"), noEnd(e)),
		raw("one zero block at the end", shown("seen"), append(noEnd(e), make([]byte, 512)...)),
		raw("a zero block between entries", failed(image.ErrInvalid, "layer sha256:", "zero block"), append(append(noEnd(e), make([]byte, 512)...), tarball(npm("opt", "hidden"))...)),
		raw("an entry after the end", noted("oddity layer").with("seen").saying("content follows the end"), append(tarball(e), tarball(npm("opt", "hidden"))...)),
		raw("noise after the end", noted("oddity layer").with("seen"), append(tarball(e), "noise"...)),
		raw("many zeros after the end", shown("seen"), append(tarball(e), make([]byte, 4<<20)...)),
		raw("ends inside a header", failed(image.ErrInvalid, "layer sha256:", "inside a header"), append(noEnd(e), noEnd(e)[:100]...)),
		raw("ends inside a file", failed(image.ErrInvalid, "layer sha256:"), noEnd(file("x", strings.Repeat("x", 1024)))[:700]),
		raw("ends inside padding", failed(image.ErrInvalid, "layer sha256:"), noEnd(e, file("x", "x"))[:len(noEnd(e))+600]),
		raw("nothing", shown(), nil),
		raw("only an end", shown(), make([]byte, 1024)),
		raw("a single byte", failed(image.ErrInvalid, "layer sha256:"), []byte{'x'}),
		raw("text", failed(image.ErrInvalid, "layer sha256:"), []byte(strings.Repeat("<html>no layer</html>\n", 100))),
		raw("a program", failed(image.ErrInvalid, "layer sha256:"), append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 5000)...)),
		raw("a zip", failed(image.ErrInvalid, "layer sha256:"), append([]byte("PK\x03\x04"), make([]byte, 2000)...)),
		sparse("GNU sparse file where a package is", noted("!unsupported "+path).with("after"), oldSparse(path, 0, e.data)),
		sparse("GNU sparse map in more blocks than allowed", failed(image.ErrLimit, "layer sha256:", "65536", "sparse map"), oldSparse(path, 1<<16+1, "")),
		sparse("GNU sparse map goes on for ever", failed(image.ErrInvalid, "layer sha256:"), entry{name: path, flag: 'S', magic: "ustar  \x00", rest: func(b []byte) { b[482] = 1 }}),
		sparse("sparse type without GNU's header", failed(image.ErrInvalid, "layer sha256:", "sparse"), entry{name: path, flag: 'S', data: e.data}),
		sparse("sparse format 0.0", noted("!unsupported "+path).with("after"), pax(record("GNU.sparse.size", "9"), record("GNU.sparse.numblocks", "1"), record("GNU.sparse.offset", "0"), record("GNU.sparse.numbytes", "9")), file(path, e.data)),
		sparse("sparse format 0.1", noted("!unsupported "+path).with("after"), pax(record("GNU.sparse.major", "0"), record("GNU.sparse.minor", "1"), record("GNU.sparse.name", path), record("GNU.sparse.map", "0,1,9,9")), file("x", e.data)),
		sparse("sparse format 1.0", noted("!unsupported "+path).with("after"), pax(record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0"), record("GNU.sparse.name", path), record("GNU.sparse.realsize", "99999999999")), file("x", "1\n0\n9\n"+e.data)),
		sparse("sparse format 1.0 with a billion segments", noted("!unsupported "+path).with("after"), pax(record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0"), record("GNU.sparse.name", path)), file("x", "1000000000\n0\n9\n"+e.data)),
		sparse("sparse format of the future", noted("oddity "+path).with("seen", "after"), pax(record("GNU.sparse.major", "7"), record("GNU.sparse.minor", "7")), e),
		grown(class, "200,000 PAX records", shown("seen"), manyRecords(e)),
		grown(class, "300,000 entries in one folder", shown("seen"), manyFiles(300_000, e)),
		grown(class, "entries over their limit", failed(image.ErrLimit, "entries", "100000"), manyFiles(200_000, e)).limited(analyzer.Limits{Entries: 100_000}),
		grown(class, "names over the memory for them", failed(image.ErrLimit, "memory", "layer sha256:"), manyNames(100_000)).stored(imagetest.Gzip),
		grown(class, "irregularities by the hundred thousand", noted(thousandAndOne()...).with("seen"), manyOddities(100_000, e)),
	}
}

func longName(s string) entry {
	return entry{name: "././@LongLink", flag: 'L', magic: "ustar  \x00", data: s + "\x00"}
}

func base256(n int) string {
	b := make([]byte, 12)
	b[0] = 0x80
	for i := 11; n > 0; i-- {
		b[i] = byte(n)
		n >>= 8
	}
	return string(b)
}

// signedSum is an entry as old writers summed it up. Its name is ASCII, but its
// owner is not.
func signedSum(e entry) entry {
	e.rest = func(b []byte) { b[265] = 0xe9 }
	b := e.bytes()
	n := 8 * 32
	for i, c := range b[:512] {
		if i < 148 || i >= 156 {
			n += int(int8(c))
		}
	}
	e.sum = fmt.Sprintf("%06o\x00 ", n)
	return e
}

// oldSparse is a file in GNU's old sparse format with blocks of map after its
// header.
func oldSparse(name string, blocks int, data string) entry {
	if blocks == 0 {
		return entry{name: name, flag: 'S', magic: "ustar  \x00", data: data}
	}
	var b strings.Builder
	for range blocks {
		block := make([]byte, 512)
		block[504] = 1
		b.Write(block)
	}
	return entry{name: name, flag: 'S', magic: "ustar  \x00", data: b.String(), size: "00000000000\x00", rest: func(b []byte) { b[482] = 1 }}
}

func manyRecords(e entry) func(io.Writer) {
	return func(w io.Writer) {
		for range 20 { // an extended header holds a megabyte at most
			w.Write(noEnd(pax(strings.Repeat(record("a", "b"), 10_000)), file("etc/x", "")))
		}
		w.Write(tarball(e))
	}
}

func manyFiles(n int, e entry) func(io.Writer) {
	return func(w io.Writer) {
		for i := range n {
			w.Write(entry{name: fmt.Sprintf("d/%07d", i)}.bytes())
		}
		w.Write(tarball(e))
	}
}

// manyNames share no beginning, so that each is held.
func manyNames(n int) func(io.Writer) {
	return func(w io.Writer) {
		for i := range n {
			w.Write(noEnd(longName(fmt.Sprintf("%07d", i)+strings.Repeat("x", 3000)), entry{name: "x"}))
		}
		w.Write(make([]byte, 1024))
	}
}

func manyOddities(n int, e entry) func(io.Writer) {
	return func(w io.Writer) {
		for i := range n {
			w.Write(entry{name: fmt.Sprintf("../%07d", i)}.bytes())
		}
		w.Write(tarball(e))
	}
}

func thousandAndOne() (out []string) {
	for i := range 1000 {
		out = append(out, fmt.Sprintf("oddity %07d", i))
	}
	return append(out, "oddity /")
}
