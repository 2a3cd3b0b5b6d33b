package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
)

// publicLog is who works on logs, which belong to no tenant.
var publicLog = Scope{Role: RoleAttestor}

// LogHead is the head of one transparency log: processes that share a store share the
// log. It is a tlog.Head, and safe for concurrent use.
type LogHead struct {
	root *Root
	name string
}

var _ tlog.Head = (*LogHead)(nil)

// LogHead returns the head of the log of a name, such as its origin.
func (r *Root) LogHead(name string) (*LogHead, error) {
	if err := checkName("log", name, maxName); err != nil {
		return nil, fmt.Errorf("head of a log: %w", err)
	}
	return &LogHead{r, name}, nil
}

// Load returns the record, nil where there is none yet.
func (h *LogHead) Load(ctx context.Context) (record []byte, err error) {
	err = h.root.read(ctx, publicLog, "read the head of log "+h.name, func(tx *tx) error {
		err := tx.get(`SELECT record FROM attest.logs WHERE name = $1`, []any{h.name}, &record)
		if isNoRows(err) {
			record = nil
			return nil
		}
		return err
	})
	return record, err
}

// Swap replaces the record old by the record new.
func (h *LogHead) Swap(ctx context.Context, old, new []byte) error {
	if len(new) == 0 || len(new) > tlog.MaxHead {
		return fmt.Errorf("head of log %s: a record of %d bytes, want 1 to %d: %w", h.name, len(new), tlog.MaxHead, fault.Invalid)
	}
	return h.root.write(ctx, publicLog, "swap the head of log "+h.name, func(tx *tx) error {
		statement, args := `INSERT INTO attest.logs (name, record, at_us) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`, []any{h.name, new, tx.now}
		if old != nil {
			statement, args = `UPDATE attest.logs SET record = $2, number = number + 1, at_us = $3 WHERE name = $1 AND record = $4`, append(args, old)
		}
		n, err := tx.exec(statement, args...)
		if err == nil && n == 0 {
			err = fmt.Errorf("head of log %s: it is another one by now: %w", h.name, fault.Conflict)
		}
		return err
	})
}
