package layer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/inflate"
	"github.com/stella-ops/stella/scan/sbom"
)

// The annotations of a layer's descriptor by which runtimes find and verify its
// table of contents. Those of zstd:chunked have two spellings.
const (
	StargzDigest      = "containerd.io/snapshot/stargz/toc.digest"
	ChunkedDigest     = "io.github.containers.zstd-chunked.manifest-checksum"
	ChunkedPosition   = "io.github.containers.zstd-chunked.manifest-position"
	ChunkedDigestV0   = "io.containers.zstd-chunked.manifest-checksum"
	ChunkedPositionV0 = "io.containers.zstd-chunked.manifest-position"
)

// tables finds the tables of contents that runtimes would use of b, whose
// stored bytes were read to the end and verified, and compares the digests by
// which they are named. A file that is called like a table and that no footer
// or annotation leads to is a file: old ones are left behind in flattened images.
func (p *pass) tables(b Blob, o *opened) (t *table, err error) {
	want, named := b.Annotations[StargzDigest]
	if o.encoding == zst {
		t, err = p.chunkedTable(b, o.stored.frames)
	} else {
		t, err = p.stargzTable(b, o, named)
	}
	if err != nil {
		return nil, err
	}
	for _, key := range []string{ChunkedDigest, ChunkedPosition, ChunkedDigestV0, ChunkedPositionV0} {
		if _, ok := b.Annotations[key]; ok && (o.encoding != zst || t == nil) {
			return nil, fmt.Errorf("annotation %s, but the layer has no such table of contents: %w", key, fault.Mismatch)
		}
	}
	switch {
	case !named:
	case t == nil && isExternal(o.stored.tail):
		p.gap(sbom.GapUnsupported, true, "", "the table of contents that runtimes use is kept outside of the layer; it was not compared")
	case t == nil:
		return nil, fmt.Errorf("annotation %s, but the layer has no table of contents: %w", StargzDigest, fault.Mismatch)
	case t.sum != want:
		return nil, &fault.MismatchError{What: "digest of the table of contents " + t.name, Want: want, Got: t.sum}
	}
	return t, nil
}

// stargzTable returns the table of an eStargz layer, or nil.
func (p *pass) stargzTable(b Blob, o *opened, named bool) (*table, error) {
	off, ok := stargzOffset(o.stored.tail)
	if !ok && !named {
		return nil, nil
	}
	if p.tocErr != nil {
		return nil, p.tocErr
	}
	if ok {
		if err := p.checkStargzPlace(b, off); err != nil {
			return nil, err
		}
	}
	return p.toc, nil
}

// stargzOffset reads the footer of an eStargz layer: an empty gzip member whose
// extra field has the place of the table, in hexadecimal, and "STARGZ". The
// older form has no head before it.
func stargzOffset(tail []byte) (off int64, ok bool) {
	const mark = "STARGZ"
	for _, form := range []struct{ size, at int }{{51, 16}, {47, 12}} {
		if len(tail) < form.size {
			continue
		}
		f := tail[len(tail)-form.size:]
		if !bytes.HasPrefix(f, []byte("\x1f\x8b\x08\x04")) || string(f[form.at+16:form.at+16+len(mark)]) != mark {
			continue
		}
		if off, err := strconv.ParseInt(string(f[form.at:form.at+16]), 16, 64); err == nil {
			return off, true
		}
	}
	return 0, false
}

// isExternal reports whether the footer says that the table is elsewhere.
func isExternal(tail []byte) bool { return bytes.Contains(tail, []byte("STARGZEXTERNALTOC")) }

// checkStargzPlace makes sure that the table at the place that the footer names
// is the one in the tar.
func (p *pass) checkStargzPlace(b Blob, off int64) error {
	wrong := func(what string) error {
		return fmt.Errorf("the eStargz footer names a table of contents at %d: %s: %w", off, what, fault.Mismatch)
	}
	if p.toc == nil {
		return wrong("the tar has none")
	}
	rc, err := b.Open(p.ctx)
	if err != nil {
		return err
	}
	defer rc.Close()
	if _, err := io.CopyN(io.Discard, rc, off); err != nil {
		if err == io.EOF {
			return wrong("the layer ends before")
		}
		return err
	}
	zr, err := inflate.NewGzip(rc)
	if err != nil {
		return wrong(err.Error())
	}
	again := newPass(p.ctx, p.opt)
	again.s = newStream(&limitedReader{r: zr, stored: &storedReader{ctx: p.ctx}, max: 2 * maxTOC}, nil)
	defer again.s.close()
	again.tar = &tarReader{s: again.s, names: p.opt.Budget.Limits.PathBytes}
	h, err := again.tar.next()
	if err != nil || h.name != tocName || h.sparse {
		return wrong(fmt.Sprintf("there is %q (%v)", h.name, err))
	}
	if err := errors.Join(again.readTOC(h.size), again.tocErr); err != nil {
		return wrong(err.Error())
	}
	if again.toc.sum != p.toc.sum {
		return wrong("there is " + again.toc.sum + ", in the tar is " + p.toc.sum)
	}
	return nil
}

// chunkedTable reads the table of a zstd:chunked layer, which is in a frame that
// decompressors skip, near the end. It returns nil where there is none.
func (p *pass) chunkedTable(b Blob, f *frames) (*table, error) {
	const name = "zstd:chunked manifest"
	at, named, err := chunkedPosition(b.Annotations)
	if err != nil {
		return nil, err
	}
	last, size, ok := f.footer()
	switch {
	case !ok && !named:
		return nil, nil
	case !named:
		at = span{last, size}
	case ok && at != (span{last, size}):
		return nil, fmt.Errorf("%s: the annotation names bytes %v, the footer %v: %w", name, at, span{last, size}, fault.Mismatch)
	}
	data, err := f.content(at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, key := range []string{ChunkedDigest, ChunkedDigestV0} {
		if want, ok := b.Annotations[key]; ok && want != Digest(data) {
			return nil, &fault.MismatchError{What: name, Want: want, Got: Digest(data)}
		}
	}
	zr, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxTOC))
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", name, err, fault.Invalid)
	}
	defer zr.Close()
	return p.readTable(name, &limitedReader{r: zr, stored: &storedReader{ctx: p.ctx}, max: maxTOC})
}

// span is a range of the stored bytes.
type span struct{ off, size uint64 }

// chunkedPosition reads "offset:length:length uncompressed:type".
func chunkedPosition(annotations map[string]string) (at span, ok bool, err error) {
	for _, key := range []string{ChunkedPosition, ChunkedPositionV0} {
		text, has := annotations[key]
		if !has {
			continue
		}
		words := strings.Split(text, ":")
		off, err1 := strconv.ParseUint(words[0], 10, 63)
		size, err2 := strconv.ParseUint(words[min(1, len(words)-1)], 10, 63)
		if len(words) != 4 || err1 != nil || err2 != nil || words[3] != "1" || ok && at != (span{off, size}) {
			return at, false, fmt.Errorf("annotation %s: %q is no place of a table: %w", key, text, fault.Invalid)
		}
		at, ok = span{off, size}, true
	}
	return at, ok, nil
}

// footer reads the last skipped frame as the footer of a zstd:chunked layer.
func (f *frames) footer() (off, size uint64, ok bool) {
	if f == nil || len(f.skipped) == 0 {
		return 0, 0, false
	}
	b := f.skipped[len(f.skipped)-1].data
	if len(b) < 40 || string(b[len(b)-8:]) != "GNUlInUx" {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), true
}
