package blob_test

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/store/blob"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, good := range []string{"mem:", "mem:?bytes=10", "file:" + dir, "file://" + dir, "file://localhost" + dir, "file:" + filepath.Join(dir, "new", "folder%20x")} {
		b, err := blob.Open(t.Context(), good)
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		if _, err := b.Put(t.Context(), strings.NewReader("x")); err != nil {
			t.Errorf("%s: %v", good, err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	const password = "hunter2-p%40ss"
	for bad, want := range map[string]string{
		"ftp://u:" + password + "@h":     `scheme "ftp": want one of file, mem, or import`,
		"":                               `scheme "": want one of file, mem, or import`,
		"://u:" + password + "@h":        "cannot be parsed",
		"mem:?x=1":                       `query key "x" of the URL: there are bytes`,
		"mem:?bytes=1&bytes=2":           "given twice",
		"mem:?bytes=-1":                  `bytes="-1": want a whole number above 0`,
		"mem://u:" + password + "@h":     "memory has no address",
		"file:":                          "want file:some/folder",
		"file://host/x":                  "want file:some/folder",
		"file:x?y=1":                     `query key "y" of the URL: there are none`,
		"file:/dev/null/x":               "not a directory",
		"file://u:" + password + "@h/x%": "cannot be parsed",
	} {
		_, err := blob.Open(t.Context(), bad)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", bad, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "p@ss")) {
			t.Errorf("%s: the error shows the password: %v", bad, err)
		}
	}
}

func TestOpenRedactsDrivers(t *testing.T) {
	blob.Register("leaky", func(_ context.Context, u *url.URL) (blob.Driver, error) {
		p, _ := u.User.Password()
		return nil, errors.New("login as " + p + " refused")
	})
	_, err := blob.Open(t.Context(), "leaky://u:hunter2@h")
	if want := "open bucket leaky://u:xxxxx@h: login as [redacted] refused"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, taken := range []string{"leaky", "file"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("scheme %s was registered twice", taken)
				}
			}()
			blob.Register(taken, nil)
		}()
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b, err := blob.Open(t.Context(), "mem:?bytes=10")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), strings.NewReader("12345678")); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"123", "12345678901234567890"} {
		if _, err := b.Put(t.Context(), strings.NewReader(s)); !errors.Is(err, blob.ErrLimit) {
			t.Errorf("%d bytes more: %v", len(s), err)
		}
	}
	if _, err := b.Put(t.Context(), strings.NewReader("12345678")); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, err := b.Put(t.Context(), strings.NewReader("12")); err != nil {
		t.Errorf("up to the limit: %v", err)
	}
}
