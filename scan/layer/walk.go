package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Options say how layers are read. Analyzers is required.
type Options struct {
	Analyzers *analyzer.Set
	// Budget is shared by all layers of a scan. Nil means one of default limits.
	Budget *analyzer.Budget
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
	if err := p.run(b, true); err != nil {
		return nil, fmt.Errorf("layer %s: %w", b.DiffID, err)
	}
	if late := p.lateWants(); len(late) > 0 {
		files, gaps, err := Reread(ctx, b, late, opt)
		if err != nil {
			return nil, err
		}
		p.frag.Files, p.frag.Gaps = append(p.frag.Files, files...), append(p.frag.Gaps, gaps...)
	}
	return p.frag, nil
}

// Reread reads a layer a second time for files that are wanted under other
// paths than their own, because links lead to them. also maps the path of a
// file to the paths under which analyzers shall see it. Each pair that leads to
// no regular file of the layer is a gap.
func Reread(ctx context.Context, b Blob, also map[string][]string, opt *Options) ([]FileFacts, []sbom.Gap, error) {
	p := newPass(ctx, opt.resolved())
	p.frag.DiffID, p.also = b.DiffID, also
	p.opt.Progress = nil
	if err := p.run(b, false); err != nil {
		return nil, nil, fmt.Errorf("layer %s, second reading: %w", b.DiffID, err)
	}
	p.missing()
	return p.frag.Files, p.frag.Gaps, nil
}

// pass is one reading of one layer or tree.
type pass struct {
	ctx    context.Context
	opt    *Options
	set    *analyzer.Set
	frag   *Fragment
	seen   map[string]int // captured path → number of FileFacts it has
	links  []hardlink
	also   map[string][]string // second reading: wanted files → paths to use
	served map[string]bool     // second reading: files that were found
	toc    map[string]EntryKind
	by     []int
	buffer bytes.Buffer
	held   []byte

	s   *stream
	tar *tarReader
	at  io.ReaderAt // for reading in place, or nil
}

type hardlink struct{ path, target string }

func newPass(ctx context.Context, opt *Options) *pass {
	o := *opt
	return &pass{
		ctx: ctx, opt: &o, set: opt.Analyzers, seen: map[string]int{}, served: map[string]bool{},
		frag: &Fragment{Version: FragmentVersion, Analyzers: opt.Analyzers.Identity()},
	}
}

// run walks the tar of b and verifies it when asked to.
func (p *pass) run(b Blob, verify bool) (err error) {
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
	oneHash := o.encoding == plain && o.stored.hash != nil && b.Descriptor.Digest == b.DiffID
	switch {
	case oneHash:
		p.s = newStream(o.body, nil)
	default:
		p.s = newStream(o.body, diff)
	}
	walkErr := p.walk()
	if walkErr == nil {
		walkErr = errors.Join(p.tail(), p.checkTOC())
	}
	p.s.close()
	if walkErr != nil || !verify {
		return walkErr
	}
	p.frag.Size = p.s.taken
	p.noteEncoding(o, b)
	if trailing, err := o.finish(); err != nil {
		return fmt.Errorf("after the end of the tar: %w", err)
	} else if trailing > 0 {
		p.oddity("", fmt.Sprintf("%d stored bytes follow the compressed data", trailing))
	}
	if b.Descriptor.Size >= 0 && b.Descriptor.Digest != "" && o.stored.n != b.Descriptor.Size {
		return &fault.MismatchError{What: "layer size of " + b.Descriptor.Digest, Want: fmt.Sprint(b.Descriptor.Size), Got: fmt.Sprint(o.stored.n)}
	}
	if o.stored.hash != nil {
		if err := checkDigest("layer digest", b.Descriptor.Digest, o.stored.hash); err != nil {
			return err
		}
	}
	if oneHash {
		return nil
	}
	return checkDigest("diffID", b.DiffID, diff)
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
	if odd != "" && p.also == nil {
		p.oddity(name, odd)
	}
	if name == "" {
		return nil // the root itself
	}
	if p.also != nil {
		if h.flag == '0' || h.flag == '7' || h.flag == 'S' {
			return p.serve(h, name)
		}
		return nil
	}
	if p.whiteout(name) {
		return nil
	}
	if n := p.seen[name]; n > 0 {
		p.drop(name)
	}
	switch h.flag {
	case '0', '7', 'S':
		p.frag.Entries.Add(EntryFile, name, "")
		if name == tocName {
			var err error
			p.toc, err = readTOC(&body{p: p, size: h.size, left: h.size}, h.size)
			return err
		}
		return p.regular(h, name)
	case '1':
		target, _ := cleanPath(h.link)
		p.frag.Entries.Add(EntryHardlink, name, target)
		p.links = append(p.links, hardlink{name, target})
	case '2':
		p.frag.Entries.Add(EntrySymlink, name, strings.ToValidUTF8(h.link, "%"))
	case '5':
		p.frag.Entries.Add(EntryDir, name, "")
	case '3', '4', '6':
		p.frag.Entries.Add(EntryOther, name, "")
	default:
		p.frag.Entries.Add(EntryOther, name, "")
		p.oddity(name, fmt.Sprintf("unknown tar entry type %q", h.flag))
	}
	return nil
}

// whiteout records a removal of the OCI image-spec (layer.md, "Whiteouts") and
// reports whether name is one.
func (p *pass) whiteout(name string) bool {
	slash := strings.LastIndexByte(name, '/') + 1
	base := name[slash:]
	if !strings.HasPrefix(base, ".wh.") {
		return false
	}
	switch hidden := base[len(".wh."):]; {
	case base == ".wh..wh..opq":
		p.frag.Opaque = append(p.frag.Opaque, strings.TrimSuffix(name[:slash], "/"))
	case strings.HasPrefix(hidden, ".wh."): // aufs housekeeping
	case hidden == "" || hidden == "." || hidden == "..":
		p.oddity(name, "whiteout without a name")
	default:
		p.frag.Whiteouts = append(p.frag.Whiteouts, name[:slash]+hidden)
	}
	return true
}

// drop forgets what an earlier entry of the same path said: the last one wins.
func (p *pass) drop(name string) {
	kept := p.frag.Files[:0]
	for _, f := range p.frag.Files {
		if f.Path != name {
			kept = append(kept, f)
		}
	}
	p.frag.Files = kept
	delete(p.seen, name)
	p.oddity(name, "the path appears more than once in the layer; the last entry counts")
}

func (p *pass) oddity(where, what string) {
	p.gap(sbom.GapOddity, false, where, what)
}

func (p *pass) gap(code sbom.GapCode, blocking bool, where, what string) {
	if where == "" {
		where = "layer"
	}
	p.frag.Gaps = append(p.frag.Gaps, sbom.Gap{Code: code, Blocking: blocking, Where: where, Layer: p.frag.DiffID, What: strings.ToValidUTF8(what, "?")})
}
