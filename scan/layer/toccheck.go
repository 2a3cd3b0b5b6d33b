package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

// checkTable walks the tar of b again and compares it with a table: paths,
// kinds, links, sizes, and the digest of every piece that a runtime would fetch.
func checkTable(ctx context.Context, b Blob, t *table, opt *Options) error {
	p := newPass(ctx, opt)
	p.frag.DiffID, p.against = b.DiffID, t
	p.opt.Progress = nil
	if err := p.run(b); err != nil {
		return err
	}
	for _, name := range sortedKeys(t.files) {
		if l := t.files[name]; !l.seen && l.kind != EntryDir {
			return t.differs(name, "the table has it, the tar has not")
		}
	}
	return nil
}

func (t *table) differs(name, how string) error {
	return fmt.Errorf("table of contents %s: %q: %s; a runtime that uses the table would run something else: %w", t.name, name, how, fault.Mismatch)
}

// compare holds one entry of the tar against the table.
func (p *pass) compare(h header, name string) error {
	t := p.against
	kind, link := kindOf(h)
	l, ok := t.files[name]
	switch {
	case name == tocName && t.name == tocName:
		return nil // it does not list itself
	case !ok && kind == EntryDir:
		return nil // folders may be implied
	case !ok:
		return t.differs(name, "the tar has it, the table has not")
	case l.kind != kind:
		return t.differs(name, fmt.Sprintf("the tar has it as %q, the table as %q", kind, l.kind))
	case l.link != link:
		return t.differs(name, fmt.Sprintf("it links to %q by the tar, to %q by the table", link, l.link))
	}
	l.seen = true
	if kind != EntryFile {
		return nil
	}
	if h.sparse {
		return fmt.Errorf("%q: sparse file in a layer with a table of contents: %w", name, fault.Unsupported)
	}
	if l.size != h.size {
		return t.differs(name, fmt.Sprintf("it has %d bytes by the tar, %d by the table", h.size, l.size))
	}
	return p.compareContent(&body{p: p, size: h.size, left: h.size}, l, name)
}

// compareContent reads a file piece by piece.
func (p *pass) compareContent(b *body, l *listed, name string) error {
	t := p.against
	whole := sha256.New()
	single := len(l.pieces) == 1
	for _, part := range l.pieces {
		if part.off != b.size-b.left {
			return t.differs(name, fmt.Sprintf("a piece begins at %d where the one before ends at %d", part.off, b.size-b.left))
		}
		if part.size == 0 {
			part.size = b.left
		}
		if part.size < 0 || part.size > b.left {
			return t.differs(name, fmt.Sprintf("a piece at %d has %d bytes, the file %d", part.off, part.size, b.size))
		}
		if err := p.comparePiece(b, part, whole, name, single && l.digest != ""); err != nil {
			return err
		}
	}
	if b.left > 0 {
		return t.differs(name, fmt.Sprintf("the pieces end %d bytes before the file", b.left))
	}
	if l.digest != "" && b.size > 0 && l.digest != sumOf(whole) {
		return t.differs(name, fmt.Sprintf("its content is %s, by the table %s", sumOf(whole), l.digest))
	}
	return nil
}

// comparePiece reads one piece. bound: a digest of the whole file stands for it.
func (p *pass) comparePiece(b *body, part piece, whole hash.Hash, name string, bound bool) error {
	own := sha256.New()
	zeros := &zeroWriter{}
	w := io.MultiWriter(whole, own)
	if part.zeros {
		w = io.MultiWriter(whole, zeros)
	}
	if _, err := io.CopyN(w, onlyReader{b}, part.size); err != nil {
		return unexpected(err)
	}
	switch {
	case part.zeros && zeros.other:
		return p.against.differs(name, fmt.Sprintf("the piece at %d is a hole by the table", part.off))
	case part.zeros, part.size == 0:
	case part.digest == "" && !bound:
		return p.against.differs(name, fmt.Sprintf("the piece at %d has no digest", part.off))
	case part.digest != "" && part.digest != sumOf(own):
		return p.against.differs(name, fmt.Sprintf("the piece at %d is %s, by the table %s", part.off, sumOf(own), part.digest))
	}
	return nil
}

func sumOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// zeroWriter notices anything but zeros.
type zeroWriter struct{ other bool }

func (z *zeroWriter) Write(p []byte) (int, error) {
	z.other = z.other || !isZero(p)
	return len(p), nil
}
