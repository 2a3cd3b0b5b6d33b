// Package elfnote reads what programs and libraries say of the package that they were built
// for: ELF notes with the owner "FDO" of type 0xcafe1a7e, which hold JSON
// (https://systemd.io/PACKAGE_METADATA_FOR_EXECUTABLE_FILES). Fedora, Ubuntu, Azure Linux and
// others put one into nearly every file.
//
// # When a note counts
//
// The note of a file that an operating system package owns says less than the package
// database: the name in it is that of the source package. It counts only for files without an
// owner, and only where the database does not list a package of that source in that version
// either (analyzer.Fact.Orphan): libraries copied into an image without a database, or out of
// another distribution. All files of one package are then one package with several
// locations. Unlike a program that a Go toolchain made, the file itself stays listed as one
// without an owner: a note is a claim.
//
// A note costs one small fact a file, which holds no package; Join makes packages of them.
//
// # What a note does not say
//
// Notes of rpm have no epoch, so a package that has one looks older than it is, and advisories
// that go by binary packages are found where one has the name of its source. The distribution
// is named by osCpe, or by os and osVersion. Debian and Ubuntu leave the
// version out: it is that of the image if the image is of the same distribution. A note that
// names no distribution gives a package URL without one.
//
// Notes are found by the program headers, as the loader finds them. Object files, kernel
// modules and core dumps are left out. A note is a claim of whoever built the file.
package elfnote

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// Analyzer reads package notes. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "elfnote", Version: 1} }

// Paths implements analyzer.Analyzer: every ELF file.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Forward: true, Magic: []string{"\x7fELF"}}
}

// Limits of one file. Linkers stay far below: a note has some 200 bytes.
const (
	firstBytes  = 64 << 10 // kept of a file that streams by
	headBytes   = 4 << 10  // read first of a file that is at hand
	maxSegments = 4096
	maxTable    = 1 << 20  // bytes of the program headers
	maxNotes    = 64 << 10 // bytes of one segment of notes
	maxRanges   = 64       // segments of notes
)

// Extract implements analyzer.Analyzer: one fact where f has a note with a name, none where it
// has no note. A note that is no JSON is an error of kind fault.Invalid.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	n, err := read(f)
	switch {
	case err == analyzer.ErrAgain:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	case n == nil:
		return nil, ctx.Err()
	}
	return []analyzer.Fact{n.fact()}, ctx.Err()
}

// read looks for the first package note with a name.
func read(f *analyzer.File) (*note, error) {
	at, err := f.ReaderAt()
	src := &source{size: f.Size}
	switch {
	case errors.Is(err, analyzer.ErrForward):
		src.kept, src.in = make([]byte, min(f.Size, firstBytes)), f
		if _, err := io.ReadFull(f, src.kept); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		src.at = at
		if src.kept, err = src.part(0, min(f.Size, headBytes)); err != nil {
			return nil, err
		}
	}
	h, err := headers(src)
	if h == nil || err != nil {
		return nil, err
	}
	for _, r := range h.ranges {
		data, err := src.part(r.off, r.size)
		if err != nil {
			return nil, err
		}
		if text := find(data, h.order, r.align); text != nil {
			if n, err := parse(text); err != nil || n.name != "" {
				return n, err
			}
		}
	}
	return nil, nil
}

// source gives parts of a file, of one that streams by each once and in their order.
type source struct {
	kept []byte // the start
	size int64
	at   io.ReaderAt // nil: it streams by
	in   io.Reader   // what comes after kept
	done int64       // bytes that were read of in
}

// part returns n bytes at off, which must lie in the file. Of a file that streams by, what has
// passed by is analyzer.ErrAgain.
func (s *source) part(off, n int64) ([]byte, error) {
	if have := int64(len(s.kept)); off <= have && n <= have-off {
		return s.kept[off : off+n], nil
	}
	out := make([]byte, n)
	if s.at != nil {
		if got, err := s.at.ReadAt(out, off); int64(got) < n {
			return nil, short(err, s.size)
		}
		return out, nil
	}
	passed := int64(len(s.kept)) + s.done
	from := int64(0) // of out, what is kept
	if off < passed {
		if s.done > 0 || off > int64(len(s.kept)) {
			return nil, analyzer.ErrAgain
		}
		from = int64(copy(out, s.kept[off:]))
	} else if _, err := io.CopyN(io.Discard, s.in, off-passed); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(s.in, out[from:]); err != nil {
		return nil, err
	}
	s.done = off + n - int64(len(s.kept))
	return out, nil
}

func short(err error, size int64) error {
	if err == nil || err == io.EOF {
		return fmt.Errorf("it has fewer bytes than %d: %w", size, fault.Invalid)
	}
	return err
}
