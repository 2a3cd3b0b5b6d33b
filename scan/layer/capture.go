package layer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// minMagic is the size below which leading bytes are not looked at: no
// executable that carries build information is smaller.
const minMagic = 4096

// regular dispatches a regular file of the tar.
func (p *pass) regular(h header, name string) error {
	p.by = p.set.ByPath(p.by[:0], name)
	if h.size >= minMagic && p.set.WantsMagic() && !h.sparse {
		head, err := p.s.peek(8)
		if err != nil {
			return unexpected(err)
		}
		p.by = p.set.ByMagic(p.by, name, head)
	}
	if len(p.by) == 0 {
		return nil
	}
	if h.sparse {
		p.gap(sbom.GapUnsupported, true, name, "sparse file: its content was not assembled")
		return nil
	}
	return p.extract(&body{p: p, size: h.size, left: h.size, start: p.s.offset()}, name, h.mode, p.by)
}

// serve gives a file to analyzers under other paths.
func (p *pass) serve(h header, name string) error {
	paths := p.also[name]
	if len(paths) == 0 {
		return nil
	}
	p.served[name] = true
	b := &body{p: p, size: h.size, left: h.size, start: p.s.offset()}
	at, err := b.ReaderAt()
	if err != nil {
		return p.failed(name, "", false, err)
	}
	defer b.release()
	for _, path := range paths {
		p.by = p.set.ByPath(p.by[:0], path)
		for _, i := range p.by {
			if err := p.analyze(i, path, h.size, h.mode, section{io.NewSectionReader(at, 0, h.size)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// extract runs the analyzers by over one body.
func (p *pass) extract(b *body, name string, mode int64, by []int) error {
	defer b.release()
	if len(by) == 1 {
		return p.analyze(by[0], name, b.size, mode, b)
	}
	at, err := b.ReaderAt()
	if err != nil {
		return p.failed(name, "", false, err)
	}
	for _, i := range by {
		if err := p.analyze(i, name, b.size, mode, section{io.NewSectionReader(at, 0, b.size)}); err != nil {
			return err
		}
	}
	return nil
}

// analyze runs one analyzer. Its failure is a gap; an error returned from here
// ends the layer.
func (p *pass) analyze(i int, name string, size, mode int64, c analyzer.Content) error {
	a, info := p.set.At(i)
	f := analyzer.NewFile(name, size, fs.FileMode(mode)&fs.ModePerm, c, p.opt.Budget, &p.buffer)
	facts, err := safely(func() ([]analyzer.Fact, error) { return a.Extract(p.ctx, f) })
	if p.buffer.Cap() > keepBuffer {
		p.buffer = *newBuffer()
	}
	if ctxErr := p.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	if err != nil {
		if err := p.failed(name, info.Name, info.Authoritative, err); err != nil {
			return err
		}
	}
	if len(facts) == 0 {
		return nil
	}
	if err := p.opt.Budget.Fact(name, int64(len(facts))); err != nil {
		return err
	}
	p.seen[name]++
	p.frag.Files = append(p.frag.Files, FileFacts{Path: name, Analyzer: info.Name, Facts: facts})
	return nil
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

// lateWants are hard links whose path some analyzer wants, by the file that
// they lead to. What was found by its leading bytes is simply said again.
func (p *pass) lateWants() map[string][]string {
	late := map[string][]string{}
	targets := map[string]string{}
	for _, l := range p.links {
		targets[l.path] = l.target
	}
	for _, l := range p.links {
		target := l.target
		for hops := 0; hops < 40 && targets[target] != ""; hops++ {
			target = targets[target]
		}
		p.by = p.set.ByPath(p.by[:0], l.path)
		if len(p.by) > 0 {
			late[target] = append(late[target], l.path)
		} else if p.seen[target] > 0 {
			p.repeat(target, l.path)
		}
	}
	return late
}

func (p *pass) repeat(target, path string) {
	for _, f := range p.frag.Files {
		if f.Path == target && len(p.set.ByPath(nil, target)) == 0 {
			p.frag.Files = append(p.frag.Files, FileFacts{Path: path, Analyzer: f.Analyzer, Facts: f.Facts})
		}
	}
}

// missing records second readings that found no file.
func (p *pass) missing() {
	for _, target := range sortedKeys(p.also) {
		if !p.served[target] {
			for _, path := range p.also[target] {
				p.gap(sbom.GapUncaptured, true, path, "links to "+target+", which is not a regular file of its layer")
			}
		}
	}
}
