package store

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// Reading returns what came of reading the current document of a name. An error
// wraps ErrNotFound.
func (v *VEX) Reading(ctx context.Context, source, name string) (*vex.Reading, error) {
	r := &vex.Reading{Source: source, Document: name}
	err := v.read(ctx, "look what came of reading "+name, func(tx *tx) error {
		var document int64
		var sum []byte
		err := tx.get(`SELECT seq, digest FROM vex.documents WHERE tenant_id = $1 AND source = $2 AND name = $3 AND to_run = 0`, []any{tx.tenant, source, clean(name)}, &document, &sum)
		if isNoRows(err) {
			return fmt.Errorf("document %.200q of source %.80q: %w", name, source, fault.NotFound)
		}
		if err != nil {
			return err
		}
		r.Digest = hexDigest(sum)
		var problems string
		err = tx.get(`SELECT signature, signer, why, quarantined, problem_count, problems FROM vex.readings WHERE tenant_id = $1 AND document = $2 ORDER BY seq DESC LIMIT 1`,
			[]any{tx.tenant, document}, &r.Signature, &r.Signer, &r.Why, &r.Quarantined, &r.Count, &problems)
		if isNoRows(err) {
			r.Pending = true
			return nil
		}
		if err == nil && problems != "" {
			err = json.Unmarshal([]byte(problems), &r.Problems)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}
