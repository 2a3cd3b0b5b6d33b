package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/internal/migration"
)

// minVersion is the oldest server, as server_version_num has it.
const minVersion = 150000

// check finds what would break a promise of the store.
func check(ctx context.Context, db *sql.DB) error {
	steps, err := migration.Load(files, "migrations")
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var wrong []error
	bad := func(kind fault.Kind, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf(format+": %w", append(args, kind)...))
	}
	if err := checkServer(ctx, conn, bad); err != nil {
		return err
	}
	user, err := checkLogin(ctx, conn, bad)
	if err != nil {
		return err
	}
	missing, err := migration.Check(ctx, conn, table, steps)
	switch {
	case fault.KindOf(classify(err)) == fault.NotFound:
		bad(fault.NotFound, "the schema is missing: call postgres.Migrate with the owner's URL")
	case err != nil:
		wrong = append(wrong, err)
	case len(missing) > 0:
		bad(fault.Unsupported, "the schema lacks %d steps, the first is %s: call postgres.Migrate with the owner's URL", len(missing), missing[0].Name)
	default:
		if err := checkRoles(ctx, conn, user, bad); err != nil {
			return err
		}
	}
	return errors.Join(wrong...)
}

// checkServer refuses what could lose a commit.
func checkServer(ctx context.Context, conn *sql.Conn, bad func(fault.Kind, string, ...any)) error {
	var version int
	var fsync, pages, commit string
	err := conn.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`).
		Scan(&version, &fsync, &pages, &commit)
	if err != nil {
		return err
	}
	if version < minVersion {
		bad(fault.Unsupported, "the server is version %d.%d; 15 or newer is needed", version/10000, version%10000)
	}
	if fsync != "on" {
		bad(fault.Forbidden, "the server runs with fsync = %s: a power cut would lose what was acknowledged; set fsync = on", fsync)
	}
	if pages != "on" {
		bad(fault.Forbidden, "the server runs with full_page_writes = %s: a power cut could damage pages; set full_page_writes = on", pages)
	}
	if commit == "off" {
		bad(fault.Forbidden, "synchronous_commit is off for this login: a crash would lose what was acknowledged; set it to on")
	}
	return nil
}

// checkLogin refuses who could see or change more than a role allows.
func checkLogin(ctx context.Context, conn *sql.Conn, bad func(fault.Kind, string, ...any)) (user string, err error) {
	var super, bypass bool
	var owned sql.NullString
	err = conn.QueryRowContext(ctx, `SELECT r.rolname, r.rolsuper, r.rolbypassrls,
		(SELECT min(n.nspname || '.' || c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname IN ('scanner', 'transport', 'vuln', 'vex', 'policy', 'attest', 'notify', 'timeline', 'scheduler', 'authority') AND pg_has_role(r.oid, c.relowner, 'MEMBER'))
		FROM pg_roles r WHERE r.rolname = current_user`).Scan(&user, &super, &bypass, &owned)
	if err != nil {
		return "", err
	}
	remedy := "log in as a role of its own (CREATE ROLE stella LOGIN NOINHERIT) that Migrate was told of"
	switch {
	case super:
		bad(fault.Forbidden, "the login %s is a superuser, whom row-level security does not bind: %s", user, remedy)
	case bypass:
		bad(fault.Forbidden, "the login %s has BYPASSRLS: ALTER ROLE %s NOBYPASSRLS", user, user)
	case owned.Valid:
		bad(fault.Forbidden, "the login %s is, or may become, the owner of %s, who can change policies: %s", user, owned.String, remedy)
	}
	return user, nil
}

// checkRoles wants the roles to be taken, not inherited: rights that are always
// there would add up.
func checkRoles(ctx context.Context, conn *sql.Conn, user string, bad func(fault.Kind, string, ...any)) error {
	for _, role := range []store.Role{store.RoleTenant, store.RoleRelay, store.RoleIndex, store.RoleConcelier, store.RoleExcititor, store.RoleAttestor, store.RoleAuthority} {
		var member, inherits bool
		if err := conn.QueryRowContext(ctx, `SELECT pg_has_role(current_user, $1, 'MEMBER'), pg_has_role(current_user, $1, 'USAGE')`, string(role)).Scan(&member, &inherits); err != nil {
			return err
		}
		switch {
		case !member:
			bad(fault.Forbidden, "the login %s may not take the role %s: GRANT %s TO %s", user, role, role, user)
		case inherits:
			bad(fault.Forbidden, "the login %s inherits the rights of %s: ALTER ROLE %s NOINHERIT, then grant the role again", user, role, user)
		}
	}
	return nil
}

// lostConnection reports whether err is that of a connection that broke.
func lostConnection(err error) bool {
	var n net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &n) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "connection reset")
}
