package layer

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	tocName = "stargz.index.json" // eStargz spec, "TOC"
	maxTOC  = 256 << 20           // bytes
	maxPart = 4 << 20             // bytes of one entry of it
)

// tocEntry is one entry of the table of contents of an eStargz layer.
type tocEntry struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

var tocKinds = map[string]EntryKind{
	"reg": EntryFile, "dir": EntryDir, "symlink": EntrySymlink, "hardlink": EntryHardlink,
	"char": EntryOther, "block": EntryOther, "fifo": EntryOther,
}

// readTOC reads the table of contents that lazy-pulling runtimes use instead
// of the tar, one entry at a time.
func (p *pass) readTOC(size int64) error {
	if size > maxTOC {
		return &fault.LimitError{What: "bytes of a table of contents", Where: tocName, Max: maxTOC, Seen: size}
	}
	p.toc = map[string]EntryKind{}
	r := &partReader{r: &body{p: p, size: size, left: size}}
	err := eachTOCEntry(jsontext.NewDecoder(r), func(e tocEntry) error {
		r.n = 0
		name, _ := cleanPath(e.Name)
		whiteout := strings.HasPrefix(path.Base(name), ".wh.") // not an entry
		kind, ok := tocKinds[e.Type]
		if !ok || name == "" || whiteout {
			return nil
		}
		if was, known := p.toc[name]; known && was != kind {
			return fmt.Errorf("%q: the table of contents (%s) has it as %q and as %q: %w", name, tocName, was, kind, fault.Mismatch)
		}
		p.toc[strings.Clone(name)] = kind
		return p.keep(weightLink + int64(len(name)))
	})
	switch {
	case err == nil:
		return nil
	case fault.KindOf(err) != "":
		return err
	case p.s.err != nil && p.s.err != io.EOF: // the layer is damaged, not the table
		return p.s.err
	}
	return fmt.Errorf("%s: %v: %w", tocName, err, fault.Invalid)
}

// partReader bounds what a decoder holds before it gives the next entry out.
type partReader struct {
	r io.Reader
	n int64
}

func (p *partReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.n += int64(n); p.n > maxPart {
		return n, &fault.LimitError{What: "bytes of one entry of a table of contents", Where: tocName, Max: maxPart, Seen: p.n}
	}
	return n, err
}

// eachTOCEntry walks the array "entries" of a JSON object.
func eachTOCEntry(d *jsontext.Decoder, each func(tocEntry) error) error {
	if err := expect(d, '{'); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if name.String() != "entries" {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := expect(d, '['); err != nil {
			return err
		}
		for d.PeekKind() == '{' {
			var e tocEntry
			if err := json.UnmarshalDecode(d, &e); err != nil {
				return err
			}
			if err := each(e); err != nil {
				return err
			}
		}
		if err := expect(d, ']'); err != nil {
			return err
		}
	}
	return expect(d, '}')
}

func expect(d *jsontext.Decoder, kind jsontext.Kind) error {
	t, err := d.ReadToken()
	if err == nil && t.Kind() != kind {
		err = fmt.Errorf("a %v where a %v belongs", t.Kind(), kind)
	}
	return err
}

// checkTOC refuses a layer whose table of contents names other files than its
// tar: a runtime that trusts the table would run what no scanner saw. Content
// is not compared: the table's own digests bind it to the verified blob.
func (p *pass) checkTOC() error {
	if p.toc == nil {
		return nil
	}
	left := len(p.toc)
	for e := range p.frag.Entries.All() {
		if e.Path == tocName {
			continue
		}
		kind, listed := p.toc[e.Path]
		if kind == 0 && listed {
			continue // a repeated path, counted already
		}
		if !listed && e.Kind == EntryDir {
			continue // folders may be implied
		}
		if !listed || kind != e.Kind {
			return fmt.Errorf("%q: the tar has it as %q, the table of contents (%s) as %q: %w", e.Path, e.Kind, tocName, kind, fault.Mismatch)
		}
		p.toc[e.Path] = 0
		left--
	}
	if left == 0 {
		return nil
	}
	for _, name := range sortedKeys(p.toc) {
		if p.toc[name] != 0 && p.toc[name] != EntryDir {
			return fmt.Errorf("%q: the table of contents (%s) has it, the tar has not: %w", name, tocName, fault.Mismatch)
		}
	}
	return nil
}
