package layer_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

var lazyFiles = []imagetest.File{
	{Name: "a/"}, {Name: "a/want", Data: "one"}, {Name: "a/big", Data: "0123456789"}, {Name: "a/hole", Data: "x\x00\x00\x00"},
	{Name: "l", Link: "a"}, {Name: "h", HardLink: "a/want"}, {Name: ".wh.gone"}, {Name: "empty"},
}

// honestTable says what lazyFiles are, in three pieces, two and one.
func honestTable() string {
	d := func(s string) string { return imagetest.Digest([]byte(s)) }
	return strings.Join([]string{
		`{"name":"a/","type":"dir"}`,
		`{"name":"a/want","type":"reg","size":3,"digest":"` + d("one") + `"}`,
		`{"name":"a/big","type":"reg","size":10,"digest":"` + d("0123456789") + `","chunkSize":4,"chunkDigest":"` + d("0123") + `"}`,
		`{"name":"a/big","type":"chunk","chunkOffset":4,"chunkSize":4,"chunkDigest":"` + d("4567") + `"}`,
		`{"name":"a/big","type":"chunk","chunkOffset":8,"chunkDigest":"` + d("89") + `"}`,
		`{"name":"a/hole","type":"reg","size":4,"digest":"` + d("x\x00\x00\x00") + `","chunkSize":1,"chunkDigest":"` + d("x") + `"}`,
		`{"name":"a/hole","type":"chunk","chunkOffset":1,"chunkSize":3,"chunkType":"zeros"}`,
		`{"name":"l","type":"symlink","linkName":"a"}`, `{"name":"h","type":"hardlink","linkName":"a/want"}`,
		`{"name":".wh.gone","type":"reg"}`, `{"name":"empty","type":"reg","digest":"` + d("") + `"}`,
	}, ",")
}

// lies are changes of an honest table, each of which has to be refused.
var lies = []struct {
	name, old, new string
	kind           error
}{
	{"honest", "", "", nil},
	{"other content", imagetest.Digest([]byte("one")), imagetest.Digest([]byte("evil")), fault.Mismatch},
	{"other size", `"size":3`, `"size":4`, fault.Mismatch},
	{"no digest", `"digest":"` + imagetest.Digest([]byte("one")) + `"`, `"x":1`, fault.Mismatch},
	{"other piece", imagetest.Digest([]byte("4567")), imagetest.Digest([]byte("evil")), fault.Mismatch},
	{"piece without a digest", `"chunkSize":4,"chunkDigest":"` + imagetest.Digest([]byte("4567")) + `"`, `"chunkSize":4`, fault.Mismatch},
	{"piece elsewhere", `"chunkOffset":4`, `"chunkOffset":5`, fault.Mismatch},
	{"piece that is missing", `{"name":"a/big","type":"chunk","chunkOffset":8,"chunkDigest":"` + imagetest.Digest([]byte("89")) + `"},`, "", fault.Mismatch},
	{"hole that is none", `"chunkSize":1,"chunkDigest":"` + imagetest.Digest([]byte("x")) + `"`, `"chunkSize":1,"chunkType":"zeros"`, fault.Mismatch},
	{"hidden file", `,{"name":"l","type":"symlink","linkName":"a"}`, "", fault.Mismatch},
	{"hidden removal", `{"name":".wh.gone","type":"reg"},`, "", fault.Mismatch},
	{"other kind", `"symlink"`, `"reg"`, fault.Mismatch},
	{"other target", `"linkName":"a"`, `"linkName":"b"`, fault.Mismatch},
	{"other hard link", `"linkName":"a/want"`, `"linkName":"a/big"`, fault.Mismatch},
	{"file that is not in the tar", `{"name":"a/","type":"dir"}`, `{"name":"evil","type":"reg"}`, fault.Mismatch},
	{"twice", `{"name":"empty"`, `{"name":"l","type":"symlink","linkName":"b"},{"name":"empty"`, fault.Mismatch},
	{"name in another case", `{"name":"l"`, `{"name":"l","Name":"m"`, fault.Invalid},
	{"two lists", `{"name":"a/","type":"dir"}`, `],"Entries":[{"name":"evil","type":"reg"}`, fault.Invalid},
	{"chunk of nothing", `{"name":"a/","type":"dir"}`, `{"name":"evil","type":"chunk"}`, fault.Invalid},
	{"unknown type", `"symlink"`, `"portal"`, fault.Invalid},
	{"not JSON", `{"name":"a/","type":"dir"}`, `[`, fault.Invalid},
}

// tableOf is the honest table with one change.
func tableOf(old, new string) string {
	return `{"version":1,"entries":[` + strings.Replace(honestTable(), old, new, 1) + `]}`
}

func TestStargzTable(t *testing.T) {
	for _, tt := range lies {
		toc := tableOf(tt.old, tt.new)
		if tt.name != "honest" && toc == tableOf("", "") {
			t.Fatalf("%s: nothing was changed", tt.name)
		}
		b, _ := stargz(toc, toc)
		checkLazy(t, tt.name, b, tt.kind)
	}
}

// TestStargzPlace: the footer and the annotation must lead to the table that is
// in the tar.
func TestStargzPlace(t *testing.T) {
	honest, evil := tableOf("", ""), tableOf(`"size":3`, `"size":4`)
	b, tar := stargz(honest, honest)
	b.Annotations = map[string]string{layer.StargzDigest: imagetest.Digest([]byte(honest))}
	checkLazy(t, "annotated", b, nil)
	b.Annotations = map[string]string{layer.StargzDigest: imagetest.Digest([]byte(evil))}
	checkLazy(t, "annotation of another table", b, fault.Mismatch)
	b, _ = stargz(honest, evil)
	if _, err := layer.Scan(t.Context(), b, options(byName)); !errors.Is(err, fault.Mismatch) || !strings.Contains(err.Error(), "footer") {
		t.Errorf("footer leads to another table: %v", err)
	}
	b = imagetest.Blob(imagetest.Tar(lazyFiles...), imagetest.Gzip)
	b.Annotations = map[string]string{layer.StargzDigest: imagetest.Digest([]byte(honest))}
	checkLazy(t, "no table", b, fault.Mismatch)
	b.Annotations = map[string]string{layer.ChunkedPosition: "0:1:1:1"}
	checkLazy(t, "annotation of zstd:chunked", b, fault.Mismatch)
	for _, place := range []uint64{1, 1 << 40} {
		b = storedBlob(tar, append(gzipped(tar), stargzFooter(place)...))
		checkLazy(t, fmt.Sprint("nothing at ", place), b, fault.Mismatch)
		old := bytes.Replace(stargzFooter(place), []byte("\x1a\x00SG\x16\x00"), []byte("\x16\x00"), 1)
		checkLazy(t, fmt.Sprint("older footer, nothing at ", place), storedBlob(tar, append(gzipped(tar), old...)), fault.Mismatch)
	}
	stale := append(lazyFiles[:1:1], imagetest.File{Name: "stargz.index.json", Data: evil})
	checkLazy(t, "left behind", imagetest.Blob(imagetest.Tar(stale...), imagetest.Gzip), nil)
}

func TestChunkedTable(t *testing.T) {
	for _, tt := range lies {
		checkLazy(t, tt.name, chunked(tableOf(tt.old, tt.new)), tt.kind)
	}
	honest := chunked(tableOf("", ""))
	for _, tt := range []struct{ name, key, value string }{
		{"other digest", layer.ChunkedDigest, imagetest.Digest(nil)},
		{"other digest, older name", layer.ChunkedDigestV0, imagetest.Digest(nil)},
		{"other digest of the text", layer.StargzDigest, imagetest.Digest(nil)},
		{"other place", layer.ChunkedPosition, "1:2:3:1"},
	} {
		b := honest
		b.Annotations = maps.Clone(b.Annotations)
		b.Annotations[tt.key] = tt.value
		checkLazy(t, tt.name, b, fault.Mismatch)
	}
	b := honest
	b.Annotations = map[string]string{layer.ChunkedPosition: "nonsense"}
	checkLazy(t, "no place", b, fault.Invalid)
	b.Annotations = nil
	checkLazy(t, "footer alone", b, nil)
	b = chunked(tableOf(`"size":3`, `"size":4`))
	b.Annotations = nil
	checkLazy(t, "footer alone, lying", b, fault.Mismatch)
	b = imagetest.Blob(imagetest.Tar(lazyFiles...), imagetest.Zstd)
	b.Annotations = map[string]string{layer.ChunkedPosition: "9:9:9:1"}
	checkLazy(t, "no frame", b, fault.Mismatch)
}

func checkLazy(t *testing.T, name string, b layer.Blob, kind error) {
	t.Helper()
	f, err := layer.Scan(t.Context(), b, options(byName))
	if kind != nil && (f != nil || !errors.Is(err, kind)) || kind == nil && err != nil {
		t.Errorf("%s: fragment %v, error %v; want one that is %v", name, f != nil, err, kind)
	}
}

// stargz stores lazyFiles with a table in a gzip member of its own, a second
// table inside a file, and a footer that leads to what pointed says.
func stargz(toc, pointed string) (b layer.Blob, tar []byte) {
	const end = 1024
	last := imagetest.Tar(imagetest.File{Name: "stargz.index.json", Data: toc})
	if toc == pointed {
		first := imagetest.Tar(lazyFiles...)
		first = first[:len(first)-end]
		stored := gzipped(first)
		footer := stargzFooter(uint64(len(stored)))
		tar = append(first, last...)
		return storedBlob(tar, bytes.Join([][]byte{stored, gzipped(last), footer}, nil)), tar
	}
	hidden := imagetest.Tar(imagetest.File{Name: "stargz.index.json", Data: pointed})
	first := imagetest.Tar(append(lazyFiles[:len(lazyFiles):len(lazyFiles)], imagetest.File{Name: "hidden", Data: string(hidden)})...)
	at := bytes.Index(first, hidden)
	stored := gzipped(first[:at])
	footer := stargzFooter(uint64(len(stored)))
	rest := append(bytes.Clone(first[at+len(hidden):len(first)-end]), last...)
	tar = append(append(bytes.Clone(first[:at]), hidden...), rest...)
	return storedBlob(tar, bytes.Join([][]byte{stored, gzipped(hidden), gzipped(rest), footer}, nil)), tar
}

func gzipped(data []byte) []byte { return imagetest.Compress(data, imagetest.Gzip) }

func stargzFooter(at uint64) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
	w.Extra = append([]byte("SG\x16\x00"), fmt.Sprintf("%016xSTARGZ", at)...)
	_ = w.Close()
	return b.Bytes()
}

func storedBlob(tar, stored []byte) layer.Blob {
	return layer.Blob{DiffID: imagetest.Digest(tar), Descriptor: sbom.Descriptor{Digest: imagetest.Digest(stored), Size: int64(len(stored))}, Open: imagetest.Opener(stored)}
}

// chunked stores lazyFiles as zstd:chunked, with a table.
func chunked(toc string) layer.Blob {
	tar := imagetest.Tar(lazyFiles...)
	stored := append(imagetest.Compress(tar[:600], imagetest.Zstd), imagetest.Compress(tar[600:], imagetest.Zstd)...)
	skipped := func(data []byte) {
		stored = append(stored, "\x50\x2a\x4d\x18"...)
		stored = binary.LittleEndian.AppendUint32(stored, uint32(len(data)))
		stored = append(stored, data...)
	}
	manifest := imagetest.Compress([]byte(toc), imagetest.Zstd)
	at := uint64(len(stored) + 8)
	skipped(manifest)
	var footer []byte
	for _, n := range []uint64{at, uint64(len(manifest)), uint64(len(toc)), 1} {
		footer = binary.LittleEndian.AppendUint64(footer, n)
	}
	skipped(append(footer, "GNUlInUx"...))
	b := storedBlob(tar, stored)
	b.Annotations = map[string]string{
		layer.ChunkedDigest:   imagetest.Digest(manifest),
		layer.ChunkedPosition: fmt.Sprintf("%d:%d:%d:1", at, len(manifest), len(toc)),
	}
	return b
}
