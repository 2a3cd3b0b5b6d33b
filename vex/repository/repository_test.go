package repository_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/repository"
	"github.com/stella-ops/stella/vex/vextest"
)

const (
	manifestURL = "https://vex.example.com/.well-known/vex-repository.json"
	archivePath = "files.example.com/main.tar.gz"
)

func packed(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		w.Write(files[name])
	}
	w.Close()
	z.Close()
	return b.Bytes()
}

// document says that packages are not affected.
func document(id string, products ...string) []byte {
	var list []string
	for _, p := range products {
		list = append(list, fmt.Sprintf(`{"@id":%q}`, p))
	}
	return fmt.Appendf(nil, `{"@context":"https://openvex.dev/ns/v0.2.0","@id":%q,"author":"Somebody","timestamp":"2026-01-01T00:00:00Z","version":1,"statements":[
		{"vulnerability":{"name":"CVE-2026-1"},"products":[%s],"status":"not_affected","justification":"component_not_present"}]}`, id, strings.Join(list, ","))
}

func manifest(location string) []byte {
	return fmt.Appendf(nil, `{"name":"Example","versions":[{"spec_version":"0.0","locations":[]},{"spec_version":"0.1","locations":[{"url":%q}],"update_interval":"24h"}]}`, location)
}

func index(entries ...string) []byte {
	var list []string
	for i := 0; i < len(entries); i += 2 {
		list = append(list, fmt.Sprintf(`{"id":%q,"location":%q}`, entries[i], entries[i+1]))
	}
	return []byte(`{"updated_at":"2026-01-01T00:00:00Z","packages":[` + strings.Join(list, ",") + `]}`)
}

func source(t testing.TB, c repository.Config) *repository.Source {
	t.Helper()
	c.Name = "example"
	s, err := repository.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func members() map[string][]byte {
	return map[string][]byte{
		"hub-main/index.json":                          index("pkg:npm/foo", "pkg/npm/foo/foo.openvex.json", "pkg:golang/example.com/a/b", "pkg/golang/example.com/a/b/vex.json", "pkg:npm/gone", "pkg/npm/gone/vex.json"),
		"hub-main/pkg/npm/foo/foo.openvex.json":        document("1", "pkg:npm/foo@1"),
		"hub-main/pkg/golang/example.com/a/b/vex.json": document("2", "pkg:golang/example.com/a/b@v1"),
		"hub-main/pkg/npm/bar/unlisted.json":           document("3", "pkg:npm/bar"),
		"hub-main/README.md":                           []byte("x"),
		"other/pkg/npm/foo/foo.openvex.json":           document("4", "pkg:npm/foo"),
	}
}

func TestArchive(t *testing.T) {
	for _, folder := range []string{"//hub-main", ""} {
		m := members()
		if folder == "" {
			delete(m, "other/pkg/npm/foo/foo.openvex.json")
		}
		files := map[string][]byte{"vex.example.com/.well-known/vex-repository.json": manifest("https://" + archivePath + folder), archivePath: packed(t, m)}
		later := maps.Clone(m)
		later["hub-main/pkg/npm/foo/foo.openvex.json"] = document("1", "pkg:npm/foo@2")
		delete(later, "hub-main/pkg/golang/example.com/a/b/vex.json")
		next := maps.Clone(files)
		next[archivePath] = packed(t, later)
		vextest.TestSource(t, source(t, repository.Config{Manifest: manifestURL, Hosts: []string{"files.example.com"}}), vextest.Feed{
			Files: files, Next: next,
			Changed: []string{"pkg/npm/foo/foo.openvex.json"}, Gone: []string{"pkg/golang/example.com/a/b/vex.json"},
		})
	}
}

func TestFiles(t *testing.T) {
	files := map[string][]byte{
		"vex.example.com/x/index.json": index("pkg:npm/foo", "a.json", "pkg:npm/%40b/bar", "sub/b.json"),
		"vex.example.com/x/a.json":     document("1", "pkg:npm/foo@1"),
		"vex.example.com/x/sub/b.json": document("2", "pkg:npm/%40b/bar"),
	}
	next := maps.Clone(files)
	next["vex.example.com/x/index.json"] = index("pkg:npm/foo", "a.json")
	next["vex.example.com/x/a.json"] = document("1", "pkg:npm/foo@2")
	feed := vextest.Feed{Files: files, Next: next, Changed: []string{"pkg/npm/foo/a.json"}, Gone: []string{"pkg/npm/@b/bar/b.json"}}
	vextest.TestSource(t, source(t, repository.Config{Index: "https://vex.example.com/x/index.json"}), feed)
	feed.Files, feed.Next = maps.Clone(files), maps.Clone(next)
	feed.Files["vex.example.com/.well-known/vex-repository.json"] = manifest("https://vex.example.com/x/index.json")
	feed.Next["vex.example.com/.well-known/vex-repository.json"] = manifest("https://vex.example.com/x/index.json")
	vextest.TestSource(t, source(t, repository.Config{Manifest: manifestURL}), feed)
}

// fetch returns what a source passes on.
func fetch(t testing.TB, s vex.Source, files map[string][]byte) ([]*vex.Document, error) {
	var docs []*vex.Document
	_, err := s.Fetch(t.Context(), vextest.Door(files), nil, func(d *vex.Document) error { docs = append(docs, d); return nil })
	return docs, err
}

func TestRefused(t *testing.T) {
	whole := packed(t, members())
	swap := func(name string, content []byte) []byte {
		m := members()
		m["hub-main/"+name] = content
		return packed(t, m)
	}
	for name, tc := range map[string]struct {
		manifest, archive []byte
		want              error
	}{
		"manifest that is none":      {[]byte("<html>"), whole, repository.ErrInvalid},
		"manifest without versions":  {[]byte("{}"), whole, repository.ErrUnsupported},
		"later version alone":        {[]byte(`{"versions":[{"spec_version":"1.0","locations":[{"url":"https://files.example.com/main.tar.gz"}]}]}`), whole, repository.ErrUnsupported},
		"no location":                {[]byte(`{"versions":[{"spec_version":"0.1","locations":[]}]}`), whole, repository.ErrUnsupported},
		"location at another host":   {manifest("https://elsewhere.example/main.tar.gz"), whole, repository.ErrForbidden},
		"location over http":         {manifest("http://files.example.com/main.tar.gz"), whole, repository.ErrForbidden},
		"location of a file":         {manifest("file:///etc/passwd"), whole, repository.ErrForbidden},
		"location that is gone":      {manifest("https://files.example.com/other.tar.gz"), whole, repository.ErrNotFound},
		"archive that is none":       {manifest("https://" + archivePath), []byte("x"), repository.ErrInvalid},
		"archive cut short":          {manifest("https://" + archivePath), whole[:len(whole)-9], repository.ErrInvalid},
		"archive of another folder":  {manifest("https://" + archivePath + "//none"), whole, repository.ErrInvalid},
		"index that is none":         {manifest("https://" + archivePath + "//hub-main"), swap("index.json", []byte("[]")), repository.ErrInvalid},
		"index without packages":     {manifest("https://" + archivePath + "//hub-main"), swap("index.json", []byte("{}")), repository.ErrInvalid},
		"index that leads out":       {manifest("https://" + archivePath + "//hub-main"), swap("index.json", index("pkg:npm/foo", "../other/pkg/npm/foo/foo.openvex.json")), repository.ErrInvalid},
		"index with an absolute one": {manifest("https://" + archivePath + "//hub-main"), swap("index.json", index("pkg:npm/foo", "/etc/passwd")), repository.ErrInvalid},
		"index with an address":      {manifest("https://" + archivePath + "//hub-main"), swap("index.json", index("pkg:npm/foo", "https://evil.example/x.json")), repository.ErrInvalid},
		"index of no package":        {manifest("https://" + archivePath + "//hub-main"), swap("index.json", index("foo", "pkg/npm/foo/foo.openvex.json")), repository.ErrInvalid},
		"two documents of a name":    {manifest("https://" + archivePath + "//hub-main"), swap("index.json", index("pkg:npm/foo", "a/vex.json", "pkg:npm/foo@1", "b/vex.json")), repository.ErrInvalid},
	} {
		s := source(t, repository.Config{Manifest: manifestURL, Hosts: []string{"files.example.com"}})
		docs, err := fetch(t, s, map[string][]byte{"vex.example.com/.well-known/vex-repository.json": tc.manifest, archivePath: tc.archive})
		if !errors.Is(err, tc.want) || len(docs) != 0 {
			t.Errorf("%s: %d documents, %v", name, len(docs), err)
		}
	}
	for _, c := range []repository.Config{{}, {Manifest: "http://vex.example.com/x"}, {Manifest: manifestURL, Index: manifestURL}, {Index: "x"}} {
		if _, err := repository.New(c); !errors.Is(err, repository.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestListed: a document lowers the risk of nothing but its own package.
func TestListed(t *testing.T) {
	own := "pkg/npm/foo/vex.json"
	image := "pkg/oci/registry.example.com/team/app/vex.json"
	for _, tc := range []struct {
		name     string
		products []string
		want     int // products that are left
	}{
		{own, []string{"pkg:npm/foo"}, 1},
		{own, []string{"pkg:npm/foo@1", "pkg:npm/foo@2?arch=x"}, 2},
		{own, []string{"pkg:npm/foo@1", "pkg:npm/bar@2"}, 1},
		{own, []string{"pkg:npm/bar"}, 0},
		{own, []string{"pkg:npm/foo-bar"}, 0},
		{own, []string{"pkg:npm/%40foo/foo"}, 0},
		{own, []string{"pkg:pypi/foo"}, 0},
		{own, []string{"cpe:2.3:a:foo:foo:1:*:*:*:*:*:*:*"}, 0},
		{own, []string{"foo"}, 0},
		{image, []string{"pkg:oci/app?repository_url=registry.example.com/team/app"}, 1},
		{image, []string{"pkg:oci/app?repository_url=registry.example.com/team"}, 1},
		{image, []string{"pkg:oci/app?repository_url=registry.example.com/other/app"}, 0},
		{image, []string{"pkg:oci/app"}, 0},
		{"vex.json", []string{"pkg:npm/foo"}, 0},
		{"pkg/golang/example.com/a/vex.json", []string{"pkg:golang/example.com/a/b@v1"}, 0},
	} {
		for _, foreign := range []bool{false, true} {
			s := source(t, repository.Config{Manifest: manifestURL, Foreign: foreign})
			got, refused := 0, 0
			for st, err := range s.Parse(&vex.Document{Name: tc.name, Content: document("1", tc.products...)}) {
				switch {
				case err == nil:
					got += len(st.Products)
				case errors.Is(err, repository.ErrForbidden):
					refused++
				default:
					t.Error(err)
				}
			}
			want := tc.want
			if foreign {
				want = len(tc.products)
			}
			if got != want || (refused == 0) != (want > 0) {
				t.Errorf("%s in %s, foreign %v: %d products, %d refusals", tc.products, tc.name, foreign, got, refused)
			}
		}
	}
	warning := bytes.Replace(document("1", "pkg:npm/bar"), []byte(`"not_affected","justification":"component_not_present"`), []byte(`"affected","action_statement":"update"`), 1)
	for st, err := range source(t, repository.Config{Manifest: manifestURL}).Parse(&vex.Document{Name: own, Content: warning}) {
		if err != nil || len(st.Products) != 1 {
			t.Errorf("a warning about another package: %v, %v", st, err)
		}
	}
}

// TestReal serves published repositories.
func TestReal(t *testing.T) {
	aqua := testdata.Open(t, "vex/openvex-aqua-vexhub.tar.gz")
	rancher := testdata.Open(t, "vex/openvex-rancher-oci.tar.gz")
	if testing.Short() { // the whole pack takes seconds
		for _, name := range testdata.Names(rancher)[20:] {
			delete(rancher, name)
		}
	}
	var entries []string
	for _, name := range testdata.Names(rancher) { // which has no index
		repo := strings.TrimPrefix(path.Dir(name), "pkg/oci/")
		entries = append(entries, purl.PackageURL{Type: "oci", Name: path.Base(repo)}.With("repository_url", repo).String(), name)
	}
	rancher["index.json"] = index(entries...)
	for name, files := range map[string]map[string][]byte{"vexhub-main": aqua, "rancher-main": rancher} {
		below := map[string][]byte{}
		for n, content := range files {
			below[name+"/"+n] = content
		}
		s := source(t, repository.Config{Manifest: manifestURL, Hosts: []string{"files.example.com"}})
		docs, err := fetch(t, s, map[string][]byte{"vex.example.com/.well-known/vex-repository.json": manifest("https://" + archivePath + "//" + name), archivePath: packed(t, below)})
		if err != nil {
			t.Fatal(err)
		}
		statements, problems := 0, 0
		for _, d := range docs {
			for _, err := range s.Parse(d) {
				var broken *vex.StatementError
				switch {
				case err == nil:
					statements++
				case errors.As(err, &broken):
					if problems++; problems < 5 {
						t.Log(err)
					}
				default:
					t.Error(err)
				}
			}
		}
		t.Logf("%s: %d documents, %d statements, %d problems", name, len(docs), statements, problems)
		if len(docs) < 20 || statements < 500 {
			t.Errorf("%s: %d documents, %d statements", name, len(docs), statements)
		}
	}
}

// FuzzRepository serves a manifest and an index: what is passed on is in the archive,
// and its name is a path.
func FuzzRepository(f *testing.F) {
	f.Add(manifest("https://"+archivePath+"//hub-main"), index("pkg:npm/foo", "pkg/npm/foo/foo.openvex.json"))
	f.Add(manifest("https://"+archivePath), index("pkg:oci/a?repository_url=../b", "README.md", "pkg:npm/a/../b", "README.md"))
	f.Fuzz(func(t *testing.T, manifest, index []byte) {
		m := members()
		m["hub-main/index.json"] = index
		s := source(t, repository.Config{Manifest: manifestURL, Hosts: []string{"files.example.com"}})
		docs, err := fetch(t, s, map[string][]byte{"vex.example.com/.well-known/vex-repository.json": manifest, archivePath: packed(t, m)})
		if err != nil && len(docs) > 0 && !errors.Is(err, repository.ErrInvalid) {
			t.Errorf("%d documents and %v", len(docs), err)
		}
		vextest.CheckDocuments(t, s, docs)
	})
}

func TestPresets(t *testing.T) {
	for _, s := range []*repository.Source{repository.VEXHub(), repository.Rancher()} {
		vextest.TestDescription(t, s)
	}
}
