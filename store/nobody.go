package store

import (
	"context"
	"errors"
)

// public is the scope of what belongs to no tenant.
var public = Scope{Role: RoleConcelier}

// Once is Tenant.Once for an event that belongs to no tenant, such as
// advisory.delta. Its effect has the rights of RoleConcelier.
func (r *Root) Once(ctx context.Context, group, eventID string, effect func(*Tx) error) (done bool, err error) {
	return r.once(ctx, public, group, eventID, effect)
}

// once notes that a group has consumed an event, together with the effect.
func (r *Root) once(ctx context.Context, s Scope, group, eventID string, effect func(*Tx) error) (done bool, err error) {
	if err := checkOnce(group, eventID); err != nil {
		return false, err
	}
	err = r.write(ctx, s, "consume "+eventID+" for "+group, func(tx *tx) error {
		var err error
		if done, err = tx.consume(group, eventID); err != nil || !done {
			return err
		}
		return effect(&Tx{tx})
	})
	if errors.Is(err, errUnknown) { // it is noted if and only if it happened
		known, readErr := r.consumed(ctx, s, group, eventID)
		if readErr == nil && known {
			return true, nil
		}
	}
	return done && err == nil, err
}

func (r *Root) consumed(ctx context.Context, s Scope, group, eventID string) (bool, error) {
	var n int
	err := r.read(ctx, s, "inbox", func(tx *tx) error {
		return tx.get(`SELECT count(*) FROM transport.inbox WHERE tenant_id = $1 AND group_name = $2 AND event_id = $3`, []any{s.Tenant, group, eventID}, &n)
	})
	return n > 0, err
}
