package image

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
)

// socketServer serves a handler on a unix socket.
func socketServer(t *testing.T, h http.Handler) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "d.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener, s.Config.ErrorLog = l, quiet
	s.Start()
	t.Cleanup(s.Close)
	return path
}

// daemonRef is a daemon that exports this archive.
func daemonRef(t *testing.T, archive []byte) string {
	return "daemon " + socketServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/images/app:latest/get" {
			http.NotFound(w, r)
			return
		}
		w.Write(archive)
	}))
}

func TestDaemon(t *testing.T) {
	var asked []string
	archive := tarOf(savedFiles(oneImage()))
	sock := socketServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("platform"))
		w.Write(archive)
	}))
	t.Setenv("DOCKER_HOST", "unix://"+sock)
	id := "sha256:" + strings.Repeat("ab", 32)
	for _, ref := range []string{"docker:app", "docker-daemon:example.com:5000/team/app:v1", "docker-daemon:" + id, "docker:abcdef012345"} {
		mustOpen(t, ref, &Options{Platform: "linux/amd64"})
	}
	want := []string{"/images/app/get", "/images/example.com:5000/team/app:v1/get", "/images/" + id + "/get", "/images/abcdef012345/get"}
	for i, w := range want {
		if asked[i] != "GET "+w+` {"os":"linux","architecture":"amd64","variant":""}` {
			t.Errorf("asked %q", asked[i])
		}
	}
	_, err := Open(context.Background(), "docker:app", &Options{Platform: "linux/arm64"})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "there is only linux/amd64") {
		t.Errorf("another platform: %v", err)
	}
}

func TestBadDaemons(t *testing.T) {
	archive := tarOf(savedFiles(oneImage()))
	serve := func(h http.HandlerFunc) string { return "unix://" + socketServer(t, h) }
	locked := filepath.Join(t.TempDir(), "nothing.sock")
	for _, tc := range []struct {
		name, host, ref string
		kind            error
		say             string
	}{
		{"no socket", "unix://" + locked, "app", ErrUnavailable, locked},
		{"TCP", "tcp://user:canary@10.0.0.1:2375", "app", ErrUnsupported, "tcp:"},
		{"ssh", "ssh://canary@host", "app", ErrUnsupported, "ssh:"},
		{"relative", "unix://docker.sock", "app", ErrUnsupported, "unix:"},
		{"name leads elsewhere", "unix://" + locked, "../../secrets", ErrInvalid, "secrets"},
		{"name with a query", "unix://" + locked, "app?x=1", ErrInvalid, "app?x=1"},
		{"not there", serve(status(404, "canary")), "app", ErrNotFound, "404"},
		{"fails", serve(status(500, "canary")), "app", ErrUnavailable, "500"},
		{"redirects", serve(redirect("http://169.254.169.254/")), "app", ErrInvalid, "307"},
		{"not a tar", serve(status(200, "canary")), "app", ErrInvalid, "tar"},
		{"nothing", serve(status(200, "")), "app", ErrInvalid, "tar"},
		{"cut off", serve(status(200, string(archive[:2000]), "Content-Length", "99999")), "app", ErrInvalid, "too early"},
		{"not HTTP", serve(raw("canary\r\n\r\n")), "app", ErrUnavailable, "broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Open(context.Background(), "docker-daemon:"+tc.ref, &Options{DockerHost: tc.host})
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.say) || strings.Contains(err.Error(), "canary") {
				t.Fatalf("got %v, want %v saying %q", err, tc.kind, tc.say)
			}
		})
	}
	opt := &Options{DockerHost: serve(status(200, string(imagetest.Compress(archive, imagetest.Gzip)))), Limits: &Limits{Spool: 100}}
	if _, err := OpenDocker(context.Background(), "app", opt); !errors.Is(err, ErrLimit) {
		t.Errorf("limit: %v", err)
	}
}
