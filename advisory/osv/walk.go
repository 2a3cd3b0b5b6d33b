package osv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Walk yields the records of each path in turn: a folder with all below it, a
// zip as osv.dev publishes one per ecosystem, a tar or tar.gz, or one file.
// Archives inside a folder are read too, archives inside archives are not.
// Records are in files ending in .json, .yaml or .yml, one each, or in .jsonl
// or .ndjson, one a line. Other files, links, and what starts with a dot are no
// records and are passed over.
//
// A record that cannot be used is yielded as an [*advisory.RecordError], after
// which the walk goes on. Any other error is the last that it yields: a path
// that cannot be read, a broken archive, a limit of the walk (which wraps
// [ErrLimit]), or the end of ctx.
func Walk(ctx context.Context, opts *Options, paths ...string) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		w := walker{ctx: ctx, parser: newParser(opts), yield: yield}
		for _, p := range paths {
			if err := w.path(p); err != nil {
				if !errors.Is(err, errStop) {
					yield(nil, err)
				}
				return
			}
		}
	}
}

// errStop ends a walk whose consumer has had enough.
var errStop = errors.New("stop")

type walker struct {
	ctx     context.Context
	parser  *parser
	yield   func(*advisory.Record, error) bool
	buf     []byte
	records int64
	bytes   int64
}

// format says how a file holds records.
type format uint8

const (
	other format = iota
	single
	singleYAML
	lines
	zipped
	tarred
)

// formatOf tells the format by the name.
func formatOf(name string) format {
	name = strings.ToLower(name)
	switch path.Ext(name) {
	case ".json":
		return single
	case ".yaml", ".yml":
		return singleYAML
	case ".jsonl", ".ndjson":
		return lines
	case ".zip":
		return zipped
	case ".tar", ".tgz":
		return tarred
	case ".gz":
		if strings.HasSuffix(name, ".tar.gz") {
			return tarred
		}
	}
	return other
}

func (w *walker) path(p string) error {
	info, err := os.Stat(p)
	if err != nil {
		return fmt.Errorf("read advisories: %w", err)
	}
	if !info.IsDir() {
		if formatOf(p) == other {
			return fmt.Errorf("read advisories from %s: want a folder, .zip, .tar, .tar.gz, .json, .jsonl or .yaml: %w", p, fault.Unsupported)
		}
		return w.file(p)
	}
	return filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read advisories: %w", err)
		case name != p && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		return w.file(name)
	})
}

// file reads one file of the file system.
func (w *walker) file(name string) error {
	format := formatOf(name)
	if format == other {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read advisories: %w", err)
	}
	defer f.Close()
	switch format {
	case zipped:
		return w.zip(name, f)
	case tarred:
		return w.tar(name, f)
	}
	return w.member(name, format, f)
}

// member reads a file of records, on its own or in an archive.
func (w *walker) member(name string, format format, r io.Reader) error {
	if format == lines {
		return w.lines(name, r)
	}
	text, err := w.read(r)
	if err != nil {
		return w.broken(&advisory.RecordError{File: name, Err: err})
	}
	return w.record(name, 0, format, text)
}

// read reads all of one record into the buffer.
func (w *walker) read(r io.Reader) ([]byte, error) {
	limit := w.parser.opts.MaxRecord
	w.buf = w.buf[:0]
	for {
		if int64(len(w.buf)) > limit {
			return nil, &fault.LimitError{What: "bytes of one record", Where: "the record", Max: limit}
		}
		if len(w.buf) == cap(w.buf) {
			w.buf = append(w.buf, 0)[:len(w.buf)]
		}
		room := min(int64(cap(w.buf)), limit+1)
		n, err := r.Read(w.buf[len(w.buf):room])
		w.buf = w.buf[:len(w.buf)+n]
		switch {
		case err == io.EOF:
			return w.buf, nil
		case err != nil:
			return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
		}
	}
}

// lines reads a file of records, one a line. An overlong line is set aside.
func (w *walker) lines(name string, r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	limit := w.parser.opts.MaxRecord
	for n := 1; ; n++ {
		w.buf = w.buf[:0]
		long, err := false, error(nil)
		for {
			var part []byte
			part, err = in.ReadSlice('\n')
			if long = long || int64(len(w.buf)+len(part)) > limit; !long {
				w.buf = append(w.buf, part...)
			}
			if err != bufio.ErrBufferFull {
				break
			}
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("read advisories from %s: line %d: %w", name, n, err)
		}
		var next error
		switch {
		case long:
			next = w.broken(&advisory.RecordError{File: name, Line: n, Err: &fault.LimitError{What: "bytes of one record", Where: "the line", Max: limit}})
		case len(strings.TrimSpace(string(w.buf[:min(len(w.buf), 64)]))) > 0:
			next = w.record(name, n, single, w.buf)
		}
		if next != nil || err == io.EOF {
			return next
		}
	}
}

// record reads one record and yields it.
func (w *walker) record(name string, line int, format format, text []byte) error {
	if err := w.count(name, len(text)); err != nil {
		return err
	}
	var r *advisory.Record
	var err error
	if format == singleYAML {
		r, err = parseYAML(w.parser, text, name)
	} else {
		r, err = parse(w.parser, text, name)
	}
	var broken *advisory.RecordError
	if errors.As(err, &broken) {
		broken.Line = line
	}
	if !w.yield(r, err) {
		return errStop
	}
	return nil
}

// broken yields a record that could not even be read.
func (w *walker) broken(err *advisory.RecordError) error {
	if limit := w.count(err.File, 0); limit != nil {
		return limit
	}
	if !w.yield(nil, err) {
		return errStop
	}
	return nil
}

// count keeps the limits of the walk.
func (w *walker) count(name string, n int) error {
	w.records++
	w.bytes += int64(n)
	if most := w.parser.opts.MaxRecords; w.records > most {
		return fmt.Errorf("read advisories: %w", &fault.LimitError{What: "records", Where: name, Max: most, Seen: w.records})
	}
	if most := w.parser.opts.MaxBytes; w.bytes > most {
		return fmt.Errorf("read advisories: %w", &fault.LimitError{What: "bytes of all records", Where: name, Max: most, Seen: w.bytes})
	}
	if err := w.ctx.Err(); err != nil {
		return fmt.Errorf("read advisories from %s: %w", name, err)
	}
	return nil
}
