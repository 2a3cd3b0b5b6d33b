package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/blob"
)

// KeepSnapshot notes which object of a bucket a set of statements is. The first one
// that was noted stays.
func (v *VEX) KeepSnapshot(ctx context.Context, digest string, object blob.Ref) error {
	if !isSum(digest) || !isSum(object.Digest) || object.Size < 0 {
		return fmt.Errorf("keep set %.80q as the object %.80q: %w", digest, object.Digest, fault.Invalid)
	}
	return v.write(ctx, "keep set "+digest, func(tx *tx) error {
		_, err := tx.exec(`INSERT INTO vex.snapshots (tenant_id, digest, object, size, chunks, at_us) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, digest) DO NOTHING`,
			tx.tenant, digest, object.Digest, object.Size, present(object.Chunks), tx.now)
		return err
	})
}

// SnapshotRef returns the object that a set of statements is. An error wraps
// ErrNotFound.
func (v *VEX) SnapshotRef(ctx context.Context, digest string) (blob.Ref, error) {
	var ref blob.Ref
	err := v.read(ctx, "look for set "+digest, func(tx *tx) error {
		err := tx.get(`SELECT object, size, chunks FROM vex.snapshots WHERE tenant_id = $1 AND digest = $2`, []any{tx.tenant, digest}, &ref.Digest, &ref.Size, &ref.Chunks)
		if isNoRows(err) {
			err = fmt.Errorf("set %.80q: %w", digest, fault.NotFound)
		}
		return err
	})
	if len(ref.Chunks) == 0 {
		ref.Chunks = nil
	}
	return ref, err
}
