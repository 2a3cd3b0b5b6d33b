package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/blob"
)

// PutObject keeps a public object, such as a part of a snapshot, by a name of the
// form of a digest, which need not be that of its bytes. It may be collected until
// a head names it. Without a bucket it goes to the raw documents, which are kept
// for ever.
func (a *Advisories) PutObject(ctx context.Context, name string, content []byte) error {
	if _, err := rawDigest(name); err != nil {
		return fmt.Errorf("put a public object: %w", err)
	}
	sum := sha256.Sum256(content)
	digest := hexDigest(sum[:])
	if a.bucket == nil {
		return a.putInline(ctx, name, digest, sum[:], content)
	}
	ref, err := a.bucket.Put(ctx, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("put public object %s: %w", name, err)
	}
	return a.write(ctx, "note public object "+name, func(tx *tx) error {
		n, err := tx.exec(`INSERT INTO vuln.blobs AS b (digest, size, chunks, used) VALUES ($1, $2, $3, 0)
			ON CONFLICT (digest) DO UPDATE SET size = excluded.size, chunks = excluded.chunks WHERE b.condemned_us = 0`, digest, ref.Size, present(ref.Chunks))
		if err == nil && n == 0 {
			err = fmt.Errorf("object %s is being deleted; put it again: %w", digest, fault.Conflict)
		}
		if err != nil {
			return err
		}
		return tx.nameObject(name, digest)
	})
}

func (t *tx) nameObject(name, digest string) error {
	_, err := t.exec(`INSERT INTO vuln.objects (name, digest) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET digest = excluded.digest`, name, digest)
	return err
}

func (a *Advisories) putInline(ctx context.Context, name, digest string, sum, content []byte) error {
	if len(content) > MaxInlineRaw {
		return &fault.LimitError{What: "bytes of a public object without a bucket", Where: name, Max: MaxInlineRaw, Seen: int64(len(content))}
	}
	var packs packer
	at := packs.add(content)
	packs.shut()
	return a.write(ctx, "keep public object "+name, func(tx *tx) error {
		var n int
		if err := tx.get(`SELECT count(*) FROM vuln.contents WHERE digest = $1`, []any{sum}, &n); err != nil {
			return err
		}
		if n > 0 {
			return tx.nameObject(name, digest)
		}
		seqs, err := tx.keepPacks(&packs)
		if err != nil {
			return err
		}
		_, err = tx.exec(`INSERT INTO vuln.contents (digest, pack, at, size, chunks) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest) DO NOTHING`, sum, seqs[0], at.at, at.size, []byte{})
		if err != nil {
			return err
		}
		return tx.nameObject(name, digest)
	})
}

// Object returns what PutObject kept, as it was put. An error wraps ErrNotFound.
func (a *Advisories) Object(ctx context.Context, name string) ([]byte, error) {
	var ref blob.Ref
	err := a.read(ctx, "look for public object "+name, func(tx *tx) error {
		err := tx.get(`SELECT o.digest, coalesce(b.size, -1), b.chunks FROM vuln.objects o LEFT JOIN vuln.blobs b ON b.digest = o.digest AND b.condemned_us = 0 WHERE o.name = $1`,
			[]any{name}, &ref.Digest, &ref.Size, &ref.Chunks)
		if isNoRows(err) || err == nil && ref.Size < 0 && a.bucket != nil {
			err = fmt.Errorf("public object %.80q: %w", name, fault.NotFound)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case ref.Size < 0:
		return a.Raw(ctx, ref.Digest)
	case len(ref.Chunks) == 0:
		ref.Chunks = nil
	}
	return a.object(ctx, ref)
}
