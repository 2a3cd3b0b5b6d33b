package layer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime/debug"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// minMagic is the size below which leading bytes are not looked at: no program
// is smaller, not even a script.
const minMagic = 8

// captured is one of the FileFacts of a path.
type captured struct {
	at      int  // index in Fragment.Files
	content bool // the analyzer wanted the leading bytes, not the path
}

// regular dispatches a regular file of the tar.
func (p *pass) regular(h header, name string) error {
	p.by = p.set.ByPath(p.by[:0], name)
	p.paths = len(p.by)
	hidden := false // the leading bytes cannot be seen
	if h.size >= minMagic && p.set.WantsMagic() {
		head, err := p.head(h)
		if err != nil {
			return err
		}
		p.by = p.set.ByMagic(p.by, name, head)
		hidden = head == nil
	}
	if len(p.by) == 0 && !hidden {
		return nil
	}
	if h.sparse {
		p.gap(sbom.GapUnsupported, true, name, "sparse file: its content was not assembled")
		return nil
	}
	return p.extract(&body{p: p, size: h.size, left: h.size, start: p.s.offset()}, name, h.mode)
}

// head returns the first bytes of a file's content, or nil for a sparse file
// whose map is too long to look over.
func (p *pass) head(h header) ([]byte, error) {
	if !h.mapFirst {
		head, err := p.s.peek(8)
		return head, unexpected(err)
	}
	text, err := p.s.peek(int(min(headroom, h.size)))
	if err != nil {
		return nil, unexpected(err)
	}
	at := sparseMapSize(text)
	if at < 0 || at+8 > len(text) {
		return nil, nil
	}
	return text[at : at+8], nil
}

// serve gives a file to analyzers under other paths. Where a path of the tar
// appears more than once, the last entry before the link counts.
func (p *pass) serve(h header, name string) error {
	wants := p.also[name]
	if len(wants) == 0 || wants[len(wants)-1].before < p.s.offset() {
		return nil
	}
	b := &body{p: p, size: h.size, left: h.size, start: p.s.offset()}
	defer b.release()
	for _, w := range wants {
		if w.before < b.start {
			continue
		}
		if p.served[w.as] {
			p.forget(w.as)
		}
		p.served[w.as] = true
		if err := p.serveAs(b, w, h); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) serveAs(b *body, w want, h header) error {
	as := w.as
	if h.sparse {
		p.gap(sbom.GapUnsupported, true, as, "sparse file: its content was not assembled")
		return nil
	}
	p.shown += b.size
	if p.shown > maxAgain {
		p.gap(sbom.GapLimit, true, as, (&fault.LimitError{What: "bytes read again because links lead to them", Where: as, Max: maxAgain, Seen: p.shown}).Error())
		return nil
	}
	at, err := b.ReaderAt()
	if err != nil {
		return p.failed(as, "", false, err)
	}
	if p.by = w.by; p.by == nil {
		p.by = p.set.ByPath(nil, as)
	}
	for _, i := range p.by {
		if err := p.analyze(i, as, b.size, h.mode, section{io.NewSectionReader(at, 0, b.size)}, w.by != nil); err != nil {
			return err
		}
	}
	return nil
}

// extract runs the analyzers p.by over one body.
func (p *pass) extract(b *body, name string, mode int64) error {
	defer b.release()
	if b.size > holdMax && p.set.Forward(p.by) {
		return p.share(b, name, mode)
	}
	if len(p.by) == 1 {
		return p.analyze(p.by[0], name, b.size, mode, b, p.paths == 0)
	}
	at, err := b.ReaderAt()
	if err != nil {
		return p.failed(name, "", false, err)
	}
	for n, i := range p.by {
		if err := p.analyze(i, name, b.size, mode, section{io.NewSectionReader(at, 0, b.size)}, n >= p.paths); err != nil {
			return err
		}
	}
	return nil
}

// analyze runs one analyzer, which wanted the file by its content or by its
// path. Its failure is a gap; an error returned from here ends the layer.
func (p *pass) analyze(i int, name string, size, mode int64, c analyzer.Content, content bool) error {
	a, _ := p.set.At(i)
	f := analyzer.NewFile(name, size, fileMode(mode), c, p.opt.Budget, &p.buffer)
	f.Lasting = p.tree
	facts, err := safely(func() ([]analyzer.Fact, error) { return a.Extract(p.ctx, f) })
	if p.buffer.Cap() > keepBuffer {
		p.buffer = *newBuffer()
	}
	return p.settle(i, name, facts, err, content)
}

// settle takes what an analyzer said of a file.
func (p *pass) settle(i int, name string, facts []analyzer.Fact, err error, content bool) error {
	_, info := p.set.At(i)
	if ctxErr := p.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	if errors.Is(err, analyzer.ErrAgain) && p.also == nil {
		if p.once == nil {
			p.once = map[string][]int{}
		}
		p.once[name] = append(p.once[name], i)
		return p.keep(weightString + int64(len(name)))
	}
	if err != nil {
		if err := p.failed(name, info.Name, info.Authoritative, err); err != nil {
			return err
		}
	}
	return p.record(name, info.Name, facts, content)
}

// fileMode turns the permission bits of a tar header into Go's.
func fileMode(mode int64) fs.FileMode {
	m := fs.FileMode(mode) & fs.ModePerm
	if mode&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	return m
}

// record keeps what a file said.
func (p *pass) record(name, by string, facts []analyzer.Fact, content bool) error {
	if len(facts) == 0 {
		return nil
	}
	if err := p.opt.Budget.Fact(name, int64(len(facts))); err != nil {
		return err
	}
	if err := p.keep(weight(name, facts)); err != nil {
		return err
	}
	p.seen[name] = append(p.seen[name], captured{len(p.frag.Files), content})
	p.frag.Files = append(p.frag.Files, FileFacts{Path: name, Analyzer: by, Facts: facts})
	return nil
}

// forget removes what was recorded of a path.
func (p *pass) forget(name string) {
	for _, c := range p.seen[name] {
		p.frag.Files[c.at] = FileFacts{} // taken out at the end
	}
	delete(p.seen, name)
	delete(p.once, name)
}

// failed records what an analyzer could not read. Errors of the stream itself
// come back: then the layer is damaged, not the file.
func (p *pass) failed(name, by string, authoritative bool, err error) error {
	if p.s != nil && p.s.err != nil && p.s.err != io.EOF {
		return p.s.err
	}
	what := err.Error()
	if by != "" && !strings.Contains(what, by) {
		what = by + ": " + what
	}
	var panicked *panicError
	switch {
	case errors.As(err, &panicked):
		p.gap(sbom.GapPanic, true, name, what)
	case errors.Is(err, fault.Limit):
		p.gap(sbom.GapLimit, true, name, what)
	case errors.Is(err, fault.Unsupported):
		p.gap(sbom.GapUnsupported, authoritative, name, what)
	default:
		p.gap(sbom.GapUnreadable, authoritative, name, what)
	}
	return nil
}

// panicError is a panic of an analyzer, turned into an error.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("analyzer panicked: %v", e.value) }

func safely(run func() ([]analyzer.Fact, error)) (facts []analyzer.Fact, err error) {
	defer func() {
		if v := recover(); v != nil {
			facts, err = nil, &panicError{v, debug.Stack()}
		}
	}()
	return run()
}

// want is a path under which analyzers shall see a file, as it is before a
// position of the tar.
type want struct {
	as     string
	before int64
	by     []int // analyzers; nil means those that want as
}

func wanted(also map[string][]string) map[string][]want {
	out := make(map[string][]want, len(also))
	for _, target := range sortedKeys(also) {
		for _, as := range also[target] {
			out[target] = append(out[target], want{as: as, before: math.MaxInt64})
		}
	}
	return out
}

// missing records second readings that found no file.
func (p *pass) missing() {
	for _, target := range sortedKeys(p.also) {
		for _, w := range p.also[target] {
			if !p.served[w.as] {
				p.gap(sbom.GapUncaptured, true, w.as, "links to "+target+", which is not a regular file of its layer")
			}
		}
	}
}
