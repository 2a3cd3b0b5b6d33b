package java

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/zipstream"
	"github.com/stella-ops/stella/scan/analyzer"
)

// Limits of one archive, beside those of the scan's budget.
const (
	maxManifest    = 1 << 20  // bytes of a manifest's main section
	maxDescriptor  = 64 << 10 // bytes of a pom.properties
	maxProject     = 4 << 20  // bytes of a pom.xml
	maxDescriptors = 10_000   // Maven descriptors in one archive
	maxInner       = 50_000   // archives in one archive
	maxName        = 4096     // bytes of the name of a member that is looked at
	maxProblems    = 16       // problems told of one file; the rest is counted
)

// walk is the reading of one file: the archive and the archives inside.
type walk struct {
	ctx      context.Context
	file     *analyzer.File
	digests  bool
	facts    []analyzer.Fact
	keys     map[string]int // how often a key was asked for
	held     int64          // bytes of inflated archives in memory
	problems problems
	more     int // problems that are only counted
}

// place is one archive of a walk.
type place struct {
	r      io.ReaderAt
	size   int64
	inner  string // path inside the file; empty for the file itself
	key    string
	parent string // key of the archive that holds it
	depth  int64
}

func extractArchive(ctx context.Context, f *analyzer.File, digests bool) ([]analyzer.Fact, error) {
	r, err := f.ReaderAt()
	if err != nil {
		return nil, fmt.Errorf("read archive %s: %w", f.Path, err)
	}
	w := &walk{ctx: ctx, file: f, digests: digests, keys: map[string]int{}}
	if err := w.archive(place{r: r, size: f.Size, key: "."}); err != nil {
		return w.facts, err
	}
	if len(w.problems) == 0 {
		return w.facts, nil
	}
	if w.more > 0 {
		w.problems = append(w.problems, fmt.Errorf("%s: %d more problems", f.Path, w.more))
	}
	return w.facts, w.problems
}

// problems are the errors of one walk, told in one line.
type problems []error

func (p problems) Error() string {
	var b strings.Builder
	for i, err := range p {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

func (p problems) Unwrap() []error { return p }

// problem records an error about one place; the walk goes on.
func (w *walk) problem(at place, err error) {
	if len(w.problems) >= maxProblems {
		w.more++
		return
	}
	w.problems = append(w.problems, fmt.Errorf("read archive %s: %w", w.where(at), err))
}

// where names a place for messages.
func (w *walk) where(at place) string {
	if at.inner == "" {
		return w.file.Path
	}
	return w.file.Path + "!/" + at.inner
}

// archive reads one archive and those in it. An error ends the walk; what is
// only about this archive is a problem.
func (w *walk) archive(at place) error {
	z, err := zipstream.Open(at.r, at.size)
	if err == nil {
		err = w.file.Budget.Member(w.where(at), z.Count())
	}
	if err != nil {
		if !foreign(at, w.where(at)) {
			w.problem(at, err)
		}
		return w.ctx.Err()
	}
	c, err := w.collect(at, z)
	if err != nil {
		return err
	}
	e := evidence{file: parseFileName(w.where(at)), inside: directory{z}}
	if c.manifest != nil {
		e.manifest = w.readManifest(at, z, c.manifest)
	}
	for i := range c.descriptors {
		w.readDescriptor(at, z, &c.descriptors[i])
		e.poms = append(e.poms, c.descriptors[i].coordinates)
	}
	w.report(at, &c, &e, e.identify())
	for i := range c.inner {
		if err := w.nested(at, z, &c.inner[i]); err != nil {
			return err
		}
	}
	return nil
}

// foreign reports whether a file that is no zip archive is of another format
// with the same extension: Nix and Perl archives, and more.
func foreign(at place, name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".nar", ".par", ".sar", ".kar", ".lpkg":
	default:
		return false
	}
	var head [4]byte
	n, _ := at.r.ReadAt(head[:], 0)
	return n == len(head) && string(head[:2]) != "PK"
}

// nested reads an archive inside another one: in place where it is stored,
// else inflated into memory.
func (w *walk) nested(outer place, z *zipstream.Archive, m *zipstream.Member) error {
	at := place{inner: innerPath(outer.inner, string(m.Name)), parent: outer.key, depth: outer.depth + 1, size: m.Size}
	at.key = w.key(at.inner)
	if limit := w.file.Budget.Limits.ArchiveDepth; at.depth > limit {
		w.problem(at, &fault.LimitError{What: "archives within archives", Where: w.where(at), Max: limit, Seen: at.depth})
		return nil
	}
	if m.Method == zipstream.Stored && !m.Encrypted {
		raw, err := z.Raw(m)
		if err != nil {
			w.problem(at, err)
			return w.ctx.Err()
		}
		at.r, at.size = raw, raw.Size()
		return w.archive(at)
	}
	limit := w.file.Budget.Limits.FileBytes
	if w.held+m.Size > limit {
		w.problem(at, &fault.LimitError{What: "bytes of compressed archives held at once", Where: w.where(at), Max: limit, Seen: w.held + m.Size})
		return nil
	}
	data, err := w.content(at, z, m, limit)
	if err != nil {
		w.problem(at, err)
		return w.ctx.Err()
	}
	w.held += m.Size
	at.r = bytes.NewReader(data)
	err = w.archive(at)
	w.held -= m.Size
	return err
}

// innerPath joins the place of an archive and a name in it. Names are taken as
// relative to the archive's root whatever they claim.
func innerPath(outer, name string) string {
	name = strings.TrimPrefix(path.Clean("/"+strings.ToValidUTF8(strings.ReplaceAll(name, `\`, "/"), "\uFFFD")), "/")
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, name)
	if outer == "" {
		return name
	}
	return outer + "!/" + name
}

// key returns a key that no other fact of the file has. No archive is called
// "2", so numbered keys do not meet others.
func (w *walk) key(k string) string {
	n := w.keys[k] + 1
	if w.keys[k] = n; n > 1 {
		return k + "/" + strconv.Itoa(n)
	}
	return k
}
