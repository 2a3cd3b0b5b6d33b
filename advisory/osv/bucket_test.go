package osv_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/osv"
)

const bucketURL = "https://osv-vulnerabilities.storage.googleapis.com/"

// memory is a door to texts by address.
type memory map[string]string

// Open returns a text.
func (m memory) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	text, ok := m[strings.TrimPrefix(r.URL, bucketURL)]
	if !ok {
		return nil, advisory.ErrNotFound
	}
	etag := `"` + feed.Digest([]byte(text)) + `"`
	if r.ETag == etag {
		return &advisory.Response{NotModified: true, ETag: etag}, nil
	}
	return &advisory.Response{Body: io.NopCloser(strings.NewReader(text)), Size: int64(len(text)), ETag: etag, URL: r.URL, Modified: "Thu, 31 Dec 2099 00:00:00 GMT"}, nil
}

func bulk(t *testing.T, ids ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, id := range ids {
		w, err := z.Create(id + ".json")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, minimal(id))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A record of two ecosystems is one document, and each ecosystem has a cursor
// of its own.
func TestBucketEcosystems(t *testing.T) {
	door := memory{
		"PyPI/modified_id.csv": "2024-01-02T00:00:00Z,B-1\n2024-01-01T00:00:00Z,A-1\n", "PyPI/all.zip": bulk(t, "A-1", "B-1"),
		"Rocky%20Linux/modified_id.csv": "2024-01-02T00:00:00Z,B-1\r\n2024-01-01T00:00:00Z,RLSA-2024:1\r\n", "Rocky%20Linux/all.zip": bulk(t, "RLSA-2024:1", "B-1"),
	}
	s := osv.Bucket("PyPI", "Rocky Linux")
	fetch := func(state []byte) ([]string, *advisory.Fetched) {
		t.Helper()
		var names []string
		out, err := s.Fetch(t.Context(), door, state, func(d *advisory.Document) error { names = append(names, d.Name); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return names, out
	}
	got, out := fetch(nil)
	if diff := cmp.Diff([]string{"A-1.json", "B-1.json", "RLSA-2024:1.json"}, got); diff != "" || !out.Complete {
		t.Errorf("complete %v -want +got:\n%s", out.Complete, diff)
	}
	if got, out := fetch(out.State); len(got) != 0 || !out.Unchanged {
		t.Errorf("%q %+v", got, out)
	}
	door["Rocky%20Linux/modified_id.csv"] = "2024-01-03T00:00:00Z,RLSA-2024:1\n" + door["Rocky%20Linux/modified_id.csv"]
	door["Rocky%20Linux/RLSA-2024:1.json"] = minimal("RLSA-2024:1")
	got, out = fetch(out.State)
	if diff := cmp.Diff([]string{"RLSA-2024:1.json"}, got); diff != "" || out.Complete || out.Unchanged {
		t.Errorf("%+v -want +got:\n%s", out, diff)
	}
	// What is listed and cannot be had one by one is in the next archive.
	door["PyPI/modified_id.csv"] = "2024-01-04T00:00:00Z,C-1\n" + door["PyPI/modified_id.csv"]
	if _, err := s.Fetch(t.Context(), door, out.State, func(*advisory.Document) error { return nil }); !errors.Is(err, advisory.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	door["PyPI/all.zip"] = bulk(t, "A-1", "C-1")
	if got, _ = fetch(out.State); cmp.Diff([]string{"A-1.json", "C-1.json"}, got) != "" {
		t.Errorf("got %q", got)
	}
}

func TestBucketLists(t *testing.T) {
	for _, list := range []string{"", "x", "2024-01-01T00:00:00Z,", "2024-01-01T00:00:00Z,PyPI/", "yesterday,PyPI/A-1"} {
		_, err := osv.Bucket().Fetch(t.Context(), memory{"modified_id.csv": list, "all.zip": bulk(t, "A-1")}, nil, func(*advisory.Document) error { return nil })
		if !errors.Is(err, advisory.ErrInvalid) {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestPublishedLists(t *testing.T) {
	for _, list := range []string{"", "{}", "[]", `[{"modified": "2024-01-01T00:00:00Z"}]`, `[{"id": "X-1"}]`, `[{"id": "a/../b", "modified": "2024-01-01T00:00:00Z"}]`} {
		door := memory{"https://advisory.echohq.com/osv/all.json": list, "https://advisory.echohq.com/osv/a%2F..%2Fb.json": "{}"}
		_, err := osv.Echo().Fetch(t.Context(), door, nil, func(*advisory.Document) error { t.Errorf("%s: a document", list); return nil })
		if !errors.Is(err, advisory.ErrInvalid) {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// What is wrong with the record of a document is wrong with the document: what
// an earlier one said must stay.
func TestSourceParseErrors(t *testing.T) {
	for name, text := range map[string]string{
		"X-1.json": `{"id": "X-1"`, "X-2.json": minimal("X-1"), "a/X-3.yaml": "id: X-3\n\tmodified", "X-4.json": `{"id": "X-4", "modified": "2024-05-20T16:03:47Z", "aliases": ["a b"]}`,
	} {
		n := 0
		for st, err := range osv.Local("mine", "").Parse(&advisory.Document{Name: name, Content: []byte(text)}) {
			n++
			var part *advisory.RecordError
			if st != nil || !errors.Is(err, advisory.ErrInvalid) || errors.As(err, &part) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v %v", name, st, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d things", name, n)
		}
	}
}
