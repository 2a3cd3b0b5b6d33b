package door_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
)

// flaky answers with bodies that break, one after another.
type flaky struct {
	bodies []io.Reader
	opened int
}

// Open answers with the next body; nil is an answer that nothing changed.
func (f *flaky) Open(_ context.Context, r door.Request) (*door.Response, error) {
	body := f.bodies[f.opened]
	f.opened++
	if body == nil {
		return &door.Response{NotModified: true, URL: r.URL}, nil
	}
	return &door.Response{Body: io.NopCloser(body), Size: -1, URL: r.URL}, nil
}

// broken is a body that breaks after its text.
func broken(text string, kind error) io.Reader {
	return io.MultiReader(bytes.NewReader([]byte(text)), failing{fmt.Errorf("cut short: %w", kind)})
}

type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

func text(s string) io.Reader { return bytes.NewReader([]byte(s)) }

// TestReader: an answer is whole and of a host of the source, or there is an error.
func TestReader(t *testing.T) {
	const at = "https://feed.example/list"
	for _, tt := range []struct {
		name, url string
		bodies    []io.Reader
		want      string
		err       error
		opened    int
	}{
		{"an answer", at, []io.Reader{text("12345")}, "12345", nil, 1},
		{"an empty one", "https://FEED.example/", []io.Reader{text("")}, "", nil, 1},
		{"one that breaks once", at, []io.Reader{broken("xx", fault.Unavailable), text("123")}, "123", nil, 2},
		{"one that breaks twice", at, []io.Reader{broken("xx", fault.Unavailable), broken("x", fault.Unavailable)}, "", fault.Unavailable, 2},
		{"one that is wrong", at, []io.Reader{broken("x", fault.Mismatch)}, "", fault.Mismatch, 1},
		{"a long one", at, []io.Reader{text("123456")}, "", fault.Limit, 1},
		{"one of another host", "https://feed.example.org/list", nil, "", fault.Forbidden, 0},
		{"one that everybody may change", "http://feed.example/list", nil, "", fault.Forbidden, 0},
		{"no address", "https://feed.example:x/", nil, "", fault.Forbidden, 0},
	} {
		f := &flaky{bodies: tt.bodies}
		r := door.Reader{Door: f, Hosts: []string{"Feed.Example"}}
		got, _, err := r.Read(t.Context(), door.Request{URL: tt.url, Max: 5})
		if string(got) != tt.want || !errors.Is(err, tt.err) || f.opened != tt.opened || err == nil && got == nil {
			t.Errorf("%s: %q, %v, asked %d times", tt.name, got, err, f.opened)
		}
		for _, b := range tt.bodies { // the same again, into a file
			if s, ok := b.(io.Seeker); ok {
				s.Seek(0, io.SeekStart)
			}
		}
		if tt.opened != 1 {
			continue
		}
		f.opened = 0
		file, _, err := r.Spool(t.Context(), door.Request{URL: tt.url, Max: 5})
		if !errors.Is(err, tt.err) || (file == nil) != (err != nil) {
			t.Fatalf("%s, into a file: %v", tt.name, err)
		}
		if file == nil {
			continue
		}
		content, err := io.ReadAll(file)
		if string(content) != tt.want || err != nil || file.Size != int64(len(tt.want)) || file.Digest != door.Digest(content) {
			t.Errorf("%s, into a file: %q, %d bytes, %s, %v", tt.name, content, file.Size, file.Digest, err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(file.Name()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file is still there: %v", tt.name, err)
		}
	}
}

// TestSpoolAgain: a file begins anew where a body broke.
func TestSpoolAgain(t *testing.T) {
	f := &flaky{bodies: []io.Reader{broken("a long beginning", fault.Unavailable), text("short"), nil}}
	r := door.Reader{Door: f, Hosts: []string{"feed.example"}}
	q := door.Request{URL: "https://feed.example/archive", Max: 100}
	file, _, err := r.Spool(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if content, err := io.ReadAll(file); string(content) != "short" || err != nil || file.Digest != door.Digest([]byte("short")) {
		t.Errorf("%q, %s, %v", content, file.Digest, err)
	}
	if _, _, err := r.Spool(t.Context(), q); !errors.Is(err, fault.Invalid) {
		t.Errorf("unmodified: %v", err)
	}
}
