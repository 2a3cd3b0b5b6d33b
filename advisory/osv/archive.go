package osv

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// archived returns the format of a member, and other for what is no record.
func archived(name string) format {
	if strings.HasPrefix(path.Base(name), ".") {
		return other
	}
	f := formatOf(name)
	if f == zipped || f == tarred {
		return other
	}
	return f
}

func (w *walker) zip(name string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read advisories: %w", err)
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return fmt.Errorf("read advisories from %s: %v: %w", name, err, fault.Invalid)
	}
	for _, m := range z.File {
		format := archived(m.Name)
		if format == other || !m.Mode().IsRegular() {
			continue
		}
		where := name + "!/" + m.Name
		r, err := m.Open()
		if err != nil {
			err = w.broken(&advisory.RecordError{File: where, Err: fmt.Errorf("%v: %w", err, fault.Invalid)})
		} else {
			err = w.member(where, format, r)
			r.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tar reads an archive, which may be compressed with gzip. It is read as it
// comes: where it breaks, the walk ends.
func (w *walker) tar(name string, f io.Reader) error {
	var r io.Reader = bufio.NewReaderSize(f, 256<<10)
	if head, _ := r.(*bufio.Reader).Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		zr, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("read advisories from %s: %v: %w", name, err, fault.Invalid)
		}
		defer zr.Close()
		r = zr
	}
	tr := tar.NewReader(&bounded{r: r, where: name, max: w.parser.opts.MaxBytes})
	for n := 1; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if errors.Is(err, fault.Limit) {
			return fmt.Errorf("read advisories: %w", err)
		}
		if err != nil {
			return fmt.Errorf("read advisories from %s: member %d: %v: %w", name, n, err, fault.Invalid)
		}
		format := archived(h.Name)
		if format == other || h.Typeflag != tar.TypeReg {
			continue
		}
		if err := w.member(name+"!/"+path.Clean(h.Name), format, tr); err != nil {
			return err
		}
	}
}

// bounded reads at most max bytes, those of members that are passed over too.
type bounded struct {
	r     io.Reader
	where string
	max   int64
	n     int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.n += int64(n); b.n > b.max {
		return 0, &fault.LimitError{What: "bytes of an archive, unpacked", Where: b.where, Max: b.max}
	}
	return n, err
}
