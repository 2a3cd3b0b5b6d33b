package feed_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

const archiveURL = "https://x.example/all"

func zipOf(members ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		if w, err := z.Create(members[i]); err == nil {
			w.Write([]byte(members[i+1]))
		}
	}
	z.Close()
	return b.String()
}

func tarOf(members ...string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w.WriteHeader(&tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1]))})
		w.Write([]byte(members[i+1]))
	}
	w.Close()
	return b.String()
}

func gzipOf(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

func TestArchiveForms(t *testing.T) {
	members := []string{"top/a.json", "1", "top/b/c.json", "2", "top/README", "x", "top/.git/d.json", "x", "e.json", "x"}
	for name, text := range map[string]string{"zip": zipOf(members...), "tar": tarOf(members...), "tar.gz": gzipOf(tarOf(members...))} {
		a := feed.Archive{Source: "s", URL: archiveURL, Strip: 1, Keep: feed.Below("", ".json")}
		door := memory{archiveURL: text}
		got, out, err := collect(t.Context(), a, door, nil)
		if err != nil || !out.Complete {
			t.Fatalf("%s: %+v %v", name, out, err)
		}
		if diff := cmp.Diff(map[string]string{"a.json": "1", "b/c.json": "2"}, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		got, out, err = collect(t.Context(), a, door, out.State)
		if err != nil || !out.Unchanged || len(got) != 0 {
			t.Errorf("%s again: %q %+v %v", name, got, out, err)
		}
	}
}

// bomb is a zip whose member claims another size than it unfolds to.
func bomb() string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	var packed bytes.Buffer
	g := gzip.NewWriter(&packed)
	g.Write(make([]byte, 8<<20))
	g.Close()
	deflated := packed.Bytes()[10 : packed.Len()-8]
	w, err := z.CreateRaw(&zip.FileHeader{Name: "a.json", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(make([]byte, 8<<20)), CompressedSize64: uint64(len(deflated)), UncompressedSize64: 5})
	if err == nil {
		w.Write(deflated)
	}
	z.Close()
	return b.String()
}

func TestArchiveRefused(t *testing.T) {
	good := gzipOf(tarOf("a.json", "1", "b.json", strings.Repeat("x", 10_000)))
	var stored bytes.Buffer
	z := zip.NewWriter(&stored)
	if w, err := z.CreateHeader(&zip.FileHeader{Name: "a.json", Method: zip.Store}); err == nil {
		w.Write([]byte("hello"))
	}
	z.Close()
	damaged := strings.Replace(stored.String(), "hello", "jello", 1)
	tests := []struct {
		name, text string
		a          feed.Archive
		kind       error
	}{
		{"empty", "", feed.Archive{}, feed.ErrInvalid},
		{"HTML", "<html>" + strings.Repeat(" ", 1000), feed.Archive{}, feed.ErrInvalid},
		{"no zip", "PK\x03\x04" + strings.Repeat("x", 100), feed.Archive{}, feed.ErrInvalid},
		{"cut zip", zipOf("a", "1", "b", "2")[:60], feed.Archive{}, feed.ErrInvalid},
		{"cut tar.gz", good[:len(good)-20], feed.Archive{}, feed.ErrInvalid},
		{"cut trailer", good[:len(good)-4], feed.Archive{}, feed.ErrInvalid},
		{"wrong trailer", good[:len(good)-8] + "\x00\x00\x00\x00" + good[len(good)-4:], feed.Archive{}, feed.ErrInvalid},
		{"cut tar", tarOf("a.json", "1", "b.json", strings.Repeat("x", 10_000))[:4000], feed.Archive{}, feed.ErrInvalid},
		{"damaged zip", damaged, feed.Archive{}, feed.ErrInvalid},
		{"lying zip", bomb(), feed.Archive{}, feed.ErrInvalid},
		{"nothing kept", good, feed.Archive{Keep: feed.Below("", ".xml")}, feed.ErrInvalid},
		{"out of it", tarOf("../a.json", "1"), feed.Archive{}, feed.ErrInvalid},
		{"absolute", tarOf("/etc/a.json", "1"), feed.Archive{}, feed.ErrInvalid},
		{"backslash", zipOf(`a\b.json`, "1"), feed.Archive{}, feed.ErrInvalid},
		{"control character", zipOf("a\x01.json", "1"), feed.Archive{}, feed.ErrInvalid},
		{"twice", tarOf("a.json", "1", "a.json", "2"), feed.Archive{}, feed.ErrInvalid},
		{"twice, spelled otherwise", tarOf("a.json", "1", "./a.json", "2"), feed.Archive{}, feed.ErrInvalid},
		{"many", good, feed.Archive{MaxMembers: 1}, feed.ErrLimit},
		{"large member", good, feed.Archive{MaxDocument: 9_999}, feed.ErrLimit},
		{"large", good, feed.Archive{MaxUnpacked: 9_999}, feed.ErrLimit},
		{"bomb", gzipOf(tarOf("a.json", "1", "b.txt", string(make([]byte, 4<<20)))), feed.Archive{Keep: feed.Below("", ".json"), MaxUnpacked: 1 << 20}, feed.ErrLimit},
	}
	for _, tt := range tests {
		tt.a.Source, tt.a.URL = "s", archiveURL
		got, out, err := collect(t.Context(), tt.a, memory{archiveURL: tt.text}, nil)
		if !errors.Is(err, tt.kind) || out != nil {
			t.Errorf("%s: %d documents, %v", tt.name, len(got), err)
		}
	}
}

// A ratio that no text has is refused before everything is unfolded.
func TestArchiveRatio(t *testing.T) {
	const size = 16 << 20
	packed := gzipOf(tarOf("a.txt", "1", "b.txt", string(make([]byte, size))))
	if len(packed)*feed.MaxRatio >= size {
		t.Skipf("%d zeros were packed into %d bytes: no ratio over %d", size, len(packed), feed.MaxRatio)
	}
	a := feed.Archive{Source: "s", URL: archiveURL}
	if _, _, err := collect(t.Context(), a, memory{archiveURL: packed}, nil); !errors.Is(err, feed.ErrLimit) {
		t.Errorf("got %v", err)
	}
}

// helloBzip2 is "hello", compressed with bzip2.
const helloBzip2 = "QlpoOTFBWSZTWRkxZT0AAACBAAJEoAAhmmgzTQczi7kinChIDJiynoA="

func TestFiles(t *testing.T) {
	const base = "https://x.example/"
	bz, err := base64.StdEncoding.DecodeString(helloBzip2)
	if err != nil {
		t.Fatal(err)
	}
	door := memory{base + "a.json": "a", base + "b.json.gz": gzipOf("b"), base + "old": "o"}
	all := feed.Files{Source: "s", List: []feed.File{{URL: base + "a.json"}, {URL: base + "b.json.gz"}, {URL: base + "c", Optional: true}, {URL: base + "old", Name: "older"}}}
	got, first, err := collect(t.Context(), all, door, nil)
	if diff := cmp.Diff(map[string]string{"a.json": "a", "b.json": "b", "older": "o"}, got); err != nil || diff != "" || !first.Complete {
		t.Fatalf("%+v %v -want +got:\n%s", first, err, diff)
	}
	// One changes, one appears, one is asked for no longer.
	door[base+"a.json"], door[base+"c"] = "a2", "c"
	all.List = all.List[:3]
	got, second, err := collect(t.Context(), all, door, first.State)
	if diff := cmp.Diff(map[string]string{"a.json": "a2", "c": "c", "older": "gone"}, got); err != nil || diff != "" || second.Complete || second.Unchanged {
		t.Fatalf("%+v %v -want +got:\n%s", second, err, diff)
	}
	// An optional one disappears, and then stays away.
	delete(door, base+"c")
	got, third, err := collect(t.Context(), all, door, second.State)
	if diff := cmp.Diff(map[string]string{"c": "gone"}, got); err != nil || diff != "" {
		t.Fatalf("%v -want +got:\n%s", err, diff)
	}
	if got, out, err := collect(t.Context(), all, door, third.State); err != nil || !out.Unchanged || len(got) != 0 {
		t.Errorf("%q %+v %v", got, out, err)
	}
	if diff := cmp.Diff([]string{"x.example"}, all.Hosts()); diff != "" {
		t.Error(diff)
	}
	for name, content := range map[string]string{"empty": "", "cut.gz": gzipOf(strings.Repeat("b", 100))[:20], "no.gz": "x", "no.bz2": "x", "cut.bz2": string(bz[:len(bz)-8])} {
		f := feed.Files{Source: "s", List: []feed.File{{URL: base + name}}}
		if _, _, err := collect(t.Context(), f, memory{base + name: content}, nil); !errors.Is(err, feed.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, kind := range map[string]error{"x.xz": feed.ErrUnsupported, "x.zst": feed.ErrUnsupported, "bomb.gz": feed.ErrLimit} {
		content := "x"
		if name == "bomb.gz" {
			content = gzipOf(string(make([]byte, 2<<20)))
		}
		f := feed.Files{Source: "s", List: []feed.File{{URL: base + name}}, Max: 1 << 20}
		_, _, err := collect(t.Context(), f, memory{base + name: content}, nil)
		if name == "bomb.gz" && len(content)*feed.MaxRatio >= 2<<20 {
			continue // not a bomb by the rule
		}
		if !errors.Is(err, kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExpand(t *testing.T) {
	if got, err := feed.Expand("a.gz", []byte(gzipOf("a")+gzipOf("b"))); string(got) != "ab" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	bz, err := base64.StdEncoding.DecodeString(helloBzip2)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := feed.Expand("a.bz2", bz); string(got) != "hello" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if got, err := feed.Expand("a", []byte("x")); string(got) != "x" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestState(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "null", `{"a": 5}`, `{"a": {}, "a": {}}`} {
		if s := feed.ReadState([]byte(text)); s == nil || len(s) != 0 {
			t.Errorf("%q: %v", text, s)
		}
	}
	s := feed.State{"b": {ETag: `"1"`}, "a": {Digest: "d"}}
	text, err := s.Text()
	if want := `{"a":{"digest":"d"},"b":{"etag":"\"1\""}}`; string(text) != want || err != nil {
		t.Errorf("%s %v", text, err)
	}
	if diff := cmp.Diff(s, feed.ReadState(text)); diff != "" {
		t.Error(diff)
	}
	for i := range 20_000 {
		s[fmt.Sprintf("https://x.example/%040d", i)] = feed.Seen{}
	}
	if _, err := s.Text(); !errors.Is(err, feed.ErrLimit) {
		t.Errorf("got %v", err)
	}
	if r := feed.ReadState([]byte(`{"x": {"etag": "e", "modified": "m"}}`)).Ask("x"); r != (advisory.Request{URL: "x", ETag: "e", Modified: "m"}) {
		t.Errorf("%+v", r)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte(zipOf("a.json", "1", "b/c.json", "2")))
	f.Add([]byte(tarOf("./a.json", "1")))
	f.Add([]byte(gzipOf(tarOf("a.json", "1"))))
	f.Fuzz(func(t *testing.T, text []byte) {
		a := feed.Archive{Source: "s", URL: archiveURL, MaxDocument: 1 << 16, MaxUnpacked: 1 << 20, MaxMembers: 100}
		out, err := a.Fetch(t.Context(), memory{archiveURL: string(text)}, nil, func(d *advisory.Document) error {
			if err := d.Validate(); err != nil {
				t.Fatal(err)
			}
			return nil
		})
		if err != nil && !errors.Is(err, feed.ErrInvalid) && !errors.Is(err, feed.ErrLimit) {
			t.Fatal(err)
		}
		if (err == nil) != (out != nil) {
			t.Fatal(out, err)
		}
	})
}
