package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"

	"github.com/stella-ops/stella/store"
)

var _ store.Locker = dialect{}

// lockID is the number of an advisory lock. Other programs in the database may use others.
func lockID(name string) int64 {
	sum := sha256.Sum256([]byte("stella/lead/" + name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// TryLock takes an advisory lock, which the server gives back when the connection ends. A
// pooler that shares connections between transactions must not be in between.
func (dialect) TryLock(ctx context.Context, conn *sql.Conn, name string) (ok bool, err error) {
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockID(name)).Scan(&ok)
	return ok, err
}

// Unlock gives it back.
func (dialect) Unlock(ctx context.Context, conn *sql.Conn, name string) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lockID(name))
	return err
}
