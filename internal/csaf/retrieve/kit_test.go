package retrieve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
)

const root = "https://csaf.example.com/"

// site is a publisher's files by address, and what was asked for.
type site struct {
	files map[string]string
	asked []string
}

// Open answers from the files; with an entity tag that is the content's digest.
func (s *site) Open(_ context.Context, r door.Request) (*door.Response, error) {
	s.asked = append(s.asked, r.URL)
	content, ok := s.files[r.URL]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", r.URL, fault.NotFound)
	}
	tag := door.Digest([]byte(content))
	if r.ETag == tag {
		return &door.Response{NotModified: true, ETag: tag, URL: r.URL}, nil
	}
	return &door.Response{Body: io.NopCloser(bytes.NewReader([]byte(content))), Size: int64(len(content)), ETag: tag, URL: r.URL}, nil
}

// change is a line of a changes.csv, on a day of January 2026.
func change(name string, day int) string {
	return fmt.Sprintf("%q,\"2026-01-%02dT00:00:00Z\"\n", name, day)
}

// fetch fetches and returns what was passed on, with "-" before what is gone.
func (s *site) fetch(t testing.TB, src *Source, old []byte) (names []string, out *Fetched, err error) {
	t.Helper()
	src.Name, src.Hosts, src.MaxRefused = "example", []string{"csaf.example.com"}, 3
	s.asked = nil
	out, err = src.Fetch(t.Context(), s, old, func(d *Document) error {
		if d.Gone {
			names = append(names, "-"+d.Name)
		} else {
			names = append(names, d.Name)
		}
		return nil
	})
	slices.Sort(names)
	return names, out, err
}

// good is a fetch without an error that passes on what is wanted.
func (s *site) good(t testing.TB, src *Source, old []byte, complete bool, want ...string) []byte {
	t.Helper()
	names, out, err := s.fetch(t, src, old)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, names); diff != "" || out.Complete != complete {
		t.Errorf("complete %v; passed on -want +got:\n%s", out.Complete, diff)
	}
	return out.State
}

// many is a folder of n documents, the last of which is the newest.
func many(n int) (s *site, list []string) {
	s = &site{files: map[string]string{}}
	for i := range n {
		list = append(list, change(fmt.Sprintf("d-%05d.json", i), 1+(i+1)/n))
		s.files[fmt.Sprintf("%sf/d-%05d.json", root, i)] = "{}"
	}
	s.set(list...)
	return s, list
}

// set writes the changes.csv.
func (s *site) set(lines ...string) { s.files[root+"f/changes.csv"] = strings.Join(lines, "") }

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
