package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
)

func TestFolder(t *testing.T) {
	f := &client.Folder{Path: filepath.Join(t.TempDir(), "a", "stella")}
	key, err := dpop.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	const server = "https://stella.example:8443/prefix"
	if _, err := f.Read(server); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	s := &client.Session{Server: server, Issuer: "https://stella.example", Client: "cli", Tenant: "acme", Key: key, Token: &client.Token{Access: "a", Type: "DPoP", Refresh: "r", Expires: time.Unix(9, 0).UTC(), Scopes: []string{"x"}}}
	if err := f.Write(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	got, err := f.Read(server)
	if err != nil || got.Key.JKT() != key.JKT() || got.Issuer != s.Issuer || got.Tenant != "acme" {
		t.Fatalf("%+v %v", got, err)
	}
	if d := cmp.Diff(*s.Token, *got.Token); d != "" {
		t.Error(d)
	}
	if list, err := f.Servers(); err != nil || !cmp.Equal(list, []string{server}) {
		t.Errorf("%v %v", list, err)
	}
	names, _ := filepath.Glob(filepath.Join(f.Path, "session-stella.example-*.json"))
	if len(names) != 1 {
		t.Fatalf("files %v", names)
	}
	if runtime.GOOS != "windows" {
		file, _ := os.Stat(names[0])
		dir, _ := os.Stat(f.Path)
		if file.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
			t.Errorf("modes %v and %v", file.Mode(), dir.Mode())
		}
		os.Chmod(names[0], 0o640)
		if _, err := f.Read(server); !errors.Is(err, client.ErrForbidden) {
			t.Errorf("a file that others may read: %v", err)
		}
		os.Chmod(names[0], 0o600)
	}
	text, _ := os.ReadFile(names[0])
	for name, bad := range map[string]string{
		"empty": "", "no JSON": "secret-x", "version": strings.Replace(string(text), `"version":1`, `"version":2`, 1), "half": string(text[:len(text)/2]), "large": string(text) + strings.Repeat(" ", 1<<20),
		"of another server": strings.Replace(string(text), "8443", "8444", 1),
	} {
		if err := os.WriteFile(names[0], []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Read(server); err == nil || strings.Contains(err.Error(), "secret-x") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		if err := f.Remove(t.Context(), server); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.Read(server); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

// TestSharedSession: as many sources as there would be processes share each refresh by the
// lock of the file.
func TestSharedSession(t *testing.T) {
	w := newWorld(t)
	c, tok := w.login(t)
	f := &client.Folder{Path: t.TempDir()}
	if err := f.Write(t.Context(), &client.Session{Server: w.url, Issuer: w.url, Client: "cli", Key: c.Key, Token: tok}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.advance(10 * time.Minute)
		before := w.count("/token", 200)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				other := &client.Folder{Path: f.Path}
				if _, err := c.Refresh(other.Vault(w.url)).Token(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := w.count("/token", 200) - before; n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	}
	s, err := f.Read(w.url)
	if err != nil || s.Token.Refresh == tok.Refresh {
		t.Errorf("what is kept is the first refresh token: %v", err)
	}
	// Whoever waits for the lock gives up with its context.
	held, enough := make(chan struct{}), make(chan struct{})
	go f.Vault(w.url).Update(t.Context(), func(t *client.Token) (*client.Token, error) { close(held); <-enough; return t, nil })
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.Remove(ctx, w.url); runtime.GOOS == "linux" && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a lock that is held: %v", err)
	}
	close(enough)
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"version":1,"server":"https://a","issuer":"https://a","client_id":"c","key":"AAAA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := client.DecodeSession(text)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v %v", s, err)
		}
		if err != nil && !errors.Is(err, client.ErrInvalid) {
			t.Fatal(err)
		}
	})
}
