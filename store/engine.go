package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

// Engine is a relational database as a driver opened it. Its schema is up to
// date.
type Engine struct {
	Name    string  // of the driver, such as "sqlite"
	Writer  *sql.DB // for transactions that write
	Reader  *sql.DB // for those that only read; may be Writer
	Dialect Dialect
	// Alone is set where one transaction writes at a time. It is asked in each, and reports
	// whether this program alone wrote since: as long as it does, those that wait share
	// the next transaction, each within a savepoint. With other programs about each
	// writes by itself, which leaves them their turns.
	Alone func(ctx context.Context, tx *sql.Tx) (bool, error)
}

// Role says on whose behalf a transaction runs. An engine with roles of its own
// gives it no more rights than that.
type Role string

// The roles.
const (
	RoleTenant Role = "stella_app"   // the rows of one tenant
	RoleRelay  Role = "stella_relay" // outbox, queue and leases of all tenants, and no content
	RoleIndex  Role = "stella_index" // the package index of all tenants, to read
	// RoleConcelier has advisories and what is announced of them: what belongs to
	// no tenant.
	RoleConcelier Role = "stella_concelier"
	// RoleExcititor has public VEX and what is announced of it. A tenant's own VEX is
	// written by RoleTenant.
	RoleExcititor Role = "stella_excititor"
	// RoleAttestor has the heads of transparency logs, which belong to no tenant.
	RoleAttestor Role = "stella_attestor"
	// RoleAuthority has accounts, keys and grants of all tenants. No other role sees them.
	RoleAuthority Role = "stella_authority"
)

// Scope is who a transaction is for. Tenant is set for RoleTenant alone.
type Scope struct {
	Role   Role
	Tenant string
}

// Dialect is what differs between engines. It is safe for concurrent use.
type Dialect interface {
	// Translate turns a statement of the SDK into the engine's. Statements use
	// $1 placeholders, tables named schema.table, FOR UPDATE, SKIP LOCKED and LOCK
	// TABLE, and json_rows($n) for the elements of a JSON array, in a column named value.
	Translate(statement string) string
	// Enter binds a transaction that has just begun to a scope, and returns the
	// engine's clock in microseconds since 1970.
	Enter(ctx context.Context, tx *sql.Tx, s Scope) (now int64, err error)
	// Classify returns err with a kind of this package where it knows one.
	Classify(err error) error
}

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrFenced          error = fault.Fenced
	ErrUnavailable     error = fault.Unavailable
	ErrLimit           error = fault.Limit
)

// errUnknown marks a commit whose outcome is not known.
var errUnknown = errors.New("the outcome of the commit is unknown")

// statements remembers translations: there are few, and they are used often.
type statements struct {
	dialect Dialect
	known   sync.Map
}

func (s *statements) get(text string) string {
	if t, ok := s.known.Load(text); ok {
		return t.(string)
	}
	t := s.dialect.Translate(text)
	s.known.Store(text, t)
	return t
}

// tx is one transaction in a scope.
type tx struct {
	*sql.Tx
	ctx    context.Context
	tenant string
	now    int64 // microseconds, the engine's clock at the beginning
	root   *Root
	wakes  []string // whom to wake after the commit
}

func (t *tx) exec(statement string, args ...any) (int64, error) {
	r, err := t.Tx.ExecContext(t.ctx, t.root.statements.get(statement), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// get reads one row. Without one it returns sql.ErrNoRows.
func (t *tx) get(statement string, args []any, into ...any) error {
	return t.Tx.QueryRowContext(t.ctx, t.root.statements.get(statement), args...).Scan(into...)
}

// each calls row for every row.
func (t *tx) each(row func(scan func(...any) error) error, statement string, args ...any) error {
	rows, err := t.Tx.QueryContext(t.ctx, t.root.statements.get(statement), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write runs f in a transaction that may write. An error of the commit that may
// have happened nevertheless wraps errUnknown.
func (r *Root) write(ctx context.Context, s Scope, what string, f func(*tx) error) error {
	if r.engine.Alone != nil && !r.crowd.others.Load() {
		return r.together(ctx, s, what, func(t *tx) error {
			alone, err := r.engine.Alone(t.ctx, t.Tx)
			if err != nil {
				return err
			}
			if !alone {
				r.crowd.others.Store(true)
			}
			return f(t)
		})
	}
	return r.run(ctx, r.engine.Writer, s, what, f)
}

// read runs f in a transaction that only reads.
func (r *Root) read(ctx context.Context, s Scope, what string, f func(*tx) error) error {
	return r.run(ctx, r.engine.Reader, s, what, f)
}

// readOnce runs f in a transaction whose statements all see one moment.
func (r *Root) readOnce(ctx context.Context, s Scope, what string, f func(*tx) error) error {
	return r.runAs(ctx, r.engine.Reader, s, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, what, f)
}

func (r *Root) run(ctx context.Context, db *sql.DB, s Scope, what string, f func(*tx) error) error {
	return r.runAs(ctx, db, s, nil, what, f)
}

func (r *Root) runAs(ctx context.Context, db *sql.DB, s Scope, opts *sql.TxOptions, what string, f func(*tx) error) error {
	fail := func(err error) error {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		return fmt.Errorf("%s: %w", what, r.engine.Dialect.Classify(err))
	}
	// A connection of its own: what a scope sets must not outlive it.
	conn, err := db.Conn(ctx)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	begun, err := conn.BeginTx(ctx, opts)
	if err != nil {
		return fail(err)
	}
	defer begun.Rollback() // after a commit it does nothing
	t := &tx{Tx: begun, ctx: ctx, tenant: s.Tenant, root: r}
	if t.now, err = r.engine.Dialect.Enter(ctx, begun, s); err != nil {
		return fail(err)
	}
	if err := f(t); err != nil {
		return fail(err)
	}
	if err := begun.Commit(); err != nil {
		return errors.Join(errUnknown, fail(err))
	}
	for _, w := range t.wakes {
		r.wake.wake(w)
	}
	return nil
}

// present turns nil into no bytes: a column that must not be NULL takes it.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// checkTenant accepts what can be part of an object's key: letters, digits and
// -_.
func checkTenant(name string) error {
	ok := name != "" && len(name) <= 64 && !strings.HasPrefix(name, ".")
	for _, c := range name {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return fmt.Errorf("tenant %.80q: want 1 to 64 letters, digits, '-', '_' or '.', not beginning with '.': %w", name, fault.Invalid)
	}
	return nil
}
