package cargo

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxAudit bounds the list of one executable once it is inflated. The format's documentation
// calls this more than enough.
const maxAudit = 8 << 20

// readAudit returns the crates that cargo-auditable wrote into an executable, and nothing
// for one without its section.
func readAudit(f *analyzer.File) ([]analyzer.Fact, error) {
	at, err := f.ReaderAt()
	if errors.Is(err, analyzer.ErrForward) {
		return nil, look(f)
	}
	if err != nil {
		return nil, err
	}
	section, err := findSection(at, f.Size)
	if section == nil || err != nil {
		return nil, err
	}
	data, err := inflate(section, f)
	if err != nil {
		return nil, fmt.Errorf("section %s: %w", sectionName, err)
	}
	facts, err := readCrates(data)
	if err != nil {
		return facts, fmt.Errorf("section %s: %w", sectionName, err)
	}
	return facts, nil
}

// inflate returns what a section in zlib's format holds. What the linker padded it with is
// left out.
func inflate(section io.Reader, f *analyzer.File) ([]byte, error) {
	in := &source{r: section}
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, in.reason(err)
	}
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.LimitReader(&charged{z, f}, maxAudit+1)); err != nil {
		return nil, in.reason(err)
	}
	if out.Len() > maxAudit {
		return nil, &fault.LimitError{What: "bytes inflated", Where: f.Path, Max: maxAudit}
	}
	return out.Bytes(), nil
}

// source remembers why the compressed bytes could not be read, if so.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// reason tells a file that cannot be read, or a limit, from bytes that are not zlib's.
func (s *source) reason(err error) error {
	switch {
	case s.err != nil:
		return s.err
	case errors.Is(err, fault.Limit):
		return err
	}
	return fmt.Errorf("%v: %w", err, fault.Invalid)
}

// charged counts what comes out of a section.
type charged struct {
	r io.Reader
	f *analyzer.File
}

func (c *charged) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if over := c.f.Budget.Derive(c.f.Path, int64(n)); over != nil {
		return n, over
	}
	return n, err
}

// crate is one element of the list.
type crate struct {
	name, version, source, kind string
	root                        bool
	needs                       []string // indexes in the list
}

func (c *crate) key() string {
	if c.source == "local" {
		return id(c.name, c.version, "")
	}
	return id(c.name, c.version, c.source)
}

// readCrates reads the list (https://github.com/rust-secure-code/cargo-auditable, file
// cargo-auditable.schema.json). Of a crate that is needed both to build and to run it says
// "runtime"; what only tests need is not in it.
func readCrates(data []byte) ([]analyzer.Fact, error) {
	var crates []crate
	r := jsontext.New(data)
	err := r.Document(func() {
		if !r.Object(func(key []byte) {
			if string(key) != "packages" {
				return
			}
			crates = nil
			r.Array(func() { crates = append(crates, readCrate(r)) })
		}) {
			r.Fail("expected an object")
		}
	})
	f := locked.File{Entries: make([]locked.Entry, 0, min(len(crates), locked.MaxEntries))}
	for i := range crates {
		e, odd := crateEntry(crates, i)
		if odd != nil {
			f.Odd(odd)
		}
		f.Put(e)
	}
	facts, err := f.Facts(err)
	for i := range facts {
		facts[i].Package.State = sbom.Installed
	}
	return facts, err
}

func readCrate(r *jsontext.Reader) (c crate) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "name":
			c.name, _ = r.Text()
		case "version":
			c.version, _ = r.Text()
		case "source":
			c.source, _ = r.Text()
		case "kind":
			c.kind, _ = r.Text()
		case "root":
			c.root = r.Truth()
		case "dependencies":
			c.needs = nil
			r.Array(func() { c.needs = append(c.needs, string(r.Raw())) })
		}
	})
	return c
}

// crateEntry makes an entry of the crate at index i. Only crates of crates.io have a package
// URL: of others the list says neither the registry nor the repository.
func crateEntry(crates []crate, i int) (e locked.Entry, odd error) {
	c := &crates[i]
	e = locked.Entry{Key: c.key(), Package: sbom.Package{Name: c.name, Version: c.version}}
	if c.source == "crates.io" {
		e.Package.PURL = locked.URL("cargo", "", c.name, c.version)
	} else {
		e.Package.Properties = []sbom.Property{{Name: "cargo:source", Value: c.source}}
	}
	if c.root {
		e.Package.Type = "application"
	}
	if c.kind == "build" {
		e.Package.Scope = sbom.ScopeDev
	}
	for _, text := range c.needs {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n >= uint64(len(crates)) {
			odd = fmt.Errorf("crate %q depends on %.20q of %d: %w", c.name, text, len(crates), fault.Invalid)
			continue
		}
		e.Wants = append(e.Wants, crates[n].key())
	}
	return e, odd
}
