package tlog

import (
	"context"
	"fmt"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of a tree: the last tile of each level. It is all that is
// needed to append entries, and to prove those that were appended.
type edge struct {
	size   int64
	tiles  map[int]edgeTile // by level
	bundle []byte           // the entries of the last bundle, where it is partial
}

type edgeTile struct {
	tile merkle.Tile
	data []byte
}

// ReadHashes reads stored hashes of the edge's tiles.
func (e *edge) ReadHashes(indexes []int64) ([]merkle.Hash, error) {
	out := make([]merkle.Hash, len(indexes))
	for i, x := range indexes {
		level := merkle.TileForIndex(height, x).L
		h, err := merkle.HashFromTile(e.tiles[level].tile, e.tiles[level].data, x)
		if err != nil {
			return nil, fmt.Errorf("hash %d is not at the edge of size %d: %w", x, e.size, err)
		}
		out[i] = h
	}
	return out, nil
}

// edge reads the edge of a tree and verifies it.
func (r *Reader) edge(ctx context.Context, t Tree) (*edge, error) {
	e, size := &edge{size: t.Size, tiles: map[int]edgeTile{}}, t.Size
	if size == 0 {
		return e, nil
	}
	for level := 0; size>>(height*level) > 0; level++ {
		hashes := size >> (height * level)
		tile := tileAt(level, (hashes-1)/Width, size)
		data, err := merkle.ReadTileData(tile, r.hashReader(ctx, t))
		if err != nil {
			return nil, asError(err)
		}
		e.tiles[level] = edgeTile{tile, data}
	}
	if size%Width != 0 {
		entries, err := r.Entries(ctx, t, size-size%Width)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			e.bundle = appendEntry(e.bundle, entry)
		}
	}
	return e, nil
}

// all returns the tiles of the edge and the last bundle, without its content.
func (e *edge) all() []edgeTile {
	out := []edgeTile{}
	for level := 0; e.tiles[level].data != nil; level++ {
		out = append(out, e.tiles[level])
	}
	if e.size%Width != 0 {
		out = append(out, edgeTile{tile: tileAt(entryLevel, e.size/Width, e.size)})
	}
	return out
}

// grown is a tree that has more entries than its edge.
type grown struct {
	old   *edge
	size  int64
	root  Hash
	tiles []edgeTile            // that are new or wider, and bundles
	known map[int64]merkle.Hash // hashes that are new, and old ones that were asked for
	rest  []byte                // what the last bundle has, where it is partial
}

// ReadHashes reads hashes of the new tree.
func (g *grown) ReadHashes(indexes []int64) ([]merkle.Hash, error) {
	out := make([]merkle.Hash, len(indexes))
	for i, x := range indexes {
		h, ok := g.known[x]
		if !ok {
			old, err := g.old.ReadHashes([]int64{x})
			if err != nil {
				return nil, err
			}
			h = old[0]
			g.known[x] = h // a proof of each entry asks for it
		}
		out[i] = h
	}
	return out, nil
}

// grow appends entries.
func (e *edge) grow(entries [][]byte) (*grown, error) {
	g := &grown{old: e, size: e.size, known: map[int64]merkle.Hash{}}
	for _, entry := range entries {
		hashes, err := merkle.StoredHashes(g.size, entry, g)
		if err != nil {
			return nil, err
		}
		at := merkle.StoredHashIndex(0, g.size)
		for i, h := range hashes {
			g.known[at+int64(i)] = h
		}
		g.size++
	}
	root, err := merkle.TreeHash(g.size, g)
	if err != nil {
		return nil, err
	}
	g.root = Hash(root)
	for _, tile := range merkle.NewTiles(height, e.size, g.size) {
		data, err := merkle.ReadTileData(tile, g)
		if err != nil {
			return nil, err
		}
		g.tiles = append(g.tiles, edgeTile{tile, data})
	}
	g.bundles(entries)
	return g, nil
}

// bundles adds the entry bundles that are new or wider.
func (g *grown) bundles(entries [][]byte) {
	bundle, at := append([]byte(nil), g.old.bundle...), g.old.size
	for _, entry := range entries {
		bundle, at = appendEntry(bundle, entry), at+1
		if at%Width == 0 || at == g.size {
			g.tiles = append(g.tiles, edgeTile{tileAt(entryLevel, (at-1)/Width, at), bundle})
		}
		if at%Width == 0 {
			bundle = nil
		}
	}
	g.rest = bundle
}

// edge returns the edge of the grown tree.
func (g *grown) edge() *edge {
	e := &edge{size: g.size, tiles: map[int]edgeTile{}, bundle: g.rest}
	for level, t := range g.old.tiles {
		e.tiles[level] = t
	}
	for _, t := range g.tiles {
		if t.tile.L != entryLevel {
			e.tiles[t.tile.L] = t // the last of a level comes last
		}
	}
	return e
}

// prove returns the proof of an entry that was appended.
func (g *grown) prove(index int64) ([]Hash, error) {
	proof, err := merkle.ProveRecord(g.size, index, g)
	if err != nil {
		return nil, err
	}
	return fromMerkle(proof), nil
}
