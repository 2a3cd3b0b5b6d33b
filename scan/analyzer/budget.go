package analyzer

import (
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns and that analyzers wrap, for errors.Is: a
// file that is no such file, a limit that is reached, and what nobody reads yet.
var (
	ErrInvalid     error = fault.Invalid
	ErrLimit       error = fault.Limit
	ErrUnsupported error = fault.Unsupported
)

// Limits bound the work of one scan. A zero field means its default. Every
// limit that is reached is an error or a gap that names it; nothing is cut
// short in silence.
type Limits struct {
	LayerBytes     int64 // uncompressed bytes of one layer. Default 64 GiB.
	Ratio          int64 // uncompressed per compressed byte of one layer, after the first 64 MiB. Default 1,032 (the most that deflate can reach).
	Entries        int64 // tar entries, or files of a directory, of one scan. Default 20,000,000.
	PathBytes      int64 // length of one path or link target. Default 4,096 (PATH_MAX).
	FileBytes      int64 // size of one file that an analyzer must hold whole. Default 64 MiB.
	SpillBytes     int64 // size of one file that needs random access and is kept in a temporary file. Default 4 GiB.
	ArchiveDepth   int64 // archives within archives. Default 8.
	ArchiveEntries int64 // members of archives of one scan. Default 5,000,000.
	ArchiveBytes   int64 // bytes inflated out of archives in one scan. Default 16 GiB.
	Facts          int64 // facts of one scan. Default 5,000,000.
}

func (l Limits) withDefaults() Limits {
	set := func(p *int64, d int64) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&l.LayerBytes, 64<<30)
	set(&l.Ratio, 1032)
	set(&l.Entries, 20_000_000)
	set(&l.PathBytes, 4096)
	set(&l.FileBytes, 64<<20)
	set(&l.SpillBytes, 4<<30)
	set(&l.ArchiveDepth, 8)
	set(&l.ArchiveEntries, 5_000_000)
	set(&l.ArchiveBytes, 16<<30)
	set(&l.Facts, 5_000_000)
	return l
}

// Budget counts what one scan has used of its Limits. It is safe for
// concurrent use; all layers of a scan share one. The methods charge before
// the work is done and return a limit error that names where.
type Budget struct {
	Limits  Limits // as resolved; read only
	entries atomic.Int64
	members atomic.Int64
	derived atomic.Int64
	facts   atomic.Int64
}

// NewBudget returns an unused budget. Zero limits mean the defaults.
func NewBudget(l Limits) *Budget { return &Budget{Limits: l.withDefaults()} }

// Entry charges one tar entry or directory member at path where.
func (b *Budget) Entry(where string) error {
	return charge(&b.entries, 1, b.Limits.Entries, "entries", where)
}

// Member charges n members of the archive at where.
func (b *Budget) Member(where string, n int64) error {
	return charge(&b.members, n, b.Limits.ArchiveEntries, "archive members", where)
}

// Derive charges n bytes inflated out of the archive at where.
func (b *Budget) Derive(where string, n int64) error {
	return charge(&b.derived, n, b.Limits.ArchiveBytes, "bytes inflated out of archives", where)
}

// Fact charges n facts of the file at where.
func (b *Budget) Fact(where string, n int64) error {
	return charge(&b.facts, n, b.Limits.Facts, "facts", where)
}

func charge(c *atomic.Int64, n, limit int64, what, where string) error {
	if n < 0 {
		n = 0
	}
	if seen := c.Add(n); seen > limit {
		return &fault.LimitError{What: what, Where: where, Max: limit, Seen: seen}
	}
	return nil
}
