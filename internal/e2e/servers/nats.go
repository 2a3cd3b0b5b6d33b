package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	natsVariable = "STELLA_TEST_NATS"
	natsUser     = "stella"
	// natsChild makes Main serve NATS: "port password folder".
	natsChild = "STELLA_SERVERS_NATS"
)

// NATS returns the URL of an empty NATS server with JetStream, as
// store/queue/natsqueue opens it. Each call has a server of its own inside of
// the test binary, which ends with the test and syncs every write; with a URL in
// the environment all calls share that server, and nothing is emptied.
func NATS(t testing.TB) string {
	t.Helper()
	if u := os.Getenv(natsVariable); u != "" {
		t.Logf("NATS from %s", natsVariable)
		return u
	}
	dir, err := tempDir("nats")
	if err != nil {
		t.Fatal(err)
	}
	password := secret(12)
	s, err := startNATS(server.RANDOM_PORT, password, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
		os.RemoveAll(dir)
	})
	t.Logf("NATS %s, linked into the test", server.VERSION)
	return "nats://" + natsUser + ":" + password + "@" + s.Addr().String()
}

// StartNATS starts a NATS server in a process of its own, which a test may hurt.
// Kill and Restart keep what was stored. The package of the test needs Main.
func StartNATS(t testing.TB) *Server {
	t.Helper()
	if !running.main {
		t.Fatal("StartNATS: the package has no TestMain that calls servers.Main")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := tempDir("nats")
	if err != nil {
		t.Fatal(err)
	}
	password := secret(12)
	s := &Server{How: "the test binary itself, NATS " + server.VERSION, dir: dir}
	err = begin(s, func(port int) {
		s.URL = "nats://" + natsUser + ":" + password + "@" + s.Addr
		s.command = func() *exec.Cmd {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), natsChild+"="+strconv.Itoa(port)+" "+password+" "+dir)
			return cmd
		}
		s.ready = func(ctx context.Context) error { return greet(ctx, s.Addr) }
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	t.Logf("NATS from %s", s.How)
	return s
}

// greet waits for a server's first line.
func greet(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	line := make([]byte, 4)
	if _, err := conn.Read(line); err != nil || string(line) != "INFO" {
		return fmt.Errorf("answer %q: %v", line, err)
	}
	return nil
}

// serveNATS is a child process of StartNATS. It does not return.
func serveNATS() {
	var port, password, dir string
	words := strings.SplitN(os.Getenv(natsChild), " ", 3)
	if len(words) == 3 {
		port, password, dir = words[0], words[1], words[2]
	}
	n, err := strconv.Atoi(port)
	if err == nil {
		_, err = startNATS(n, password, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func startNATS(port int, password, dir string) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "stella-test", Host: "127.0.0.1", Port: port, Username: natsUser, Password: password,
		JetStream: true, StoreDir: dir, SyncAlways: true, MaxPayload: 4 << 20, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, fmt.Errorf("start NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.Shutdown()
		return nil, fmt.Errorf("start NATS: no answer within 30s")
	}
	return s, nil
}
