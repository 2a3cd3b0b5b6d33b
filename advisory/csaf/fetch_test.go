package csaf_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
	"github.com/stella-ops/stella/advisory/feed"
)

// folder is a publisher that tests change.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T, files map[string]string) *folder {
	f := &folder{t, t.TempDir()}
	for address, content := range files {
		f.write(address, content)
	}
	return f
}

func (f *folder) write(address, content string) {
	f.t.Helper()
	name, err := feed.Path("https://" + address)
	if err != nil {
		f.t.Fatal(err)
	}
	at := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// fetch fetches and lists what is passed on, with "-" before what is gone.
func (f *folder) fetch(s *csaf.Source, state []byte) (names []string, out *advisory.Fetched, err error) {
	out, err = s.Fetch(f.t.Context(), feed.Dir(f.dir), state, func(d *advisory.Document) error {
		name := d.Name
		if d.Gone {
			name = "-" + name
		} else {
			name += " " + string(d.Signature)
		}
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return names, out, err
}

func (f *folder) good(s *csaf.Source, state []byte, want ...string) []byte {
	f.t.Helper()
	names, out, err := f.fetch(s, state)
	if err != nil {
		f.t.Fatal(err)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		f.t.Errorf("passed on -want +got:\n%s", diff)
	}
	return out.State
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func archive(t *testing.T, members map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for name, content := range members {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(content))
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const vex = "security.access.redhat.com/data/csaf/v2/vex/"

// TestArchive: the first fetch takes the archive and what is newer or not in
// it; later ones what the list has as newer, and the deletions.
func TestArchive(t *testing.T) {
	packed := archive(t, map[string]string{"./2024/cve-2024-1.json": "one", "csaf/2024/cve-2024-2.json": "old", "2024/cve-2024-9.json": "not listed"})
	f := newFolder(t, map[string]string{
		vex + "changes.csv":                        `"2024/cve-2024-2.json","2024-01-15T00:00:00Z"` + "\n" + `"2024/cve-2024-1.json","2024-01-01T00:00:00Z"` + "\n" + `"2024/cve-2024-3.json","2024-01-01T00:00:00Z"` + "\n",
		vex + "deletions.csv":                      `"2023/cve-2023-1.json","2024-01-01T00:00:00Z"` + "\n",
		vex + "archive_latest.txt":                 "csaf_vex_2024-01-10.tar.zst",
		vex + "csaf_vex_2024-01-10.tar.zst":        packed,
		vex + "csaf_vex_2024-01-10.tar.zst.sha256": digest(packed) + "  csaf_vex_2024-01-10.tar.zst\n",
		vex + "2024/cve-2024-2.json":               "new",
		vex + "2024/cve-2024-2.json.sha256":        digest("new") + "  cve-2024-2.json\n",
		vex + "2024/cve-2024-3.json":               "three",
		vex + "2024/cve-2024-3.json.sha256":        digest("three"),
	})
	s := csaf.RedHatVEX()
	state := f.good(s, nil, "2024/cve-2024-1.json unchecked", "2024/cve-2024-2.json unchecked", "2024/cve-2024-3.json unchecked")
	state = f.good(s, state)
	f.write(vex+"deletions.csv", `"2024/cve-2024-3.json","2024-02-01T00:00:00Z"`+"\n"+`"2023/cve-2023-1.json","2023-12-01T00:00:00Z"`+"\n")
	state = f.good(s, state, "-2024/cve-2024-3.json")
	// Deleted, and there again; and one whose deletion is told with a change.
	f.write(vex+"changes.csv", `"2024/cve-2024-3.json","2024-02-03T00:00:00Z"`+"\n"+`"2024/cve-2024-2.json","2024-01-15T00:00:00Z"`+"\n"+`"2024/cve-2024-1.json","2024-01-01T00:00:00Z"`+"\n")
	f.write(vex+"deletions.csv", `"2024/cve-2024-1.json","2024-02-03T00:00:00Z"`+"\n"+`"2024/cve-2024-3.json","2024-02-01T00:00:00Z"`+"\n")
	state = f.good(s, state, "-2024/cve-2024-1.json", "2024/cve-2024-3.json unchecked")
	state = f.good(s, state)
	f.write(vex+"csaf_vex_2024-01-10.tar.zst.sha256", digest("another"))
	if _, _, err := f.fetch(s, nil); !errors.Is(err, csaf.ErrMismatch) {
		t.Errorf("an archive with another digest: %v", err)
	}
	if _, out, err := f.fetch(s, state); err != nil || !out.Unchanged {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestRefused: a document with another digest is not passed on; all others are,
// and the error tells. The state is the one from before.
func TestRefused(t *testing.T) {
	f := newFolder(t, map[string]string{
		vex + "changes.csv":                 `"2024/cve-2024-1.json","2024-01-01T00:00:00Z"` + "\n" + `"2024/cve-2024-2.json","2024-01-02T00:00:00Z"` + "\n",
		vex + "2024/cve-2024-1.json":        "one",
		vex + "2024/cve-2024-1.json.sha256": digest("another"),
		vex + "2024/cve-2024-2.json":        "two",
		vex + "2024/cve-2024-2.json.sha512": strings.Repeat("0", 127), // no digest at all
	})
	s := csaf.RedHatVEX()
	names, out, err := f.fetch(s, nil)
	if !errors.Is(err, csaf.ErrMismatch) || out != nil || names != nil {
		t.Errorf("got %q, %v, %v", names, out, err)
	}
	if err == nil || !strings.Contains(err.Error(), "cve-2024-1.json") || !strings.Contains(err.Error(), "cve-2024-2.json") {
		t.Errorf("the error does not name both: %v", err)
	}
	f.write(vex+"2024/cve-2024-2.json.sha512", "")
	os.Remove(filepath.Join(f.dir, filepath.FromSlash(vex+"2024/cve-2024-2.json.sha512")))
	names, _, err = f.fetch(s, nil)
	if diff := cmp.Diff([]string{"2024/cve-2024-2.json unchecked"}, names); diff != "" || !errors.Is(err, csaf.ErrMismatch) {
		t.Errorf("%s%v", diff, err)
	}
	f.write(vex+"2024/cve-2024-1.json.sha256", digest("one"))
	f.good(s, nil, "2024/cve-2024-1.json unchecked", "2024/cve-2024-2.json unchecked")
}

// TestTooManyRefused: a Fetch gives up on a publisher whose digests are all
// wrong.
func TestTooManyRefused(t *testing.T) {
	f := newFolder(t, nil)
	var list strings.Builder
	for i := range csaf.MaxRefused + 5 {
		name := fmt.Sprintf("2024/cve-2024-%d.json", i)
		fmt.Fprintf(&list, "%q,\"2024-01-01T00:00:00Z\"\n", name)
		f.write(vex+name, "x")
		f.write(vex+name+".sha256", digest("y"))
	}
	f.write(vex+"changes.csv", list.String())
	if names, _, err := f.fetch(csaf.RedHatVEX(), nil); !errors.Is(err, csaf.ErrLimit) || !errors.Is(err, csaf.ErrMismatch) || names != nil {
		t.Errorf("%q, %v", names, err)
	}
}

// metadata is a provider's with one distribution.
func metadata(namespace, distribution string) string {
	return `{"canonical_url":"https://example.com/csaf/provider-metadata.json","distributions":[` + distribution + `],"last_updated":"2024-01-01T00:00:00Z","list_on_CSAF_aggregators":true,` +
		`"mirror_on_CSAF_aggregators":true,"metadata_version":"2.0","publisher":{"category":"vendor","name":"Example Ltd","namespace":"` + namespace + `"},"role":"csaf_trusted_provider"}`
}

// TestProviderFolder: a provider's folder, of which a document vanishes.
func TestProviderFolder(t *testing.T) {
	const white = "example.com/csaf/white/"
	f := newFolder(t, map[string]string{
		"example.com/csaf/provider-metadata.json": metadata("https://example.com", `{"directory_url":"https://example.com/csaf/white"}`),
		white + "changes.csv":                     `"2024/a.json","2024-01-01T00:00:00Z"` + "\n" + `"2024/b.json","2024-01-02T00:00:00Z"` + "\n",
		white + "2024/a.json":                     "a",
		white + "2024/a.json.sha256":              digest("a"),
		white + "2024/b.json":                     "b",
	})
	s := csaf.Provider(example)
	// A trusted provider has a digest for each.
	if names, _, err := f.fetch(s, nil); !errors.Is(err, csaf.ErrNotFound) || len(names) != 1 {
		t.Errorf("%q, %v", names, err)
	}
	f.write(white+"2024/b.json.sha256", digest("b"))
	state := f.good(s, nil, "csaf/white/2024/a.json unchecked", "csaf/white/2024/b.json unchecked")
	state = f.good(s, state)
	f.write(white+"changes.csv", `"2024/b.json","2024-01-02T00:00:00Z"`+"\n")
	state = f.good(s, state, "-csaf/white/2024/a.json")
	// A document that was missing comes back with an old time.
	f.write(white+"changes.csv", `"2024/b.json","2024-01-02T00:00:00Z"`+"\n"+`"2024/a.json","2024-01-01T00:00:00Z"`+"\n")
	f.good(s, state, "csaf/white/2024/a.json unchecked")
}

// TestProviderMetadata: metadata that are not those of the trusted publisher.
func TestProviderMetadata(t *testing.T) {
	const folder = `{"directory_url":"https://example.com/csaf/white/"}`
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"another publisher":     {metadata("https://example.org", folder), csaf.ErrMismatch},
		"a copy":                {strings.Replace(metadata("https://example.com", folder), "example.com/csaf/provider", "example.org/csaf/provider", 1), csaf.ErrMismatch},
		"nothing is public":     {metadata("https://example.com", `{"rolie":{"feeds":[{"summary":"s","tlp_label":"RED","url":"https://example.com/red.json"}]}}`), csaf.ErrInvalid},
		"a folder without list": {metadata("https://example.com", folder), csaf.ErrNotFound},
		"another host":          {metadata("https://example.com", strings.Replace(folder, "example.com", "example.org", 1)), csaf.ErrForbidden},
		"another version":       {strings.Replace(metadata("https://example.com", folder), `"metadata_version":"2.0"`, `"metadata_version":"3.0"`, 1), csaf.ErrUnsupported},
	} {
		f := newFolder(t, map[string]string{"example.com/csaf/provider-metadata.json": tt.text})
		if _, _, err := f.fetch(csaf.Provider(example), nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFeedLabel: a document of TLP:GREEN in a feed of TLP:WHITE is refused.
func TestFeedLabel(t *testing.T) {
	files := fixture(t, "testdata/provider.txtar")
	green := strings.Replace(files["example.com/csaf/white/2024/ex-1.json"], `"WHITE"`, `"GREEN"`, 1)
	files["example.com/csaf/white/2024/ex-1.json"], files["example.com/csaf/white/2024/ex-1.json.sha256"] = green, digest(green)
	f := newFolder(t, files)
	if names, _, err := f.fetch(csaf.Provider(example), nil); !errors.Is(err, csaf.ErrForbidden) || len(names) != 1 {
		t.Errorf("%q, %v", names, err)
	}
}
