package storebackend

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/stella-ops/stella/store/blob"
)

// pieceSize is how many bytes of an object are in one row.
const pieceSize = 256 << 10

// pageSize is how many objects a list reads at a time, so that no statement stays open
// while its reader works.
const pageSize = 500

// schema has objects by key. Their bytes lie under an id of their own: an object is
// replaced by one statement that points to other pieces, however large it is.
const schema = `
CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, id TEXT NOT NULL, size BIGINT NOT NULL, modified BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS pieces  (id TEXT NOT NULL, number BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (id, number));
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, begun BIGINT NOT NULL);
`

// Bucket is a blob.Driver over three tables. It is safe for concurrent use, also by several
// processes. Make it with NewBucket.
type Bucket struct{ db *sql.DB }

// NewBucket makes the tables where they are missing. Close closes db.
func NewBucket(ctx context.Context, db *sql.DB) (*Bucket, error) {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("make the tables of a bucket: %w", away(err))
	}
	return &Bucket{db: db}, nil
}

// Create implements blob.Driver. Pieces are written while r is read, where nobody sees
// them; the object is there when all of them are.
func (b *Bucket) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	id := rand.Text()
	if _, err := b.db.ExecContext(ctx, `INSERT INTO uploads (id, begun) VALUES (?, ?)`, id, time.Now().UnixMilli()); err != nil {
		return fmt.Errorf("create %s: %w", key, away(err))
	}
	n, err := b.write(ctx, id, r)
	if err == nil && size >= 0 && n != size {
		err = fmt.Errorf("it has %d bytes and should have %d: %w", n, size, blob.ErrMismatch)
	}
	if err == nil {
		err = b.point(ctx, key, id, n)
	}
	if err != nil {
		// Whatever ended this, the context too, must not leave half an object behind.
		return errors.Join(fmt.Errorf("create %s: %w", key, err), b.drop(context.WithoutCancel(ctx), id))
	}
	return nil
}

// write keeps what r holds as pieces and returns how many bytes there are.
func (b *Bucket) write(ctx context.Context, id string, r io.Reader) (total int64, err error) {
	piece := make([]byte, pieceSize)
	for number := 0; ; number++ {
		n, err := io.ReadFull(r, piece)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return total, err // of the reader: not ours to judge
		}
		if n > 0 {
			if _, err := b.db.ExecContext(ctx, `INSERT INTO pieces (id, number, body) VALUES (?, ?, ?)`, id, number, piece[:n]); err != nil {
				return total, away(err)
			}
			total += int64(n)
		}
		if err != nil {
			return total, nil
		}
	}
}

// point makes a key stand for pieces that are all there, and forgets what it stood for.
func (b *Bucket) point(ctx context.Context, key, id string, size int64) error {
	return b.transaction(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, fmt.Errorf("the upload took too long and was swept: %w", blob.ErrUnavailable))
		}
		return replace(ctx, tx, key, id, size)
	})
}

// Copy implements blob.Driver.
func (b *Bucket) Copy(ctx context.Context, from, to string) error {
	err := b.transaction(ctx, func(tx *sql.Tx) error {
		var old string
		var size int64
		err := tx.QueryRowContext(ctx, `SELECT id, size FROM objects WHERE name = ?`, from).Scan(&old, &size)
		if errors.Is(err, sql.ErrNoRows) {
			return blob.ErrNotFound
		}
		if err != nil || from == to {
			return err
		}
		id := rand.Text()
		if _, err := tx.ExecContext(ctx, `INSERT INTO pieces (id, number, body) SELECT ?, number, body FROM pieces WHERE id = ?`, id, old); err != nil {
			return err
		}
		return replace(ctx, tx, to, id, size)
	})
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, err)
	}
	return nil
}

// replace points a key to other pieces and deletes those that it had.
func replace(ctx context.Context, tx *sql.Tx, key, id string, size int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM pieces WHERE id IN (SELECT id FROM objects WHERE name = ?)`, key); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM objects WHERE name = ?`, key); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO objects (name, id, size, modified) VALUES (?, ?, ?, ?)`, key, id, size, time.Now().UnixMilli())
	return err
}

// Open implements blob.Driver. What is read is what the object was when it was opened: the
// rows of one statement are of one moment.
func (b *Bucket) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	ctx, stop := context.WithCancel(ctx)
	rows, err := b.db.QueryContext(ctx, `SELECT p.body, p.number FROM objects o LEFT JOIN pieces p ON p.id = o.id AND p.number >= ?
		WHERE o.name = ? ORDER BY p.number`, offset/pieceSize, key)
	if err != nil {
		stop()
		return nil, fmt.Errorf("open %s: %w", key, away(err))
	}
	r := &reader{rows: rows, stop: stop, key: key, skip: offset % pieceSize, left: length, next: offset / pieceSize}
	switch err := r.fill(); {
	case err == io.EOF && !r.found:
		return nil, errors.Join(fmt.Errorf("open %s: %w", key, blob.ErrNotFound), r.Close())
	case err != nil && err != io.EOF:
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// reader reads pieces in their order.
type reader struct {
	rows  *sql.Rows
	stop  func()
	key   string
	found bool
	piece []byte
	skip  int64 // bytes of the first piece
	left  int64 // bytes to be read; negative for all
	next  int64 // number of the piece that must come
}

// fill reads the next piece. The error is io.EOF after the last one.
func (r *reader) fill() error {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return fmt.Errorf("read %s: %w", r.key, away(err))
		}
		return io.EOF
	}
	r.found = true
	var number sql.NullInt64
	if err := r.rows.Scan(&r.piece, &number); err != nil {
		return fmt.Errorf("read %s: %w", r.key, away(err))
	}
	if !number.Valid {
		return io.EOF // an object without bytes, or past its end
	}
	if number.Int64 != r.next {
		return fmt.Errorf("read %s: piece %d is not there: %w", r.key, r.next, blob.ErrMismatch)
	}
	r.next++
	r.piece = r.piece[min(r.skip, int64(len(r.piece))):]
	r.skip = 0
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	for len(r.piece) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := len(r.piece)
	if r.left > 0 {
		n = int(min(int64(n), r.left))
	}
	n = copy(p, r.piece[:n])
	r.piece = r.piece[n:]
	if r.left > 0 {
		r.left -= int64(n)
	}
	return n, nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	defer r.stop()
	return r.rows.Close()
}

// Stat implements blob.Driver.
func (b *Bucket) Stat(ctx context.Context, key string) (blob.Info, error) {
	info, err := scanInfo(b.db.QueryRowContext(ctx, `SELECT name, size, modified FROM objects WHERE name = ?`, key))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return blob.Info{}, fmt.Errorf("look for %s: %w", key, blob.ErrNotFound)
	case err != nil:
		return blob.Info{}, fmt.Errorf("look for %s: %w", key, away(err))
	}
	return info, nil
}

// List implements blob.Driver. Keys are ASCII, so that the database's order of bytes is
// theirs.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for after := ""; ; {
			page, err := b.page(ctx, prefix, after)
			if err != nil {
				yield(blob.Info{}, fmt.Errorf("list %q: %w", prefix, away(err)))
				return
			}
			for _, info := range page {
				if !yield(info, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Key
		}
	}
}

func (b *Bucket) page(ctx context.Context, prefix, after string) (page []blob.Info, err error) {
	rows, err := b.db.QueryContext(ctx, `SELECT name, size, modified FROM objects WHERE name >= ? AND name < ? AND name > ? ORDER BY name LIMIT ?`,
		prefix, prefix+"\x7f", after, pageSize) // no key has a byte as large
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		info, err := scanInfo(rows)
		if err != nil {
			return nil, err
		}
		page = append(page, info)
	}
	return page, rows.Err()
}

func scanInfo(row interface{ Scan(...any) error }) (info blob.Info, err error) {
	var modified int64
	err = row.Scan(&info.Key, &info.Size, &modified)
	info.Modified = time.UnixMilli(modified).UTC()
	return info, err
}

// Delete implements blob.Driver.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	err := b.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM pieces WHERE id IN (SELECT id FROM objects WHERE name = ?)`, key); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM objects WHERE name = ?`, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

// Sweep removes what writers that died left half done, if they began longer ago than age.
// Call it now and then.
func (b *Bucket) Sweep(ctx context.Context, age time.Duration) error {
	before := time.Now().Add(-age).UnixMilli()
	return b.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM pieces WHERE id IN (SELECT id FROM uploads WHERE begun < ?)`, before); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE begun < ?`, before)
		return err
	})
}

// drop removes an upload that failed.
func (b *Bucket) drop(ctx context.Context, id string) error {
	return b.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM pieces WHERE id IN (SELECT id FROM uploads WHERE id = ?)`, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = ?`, id)
		return err
	})
}

// Close implements blob.Driver.
func (b *Bucket) Close() error { return b.db.Close() }

// transaction runs f in one transaction: all of it is durable, or nothing happened.
func (b *Bucket) transaction(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return away(err)
	}
	if err := f(tx); err != nil {
		return errors.Join(away(err), tx.Rollback())
	}
	return away(tx.Commit())
}

// away gives an error of the database the kind by which a caller knows that the same call
// may succeed later. Errors that have a kind, and ends of a context, stay what they are.
func away(err error) error {
	for _, known := range []error{nil, blob.ErrNotFound, blob.ErrMismatch, blob.ErrUnavailable, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", blob.ErrUnavailable, err)
}
