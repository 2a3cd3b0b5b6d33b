package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// connector opens connections that keep their prepared statements: the store has
// few texts and runs each very often, and parsing one costs more than running it.
type connector struct {
	driver driver.Driver
	dsn    string
}

func (c connector) Driver() driver.Driver { return c.driver }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	inner, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	full, ok := inner.(fullConn)
	if !ok {
		inner.Close()
		return nil, fmt.Errorf("the SQLite driver's %T lacks a method", inner)
	}
	return &conn{fullConn: full, prepared: map[string]*prepared{}}, nil
}

// fullConn is what the driver's connections can do.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
}

// maxPrepared bounds the statements of one connection.
const maxPrepared = 256

// conn is a connection with its prepared statements. database/sql uses it from
// one goroutine at a time.
type conn struct {
	fullConn
	prepared map[string]*prepared
}

type prepared struct {
	driver.Stmt
	busy bool // its rows are being read
}

// ready returns a statement that nobody is using, or nil where it is better run
// unprepared: a script, a statement within its own rows, or one too many.
func (c *conn) ready(ctx context.Context, query string, args []driver.NamedValue) (*prepared, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if p := c.prepared[query]; p != nil {
		if p.busy {
			return nil, nil
		}
		return p, nil
	}
	if len(c.prepared) >= maxPrepared {
		return nil, nil
	}
	s, err := c.fullConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p := &prepared{Stmt: s}
	c.prepared[query] = p
	return p, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	p, err := c.ready(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return c.fullConn.ExecContext(ctx, query, args)
	}
	return p.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	p, err := c.ready(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return c.fullConn.QueryContext(ctx, query, args)
	}
	r, err := p.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	p.busy = true
	return &rows{r, p}, nil
}

func (c *conn) Close() error {
	for _, p := range c.prepared {
		p.Close()
	}
	return c.fullConn.Close()
}

// rows free their statement when they are closed.
type rows struct {
	driver.Rows
	of *prepared
}

func (r *rows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
