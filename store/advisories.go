package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/blob"
)

// PublicBucket is the name under which objects lie that belong to no tenant. No
// tenant is called so.
const PublicBucket = "+public"

// Advisories are what sources publish and the heads that are made of it. They
// belong to no tenant. It is an advisory.Feeds and advisory.Heads, and safe for
// concurrent use. Make it with Root.Advisories, once.
type Advisories struct {
	root   *Root
	bucket *blob.Bucket
	packs  packCache
	mu     sync.Mutex
	groups map[group]int64 // ids; they never change
}

var (
	_ advisory.Feeds = (*Advisories)(nil)
	_ advisory.Heads = (*Advisories)(nil)
)

// The bounds of what sources publish.
const (
	MaxContent   = 1 << 30  // bytes of a raw document, with a bucket
	MaxInlineRaw = 64 << 20 // bytes of one without
	inlineRaw    = 1 << 20  // bytes from which on a raw document is an object
	MaxState     = 1 << 20  // bytes of a source's state
	maxProblems  = 100      // parts of a document whose problems are kept in words
)

// Advisories returns the store's advisories. Raw documents of more than 1 MiB go
// to b, below PublicBucket; nil keeps them in the store, up to MaxInlineRaw.
func (r *Root) Advisories(b *blob.Bucket) *Advisories {
	a := &Advisories{root: r, groups: map[group]int64{}}
	if b != nil {
		a.bucket, _ = b.Sub(PublicBucket) // a name that is valid
	}
	return a
}

// Bucket returns the bucket of public objects: raw documents, and parts of
// snapshots. It is nil where Root.Advisories was given none.
func (a *Advisories) Bucket() *blob.Bucket { return a.bucket }

func (a *Advisories) write(ctx context.Context, what string, f func(*tx) error) error {
	return a.root.write(ctx, public, what, f)
}

func (a *Advisories) read(ctx context.Context, what string, f func(*tx) error) error {
	return a.root.read(ctx, public, what, f)
}

// References returns what heads and documents refer to, for the collection of the
// public bucket. Nothing that was used is ever free: raw documents are kept, and
// heads are.
func (a *Advisories) References() blob.References { return publicReferences{a} }

type publicReferences struct{ advisories *Advisories }

// Condemn reports whether nothing refers to an object, and refuses new
// references from then on.
func (r publicReferences) Condemn(ctx context.Context, digest string) (free bool, err error) {
	err = r.advisories.write(ctx, "condemn public "+digest, func(tx *tx) error {
		n, err := tx.exec(`INSERT INTO vuln.blobs AS b (digest, size, chunks, used, condemned_us) VALUES ($1, 0, $2, 0, $3)
			ON CONFLICT (digest) DO UPDATE SET condemned_us = excluded.condemned_us WHERE b.used = 0`, digest, []byte{}, tx.now)
		free = n == 1
		return err
	})
	return free && err == nil, err
}

// Forget says that a condemned object is gone.
func (r publicReferences) Forget(ctx context.Context, digest string) error {
	return r.advisories.write(ctx, "forget public "+digest, func(tx *tx) error {
		_, err := tx.exec(`DELETE FROM vuln.blobs WHERE digest = $1 AND used = 0 AND condemned_us > 0`, digest)
		return err
	})
}

// use notes that something refers to an object.
func (t *tx) use(ref blob.Ref) error {
	n, err := t.exec(`INSERT INTO vuln.blobs AS b (digest, size, chunks, used) VALUES ($1, $2, $3, 1)
		ON CONFLICT (digest) DO UPDATE SET used = 1 WHERE b.condemned_us = 0`, ref.Digest, ref.Size, present(ref.Chunks))
	if err == nil && n == 0 {
		err = fmt.Errorf("object %s is being deleted; put it again: %w", ref.Digest, fault.Conflict)
	}
	return err
}
