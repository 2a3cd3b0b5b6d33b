package tlog

import (
	"encoding/binary"
	"fmt"
	"strings"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/stella-ops/stella/internal/fault"
)

// entryLevel is the level of entry bundles, as package merkle numbers it.
const entryLevel = -1

// checkpointPath is where a log shows its published checkpoint.
const checkpointPath = "checkpoint"

// maxBundle is the largest entry bundle there can be.
const maxBundle = Width * (2 + MaxEntry)

// tilePath returns the path of a tile or bundle, such as "tile/0/x001/234.p/7".
func tilePath(t merkle.Tile) string {
	rest := strings.TrimPrefix(t.Path(), "tile/8/")
	if t.L == entryLevel {
		return "tile/entries/" + strings.TrimPrefix(rest, "data/")
	}
	return "tile/" + rest
}

// parseTilePath reads what tilePath returned, and no other spelling of it.
func parseTilePath(path string) (merkle.Tile, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if n, entries := strings.CutPrefix(rest, "entries/"); entries {
		rest = "data/" + n
	}
	if ok && len(path) <= 64 {
		t, err := merkle.ParseTilePath("tile/8/" + rest)
		if err == nil && t.L < 64 && t.N <= MaxSize/Width && tilePath(t) == path {
			return t, nil
		}
	}
	return merkle.Tile{}, fmt.Errorf("path %.80q of a tile: %w", path, fault.Invalid)
}

// tileAt is the tile of a number and level in a tree of a size, as wide as it is
// there; its width is 0 where the tree does not have it.
func tileAt(level int, n, size int64) merkle.Tile {
	hashes := size
	if level > 0 {
		hashes = size >> (height * level)
	}
	return merkle.Tile{H: height, L: level, N: n, W: int(max(0, min(Width, hashes-n*Width)))}
}

// stagingPath is where the entries between two trees lie until their tiles are
// written. Both sizes are in it: one tree may be staged from two that came before.
func stagingPath(old, new Tree) string {
	return fmt.Sprintf("staging/%d-%d-%x", old.Size, new.Size, new.Root[:])
}

// appendEntry adds an entry to a bundle.
func appendEntry(bundle, entry []byte) []byte {
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
	return append(bundle, entry...)
}

// splitBundle returns the entries of a bundle, which share its memory. There must be
// as many as wanted; a negative number takes any.
func splitBundle(path string, bundle []byte, want int) ([][]byte, error) {
	var out [][]byte
	for rest := bundle; len(rest) > 0; {
		if len(rest) < 2 {
			return nil, &Error{Reason: ReasonTruncated, What: path, Detail: "the length of an entry is cut"}
		}
		n := int(binary.BigEndian.Uint16(rest))
		if rest = rest[2:]; len(rest) < n {
			return nil, &Error{Reason: ReasonTruncated, What: path, Detail: fmt.Sprintf("an entry of %d bytes has %d", n, len(rest))}
		}
		out, rest = append(out, rest[:n:n]), rest[n:]
	}
	switch {
	case want >= 0 && len(out) < want:
		return nil, &Error{Reason: ReasonTruncated, What: path, Detail: fmt.Sprintf("%d entries, want %d", len(out), want)}
	case want >= 0 && len(out) > want:
		return nil, &Error{Reason: ReasonMalformed, What: path, Detail: fmt.Sprintf("%d entries, want %d", len(out), want)}
	}
	return out, nil
}
