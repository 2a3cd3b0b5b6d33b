package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	maxEntryName = 1024 // bytes of a name in an archive of images
	maxLinks     = 8    // links followed to one file
)

// tarFiles is a tar archive, indexed once. Its files are read in place.
type tarFiles struct {
	file  archiveFile
	size  int64
	name  string
	index map[string]tarEntry
}

// archiveFile is an open archive, usually an *os.File.
type archiveFile interface {
	io.ReaderAt
	io.Closer
}

// tarEntry is where a file lies, or what it is a link to.
type tarEntry struct {
	off, size int64
	link      string // cleaned name, "" for a regular file
	fault     string // why the entry cannot be used
}

// indexTar takes over the file, and closes it when it fails.
func indexTar(ctx context.Context, f archiveFile, size int64, name string, lim *Limits) (*tarFiles, error) {
	t := &tarFiles{file: f, size: size, name: name, index: map[string]tarEntry{}}
	if err := t.read(ctx, lim); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

// read walks the headers; the tar reader seeks over what is between them.
func (t *tarFiles) read(ctx context.Context, lim *Limits) error {
	r := io.NewSectionReader(t.file, 0, t.size)
	tr := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := tr.Next()
		switch {
		case err == io.EOF && n == 0:
			return fmt.Errorf("read %s: it is not a tar archive, or an empty one: %w", t.name, fault.Invalid)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read %s: tar entry %d: %w: %w", t.name, n, tarReason(err), fault.Invalid)
		case n == lim.ArchiveEntries:
			return &fault.LimitError{What: "tar entries", Where: t.name, Max: int64(n)}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		off, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		t.add(h, off)
	}
}

func tarReason(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the archive ends too early")
	}
	return err
}

// add notes an entry. Folders and special files have no bytes and are left out.
func (t *tarFiles) add(h *tar.Header, off int64) {
	name := cleanName(h.Name)
	if name == "" || len(name) > maxEntryName {
		return // nothing can refer to it
	}
	e := tarEntry{off: off, size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeSymlink:
		e = tarEntry{link: cleanName(path.Join(path.Dir(name), h.Linkname))}
		if path.IsAbs(h.Linkname) || e.link == "" {
			e.fault = "is a link that leads out of the archive"
		}
	case tar.TypeLink:
		e = tarEntry{link: cleanName(h.Linkname)}
		if e.link == "" {
			e.fault = "is a link that leads out of the archive"
		}
	case tar.TypeGNUSparse:
		e.fault = "is stored sparsely"
	default:
		return
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			e.fault = "is stored sparsely"
		}
	}
	if _, twice := t.index[name]; twice {
		e = tarEntry{fault: "is there more than once"}
	}
	t.index[name] = e
}

func (t *tarFiles) what() string { return t.name }
func (t *tarFiles) close() error { return t.file.Close() }

// open follows links inside the archive, which docker save uses to keep a layer
// only once.
func (t *tarFiles) open(name string) (*section, error) {
	at := cleanName(name)
	for range maxLinks {
		e, ok := t.index[at]
		switch {
		case at == "" || !ok:
			return nil, missing(t, name)
		case e.fault != "":
			return nil, fmt.Errorf("%s in %s %s: %w", at, t.name, e.fault, fault.Invalid)
		case e.link == "":
			return &section{io.NewSectionReader(t.file, e.off, e.size), nil}, nil
		}
		at = e.link
	}
	return nil, &fault.LimitError{What: "links to " + clip(name), Where: t.name, Max: maxLinks}
}

// names are the files and links of the archive in order.
func (t *tarFiles) names() []string {
	out := make([]string, 0, len(t.index))
	for n := range t.index {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
