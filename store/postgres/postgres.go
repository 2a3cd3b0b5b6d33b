// Package postgres keeps a store in PostgreSQL, 15 or newer. Importing it makes
// "postgres://USER@HOST/DATABASE" known to store.Open.
//
// Two logins take part. The owner makes and changes the schema, with [Migrate].
// The application logs in as somebody who owns nothing and may do nothing by
// itself: each transaction takes one of the roles stella_app, stella_relay,
// stella_index, stella_concelier, stella_excititor, stella_attestor and stella_authority,
// and row-level security gives stella_app the rows of one tenant.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/internal/scheme"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/internal/migration"
)

//go:embed migrations/*.sql
var files embed.FS

func init() {
	store.Register("postgres", open)
	store.Register("postgresql", open)
}

// defaultConns is how many connections a root opens at most.
const defaultConns = 16

// idleTimeout is how long a transaction may wait for its program. Within one, the
// SDK waits for nothing but the server.
const idleTimeout = 15 * time.Second

// keys are the query keys that a URL may have.
var keys = []string{"application_name", "connect_timeout", "host", "max_conns", "port", "sslcert", "sslkey", "sslmode", "sslrootcert", "target_session_attrs"}

// Open opens a store whose schema is up to date. It refuses a login that could
// see more than it should and a server that could lose what it acknowledged, and
// names all that is wrong at once, with the remedy.
func Open(ctx context.Context, rawURL string) (*store.Root, error) {
	u, where, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	root, err := open(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", where, err)
	}
	return root, nil
}

func open(ctx context.Context, u *url.URL) (*store.Root, error) {
	db, err := connect(u)
	if err != nil {
		return nil, err
	}
	if err := check(ctx, db); err != nil {
		db.Close()
		return nil, classify(err)
	}
	return store.New(store.Engine{Name: "postgres", Writer: db, Reader: db, Dialect: dialect{}}), nil
}

// parse reads a URL, and returns it as errors may show it.
func parse(rawURL string) (*url.URL, string, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, "", fmt.Errorf("want postgres://USER@HOST/DATABASE: %w", fault.Invalid) // what was given may hold a password
	}
	shown := *u
	shown.User, shown.RawQuery = url.User(u.User.Username()), ""
	return u, shown.String(), nil
}

// connect makes connections as a URL asks for them.
func connect(u *url.URL) (*sql.DB, error) {
	q, err := scheme.Query(u, keys...)
	if err != nil {
		return nil, err
	}
	conns := defaultConns
	if s := q.Get("max_conns"); s != "" {
		if conns, err = strconv.Atoi(s); err != nil || conns < 1 || conns > 1000 {
			return nil, fmt.Errorf("max_conns %q: want 1 to 1000: %w", s, fault.Invalid)
		}
		q.Del("max_conns")
	}
	plain := *u
	plain.RawQuery = q.Encode()
	config, err := pgx.ParseConfig(plain.String())
	if err != nil { // which may quote a password
		return nil, fmt.Errorf("a part of the URL, or of the files that it names, is not valid: %w", fault.Invalid)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "stella"
	}
	// A process that is frozen in a transaction holds its locks no longer.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(idleTimeout.Milliseconds(), 10)
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

var table = migration.Table{
	Name: "public.stella_migrations",
	Create: `CREATE TABLE IF NOT EXISTS public.stella_migrations (version bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL);
		GRANT SELECT ON public.stella_migrations TO PUBLIC`,
}

// lockKey is the advisory lock that programs hold while they migrate.
const lockKey = 0x7374656c6c61

// Migrate brings the schema up to date as the owner of the database, who may also
// create roles, and lets logins use the store. Several programs may call it at
// once.
func Migrate(ctx context.Context, ownerURL string, logins ...string) error {
	u, where, err := parse(ownerURL)
	if err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("migrate %s: %w", where, classify(err)) }
	db, err := connect(u)
	if err != nil {
		return fail(err)
	}
	defer db.Close()
	steps, err := migration.Load(files, "migrations")
	if err != nil {
		return fail(err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(lockKey)); err != nil {
		return fail(err)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(lockKey))
	if err := migration.Apply(ctx, conn, table, steps); err != nil {
		return fail(err)
	}
	for _, login := range logins {
		name := pgx.Identifier{login}.Sanitize()
		if _, err := conn.ExecContext(ctx, "ALTER ROLE "+name+" NOINHERIT; GRANT stella_app, stella_relay, stella_index, stella_concelier, stella_excititor, stella_attestor, stella_authority TO "+name); err != nil {
			return fail(fmt.Errorf("let %s use the store: %w", login, err))
		}
	}
	return nil
}

// dialect is what PostgreSQL's SQL differs in.
type dialect struct{}

var jsonRows = lazyre.New(`json_rows\((\$\d+)\)`)

// Translate replaces json_rows; the rest is PostgreSQL's own.
func (dialect) Translate(s string) string {
	return jsonRows.Get().ReplaceAllString(s, "json_array_elements($1::json)")
}

// Enter takes a role and a tenant for this transaction alone.
func (dialect) Enter(ctx context.Context, tx *sql.Tx, s store.Scope) (now int64, err error) {
	if s.Role == store.RoleTenant && s.Tenant == "" {
		return 0, fmt.Errorf("no tenant is set: %w", fault.Forbidden)
	}
	var role, tenant string
	err = tx.QueryRowContext(ctx, `SELECT set_config('role', $1, true), set_config('app.tenant', $2, true), CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)`,
		string(s.Role), s.Tenant).Scan(&role, &tenant, &now)
	return now, err
}

// Classify turns SQLSTATE codes and connection failures into kinds.
func (dialect) Classify(err error) error { return classify(err) }

func classify(err error) error {
	if err == nil || fault.KindOf(err) != "" || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var connect *pgconn.ConnectError
		if errors.As(err, &connect) || pgconn.Timeout(err) || lostConnection(err) {
			return fmt.Errorf("%w: %w", err, fault.Unavailable)
		}
		return err
	}
	kind := fault.Kind("")
	switch {
	case strings.HasPrefix(e.Code, "23"):
		kind = fault.Conflict
	case strings.HasPrefix(e.Code, "28"):
		kind = fault.Unauthenticated
	case e.Code == "42501":
		kind = fault.Forbidden
	case e.Code == "3D000" || e.Code == "42P01" || e.Code == "3F000":
		kind = fault.NotFound
	case strings.HasPrefix(e.Code, "40"), strings.HasPrefix(e.Code, "53"), strings.HasPrefix(e.Code, "57"), strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "58"), e.Code == "25006", e.Code == "25P03":
		kind = fault.Unavailable
	default:
		return err
	}
	return fmt.Errorf("%w: %w", err, kind)
}
