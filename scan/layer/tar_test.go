package layer

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		if h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" {
			size = 0
		}
		out = append(out, line{h.Typeflag, h.Name, h.Linkname, size})
	}
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
