package e2e

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

// TestGateNeedsItsLock shows on bare transactions why completing a scan shares the
// lock of the current head: in some order of steps, who only reads the head is
// missed by both sides. With the lock nobody is. What the store itself does is
// storetest's to try.
func TestGateNeedsItsLock(t *testing.T) {
	db := servers.Connect(t, servers.Postgres(t))
	for _, s := range []string{"CREATE TABLE head (id int PRIMARY KEY, number int)", "INSERT INTO head VALUES (1, 0)", "CREATE TABLE posting (scan int)"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		lock   string
		missed bool
	}{{" FOR SHARE", false}, {"", true}} {
		missed := map[string]bool{}
		for number, order := range orders(3, 3) {
			if missedIn(t, db, order, number, c.lock) {
				missed[order] = true
			}
		}
		t.Logf("read%s: missed in %d of %d orders", c.lock, len(missed), len(orders(3, 3)))
		if c.missed != (len(missed) > 0) {
			t.Errorf("read%s: missed in %v", c.lock, missed)
		}
	}
}

// orders returns all merges of a and b steps.
func orders(a, b int) (out []string) {
	if a == 0 || b == 0 {
		return []string{strings.Repeat("a", a) + strings.Repeat("b", b)}
	}
	for _, m := range orders(a-1, b) {
		out = append(out, "a"+m)
	}
	for _, m := range orders(a, b-1) {
		out = append(out, "b"+m)
	}
	return out
}

// missedIn runs a completion (store the posting, read the head, commit) and a head
// (write, commit, look for postings) in an order of steps. A step that waits for a
// lock ends when it may.
func missedIn(t *testing.T, db *sql.DB, order string, number int, lock string) bool {
	ctx := context.Background()
	if _, err := db.Exec("DELETE FROM posting; UPDATE head SET number = 0"); err != nil {
		t.Fatal(err)
	}
	seen, found := 0, 0
	a, b := begin(t, db), begin(t, db)
	exec := func(tx *sql.Tx, statement string, args ...any) func() error {
		return func() error { _, err := tx.ExecContext(ctx, statement, args...); return err }
	}
	as := steps(t, exec(a, "INSERT INTO posting VALUES ($1)", number), func() error { return a.QueryRow("SELECT number FROM head" + lock).Scan(&seen) }, a.Commit)
	bs := steps(t, exec(b, "UPDATE head SET number = 1"), b.Commit, func() error { return db.QueryRow("SELECT count(*) FROM posting").Scan(&found) })
	for _, who := range order {
		if who == 'a' {
			as.step(50 * time.Millisecond)
		} else {
			bs.step(50 * time.Millisecond)
		}
	}
	as.step(10 * time.Second)
	bs.step(10 * time.Second)
	return seen == 0 && found == 0 // neither side knows of the other
}

func begin(t *testing.T, db *sql.DB) *sql.Tx {
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

// runner runs steps one after the other.
type runner struct {
	let, done chan struct{}
	owed      int
}

func steps(t *testing.T, fs ...func() error) *runner {
	r := &runner{make(chan struct{}, 10), make(chan struct{}, 10), 0}
	go func() {
		for _, f := range fs {
			<-r.let
			if err := f(); err != nil {
				t.Error(err)
			}
			r.done <- struct{}{}
		}
	}()
	return r
}

// step lets another step go, or with a long patience waits for those that are owed.
func (r *runner) step(patience time.Duration) {
	if patience < time.Second {
		r.let <- struct{}{}
		r.owed++
	}
	for over := time.After(patience); r.owed > 0; {
		select {
		case <-r.done:
			r.owed--
		case <-over:
			return
		}
	}
}
