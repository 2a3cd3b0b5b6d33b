package tlog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/stella-ops/stella/internal/fault"
)

// maxCached is how many full tiles a reader keeps, of 8 KiB each.
const maxCached = 256

// Reader reads a log and verifies what it reads: every tile against the root of a
// checkpoint that the policy accepts, every entry against its tile. It is safe for
// concurrent use. Make it with [NewReader].
type Reader struct {
	source Source
	policy *Policy

	mu     sync.Mutex
	cached map[merkle.Tile][]byte
}

// NewReader returns a reader of the log that a source shows.
func NewReader(s Source, p *Policy) *Reader {
	return &Reader{source: s, policy: p, cached: map[merkle.Tile][]byte{}}
}

// Checkpoint returns the published checkpoint, verified.
func (r *Reader) Checkpoint(ctx context.Context) (*Checkpoint, error) {
	text, err := r.source.Checkpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	return r.policy.Open(text)
}

// Leaf returns the hash of the entry at an index of the tree. An error is an
// [*Error], or that of the source.
func (r *Reader) Leaf(ctx context.Context, t Tree, index int64) (Hash, error) {
	if err := inTree(t, index); err != nil {
		return Hash{}, err
	}
	h, err := r.hashes(ctx, t, merkle.StoredHashIndex(0, index))
	if err != nil {
		return Hash{}, err
	}
	return h[0], nil
}

// Entry returns the entry at an index of the tree.
func (r *Reader) Entry(ctx context.Context, t Tree, index int64) ([]byte, error) {
	entries, err := r.Entries(ctx, t, index)
	if err != nil {
		return nil, err
	}
	return entries[0], nil
}

// Entries returns entries of the tree from an index on: those to the end of the
// bundle that it lies in, at most [Width]. Whoever follows a log goes on behind them.
func (r *Reader) Entries(ctx context.Context, t Tree, from int64) ([][]byte, error) {
	if err := inTree(t, from); err != nil {
		return nil, err
	}
	tile := tileAt(entryLevel, from/Width, t.Size)
	bundle, err := r.get(ctx, tile, maxBundle)
	if err != nil {
		return nil, err
	}
	entries, err := splitBundle(tilePath(tile), bundle, tile.W)
	if err != nil {
		return nil, err
	}
	entries = entries[from%Width:]
	leaves, err := r.leaves(ctx, t, from, from+int64(len(entries)))
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if LeafHash(e) != leaves[i] {
			return nil, &Error{Reason: ReasonEntry, What: tilePath(tile), Detail: fmt.Sprintf("entry %d has another hash than its tile says", from+int64(i))}
		}
	}
	return entries, nil
}

// Inclusion returns the proof that the entry at an index is in the tree.
func (r *Reader) Inclusion(ctx context.Context, t Tree, index int64) ([]Hash, error) {
	if err := inTree(t, index); err != nil {
		return nil, err
	}
	proof, err := merkle.ProveRecord(t.Size, index, r.hashReader(ctx, t))
	if err != nil {
		return nil, asError(err)
	}
	return fromMerkle(proof), nil
}

// Consistency returns the proof that the tree begins with that of an older size.
func (r *Reader) Consistency(ctx context.Context, t Tree, old int64) ([]Hash, error) {
	if old < 0 || old > t.Size || t.Size > MaxSize {
		return nil, &Error{Reason: ReasonIndex, What: "consistency proof", Detail: fmt.Sprintf("from size %d to %d", old, t.Size)}
	}
	if old == 0 || old == t.Size {
		return nil, nil
	}
	proof, err := merkle.ProveTree(t.Size, old, r.hashReader(ctx, t))
	if err != nil {
		return nil, asError(err)
	}
	return fromMerkle(proof), nil
}

// Receipt returns the receipt of the entry at an index.
func (r *Reader) Receipt(ctx context.Context, c *Checkpoint, index int64) (*Receipt, error) {
	proof, err := r.Inclusion(ctx, c.Tree, index)
	if err != nil {
		return nil, err
	}
	return &Receipt{Index: index, Proof: proof, Checkpoint: c.Text}, nil
}

// inTree refuses an index that the tree does not have.
func inTree(t Tree, index int64) error {
	if index < 0 || index >= t.Size || t.Size > MaxSize {
		return &Error{Reason: ReasonIndex, What: t.Origin, Detail: fmt.Sprintf("index %d of a tree with %d entries", index, t.Size)}
	}
	return nil
}

// leaves returns the hashes of entries from..to-1, which lie in one tile.
func (r *Reader) leaves(ctx context.Context, t Tree, from, to int64) ([]Hash, error) {
	indexes := make([]int64, 0, to-from)
	for i := from; i < to; i++ {
		indexes = append(indexes, merkle.StoredHashIndex(0, i))
	}
	return r.hashes(ctx, t, indexes...)
}

func (r *Reader) hashes(ctx context.Context, t Tree, indexes ...int64) ([]Hash, error) {
	out, err := r.hashReader(ctx, t).ReadHashes(indexes)
	if err != nil {
		return nil, asError(err)
	}
	return fromMerkle(out), nil
}

// hashReader reads hashes that are in the tree, which package merkle verifies.
func (r *Reader) hashReader(ctx context.Context, t Tree) merkle.HashReader {
	return merkle.TileHashReader(merkle.Tree{N: t.Size, Hash: merkle.Hash(t.Root)}, &tileReader{ctx, r})
}

// asError gives the error of tiles that do not lead to the root its reason. The other
// errors have theirs.
func asError(err error) error {
	var e *Error
	if errors.As(err, &e) || fault.KindOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Error{Reason: ReasonRoot, What: "tiles", Detail: "they do not lead to the checkpoint's root", Err: err}
}

// tileReader is a reader as package merkle asks for it, for one call.
type tileReader struct {
	ctx context.Context
	r   *Reader
}

func (t *tileReader) Height() int { return height }

func (t *tileReader) ReadTiles(tiles []merkle.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		t.r.mu.Lock()
		out[i] = t.r.cached[tile]
		t.r.mu.Unlock()
		if out[i] != nil {
			continue
		}
		b, err := t.r.get(t.ctx, tile, Width*len(Hash{}))
		if err != nil {
			return nil, err
		}
		if want := tile.W * len(Hash{}); len(b) != want {
			return nil, &Error{Reason: ReasonTruncated, What: tilePath(tile), Detail: fmt.Sprintf("%d bytes, want %d", len(b), want)}
		}
		out[i] = b
	}
	return out, nil
}

// SaveTiles keeps full tiles. What is kept is verified again at each use.
func (t *tileReader) SaveTiles(tiles []merkle.Tile, data [][]byte) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	for i, tile := range tiles {
		if tile.W != Width || t.r.cached[tile] != nil {
			continue
		}
		if len(t.r.cached) >= maxCached {
			clear(t.r.cached)
		}
		t.r.cached[tile] = data[i]
	}
}

// get reads a tile or bundle, or the beginning of the full one where a log has
// dropped the partial one.
func (r *Reader) get(ctx context.Context, t merkle.Tile, max int) ([]byte, error) {
	b, err := r.source.Get(ctx, tilePath(t), max)
	if err == nil || !errors.Is(err, fault.NotFound) {
		return b, err
	}
	full := t
	full.W = Width
	if t.W < Width {
		if b, err := r.source.Get(ctx, tilePath(full), max); err == nil {
			return narrow(full, b, t.W)
		}
	}
	return nil, &Error{Reason: ReasonMissing, What: tilePath(t), Err: err}
}

// narrow returns the beginning of a full tile or bundle.
func narrow(full merkle.Tile, b []byte, width int) ([]byte, error) {
	if full.L != entryLevel {
		return b[:min(len(b), width*len(Hash{}))], nil
	}
	entries, err := splitBundle(tilePath(full), b, Width)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, e := range entries[:width] {
		out = appendEntry(out, e)
	}
	return out, nil
}
