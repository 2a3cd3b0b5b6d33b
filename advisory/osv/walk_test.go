package osv_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/internal/testdata"
)

// walk collects the ids of records and the broken ones of a walk.
func walk(t testing.TB, opts *osv.Options, paths ...string) (records []*advisory.Record, broken []*advisory.RecordError, fatal error) {
	t.Helper()
	for r, err := range osv.Walk(t.Context(), opts, paths...) {
		var b *advisory.RecordError
		switch {
		case errors.As(err, &b):
			broken = append(broken, b)
		case err != nil:
			return records, broken, err
		default:
			records = append(records, r)
		}
	}
	return records, broken, nil
}

func ids(records []*advisory.Record) (out []string) {
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

func minimal(id string) string { return `{"id":"` + id + `","modified":"2024-05-20T16:03:47Z"}` }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func zipOf(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := z.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(members[i+1]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarOf(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		if err := z.WriteHeader(&tar.Header{Name: members[i], Mode: 0o600, Size: int64(len(members[i+1]))}); err != nil {
			t.Fatal(err)
		}
		z.Write([]byte(members[i+1]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gzipOf(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWalk(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "X-1.json"), minimal("X-1"))
	write(t, filepath.Join(dir, "a", "X-2.yaml"), "id: X-2\nmodified: 2024-05-20T16:03:47Z\n")
	write(t, filepath.Join(dir, "a", "README.md"), "no record")
	write(t, filepath.Join(dir, ".git", "X-9.json"), minimal("X-9"))
	write(t, filepath.Join(dir, "b.jsonl"), minimal("X-3")+"\n\n{\n"+minimal("X-4")+strings.Repeat(" ", 300)+"\n"+minimal("X-5"))
	write(t, filepath.Join(dir, "c.zip"), zipOf(t, "X-6.json", minimal("X-6"), "bad.json", "[]", "inner.zip", "x", "dir/X-7.yml", "id: X-7\nmodified: 2024-05-20T16:03:47Z\n"))
	write(t, filepath.Join(dir, "d.tar.gz"), gzipOf(t, tarOf(t, "./d/X-8.json", minimal("X-8"), "d/long.json", strings.Repeat(" ", 300), "d/.hidden.json", "{")))
	write(t, filepath.Join(dir, "e.tar"), tarOf(t, "X-10.json", minimal("X-10")))
	if err := os.Symlink(filepath.Join(dir, "a", "X-1.json"), filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}

	records, broken, err := walk(t, &osv.Options{MaxRecord: 200}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"X-1", "X-2", "X-3", "X-5", "X-6", "X-7", "X-8", "X-10"}, ids(records)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var places []string
	for _, b := range broken {
		rel, _ := filepath.Rel(dir, b.File)
		places = append(places, fmt.Sprintf("%s:%d", filepath.ToSlash(rel), b.Line))
	}
	if diff := cmp.Diff([]string{"b.jsonl:3", "b.jsonl:4", "c.zip!/bad.json:0", "d.tar.gz!/d/long.json:0"}, places); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWalkErrors(t *testing.T) {
	dir := t.TempDir()
	path := func(name, text string) string {
		p := filepath.Join(dir, name)
		write(t, p, text)
		return p
	}
	whole := gzipOf(t, tarOf(t, "X-1.json", minimal("X-1")))
	tests := []struct {
		name, path string
		opts       *osv.Options
		want       error
	}{
		{"absent", filepath.Join(dir, "absent.zip"), nil, os.ErrNotExist},
		{"unknown kind", path("a.txt", "x"), nil, osv.ErrUnsupported},
		{"no zip", path("a.zip", "x"), nil, osv.ErrInvalid},
		{"no gzip", path("a.tar.gz", "\x1f\x8bx"), nil, osv.ErrInvalid},
		{"no tar", path("a.tar", strings.Repeat("x", 1024)), nil, osv.ErrInvalid},
		{"cut off", path("b.tar.gz", whole[:len(whole)/2]), nil, osv.ErrInvalid},
		{"records", path("c.tar.gz", whole), &osv.Options{MaxRecords: -1, MaxBytes: 10}, osv.ErrLimit},
		{"bytes passed over", path("d.tar", tarOf(t, "big.txt", strings.Repeat("x", 1<<20))), &osv.Options{MaxBytes: 1 << 16}, osv.ErrLimit},
		{"many", path("e.jsonl", minimal("X-1")+"\n"+minimal("X-2")), &osv.Options{MaxRecords: 1}, osv.ErrLimit},
	}
	for _, tt := range tests {
		_, _, err := walk(t, tt.opts, tt.path)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestWalkStops(t *testing.T) {
	p := filepath.Join(t.TempDir(), "a.jsonl")
	write(t, p, strings.Repeat(minimal("X-1")+"\n", 10))
	n := 0
	for range osv.Walk(t.Context(), nil, p, p) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d records", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range osv.Walk(ctx, nil, p) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the walk ended with %v", last)
	}
}

// packs are real databases: how many records each has, and how many of them
// are broken.
var packs = []struct {
	name            string
	records, broken int
}{
	{"osv-go", 2139, 0}, {"osv-crates", 578, 0}, {"osv-pypi", 1016, 0}, {"osv-almalinux", 2834, 0},
	{"osv-bitnami", 3761, 0}, {"osv-bellsoft", 8536, 0}, {"osv-dhi", 337, 2}, {"osv-julia", 859, 0},
	{"osv-r", 14, 0}, {"osv-drupal", 307, 0}, {"osv-ghsa-mixed", 217, 0}, {"osv-other-mixed", 33, 0},
	{"osv-cpython", 71, 0}, {"osv-linter", 6, 1},
}

func TestRealDatabases(t *testing.T) {
	for _, pack := range packs {
		records, broken, err := walk(t, nil, testdata.Path(t, "advisories/"+pack.name+".tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != pack.records || len(broken) != pack.broken {
			t.Errorf("%s: %d records and %d broken, want %d and %d", pack.name, len(records), len(broken), pack.records, pack.broken)
		}
		for _, b := range broken {
			t.Logf("%s: %v", pack.name, b)
		}
	}
}

// TestAgainstEncodingJSON reads the JSON databases with the standard library as
// well and compares what both say.
func TestAgainstEncodingJSON(t *testing.T) {
	type affected struct {
		Package struct{ Ecosystem, Name string }
		Ranges  []struct {
			Type, Repo string
			Events     []map[string]string
		}
		Versions []string
		Severity []struct{ Type, Score, Source string }
	}
	type record struct {
		ID, Modified, Published, Withdrawn, Details string
		Aliases, Upstream, Related                  []string
		References                                  []advisory.Reference
		Affected                                    []affected
		Severity                                    []struct{ Type, Score, Source string }
	}
	for _, pack := range packs {
		for name, text := range testdata.Open(t, "advisories/"+pack.name+".tar.gz") {
			got, err := osv.Parse(text, nil)
			if filepath.Ext(name) != ".json" || err != nil {
				continue
			}
			var want record
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			for i, id := range want.Aliases {
				want.Aliases[i] = strings.TrimSpace(id)
			}
			want.References = slices.DeleteFunc(want.References, func(r advisory.Reference) bool { return r.URL == "" })
			back := record{Details: got.Details, References: got.References, ID: got.ID, Modified: got.Modified, Published: got.Published, Withdrawn: got.Withdrawn, Aliases: got.Aliases, Upstream: got.Upstream, Related: got.Related}
			for _, s := range got.Scores {
				back.Severity = append(back.Severity, struct{ Type, Score, Source string }{s.Type, s.Value, s.Source})
			}
			for _, a := range got.Affected {
				var b affected
				b.Package.Ecosystem, b.Package.Name = a.Ecosystem, a.Name
				for v := range a.Versions.All() {
					b.Versions = append(b.Versions, v)
				}
				for _, s := range a.Scores {
					b.Severity = append(b.Severity, struct{ Type, Score, Source string }{s.Type, s.Value, s.Source})
				}
				for _, r := range a.Ranges {
					events := make([]map[string]string, 0, len(r.Events))
					for _, e := range r.Events {
						m := map[string]string{"introduced": e.Introduced, "fixed": e.Fixed, "last_affected": e.LastAffected, "limit": e.Limit}
						for k, v := range m {
							if v == "" {
								delete(m, k)
							}
						}
						events = append(events, m)
					}
					b.Ranges = append(b.Ranges, struct {
						Type, Repo string
						Events     []map[string]string
					}{string(r.Type), r.Repo, events})
				}
				back.Affected = append(back.Affected, b)
			}
			if diff := cmp.Diff(normal(want), normal(back)); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// normal writes a value so that nil and empty lists are the same.
func normal(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(b), "[]", "null")
}
