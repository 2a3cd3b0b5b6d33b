package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
)

// dueLook is how many due rows are looked at, so that tenants take turns.
const dueLook = 10_000

// NotifyDue lists up to limit groups whose windows close and incidents that are to be
// escalated, of all tenants: those that have waited longest, by turns over tenants. What
// is listed is handled by Routes.Do, which finds what somebody else has handled not due
// any more.
func (r *Root) NotifyDue(ctx context.Context, limit int) ([]notify.Due, error) {
	if limit < 1 || limit > dueLook {
		return nil, fmt.Errorf("look what is due: limit %d: want 1 to %d: %w", limit, dueLook, fault.Invalid)
	}
	var out []notify.Due
	err := r.read(ctx, Scope{Role: RoleRelay}, "look what is due", func(tx *tx) error {
		out = out[:0]
		return tx.each(func(row func(...any) error) error {
			var d notify.Due
			err := row(&d.Tenant, &d.Group, &d.Incident)
			out = append(out, d)
			return err
		}, `SELECT tenant_id, CASE WHEN incident = 0 THEN id ELSE '' END, CASE WHEN incident = 1 THEN id ELSE '' END FROM (
				SELECT tenant_id, id, incident, due_us, row_number() OVER (PARTITION BY tenant_id ORDER BY due_us, incident, id) AS turn FROM (
					SELECT * FROM (SELECT tenant_id, id, 0 AS incident, due_us FROM notify.groups WHERE due_us > 0 AND due_us <= $1 ORDER BY due_us LIMIT $2) AS g
					UNION ALL SELECT * FROM (SELECT tenant_id, id, 1 AS incident, due_us FROM notify.incidents WHERE due_us > 0 AND due_us <= $1 ORDER BY due_us LIMIT $2) AS i) AS waiting) AS turns
			ORDER BY turn, due_us, tenant_id LIMIT $3`, tx.now, dueLook, limit)
	})
	return out, err
}
