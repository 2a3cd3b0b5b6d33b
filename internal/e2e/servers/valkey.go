package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const valkeyVariable = "STELLA_TEST_VALKEY"

// Valkey returns the URL of an empty Valkey, as store/queue/valkeyqueue and
// store/cache/valkeycache open it. Each call has a server of its own, which ends
// with the test; with a URL in the environment all calls share that server, and
// nothing is emptied.
func Valkey(t testing.TB) string {
	t.Helper()
	if u := os.Getenv(valkeyVariable); u != "" {
		t.Logf("Valkey from %s", valkeyVariable)
		return u
	}
	return StartValkey(t).URL
}

// StartValkey starts a Valkey that a test may hurt. It keeps nothing on disk, so
// that Kill and Restart lose everything.
func StartValkey(t testing.TB) *Server {
	t.Helper()
	p, err := findValkey()
	if err != nil {
		missing(t, "Valkey", valkeyVariable, err)
	}
	dir, err := tempDir("valkey")
	if err != nil {
		t.Fatal(err)
	}
	password := secret(12)
	s := &Server{How: p.how, dir: dir}
	err = begin(s, func(port int) {
		s.URL = "valkey://default:" + password + "@" + s.Addr + "/0"
		s.command = func() *exec.Cmd {
			cmd := exec.Command(p.path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
				"--save", "", "--appendonly", "no", "--requirepass", password)
			cmd.Env = append(os.Environ(), p.env...)
			return cmd
		}
		s.ready = func(ctx context.Context) error { return pingValkey(ctx, s.Addr, password) }
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	t.Logf("Valkey from %s", p.how)
	return s
}

func pingValkey(ctx context.Context, addr, password string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	fmt.Fprintf(conn, "AUTH default %s\r\nPING\r\n", password)
	r := bufio.NewReader(conn)
	for _, want := range []string{"+OK", "+PONG"} {
		if line, err := r.ReadString('\n'); err != nil || strings.TrimSpace(line) != want {
			return fmt.Errorf("answer %q: %v", line, err)
		}
	}
	return nil
}

// findValkey returns Valkey, or where none can be had a Redis, which speaks the
// same protocol.
func findValkey() (program, error) {
	if p := lookUp("valkey-server"); p != "" {
		return program{path: p, how: p}, nil
	}
	valkey, err := unpackValkey("valkey")
	if err == nil {
		return valkey, nil
	}
	if p := lookUp("redis-server"); p != "" {
		return program{path: p, how: p}, nil
	}
	redis, second := unpackValkey("redis")
	if second != nil {
		return program{}, fmt.Errorf("%w; %w", err, second)
	}
	return redis, nil
}

// unpackValkey fetches "valkey" or "redis" with the libraries that a bare
// machine lacks.
func unpackValkey(name string) (program, error) {
	dir, err := fetch(name, func(dir string) error {
		return fetchDebian(dir, name+"-server", name+"-tools", "liblzf1", "libjemalloc2", "libatomic1")
	})
	if err != nil {
		return program{}, err
	}
	libs, _ := filepath.Glob(filepath.Join(dir, "usr", "lib", "*-linux-*"))
	return program{
		path: filepath.Join(dir, "usr", "bin", name+"-server"),
		how:  "a Debian package in " + dir,
		env:  []string{"LD_LIBRARY_PATH=" + strings.Join(libs, ":")},
	}, nil
}

// ValkeyClient talks to a server of which a store, a queue or a cache has the URL.
func ValkeyClient(t testing.TB, rawURL string) *redis.Client {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	c := redis.NewClient(&redis.Options{Addr: u.Host, Username: u.User.Username(), Password: password, Protocol: 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	t.Cleanup(func() { c.Close() })
	return c
}
