package storebackend_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/stella-ops/stella/examples/storebackend"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/blob/blobtest"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

var _ blob.Driver = (*storebackend.Bucket)(nil)

// open opens a bucket in a file. WAL lets readers go on while one writes. sync is FULL where
// what was acknowledged must survive a power cut, and OFF in tests, which cut none.
func open(ctx context.Context, file, sync string) (*storebackend.Bucket, *sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous("+sync+")&_pragma=busy_timeout(20000)&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	b, err := storebackend.NewBucket(ctx, db)
	return b, db, err
}

func Example() {
	dir, err := os.MkdirTemp("", "bucket")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	driver, _, err := open(ctx, filepath.Join(dir, "objects.db"), "FULL")
	if err != nil {
		fmt.Println(err)
		return
	}
	bucket := blob.New(driver)
	defer bucket.Close()
	ref, err := bucket.Put(ctx, strings.NewReader("an SBOM"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := bucket.Name(ctx, ref, "scan-1/sbom.spdx.json"); err != nil {
		fmt.Println(err)
		return
	}
	r, err := bucket.OpenName(ctx, "scan-1/sbom.spdx.json", ref) // verified as it is read
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	fmt.Println(string(text), err)
	// Output: an SBOM <nil>
}

// TestBucket runs the suite of drivers: that is the proof.
func TestBucket(t *testing.T) {
	blobtest.Test(t, func(t *testing.T) blob.Driver {
		b, _, err := open(t.Context(), filepath.Join(t.TempDir(), "objects.db"), "OFF")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		return b
	}, &blobtest.Options{Damages: 60})
}

// TestSweep: what a writer that died left behind is seen by nobody, and goes.
func TestSweep(t *testing.T) {
	b, db, err := open(t.Context(), filepath.Join(t.TempDir(), "objects.db"), "OFF")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	count := func() (n int) {
		if err := db.QueryRow(`SELECT (SELECT count(*) FROM pieces) + (SELECT count(*) FROM uploads)`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := b.Create(t.Context(), "kept", strings.NewReader("kept"), 4); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`INSERT INTO uploads (id, begun) VALUES ('dead', 1)`, `INSERT INTO pieces (id, number, body) VALUES ('dead', 0, 'half')`} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n != 3 {
		t.Fatalf("%d rows before", n)
	}
	if err := b.Sweep(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 1 {
		t.Errorf("%d rows are left of 1 piece", n)
	}
	// An upload whose reader fails leaves nothing, whoever looks.
	broken := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), &failing{})
	if err := b.Create(t.Context(), "broken", broken, -1); !errors.Is(err, errBroken) {
		t.Errorf("a reader that fails: %v", err)
	}
	if n := count(); n != 1 {
		t.Errorf("%d rows after an upload that failed", n)
	}
	// A writer that is swept while it writes is told so, and may try again.
	slow := &hooked{Reader: strings.NewReader("slow"), hook: func() {
		if err := b.Sweep(t.Context(), -time.Hour); err != nil {
			t.Error(err)
		}
	}}
	if err := b.Create(t.Context(), "slow", slow, 4); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("a writer that was swept: %v", err)
	}
	if _, err := b.Stat(t.Context(), "slow"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("its object: %v", err)
	}
}

var errBroken = errors.New("the line is broken")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

type hooked struct {
	io.Reader
	hook func()
}

func (h *hooked) Read(p []byte) (int, error) {
	if h.hook != nil {
		h.hook()
		h.hook = nil
	}
	return h.Reader.Read(p)
}

// proved is an observed store with what the suite asks of a store beyond Scans, which nobody
// observes: a method of Observed goes before the one of the store.
type proved struct {
	*storebackend.Observed
	rest
}

type rest struct{ *store.Scans }

// TestObserved runs the suite of stores of scans with somebody in between: nothing may be
// another than before, and each call is told of once.
func TestObserved(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite of stores takes some seconds")
	}
	var mu sync.Mutex
	calls, failed := map[string]int{}, 0
	told := func(c storebackend.Call) {
		mu.Lock()
		defer mu.Unlock()
		calls[c.Name]++
		if c.Err != nil {
			failed++
		}
		if c.Took < 0 {
			t.Errorf("%s took %s", c.Name, c.Took)
		}
	}
	tenant := 0
	storetest.TestScans(t, func(t testing.TB) storetest.Scans {
		root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := root.Close(); err != nil {
				t.Error(err)
			}
		})
		tenant++
		acme, err := root.Tenant(fmt.Sprintf("acme-%d", tenant))
		if err != nil {
			t.Fatal(err)
		}
		return proved{&storebackend.Observed{Scans: acme.Scans(), Told: told}, rest{acme.Scans()}}
	})
	for _, name := range []string{"Submit", "Job", "List", "Manifest", "Cancel", "Documents", "Findings", "Claim", "Heartbeat", "Resolve", "Complete", "Fail",
		"ClaimEvaluation", "FinishEvaluation", "FailEvaluation"} {
		if calls[name] == 0 {
			t.Errorf("no call of %s was told of", name)
		}
	}
	if failed == 0 {
		t.Error("the suite asks for what is refused, and no error was told of")
	}
}

// TestObservedOnce: what is told of is what happened.
func TestObservedOnce(t *testing.T) {
	root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	o := &storebackend.Observed{Scans: acme.Scans(), Told: func(c storebackend.Call) { got = append(got, fmt.Sprint(c.Name, " ", c.Err != nil)) }}
	job, repeated, err := o.Submit(t.Context(), scan.Request{Image: "registry.example/app:1"}, "key")
	if err != nil || repeated {
		t.Fatal(repeated, err)
	}
	if again, repeated, err := o.Submit(t.Context(), scan.Request{Image: "registry.example/app:1"}, "key"); err != nil || !repeated || again.ID != job.ID {
		t.Errorf("again: %v %v %v", again, repeated, err)
	}
	if _, err := o.Job(t.Context(), "scan-none"); !errors.Is(err, scan.ErrNotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
	if fmt.Sprint(got) != "[Submit false Submit false Job true]" {
		t.Errorf("told of %q", got)
	}
}
