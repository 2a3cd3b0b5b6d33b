package crash

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/store"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// pair is a store with a queue, and what can be done to them.
type pair struct {
	name     string
	store    string // URL
	queue    string // URL; "" for the queue in the store
	look     *sql.DB
	postgres *servers.Server
	broker   *servers.Server
	lose     func(ctx context.Context, nth int) error // the queue's content, or a part of it
	proof    bool                                     // whether scans are exported
	undone   []undone                                 // nil where scans are made
}

// effects is the table of the reader. It has no key: a second effect is a second
// row.
const effects = `(tenant_id text NOT NULL, event_id text NOT NULL, type text NOT NULL, job_id text NOT NULL)`

func sqlitePair(t *testing.T) *pair {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	p := &pair{name: "sqlite", store: "sqlite:" + path}
	p.open(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
	p.exec(t, "CREATE TABLE scanner_crash_effects "+effects)
	return p
}

func postgresPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{name: "postgres", postgres: servers.StartPostgres(t)}
	db := servers.PrepareStore(t, p.postgres.URL)
	p.store = db.App
	owner, err := sql.Open("pgx", db.Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	for _, s := range []string{"CREATE TABLE scanner.crash_effects " + effects, "GRANT SELECT, INSERT ON scanner.crash_effects TO stella_app, stella_relay"} {
		if _, err := owner.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	p.open(t, "pgx", db.App)
	return p
}

func valkeyPair(t *testing.T) *pair {
	p := postgresPair(t)
	p.name, p.broker = "postgres+valkey", servers.StartValkey(t)
	p.queue = p.broker.URL
	p.lose = func(ctx context.Context, nth int) error {
		if nth%2 == 0 {
			_, err := respValkey(ctx, p.broker.URL, "FLUSHALL")
			return err
		}
		_, err := respValkey(ctx, p.broker.URL, "DEL", "scanner:jobs", "scanner:events")
		return err
	}
	return p
}

func natsPair(t *testing.T) *pair {
	p := postgresPair(t)
	p.name, p.broker = "postgres+nats", servers.StartNATS(t)
	p.queue = p.broker.URL
	p.lose = p.losingNATS(t, "SCANNER_JOBS", "SCANNER_EVENTS")
	return p
}

// losingNATS loses streams of these names, which clients make anew, or all.
func (p *pair) losingNATS(t *testing.T, names ...string) func(context.Context, int) error {
	return func(ctx context.Context, nth int) error {
		if err := loseNATS(ctx, p.broker.URL, nth, names...); err != nil {
			// The server (2.15.2) does not always come back from having its streams
			// deleted under load: it answers nobody any more, or makes no stream. Whoever
			// runs one starts it again.
			t.Logf("NATS is started again: %v", err)
			p.broker.Kill(t)
			p.broker.Restart(t)
		}
		return nil
	}
}

// loseNATS deletes streams under the clients' feet, and sees them come back.
func loseNATS(ctx context.Context, url string, nth int, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, err := nats.Connect(url, nats.Timeout(5*time.Second))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	back := len(names)
	if nth%2 == 0 { // everything that the driver ever made
		for name := range js.StreamNames(ctx).Name() {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := js.DeleteStream(ctx, name); err != nil && !strings.Contains(err.Error(), "not found") {
			return err
		}
	}
	for _, name := range names[:back] { // its clients make them anew
		for {
			_, err := js.Stream(ctx, name)
			if err == nil {
				break
			}
			if ctx.Err() != nil || !strings.Contains(err.Error(), "not found") {
				return fmt.Errorf("stream %s does not come back: %w", name, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// respValkey sends one command to a Valkey, without the client that is tested.
func respValkey(ctx context.Context, rawURL string, args ...string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", err
	}
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	password, _ := u.User.Password()
	r := bufio.NewReader(conn)
	answer := ""
	for _, command := range [][]string{{"AUTH", u.User.Username(), password}, args} {
		fmt.Fprintf(conn, "*%d\r\n", len(command))
		for _, a := range command {
			fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(a), a)
		}
		if answer, err = r.ReadString('\n'); err != nil {
			return "", err
		}
		if strings.HasPrefix(answer, "-") {
			return "", fmt.Errorf("%s: %s", command[0], answer)
		}
	}
	return strings.TrimSpace(answer), nil
}

// open gives the oracle a way to look that is not the store's.
func (p *pair) open(t *testing.T, driver, dsn string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	p.look = db
	t.Cleanup(func() { db.Close() })
}

func (p *pair) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := p.look.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// layouts is how many images there are.
const layouts = 4

// makeImages writes them as OCI layouts.
func makeImages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range layouts {
		sub := filepath.Join(dir, fmt.Sprintf("v%d", i))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		status := ""
		for n := range 3 + i {
			status += fmt.Sprintf("Package: lib%d\nStatus: install ok installed\nVersion: %d.%d\nArchitecture: amd64\nMaintainer: A <a@example.org>\n\n", n, n, i)
		}
		imagetest.Layout(sub, imagetest.Gzip,
			imagetest.Tar(imagetest.File{Name: "etc/os-release", Data: "ID=debian\nVERSION_ID=\"12\"\nNAME=Debian\n"}, imagetest.File{Name: "var/lib/dpkg/status", Data: status}),
			imagetest.Tar(imagetest.File{Name: fmt.Sprintf("app/file%d", i), Data: strings.Repeat("x", 1000*i)}))
	}
	return dir
}
