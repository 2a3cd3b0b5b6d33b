package folder_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/folder"
	"github.com/stella-ops/stella/vex/trust"
	"github.com/stella-ops/stella/vex/vextest"
)

const document = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/1","author":"Team","timestamp":"2026-01-01T00:00:00Z","version":1,
	"statements":[{"vulnerability":{"name":"CVE-2026-1"},"products":[{"@id":"pkg:npm/foo"}],"status":"not_affected","justification":"component_not_present"}]}`

func write(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func fetch(t testing.TB, s vex.Source) ([]*vex.Document, error) {
	t.Helper()
	var docs []*vex.Document
	out, err := s.Fetch(t.Context(), nil, nil, func(d *vex.Document) error { docs = append(docs, d); return nil })
	if err == nil && !out.Complete {
		t.Error("it is not complete")
	}
	return docs, err
}

func TestDir(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{
		"a.json": document, "a.json.asc": "signature", "sub/.hidden/b.json": document, "README.md": "x", "c.xml": `<bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>`,
		"all.jsonl": strings.ReplaceAll(document, "\n", "") + "\n\n" + strings.ReplaceAll(document, "\n", "") + "\n",
	})
	s := folder.Dir(dir)
	docs, err := fetch(t, s)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range docs {
		got[d.Name] = string(d.Proof)
	}
	want := map[string]string{"a.json": "signature", "sub/.hidden/b.json": "", "c.xml": "", "all.jsonl/00001.json": "", "all.jsonl/00003.json": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	vextest.TestDescription(t, s)
	vextest.CheckDocuments(t, s, docs)
	vextest.TestParse(t, s, docs, "c.xml")
	if s.Describe().Name != trust.SourceDir {
		t.Error(s.Describe().Name)
	}
}

func TestFiles(t *testing.T) {
	dir := write(t, t.TempDir(), map[string]string{"statement": document, "statement.asc": "signature"})
	s := folder.Files(filepath.Join(dir, "statement"))
	docs, err := fetch(t, s)
	if err != nil || len(docs) != 1 || string(docs[0].Proof) != "signature" || !strings.HasSuffix(docs[0].Name, "/statement") {
		t.Fatalf("%+v, %v", docs, err)
	}
	vextest.CheckDocuments(t, s, docs)
	vextest.TestParse(t, s, docs)
	if s.Describe().Name != trust.SourceFile {
		t.Error(s.Describe().Name)
	}
	t.Chdir(filepath.Join(dir))
	docs, err = fetch(t, folder.Files("../"+filepath.Base(dir)+"/statement"))
	if err != nil || docs[0].Name != filepath.Base(dir)+"/statement" {
		t.Errorf("%+v, %v", docs, err)
	}
}

func TestRefused(t *testing.T) {
	out := write(t, t.TempDir(), map[string]string{"secret.json": document})
	dir := write(t, t.TempDir(), map[string]string{"a.json": document})
	if err := os.Symlink(filepath.Join(out, "secret.json"), filepath.Join(dir, "b.json")); err != nil {
		t.Skip(err)
	}
	if docs, err := fetch(t, folder.Dir(dir)); !errors.Is(err, folder.ErrForbidden) || len(docs) != 1 {
		t.Errorf("a link that leads out: %d, %v", len(docs), err)
	}
	if err := os.Remove(filepath.Join(dir, "b.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.json", filepath.Join(dir, "c.json")); err != nil {
		t.Fatal(err)
	}
	if docs, err := fetch(t, folder.Dir(dir)); err != nil || len(docs) != 2 {
		t.Errorf("a link within: %d, %v", len(docs), err)
	}
	for name, s := range map[string]*folder.Source{"no folder": folder.Dir(filepath.Join(dir, "none")), "no file": folder.Files(filepath.Join(dir, "none"))} {
		if _, err := fetch(t, s); !errors.Is(err, folder.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(dir, "x.json")
	if err := os.WriteFile(file, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if docs, err := fetch(t, folder.Files(file, filepath.Dir(file)+"/./x.json")); err != nil || len(docs) != 1 {
		t.Errorf("a file that is named twice: %d documents, %v", len(docs), err)
	}
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("below", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.json", "below/x.json"} {
		if err := os.WriteFile(name, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir("below")
	if _, err := fetch(t, folder.Files("x.json", "../x.json")); !errors.Is(err, folder.ErrInvalid) {
		t.Errorf("two files of one name: %v", err)
	}
	if _, err := fetch(t, folder.Files(dir)); !errors.Is(err, folder.ErrInvalid) {
		t.Errorf("a folder as a file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := folder.Dir(dir).Fetch(ctx, nil, nil, func(*vex.Document) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	enough := errors.New("enough")
	if _, err := folder.Dir(dir).Fetch(t.Context(), nil, nil, func(*vex.Document) error { return enough }); err != enough {
		t.Errorf("emit's error: %v", err)
	}
}

// TestReal reads published documents as if somebody kept them.
func TestReal(t *testing.T) {
	dir := t.TempDir()
	testdata.Walk(t, "vex/openvex-vexctl.tar.gz", func(name string, r io.Reader) {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "vex.json") {
			write(t, dir, map[string]string{name: string(text)})
		}
	})
	s := folder.Dir(dir)
	docs, err := fetch(t, s)
	if err != nil || len(docs) < 5 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	vextest.TestParse(t, s, docs)
}

func ExampleDir() {
	dir, err := os.MkdirTemp("", "vex")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "foo.json"), []byte(document), 0o644); err != nil {
		panic(err)
	}
	s := folder.Dir(dir)
	_, err = s.Fetch(context.Background(), nil, nil, func(d *vex.Document) error {
		for st, err := range s.Parse(d) {
			if err != nil {
				return err
			}
			os.Stdout.WriteString(d.Name + " says " + string(st.Status) + " of " + st.Vulnerability + "\n")
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output: foo.json says not_affected of CVE-2026-1
}
