package java

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/zipstream"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Limits of one archive, beside those of the scan's budget.
const (
	maxManifest    = 1 << 20  // bytes of a manifest's main section
	maxDescriptor  = 64 << 10 // bytes of a pom.properties
	maxProject     = 4 << 20  // bytes of a pom.xml
	maxDescriptors = 10_000   // Maven descriptors in one archive
	maxInner       = 50_000   // archives in one archive
	maxProblems    = 16       // problems told of one file; the rest is counted
)

// walk is the reading of one file: the archive and the archives inside.
type walk struct {
	ctx      context.Context
	file     *analyzer.File
	facts    []analyzer.Fact
	keys     map[string]int // how often a key was asked for
	held     int64          // bytes of inflated archives in memory
	problems []error
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

func extractArchive(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	r, err := f.ReaderAt()
	if err != nil {
		return nil, fmt.Errorf("read archive %s: %w", f.Path, err)
	}
	w := &walk{ctx: ctx, file: f, keys: map[string]int{}}
	if err := w.archive(place{r: r, size: f.Size, key: "."}); err != nil {
		return w.facts, err
	}
	if w.more > 0 {
		w.problems = append(w.problems, fmt.Errorf("%s: %d more problems", f.Path, w.more))
	}
	return w.facts, errors.Join(w.problems...)
}

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
		w.problem(at, err)
		return w.ctx.Err()
	}
	c, err := w.collect(at, z)
	if err != nil {
		return err
	}
	e := evidence{file: parseFileName(w.where(at)), has: func(dir string) bool { return hasFolder(z, dir) }}
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

// contents are the members of an archive that are looked at.
type contents struct {
	manifest    *zipstream.Member // the last one, as for a Java runtime
	descriptors []descriptor
	inner       []zipstream.Member
}

// descriptor is a folder META-INF/maven/group/artifact: its pom.properties,
// its pom.xml, or both, and what they say.
type descriptor struct {
	folder     string
	properties *zipstream.Member
	project    *zipstream.Member

	coordinates
	licenses []sbom.License
}

// collect streams through the directory of an archive.
func (w *walk) collect(at place, z *zipstream.Archive) (contents, error) {
	var c contents
	folders := map[string]int{}
	n := 0
	for m, err := range z.Members() {
		if err != nil {
			w.problem(at, err)
			break
		}
		if n++; n%1024 == 0 && w.ctx.Err() != nil {
			return c, w.ctx.Err()
		}
		err = c.take(m, folders)
		if err != nil {
			w.problem(at, err)
			break
		}
	}
	if overlap := zipstream.Overlap(slices.Clone(c.inner)); overlap != nil {
		w.problem(at, overlap)
		c.inner = nil
	}
	return c, w.ctx.Err()
}

// take keeps m if it is one of those that are looked at.
func (c *contents) take(m *zipstream.Member, folders map[string]int) error {
	switch name := m.Name; {
	case len(name) < 5 || m.IsDir():
	case string(name) == "META-INF/MANIFEST.MF":
		own := m.Clone()
		c.manifest = &own
	case name[len(name)-1] == 's' && path.Base(string(name)) == "pom.properties":
		return c.describe(m, folders)
	case name[len(name)-1] == 'l' && path.Base(string(name)) == "pom.xml" && inDescriptors(string(name)):
		return c.describe(m, folders)
	case (name[len(name)-4] == '.' || name[len(name)-5] == '.') && isArchive(string(name)):
		if len(c.inner) >= maxInner {
			return &fault.LimitError{What: "archives in one archive", Where: string(name), Max: maxInner}
		}
		c.inner = append(c.inner, m.Clone())
	}
	return nil
}

// describe adds one file of a descriptor. Where a name appears twice, each is a
// descriptor of its own: none is lost.
func (c *contents) describe(m *zipstream.Member, folders map[string]int) error {
	own := m.Clone()
	folder, base := path.Split(string(own.Name))
	slot := func(d *descriptor) **zipstream.Member {
		if base == "pom.xml" {
			return &d.project
		}
		return &d.properties
	}
	if i, ok := folders[folder]; ok {
		if s := slot(&c.descriptors[i]); *s == nil {
			*s = &own
			return nil
		}
	}
	if len(c.descriptors) >= maxDescriptors {
		return &fault.LimitError{What: "Maven descriptors in one archive", Where: string(own.Name), Max: maxDescriptors}
	}
	folders[folder] = len(c.descriptors)
	d := descriptor{folder: folder}
	*slot(&d) = &own
	c.descriptors = append(c.descriptors, d)
	return nil
}

// hasFolder reports whether anything in the archive is below a folder.
func hasFolder(z *zipstream.Archive, dir string) bool {
	for m, err := range z.Members() {
		if err != nil {
			return false
		}
		if len(m.Name) > len(dir) && string(m.Name[:len(dir)]) == dir {
			return true
		}
	}
	return false
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
	at.r = inMemory(data)
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

// digest returns the SHA-1 of an archive: the name by which indexes of Maven
// repositories know an archive whose coordinates it does not tell.
func digest(at place) ([]sbom.Hash, error) {
	h := sha1.New()
	if _, err := io.Copy(h, io.NewSectionReader(at.r, 0, at.size)); err != nil {
		return nil, err
	}
	return []sbom.Hash{{Algorithm: "sha1", Value: hex.EncodeToString(h.Sum(nil))}}, nil
}
