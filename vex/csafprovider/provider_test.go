package csafprovider_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csafprovider"
	"github.com/stella-ops/stella/vex/trust"
	"github.com/stella-ops/stella/vex/vextest"
)

const host = "csaf.example.com"

// document is a small CSAF VEX document.
func document(id, cve string) []byte {
	return fmt.Appendf(nil, `{"document":{"category":"csaf_vex","csaf_version":"2.0","title":"x","distribution":{"tlp":{"label":"WHITE"}},
		"publisher":{"category":"vendor","name":"Example","namespace":"https://example.com"},
		"tracking":{"id":%q,"status":"final","version":"1","initial_release_date":"2026-01-01T00:00:00Z","current_release_date":"2026-01-01T00:00:00Z",
			"revision_history":[{"date":"2026-01-01T00:00:00Z","number":"1","summary":"x"}]}},
		"product_tree":{"full_product_names":[{"product_id":"P","name":"foo","product_identification_helper":{"purl":"pkg:npm/foo@1"}}]},
		"vulnerabilities":[{"cve":%q,"notes":[{"category":"description","text":"x"}],"product_status":{"known_not_affected":["P"]},"flags":[{"label":"component_not_present","product_ids":["P"]}]}]}`, id, cve)
}

// beside adds files with digests, and a signature that is none.
func beside(files map[string][]byte, name string, content []byte) {
	a, b := sha256.Sum256(content), sha512.Sum512(content)
	base := name[strings.LastIndexByte(name, '/')+1:]
	files[name] = content
	files[name+".sha256"] = []byte(hex.EncodeToString(a[:]) + "  " + base + "\n")
	files[name+".sha512"] = []byte(hex.EncodeToString(b[:]) + "  " + base + "\n")
	files[name+".asc"] = []byte("signature of " + base)
}

func metadata(role string, distributions string) []byte {
	return []byte(`{"canonical_url":"https://` + host + `/provider-metadata.json","distributions":[` + distributions + `],"last_updated":"2026-01-01T00:00:00Z",
		"list_on_CSAF_aggregators":true,"mirror_on_CSAF_aggregators":true,"metadata_version":"2.0","role":"` + role + `",
		"public_openpgp_keys":[{"url":"https://` + host + `/key.asc"}],"publisher":{"category":"vendor","name":"Example","namespace":"https://example.com"}}`)
}

// entry is one of a feed.
func entry(id, path, updated string) string {
	at := "https://" + host + "/" + path
	return fmt.Sprintf(`{"id":%q,"title":"x","published":%q,"updated":%q,"content":{"type":"application/json","src":%q},
		"format":{"schema":"https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json","version":"2.0"},
		"link":[{"rel":"self","href":%q},{"rel":"hash","href":%q},{"rel":"hash","href":%q},{"rel":"signature","href":%q}]}`, id, updated, updated, at, at, at+".sha256", at+".sha512", at+".asc")
}

func feed(entries ...string) []byte {
	return []byte(`{"feed":{"id":"f","title":"x","link":[{"rel":"self","href":"https://` + host + `/white/feed.json"}],
		"category":[{"scheme":"urn:ietf:params:rolie:category:information-type","term":"csaf"}],"updated":"2026-02-01T00:00:00Z","entry":[` + strings.Join(entries, ",") + `]}}`)
}

const (
	folderMetadata = `{"directory_url":"https://` + host + `/white/"}`
	feedMetadata   = `{"rolie":{"feeds":[{"summary":"x","tlp_label":"WHITE","url":"https://` + host + `/white/feed.json"}]}}`
)

func source(t testing.TB, c csafprovider.Config) *csafprovider.Source {
	t.Helper()
	c.Name = "example"
	if c.Namespace == "" {
		c.Namespace = "https://example.com/"
	}
	if c.Metadata == "" && c.Folders == nil {
		c.Metadata = "https://" + host + "/provider-metadata.json"
	}
	s, err := csafprovider.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tree is a folder of two documents.
func tree() map[string][]byte {
	files := map[string][]byte{
		host + "/provider-metadata.json": metadata("csaf_trusted_provider", folderMetadata),
		host + "/white/changes.csv":      []byte("\"2026/a-2.json\",\"2026-02-01T00:00:00Z\"\n\"2026/a-1.json\",\"2026-01-01T00:00:00Z\"\n"),
	}
	beside(files, host+"/white/2026/a-1.json", document("a-1", "CVE-2026-1001"))
	beside(files, host+"/white/2026/a-2.json", document("a-2", "CVE-2026-1002"))
	return files
}

func TestFolder(t *testing.T) {
	next := tree()
	next[host+"/white/changes.csv"] = []byte("\"2026/a-3.json\",\"2026-03-01T00:00:00Z\"\n\"2026/a-1.json\",\"2026-02-02T00:00:00Z\"\n")
	beside(next, host+"/white/2026/a-1.json", document("a-1", "CVE-2026-1011"))
	beside(next, host+"/white/2026/a-3.json", document("a-3", "CVE-2026-1003"))
	vextest.TestSource(t, source(t, csafprovider.Config{}), vextest.Feed{
		Files: tree(), Next: next, Changed: []string{"white/2026/a-1.json", "white/2026/a-3.json"}, Gone: []string{"white/2026/a-2.json"},
	})
}

func TestFolderWithoutChanges(t *testing.T) {
	files := vextest.Without(tree(), host+"/white/changes.csv")
	files[host+"/white/index.txt"] = []byte("2026/a-1.json\n2026/a-2.json\n")
	next := maps.Clone(files)
	next[host+"/white/index.txt"] = []byte("2026/a-2.json\n")
	beside(next, host+"/white/2026/a-2.json", document("a-2", "CVE-2026-1022"))
	vextest.TestSource(t, source(t, csafprovider.Config{}), vextest.Feed{Files: files, Next: next, Changed: []string{"white/2026/a-2.json"}, Gone: []string{"white/2026/a-1.json"}})
}

func TestFeed(t *testing.T) {
	files := tree()
	files[host+"/provider-metadata.json"] = metadata("csaf_trusted_provider", feedMetadata)
	files[host+"/white/feed.json"] = feed(entry("a-1", "white/2026/a-1.json", "2026-01-01T00:00:00Z"), entry("a-2", "white/2026/a-2.json", "2026-02-01T00:00:00Z"))
	next := maps.Clone(files)
	next[host+"/white/feed.json"] = feed(entry("a-2", "white/2026/a-2.json", "2026-03-01T00:00:00Z"))
	beside(next, host+"/white/2026/a-2.json", document("a-2", "CVE-2026-1022"))
	vextest.TestSource(t, source(t, csafprovider.Config{}), vextest.Feed{Files: files, Next: next, Changed: []string{"white/2026/a-2.json"}, Gone: []string{"white/2026/a-1.json"}})
}

// TestArchive: the first fetch takes the archive and what is newer or not in it.
func TestArchive(t *testing.T) {
	pack := func(names ...string) []byte {
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w := tar.NewWriter(z)
		files := tree()
		for _, name := range names {
			content := files[host+"/white/"+name]
			w.WriteHeader(&tar.Header{Name: "csaf/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))})
			w.Write(content)
		}
		w.Close()
		z.Close()
		return b.Bytes()
	}
	files := vextest.Without(tree(), host+"/white/2026/a-1.json.asc")
	files[host+"/white/latest.txt"] = []byte("all_2026-02-10.tar.zst\n")
	files[host+"/white/all_2026-02-10.tar.zst"] = pack("2026/a-1.json", "2026/a-1.json.sha256", "2026/a-1.json.asc", "2026/a-9.json")
	s := source(t, csafprovider.Config{Folders: []csafprovider.Folder{{URL: "https://" + host + "/white/", Latest: "https://" + host + "/white/latest.txt"}}})
	next := maps.Clone(files)
	next[host+"/white/changes.csv"] = []byte("\"2026/a-2.json\",\"2026-04-01T00:00:00Z\"\n")
	beside(next, host+"/white/2026/a-2.json", document("a-2", "CVE-2026-1022"))
	vextest.TestSource(t, s, vextest.Feed{Files: files, Next: next, Changed: []string{"white/2026/a-2.json"}, Gone: []string{"white/2026/a-1.json"}})
	docs, err := fetch(t, s, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		if !strings.HasPrefix(string(d.Proof), "signature of a-") {
			t.Errorf("%s from %s: proof %q", d.Name, d.URL, d.Proof)
		}
		if fromArchive := strings.Contains(d.URL, "!/csaf/"); fromArchive != (d.Name == "white/2026/a-1.json") {
			t.Errorf("%s is from %s", d.Name, d.URL)
		}
	}
	broken := maps.Clone(files)
	broken[host+"/white/all_2026-02-10.tar.zst"] = files[host+"/white/all_2026-02-10.tar.zst"][:200]
	if _, err := fetch(t, s, broken); !errors.Is(err, csafprovider.ErrInvalid) {
		t.Errorf("a broken archive: %v", err)
	}
	for _, name := range []string{"../x.tar.zst", "/x.tar.zst", "https://evil.example/x.tar.zst", "x.exe"} {
		broken[host+"/white/latest.txt"] = []byte(name)
		if _, err := fetch(t, s, broken); !errors.Is(err, csafprovider.ErrInvalid) {
			t.Errorf("an archive named %q: %v", name, err)
		}
	}
}

// TestManyDocuments: where the names of documents do not fit into the state, a list that
// gets shorter is read anew.
func TestManyDocuments(t *testing.T) {
	files := map[string][]byte{host + "/provider-metadata.json": metadata("csaf_provider", folderMetadata)}
	var list strings.Builder
	content := document("a", "CVE-2026-1001")
	const count = 2200
	for i := range count {
		name := fmt.Sprintf("2026/%s-%04d.json", strings.Repeat("long", 12), i)
		fmt.Fprintf(&list, "%q,\"2026-01-01T00:00:00Z\"\n", name)
		files[host+"/white/"+name] = content
	}
	files[host+"/white/changes.csv"] = []byte(list.String())
	s := source(t, csafprovider.Config{})
	run := func(state []byte) (int, *vex.Fetched) {
		n := 0
		out, err := s.Fetch(t.Context(), vextest.Door(files), state, func(*vex.Document) error { n++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n, out
	}
	n, out := run(nil)
	if n != count || !out.Complete || len(out.State) > 1000 {
		t.Fatalf("%d documents, %v, a state of %d bytes", n, out.Complete, len(out.State))
	}
	if n, again := run(out.State); n != 0 || !again.Unchanged {
		t.Errorf("unchanged: %d documents, %+v", n, again)
	}
	first, rest, _ := strings.Cut(list.String(), "\n")
	files[host+"/white/changes.csv"] = []byte(strings.Replace(first, "-01-01", "-01-02", 1) + "\n" + rest)
	n, out = run(out.State)
	if out.Complete || n == 0 || n > count {
		t.Errorf("one changed: %d documents, %+v", n, out.Complete)
	}
	files[host+"/white/changes.csv"] = []byte(rest)
	if n, out = run(out.State); n != count-1 || !out.Complete {
		t.Errorf("one gone: %d documents, complete %v", n, out.Complete)
	}
}

func fetch(t testing.TB, s vex.Source, files map[string][]byte) ([]*vex.Document, error) {
	var docs []*vex.Document
	_, err := s.Fetch(t.Context(), vextest.Door(files), nil, func(d *vex.Document) error { docs = append(docs, d); return nil })
	return docs, err
}

// TestRefused: what is not the publisher's, or not what its digest says.
func TestRefused(t *testing.T) {
	at := host + "/white/2026/a-1.json"
	foreign := bytes.Replace(document("a-1", "CVE-2026-1001"), []byte("https://example.com"), []byte("https://example.org"), 1)
	for _, tc := range []struct {
		name string
		do   func(files map[string][]byte)
		want error
	}{
		{"changed document", func(f map[string][]byte) { f[at] = append(f[at], ' ') }, csafprovider.ErrMismatch},
		{"broken digest", func(f map[string][]byte) { f[at+".sha512"] = []byte("x") }, csafprovider.ErrMismatch},
		{"digest of another", func(f map[string][]byte) { f[at+".sha512"] = f[host+"/white/2026/a-2.json.sha512"] }, csafprovider.ErrMismatch},
		{"no digest", func(f map[string][]byte) { delete(f, at+".sha512"); delete(f, at+".sha256") }, csafprovider.ErrNotFound},
		{"document that is gone", func(f map[string][]byte) { delete(f, at) }, csafprovider.ErrNotFound},
		{"another publisher's document", func(f map[string][]byte) { beside(f, at, foreign) }, csafprovider.ErrMismatch},
		{"another publisher's metadata", func(f map[string][]byte) {
			f[host+"/provider-metadata.json"] = bytes.Replace(f[host+"/provider-metadata.json"], []byte(`"https://example.com"`), []byte(`"https://example.org"`), 1)
		}, csafprovider.ErrMismatch},
		{"metadata of another place", func(f map[string][]byte) {
			f[host+"/provider-metadata.json"] = bytes.Replace(f[host+"/provider-metadata.json"], []byte(`/provider-metadata.json"`), []byte(`/old/provider-metadata.json"`), 1)
		}, csafprovider.ErrMismatch},
		{"metadata that are none", func(f map[string][]byte) { f[host+"/provider-metadata.json"] = []byte("[]") }, csafprovider.ErrInvalid},
		{"no distribution", func(f map[string][]byte) { f[host+"/provider-metadata.json"] = metadata("csaf_provider", "") }, csafprovider.ErrInvalid},
		{"a folder at another host", func(f map[string][]byte) {
			f[host+"/provider-metadata.json"] = metadata("csaf_provider", `{"directory_url":"https://elsewhere.example/white/"}`)
		}, csafprovider.ErrForbidden},
		{"only a feed for few", func(f map[string][]byte) {
			f[host+"/provider-metadata.json"] = metadata("csaf_provider", `{"rolie":{"feeds":[{"summary":"x","tlp_label":"RED","url":"https://`+host+`/red.json"}]}}`)
		}, csafprovider.ErrInvalid},
		{"a list that leads out", func(f map[string][]byte) {
			f[host+"/white/changes.csv"] = []byte("\"../../etc/passwd.json\",\"2026-01-01T00:00:00Z\"\n")
		}, csafprovider.ErrInvalid},
		{"an empty list", func(f map[string][]byte) { f[host+"/white/changes.csv"] = nil }, csafprovider.ErrInvalid},
		{"no list", func(f map[string][]byte) { delete(f, host+"/white/changes.csv") }, csafprovider.ErrNotFound},
		{"a feed with an entry elsewhere", func(f map[string][]byte) {
			f[host+"/provider-metadata.json"] = metadata("csaf_provider", feedMetadata)
			f[host+"/white/feed.json"] = bytes.ReplaceAll(feed(entry("a-1", "white/2026/a-1.json", "2026-01-01T00:00:00Z")), []byte("https://"+host+"/white/2026"), []byte("https://elsewhere.example/white/2026"))
		}, csafprovider.ErrForbidden},
		{"a document of another label", func(f map[string][]byte) {
			f[host+"/provider-metadata.json"] = metadata("csaf_provider", feedMetadata)
			f[host+"/white/feed.json"] = feed(entry("a-1", "white/2026/a-1.json", "2026-01-01T00:00:00Z"))
			beside(f, at, bytes.Replace(document("a-1", "CVE-2026-1001"), []byte("WHITE"), []byte("AMBER"), 1))
		}, csafprovider.ErrForbidden},
	} {
		files := tree()
		tc.do(files)
		docs, err := fetch(t, source(t, csafprovider.Config{}), files)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %d documents, %v", tc.name, len(docs), err)
		}
		for _, d := range docs {
			if d.Name == "white/2026/a-1.json" && tc.name != "an empty list" {
				t.Errorf("%s: it was passed on", tc.name)
			}
		}
	}
	for _, c := range []csafprovider.Config{
		{}, {Metadata: "https://x.example/m.json"}, {Metadata: "http://x.example/m.json", Namespace: "https://x"},
		{Metadata: "https://x.example/m.json", Folders: []csafprovider.Folder{{URL: "https://x.example/"}}, Namespace: "https://x"},
		{Folders: []csafprovider.Folder{{URL: "ftp://x.example/"}}, Namespace: "https://x"},
	} {
		if _, err := csafprovider.New(c); !errors.Is(err, csafprovider.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestProviders reads published trees, with their digests and real signatures.
func TestProviders(t *testing.T) {
	pack := testdata.Open(t, "vex/csaf-provider-trees.tar.gz")
	conditional := regexp.MustCompile(`(?m)^\s*\{\{(if [^}]*|end)\}\}\s*$`)
	for _, dir := range []string{"simple-directory-provider", "simple-rolie-provider"} {
		files := map[string][]byte{}
		for name, content := range pack {
			if rest, ok := strings.CutPrefix(name, "testdata/"+dir+"/"); ok {
				text := strings.ReplaceAll(conditional.ReplaceAllString(string(content), ""), "{{.URL}}", "https://"+host)
				files[host+"/"+rest] = []byte(text)
			}
		}
		// The trees' metadata and their document do not agree about the namespace.
		if _, err := fetch(t, source(t, csafprovider.Config{}), files); !errors.Is(err, csafprovider.ErrMismatch) {
			t.Errorf("%s: %v", dir, err)
		}
		at := host + "/provider-metadata.json"
		files[at] = bytes.Replace(files[at], []byte(`"https://example.com"`), []byte(`"https://www.example.com"`), 1)
		s := source(t, csafprovider.Config{Namespace: "https://www.example.com"})
		docs, err := fetch(t, s, files)
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		if len(docs) != 1 || docs[0].Name != "white/avendor-advisory-0004.json" || len(docs[0].Proof) == 0 {
			t.Fatalf("%s: %+v", dir, docs)
		}
		key := strings.ReplaceAll(strings.TrimSpace(string(files[host+"/openpgp/pubkey.asc"])), "\n", "\n      ")
		d, err := trust.Parse("trust.yaml", []byte("issuers:\n  - {id: example, tier: 1, products: [\"*\"]}\nkeys:\n  - name: provider\n    issuer: example\n    openpgp: |\n      "+key+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		v, err := d.Verifier(&trust.Options{At: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}).Verify(t.Context(), docs[0])
		if err != nil || v.Signature != vex.Verified {
			t.Errorf("%s: %+v, %v", dir, v, err)
		}
	}
}

func TestPresets(t *testing.T) {
	for name, s := range map[string]*csafprovider.Source{"redhat-vex": csafprovider.RedHat(), "suse-vex": csafprovider.SUSE()} {
		vextest.TestDescription(t, s)
		if d := s.Describe(); d.Name != name || !slices.IsSorted(d.Hosts) {
			t.Error(cmp.Diff(name, d.Name))
		}
	}
}
