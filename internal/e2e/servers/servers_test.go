package servers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func TestPostgres(t *testing.T) {
	a, b := Postgres(t), Postgres(t)
	if a == b {
		t.Fatalf("two calls gave one database: %s", a)
	}
	ctx := t.Context()
	if err := execute(ctx, a, "create table x (n int)", "insert into x values (7)", "create role "+"r"+secret(4)); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var tables int
	var fsync, super string
	if err := conn.QueryRow(ctx, "select count(*), current_setting('fsync'), current_setting('is_superuser') from pg_tables where schemaname = 'public'").Scan(&tables, &fsync, &super); err != nil {
		t.Fatal(err)
	}
	if got, want := []any{tables, fsync, super}, []any{0, "on", "off"}; os.Getenv(postgresVariable) == "" && !cmp.Equal(got, want) {
		t.Errorf("tables, fsync, superuser: %s", cmp.Diff(want, got))
	}
}

func TestPostgresKeepsWhatWasCommitted(t *testing.T) {
	s := StartPostgres(t)
	ctx := t.Context()
	if err := execute(ctx, s.URL, "create table x (n int)", "insert into x values (7)"); err != nil {
		t.Fatal(err)
	}
	frozen(t, s, func(ctx context.Context) error { return execute(ctx, s.URL, "select 1") })
	s.Kill(t)
	if err := execute(ctx, s.URL, "select 1"); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart(t)
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var n int
	if err := conn.QueryRow(ctx, "select n from x").Scan(&n); err != nil || n != 7 {
		t.Errorf("after a restart: %d, %v", n, err)
	}
}

// frozen checks that a stopped server does not answer, and does when it goes on.
func frozen(t *testing.T, s *Server, ask func(context.Context) error) {
	t.Helper()
	s.Stop(t)
	answers := true
	for range 20 { // its threads stop when they are next seen by the kernel
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		answers = ask(ctx) == nil
		cancel()
		if !answers {
			break
		}
	}
	if answers {
		t.Error("a frozen server answers")
	}
	s.Cont(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := ask(ctx); err != nil {
		t.Errorf("after it was thawed: %v", err)
	}
}

func TestValkey(t *testing.T) {
	a, b := Valkey(t), Valkey(t)
	for _, raw := range []string{a, b} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		if err := pingValkey(t.Context(), u.Host, password); err != nil {
			t.Errorf("%s: %v", u.Host, err)
		}
	}
	s := StartValkey(t)
	u, _ := url.Parse(s.URL)
	password, _ := u.User.Password()
	frozen(t, s, func(ctx context.Context) error { return pingValkey(ctx, s.Addr, password) })
	s.Kill(t)
	if err := pingValkey(t.Context(), s.Addr, password); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart(t)
	if err := pingValkey(t.Context(), s.Addr, "wrong"); err == nil {
		t.Error("any password is accepted")
	}
}

func TestNATS(t *testing.T) {
	for _, raw := range []string{NATS(t), NATS(t)} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := jetStream(t, u.Host, u); !strings.Contains(got, `"streams":0`) {
			t.Errorf("account info of %s: %s", u.Host, got)
		}
	}
	s := StartNATS(t)
	u, _ := url.Parse(s.URL)
	frozen(t, s, func(ctx context.Context) error { return greet(ctx, s.Addr) })
	s.Kill(t)
	s.Restart(t)
	if got := jetStream(t, s.Addr, u); !strings.Contains(got, `"streams":0`) {
		t.Errorf("account info after a restart: %s", got)
	}
}

// jetStream asks a NATS server for its account's figures, in its own protocol.
func jetStream(t *testing.T, addr string, u *url.URL) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	password, _ := u.User.Password()
	fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"user\":%q,\"pass\":%q}\r\nSUB inbox 1\r\nPUB $JS.API.INFO inbox 0\r\n\r\n", u.User.Username(), password)
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "{") || strings.HasPrefix(line, "-ERR") {
			return line
		}
	}
}

func TestS3(t *testing.T) {
	a, b := S3(t), S3(t)
	if a == b && os.Getenv(s3Variable) == "" {
		t.Errorf("two calls gave one bucket: %s", a)
	}
	s := StartS3(t)
	frozen(t, s, func(ctx context.Context) error { _, err := newBucket(ctx, s.URL); return err })
	s.Kill(t)
	if _, err := newBucket(t.Context(), s.URL); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart(t)
	if _, err := newBucket(t.Context(), s.URL); err != nil {
		t.Error(err)
	}
}

// TestOrphan is the test binary that TestNoOrphanIsLeft kills.
func TestOrphan(t *testing.T) {
	if os.Getenv("STELLA_SERVERS_ORPHAN") == "" {
		t.Skip("it is run by TestNoOrphanIsLeft")
	}
	s := StartNATS(t)
	fmt.Println(s.cmd.Process.Pid, running.dir)
	time.Sleep(time.Minute)
}

func TestNoOrphanIsLeft(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestOrphan$")
	cmd.Env = append(os.Environ(), "STELLA_SERVERS_ORPHAN=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	_, err = fmt.Fscanln(out, &pid, &dir)
	cmd.Process.Kill()
	io.Copy(io.Discard, out)
	cmd.Wait()
	if err != nil {
		t.Fatalf("the child said nothing: %v", err)
	}
	for range 500 {
		if err = syscall.Kill(pid, 0); err == syscall.ESRCH {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != syscall.ESRCH {
		t.Errorf("process %d outlived its test binary", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
	sweep()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s was not swept: %v", dir, err)
	}
}

// What somebody uses stays, whoever that is.
func TestSweepSparesOthers(t *testing.T) {
	dir, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	sweep()
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("swept while it was made: %v", err)
	}
	lock, err := hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("swept while it was used: %v", err)
	}
	lock.Close()
	sweep()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("not swept: %v", err)
	}
}

func TestArchives(t *testing.T) {
	text := `# a comment: with a colon
deb http://a.example/debian bookworm main
deb [signed-by=/k.gpg arch=amd64] http://b.example/debian bookworm main contrib
deb http://c.example/other stable main
deb-src http://d.example/debian bookworm main

Types: deb
URIs: http://e.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: http://f.example/debian-security
Suites: bookworm-security
`
	want := []string{"http://a.example/debian", "[signed-by=/k.gpg arch=amd64] http://b.example/debian", "[signed-by=/usr/share/keyrings/k.gpg] http://e.example/debian"}
	if diff := cmp.Diff(want, archives(text, "bookworm")); diff != "" {
		t.Error(diff)
	}
}
