package store

import (
	"context"

	"github.com/stella-ops/stella/store/blob"
)

// References returns what the tenant's rows refer to, for the collection of
// objects.
func (t *Tenant) References() blob.References { return references{t} }

type references struct{ tenant *Tenant }

// Condemn reports whether nothing refers to an object, and refuses new
// references from then on.
func (r references) Condemn(ctx context.Context, digest string) (bool, error) {
	free := false
	err := r.tenant.write(ctx, "condemn "+digest, func(tx *tx) error {
		// The row is locked first, so that a writer's reference comes before, and is
		// seen, or after, and is refused.
		n, err := tx.exec(`INSERT INTO scanner.blobs (tenant_id, digest, size, chunks, condemned_us) VALUES ($1, $2, 0, $3, $4)
			ON CONFLICT (tenant_id, digest) DO UPDATE SET condemned_us = excluded.condemned_us`, tx.tenant, digest, []byte{}, tx.now)
		if err != nil || n != 1 {
			return err
		}
		used := 0
		if err := tx.get(`SELECT count(*) FROM scanner.blob_refs WHERE tenant_id = $1 AND digest = $2`, []any{tx.tenant, digest}, &used); err != nil {
			return err
		}
		if free = used == 0; !free {
			_, err = tx.exec(`UPDATE scanner.blobs SET condemned_us = 0 WHERE tenant_id = $1 AND digest = $2`, tx.tenant, digest)
		}
		return err
	})
	return free && err == nil, err
}

// Forget says that a condemned object is gone.
func (r references) Forget(ctx context.Context, digest string) error {
	return r.tenant.write(ctx, "forget "+digest, func(tx *tx) error {
		_, err := tx.exec(`DELETE FROM scanner.blobs WHERE tenant_id = $1 AND digest = $2 AND condemned_us > 0`, tx.tenant, digest)
		return err
	})
}
