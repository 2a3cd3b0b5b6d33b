package layer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// Runtimes that fetch a layer file by file (eStargz, zstd:chunked) do not read
// its tar but a table of contents beside it. A table that says something else
// than the tar would make them run what no scanner saw.

const (
	tocName = "stargz.index.json" // eStargz spec, "TOC"
	maxTOC  = 256 << 20           // bytes of a table
	maxPart = 4 << 20             // bytes of one entry of it
)

// table is a table of contents.
type table struct {
	name  string             // what it is called in errors
	sum   string             // digest of its JSON
	files map[string]*listed // by cleaned path
}

// listed is a path of a table.
type listed struct {
	kind   EntryKind
	link   string
	size   int64
	digest string  // of the content
	pieces []piece // the whole content in order
	seen   bool    // the tar has it
}

// piece is a part of a file that is fetched for itself.
type piece struct {
	off, size int64 // size 0: to the end of the file
	digest    string
	zeros     bool // it is a hole and has no digest
}

// tocEntry is one entry of a table: of the CRFS form that both kinds share.
type tocEntry struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	LinkName    string `json:"linkName"`
	Size        int64  `json:"size"`
	Digest      string `json:"digest"`
	ChunkOffset int64  `json:"chunkOffset"`
	ChunkSize   int64  `json:"chunkSize"`
	ChunkDigest string `json:"chunkDigest"`
	ChunkType   string `json:"chunkType"`
}

var tocKinds = map[string]EntryKind{
	"reg": EntryFile, "dir": EntryDir, "symlink": EntrySymlink, "hardlink": EntryHardlink,
	"char": EntryOther, "block": EntryOther, "fifo": EntryOther,
}

// readTOC reads the table of an eStargz layer, which is a file of its tar. What
// is wrong with it matters where runtimes would find it: see tables.
func (p *pass) readTOC(size int64) error {
	p.toc, p.tocErr = nil, nil
	if size > maxTOC {
		p.tocErr = &fault.LimitError{What: "bytes of a table of contents", Where: tocName, Max: maxTOC, Seen: size}
		return nil
	}
	p.toc, p.tocErr = p.readTable(tocName, &body{p: p, size: size, left: size})
	if p.s.err != nil && p.s.err != io.EOF { // the layer is damaged, not the table
		return p.s.err
	}
	return nil
}

// readTable reads a table one entry at a time, to the end of r.
func (p *pass) readTable(name string, r io.Reader) (*table, error) {
	h := sha256.New()
	part := &partReader{r: io.TeeReader(r, h), where: name}
	t := &table{name: name, files: map[string]*listed{}}
	d := jsontext.NewDecoder(part)
	err := eachTOCEntry(d, func(e *tocEntry) error {
		part.n = 0
		return t.take(p, e)
	})
	if err == nil {
		if _, end := d.ReadToken(); end != io.EOF {
			err = fmt.Errorf("content follows the end: %w", fault.Invalid)
		}
	}
	if err != nil && fault.KindOf(err) == "" {
		err = fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	if err != nil {
		return nil, fmt.Errorf("table of contents %s: %w", name, err)
	}
	t.sum = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return t, nil
}

// take enters one entry.
func (t *table) take(p *pass, e *tocEntry) error {
	name, _ := cleanPath(e.Name)
	name = strings.Clone(name)
	l, known := t.files[name]
	kind, ok := tocKinds[e.Type]
	switch {
	case e.Type == "chunk":
		if l == nil || l.kind != EntryFile {
			return fmt.Errorf("%q: a chunk of no file: %w", name, fault.Invalid)
		}
	case !ok:
		return fmt.Errorf("%q: unknown type %q: %w", name, e.Type, fault.Invalid)
	case name == "" || known && kind == EntryDir && l.kind == EntryDir:
		return nil
	case known:
		return fmt.Errorf("%q: the table has it twice: %w", name, fault.Mismatch)
	default:
		l = &listed{kind: kind, size: e.Size, digest: e.Digest}
		switch kind {
		case EntrySymlink:
			l.link = escape(e.LinkName)
		case EntryHardlink:
			l.link, _ = cleanPath(e.LinkName)
		}
		t.files[name] = l
	}
	if l.kind == EntryFile {
		zeros := e.ChunkType == "zeros"
		if e.ChunkType != "" && !zeros {
			return fmt.Errorf("%q: unknown type of chunk %q: %w", name, e.ChunkType, fault.Invalid)
		}
		l.pieces = append(l.pieces, piece{e.ChunkOffset, e.ChunkSize, e.ChunkDigest, zeros})
	}
	return p.keep(weightGap + int64(len(name)+len(l.link)))
}

// partReader bounds what a decoder holds before it gives the next entry out.
type partReader struct {
	r     io.Reader
	where string
	n     int64
}

func (p *partReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.n += int64(n); p.n > maxPart {
		return n, &fault.LimitError{What: "bytes of one entry of a table of contents", Where: p.where, Max: maxPart, Seen: p.n}
	}
	return n, err
}

// eachTOCEntry walks the array "entries" of a JSON object. Names are matched
// without case, as the readers of tables do; a name that comes twice is refused.
func eachTOCEntry(d *jsontext.Decoder, each func(*tocEntry) error) error {
	if err := expect(d, '{'); err != nil {
		return err
	}
	found := false
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if !strings.EqualFold(name.String(), "entries") {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if found {
			return fmt.Errorf("two lists of entries: %w", fault.Invalid)
		}
		found = true
		if err := expect(d, '['); err != nil {
			return err
		}
		for d.PeekKind() == '{' {
			var e tocEntry
			if err := json.UnmarshalDecode(d, &e, json.MatchCaseInsensitiveNames(true)); err != nil {
				return err
			}
			if err := each(&e); err != nil {
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
