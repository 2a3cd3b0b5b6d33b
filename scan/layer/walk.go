package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Options say how layers are read. Analyzers is required.
type Options struct {
	Analyzers *analyzer.Set
	// Budget is shared by all layers of a scan. Nil means one of default limits.
	Budget *analyzer.Budget
	// Memory is shared by all layers of a scan. Nil means one of its own.
	Memory *Memory
	// TempDir is where files that need random access are kept while their
	// analyzer runs, without a name. Default: the system's.
	TempDir string
	// Progress, if set, is told how many stored bytes were read, from several
	// goroutines.
	Progress func(stored int64)
}

func (o *Options) resolved() *Options {
	r := *o
	if r.Budget == nil {
		r.Budget = analyzer.NewBudget(analyzer.Limits{})
	}
	if r.Memory == nil {
		r.Memory = new(Memory)
	}
	return &r
}

// Scan reads one layer and returns what it says. The stored bytes are verified
// against the descriptor's digest and size, the uncompressed bytes against
// DiffID: content that is not what it was named as gives an error of the kind
// "content mismatch" that names both digests, and no fragment. A layer that is
// damaged is an error; a file in it that is damaged is a gap.
func Scan(ctx context.Context, b Blob, opt *Options) (*Fragment, error) {
	opt = opt.resolved()
	p := newPass(ctx, opt)
	p.frag.DiffID = b.DiffID
	if err := p.run(b); err != nil {
		return nil, fmt.Errorf("layer %s: %w", b.DiffID, err)
	}
	if p.lazy != nil {
		if err := checkTable(ctx, b, p.lazy, opt); err != nil {
			return nil, fmt.Errorf("layer %s: %w", b.DiffID, err)
		}
	}
	p.lazy, p.toc = nil, nil
	late, err := p.settleLinks()
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", b.DiffID, err)
	}
	for name, by := range p.once {
		if late == nil {
			late = map[string][]want{}
		}
		late[name] = append(late[name], want{as: name, before: math.MaxInt64, by: by})
	}
	if len(late) > 0 {
		files, gaps, err := reread(ctx, b, late, opt)
		if err != nil {
			return nil, err
		}
		p.frag.Files, p.frag.Gaps = append(p.frag.Files, files...), append(p.frag.Gaps, gaps...)
	}
	p.finish()
	return p.frag, nil
}

// Reread reads a layer a second time for files that are wanted under other
// paths than their own, because links lead to them. also maps the path of a
// file to the paths under which analyzers shall see it. Each pair that leads to
// no regular file of the layer is a gap. What is read is verified as the first
// time: it may come from elsewhere.
func Reread(ctx context.Context, b Blob, also map[string][]string, opt *Options) ([]FileFacts, []sbom.Gap, error) {
	return reread(ctx, b, wanted(also), opt.resolved())
}

func reread(ctx context.Context, b Blob, also map[string][]want, opt *Options) ([]FileFacts, []sbom.Gap, error) {
	p := newPass(ctx, opt)
	p.frag.DiffID, p.also = b.DiffID, also
	p.opt.Progress = nil
	if err := p.run(b); err != nil {
		return nil, nil, fmt.Errorf("layer %s, second reading: %w", b.DiffID, err)
	}
	p.missing()
	p.finish()
	return p.frag.Files, p.frag.Gaps, nil
}

// pass is one reading of one layer or tree.
type pass struct {
	ctx     context.Context
	opt     *Options
	set     *analyzer.Set
	frag    *Fragment
	seen    map[string][]captured // by path
	links   []hardlink
	linked  map[string]int    // path → index in links, while no later entry has the path
	also    map[string][]want // second reading: wanted files → paths to use
	sums    map[string]string // reading for digests: by path
	once    map[string][]int  // analyzers that must see a file again
	served  map[string]bool   // second reading: paths that were found
	shown   int64             // second reading: bytes shown
	tocErr  error             // why it could not be read
	toc     *table            // of the tar itself
	lazy    *table            // the one that runtimes use
	against *table            // reading to compare: with this one
	by      []int             // analyzers of the current file
	paths   int               // how many of by want its path
	buffer  bytes.Buffer
	buffers []*bytes.Buffer // for analyzers that share a file
	held    []byte
	owed    int64                   // memory not charged yet
	more    map[sbom.GapCode]excess // gaps that are not listed

	s   *stream
	tar *tarReader
	at  io.ReaderAt // for reading in place, or nil

	tree bool // the pass is over a folder
}

func newPass(ctx context.Context, opt *Options) *pass {
	o := *opt
	return &pass{
		ctx: ctx, opt: &o, set: opt.Analyzers, seen: map[string][]captured{}, served: map[string]bool{},
		frag: &Fragment{Version: FragmentVersion, Analyzers: opt.Analyzers.Identity()},
	}
}

// run walks the tar of b and verifies it.
func (p *pass) run(b Blob) (err error) {
	o, err := openBlob(p.ctx, b, p.opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if at, ok := o.blob.(io.ReaderAt); ok && o.encoding == plain {
		p.at = at
	}
	diff, err := newHash(b.DiffID)
	if err != nil {
		return err
	}
	if o.encoding == plain && o.stored.hash != nil && b.Descriptor.Digest == b.DiffID {
		diff = nil // one hash is enough
	}
	if o.encoding == plain {
		p.s = newPlain(o.body, diff)
	} else {
		p.s = newStream(o.body, diff)
	}
	err = p.walk()
	if err == nil {
		err = p.tail()
	}
	p.s.close()
	if err != nil {
		return o.explain(err, b)
	}
	p.frag.Size = p.s.taken
	p.noteEncoding(o, b)
	trailing, err := o.finish()
	if err != nil {
		return fmt.Errorf("after the end of the tar: %w", err)
	}
	if trailing > 0 {
		p.oddity("", fmt.Sprintf("%d stored bytes follow the compressed data", trailing))
	}
	if err := o.verify(b, diff); err != nil || p.again() {
		return err
	}
	p.lazy, err = p.tables(b, o)
	return err
}

// noteEncoding records a label that does not say how the layer is stored.
func (p *pass) noteEncoding(o *opened, b Blob) {
	label := b.Descriptor.MediaType
	claimed := plain
	switch {
	case label == "":
		return
	case strings.HasSuffix(label, "gzip"):
		claimed = gz
	case strings.HasSuffix(label, "zstd"):
		claimed = zst
	}
	if claimed != o.encoding {
		p.oddity("", fmt.Sprintf("media type %s, but the layer is stored with compression %q", label, o.encoding))
	}
}

func (p *pass) walk() error {
	p.tar = &tarReader{s: p.s, names: p.opt.Budget.Limits.PathBytes}
	for {
		h, err := p.tar.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return unexpected(err)
		}
		if err := p.opt.Budget.Entry(h.name); err != nil {
			return err
		}
		if err := p.entry(h); err != nil {
			return fmt.Errorf("%q: %w", h.name, err)
		}
	}
}

// tail takes what follows the end marker, which unpackers never look at.
func (p *pass) tail() error {
	nonzero, err := p.s.drain()
	if err == nil && nonzero {
		p.oddity("", "content follows the end of the tar; unpackers do not see it")
	}
	return err
}

// entry handles one header; the content, if any, is next in the stream.
func (p *pass) entry(h header) error {
	name, odd := cleanPath(h.name)
	if odd != "" {
		p.oddity(name, odd)
	}
	if h.odd != "" {
		p.oddity(name, h.odd)
	}
	if name == "" {
		if h.flag != '5' {
			p.oddity("", fmt.Sprintf("an entry of type %q has the name of the root: %q", h.flag, h.name))
		}
		return nil
	}
	if p.against != nil {
		return p.compare(h, name)
	}
	if p.sums != nil {
		return p.sum(h, name)
	}
	if p.also != nil {
		if h.flag == '0' || h.flag == '7' || h.flag == 'S' {
			return p.serve(h, name)
		}
		return nil
	}
	if hidden, err := p.whiteout(name); hidden || err != nil {
		return err
	}
	if len(p.seen[name]) > 0 || p.once[name] != nil {
		p.forget(name)
		p.oddity(name, "the path appears more than once in the layer; the last entry counts")
	}
	if len(p.linked) > 0 {
		delete(p.linked, name)
	}
	return p.member(h, name)
}

// member handles an entry that is something in the file system.
func (p *pass) member(h header, name string) error {
	kind, link := kindOf(h)
	if kind == EntryOther && (h.flag < '3' || h.flag > '6') {
		p.oddity(name, fmt.Sprintf("unknown tar entry type %q", h.flag))
	}
	if err := p.add(kind, name, link); err != nil {
		return err
	}
	switch {
	case kind == EntryHardlink:
		return p.link(name, link)
	case kind == EntryFile && name == tocName:
		return p.readTOC(h.size)
	case kind == EntryFile:
		return p.regular(h, name)
	}
	return nil
}

// kindOf returns what a header is, and the target of a link.
func kindOf(h header) (kind EntryKind, link string) {
	switch h.flag {
	case '0', '7', 'S':
		return EntryFile, ""
	case '1':
		link, _ = cleanPath(h.link)
		return EntryHardlink, link
	case '2':
		return EntrySymlink, escape(h.link)
	case '5':
		return EntryDir, ""
	}
	return EntryOther, ""
}

// add notes one path.
func (p *pass) add(kind EntryKind, name, link string) error {
	before := p.frag.Entries.size
	p.frag.Entries.Add(kind, name, link)
	return p.keep(int64(p.frag.Entries.size - before))
}

// whiteout records a removal of the OCI image-spec (layer.md, "Whiteouts") and
// reports whether name is one.
func (p *pass) whiteout(name string) (bool, error) {
	slash := strings.LastIndexByte(name, '/') + 1
	base := name[slash:]
	if !strings.HasPrefix(base, ".wh.") {
		return false, nil
	}
	switch hidden := base[len(".wh."):]; {
	case base == ".wh..wh..opq":
		p.frag.Opaque = append(p.frag.Opaque, strings.TrimSuffix(name[:slash], "/"))
		if slash == 0 {
			// overlayfs has no opaque root: what the specification hides stays there.
			p.gap(sbom.GapOddity, true, "/", "the root is marked opaque; runtimes on overlayfs show the layers below all the same")
		}
	case strings.HasPrefix(hidden, ".wh."):
		p.oddity(name, "housekeeping of aufs; it removes nothing")
	case hidden == "" || hidden == "." || hidden == "..":
		p.oddity(name, "whiteout without a name")
	default:
		p.frag.Whiteouts = append(p.frag.Whiteouts, name[:slash]+hidden)
	}
	return true, p.keep(weightString + int64(len(name)))
}
