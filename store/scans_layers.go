package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/blob"
)

var _ scan.Layers = (*Scans)(nil)

// Layers returns the archive of an image's layers.
func (s *Scans) Layers(ctx context.Context, imageDigest string) (blob.Ref, error) {
	var ref blob.Ref
	err := s.tenant.read(ctx, "read layer archive", func(tx *tx) error {
		err := tx.get(`SELECT digest, size, chunks FROM scanner.layer_archives WHERE tenant_id = $1 AND image_digest = $2`, []any{tx.tenant, imageDigest}, &ref.Digest, &ref.Size, &ref.Chunks)
		if isNoRows(err) {
			return fmt.Errorf("archive of the layers of image %.80q: %w", imageDigest, fault.NotFound)
		}
		return err
	})
	return ref, err
}

// KeepLayers notes the archive of an image, and that a scan refers to it.
func (s *Scans) KeepLayers(ctx context.Context, scanID, imageDigest string, archive blob.Ref) error {
	return s.tenant.write(ctx, "keep layer archive of "+scanID, func(tx *tx) error {
		if _, err := tx.job(scanID, ""); err != nil {
			return err
		}
		if err := tx.refTo(archive, scanID); err != nil {
			return err
		}
		_, err := tx.exec(`INSERT INTO scanner.layer_archives (tenant_id, image_digest, digest, size, chunks, created_us) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant_id, image_digest) DO NOTHING`, tx.tenant, imageDigest, archive.Digest, archive.Size, present(archive.Chunks), tx.now)
		return err
	})
}
