package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/testdata"
)

// line is what two tar readers must agree on.
type line struct {
	Flag       byte
	Name, Link string
	Size       int64
}

// ours lists the entries as tarReader sees them.
func ours(data []byte) (out []line, err error) {
	s := newStream(bytes.NewReader(data), nil)
	defer s.close()
	t := &tarReader{s: s, names: 1 << 20}
	for {
		h, err := t.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if h.sparse {
			h.size = 0 // the archive's own size: not what archive/tar reports
		}
		out = append(out, line{h.flag, h.name, h.link, h.size})
	}
}

// theirs lists the entries as Go's archive/tar sees them, in our form.
func theirs(data []byte) (out []line, err error) {
	t := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := t.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		size := h.Size
		if sparse(h) || strings.IndexByte("123456", h.Typeflag) >= 0 {
			size = 0 // the file's own size, or one that means nothing
		}
		out = append(out, line{h.Typeflag, h.Name, h.Linkname, size})
	}
}

func sparse(h *tar.Header) bool {
	version := h.PAXRecords["GNU.sparse.major"] + "." + h.PAXRecords["GNU.sparse.minor"]
	return h.Typeflag == tar.TypeGNUSparse || version == "0.0" || version == "0.1" || version == "1.0" ||
		version == "." && h.PAXRecords["GNU.sparse.map"] != ""
}

func TestTarAgreesWithStandardLibrary(t *testing.T) {
	packs := []string{"images/tar-edge-cases.tar.gz", "images/layer-edge-cases-claircore.tar.gz"}
	compared := 0
	for _, pack := range packs {
		files := testdata.Open(t, pack)
		for _, name := range testdata.Names(files) {
			if !strings.HasSuffix(name, ".tar") {
				continue
			}
			want, wantErr := theirs(files[name])
			got, err := ours(files[name])
			if (err == nil) != (wantErr == nil) {
				t.Errorf("%s: error %v, archive/tar says %v", name, err, wantErr)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: entries differ from archive/tar (-want +got):\n%s", name, diff)
			}
			compared++
		}
	}
	if compared == 0 {
		t.Fatal("no archive was compared")
	}
}

func TestTarFormats(t *testing.T) {
	long := strings.Repeat("d/", 90) + "file" // longer than a ustar name
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		t.Run(fmt.Sprint(format), func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			names := []string{"a", "dir/", "x/y/z.txt", "link"}
			if format != tar.FormatUSTAR {
				names = append(names, long, "späße/"+strings.Repeat("n", 200))
			}
			for _, name := range names {
				h := &tar.Header{Name: name, Mode: 0o644, Format: format, Typeflag: tar.TypeReg, Size: 700}
				switch {
				case strings.HasSuffix(name, "/"):
					h.Typeflag, h.Size = tar.TypeDir, 0
				case name == "link":
					h.Typeflag, h.Size, h.Linkname = tar.TypeSymlink, 0, "../target"
				}
				if err := w.WriteHeader(h); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(make([]byte, h.Size)); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			want, _ := theirs(b.Bytes())
			got, err := ours(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("entries differ from archive/tar (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzTar holds the reader against archive/tar: what both accept they must
// read alike, and nothing may crash. Where one of them rejects, the entries
// before must agree.
func FuzzTar(f *testing.F) {
	f.Add(sampleTar(tar.FormatPAX))
	f.Add(sampleTar(tar.FormatGNU))
	f.Add(sampleTar(tar.FormatUSTAR))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ours(data)
		want, wantErr := theirs(data)
		if err == nil && wantErr == nil && !cmp.Equal(want, got) {
			t.Errorf("both accept, but differ:\n%s", cmp.Diff(want, got))
		}
	})
}

func sampleTar(format tar.Format) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755, Format: format},
		{Name: "etc/os-release", Typeflag: tar.TypeReg, Mode: 0o644, Size: 5, Format: format},
		{Name: "etc/link", Typeflag: tar.TypeSymlink, Linkname: "os-release", Format: format},
		{Name: "etc/hard", Typeflag: tar.TypeLink, Linkname: "etc/os-release", Format: format},
	} {
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("ID=x\n")); err != nil {
				panic(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestTarReadsLikeTheUnpackers mutates headers with their checksums kept right
// and holds the reader against archive/tar, with which container runtimes
// unpack: what they accept must be accepted and be read alike, or a layer could
// show a scanner other files than it unpacks to.
func TestTarReadsLikeTheUnpackers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var data []byte
		for range rapid.IntRange(1, 5).Draw(t, "entries") {
			data = append(data, hostileEntry(t)...)
		}
		data = append(data, make([]byte, 2*block)...)
		want, wantErr := theirs(data)
		got, err := ours(data)
		if wantErr == nil && err != nil {
			t.Fatalf("archive/tar unpacks it, here: %v", err)
		}
		if wantErr == nil && !cmp.Equal(want, got) {
			t.Fatalf("entries differ from archive/tar (-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

// rawHeader makes one header block with a right checksum.
func rawHeader(magic string, flag byte, name, link, prefix string, size []byte) []byte {
	b := make([]byte, block)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:136], size)
	copy(b[136:], "00000000000\x00")
	b[156] = flag
	copy(b[157:257], link)
	copy(b[257:], magic)
	copy(b[329:], "0000000\x000000000\x00")
	copy(b[345:500], prefix)
	if magic == "ustar\x0000 star" {
		copy(b[257:], "ustar\x0000")
		copy(b[265:297], make([]byte, 32))
		copy(b[476:], "00000000000\x0000000000000\x00")
		copy(b[508:], "tar\x00")
	}
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func octal(n int) []byte { return fmt.Appendf(nil, "%011o\x00", n) }

func rawBody(data string) []byte {
	return append([]byte(data), make([]byte, padded(int64(len(data)))-int64(len(data)))...)
}

// paxBody writes records whose lengths are right.
func paxBody(records ...string) string {
	var b strings.Builder
	for _, r := range records {
		n := len(r) + 2
		for len(fmt.Sprint(n))+len(r)+2 != n {
			n = len(fmt.Sprint(n)) + len(r) + 2
		}
		fmt.Fprintf(&b, "%d %s\n", n, r)
	}
	return b.String()
}

// hostileEntry draws one header with its content: any format, any type, any
// extension, in combinations that no writer makes.
func hostileEntry(t *rapid.T) []byte {
	names := []string{"a", "dir/", "x/y", "", "long/name", "."}
	pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, what) }
	magic := pick("magic", "", "ustar\x0000", "ustar  \x00", "ustar\x0000 star")
	prefix := pick("prefix", "", "var/lib", "00000000001\x0000000000002\x00", "not a time", "\xff\xfe", "00000000009")
	flag := byte(rapid.SampledFrom([]byte("\x00012345670xgLKSxLZ")).Draw(t, "flag"))
	if flag == 'S' {
		prefix = strings.Repeat("\x00", 155) // the map is there
	}
	body := strings.Repeat("content ", rapid.IntRange(0, 100).Draw(t, "length"))
	switch flag {
	case 'x', 'g':
		var records []string
		for range rapid.IntRange(0, 5).Draw(t, "records") {
			key := pick("key", "path", "linkpath", "size", "comment", "GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.map", "GNU.sparse.name", "GNU.sparse.size")
			records = append(records, key+"="+pick("value", "", "0", "1", "9", "512", "other/name", "decoy", "0,512"))
		}
		body = paxBody(records...)
	case 'L', 'K':
		body = pick("long", names...) + pick("end", "", "\x00", "\x00hidden")
	case '1', '2', '5':
		body = ""
	}
	size := octal(len(body))
	if rapid.Bool().Draw(t, "binary") {
		size = append([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0}, byte(len(body)>>8), byte(len(body)))
	}
	return append(rawHeader(magic, flag, pick("name", names...), pick("link", names...), prefix, size), rawBody(body)...)
}
