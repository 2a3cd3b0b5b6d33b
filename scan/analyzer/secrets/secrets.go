package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer looks for secrets in every file that is text. The zero value uses the rules that
// are compiled in. It is safe for concurrent use.
type Analyzer struct {
	Rules *Rules // nil is Default
}

func (a Analyzer) rules() *Rules {
	if a.Rules != nil {
		return a.Rules
	}
	return Default()
}

// Info implements analyzer.Analyzer. The digest of the rules is part of it.
func (a Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "secrets", Version: 1, Rules: a.rules().Digest()}
}

// Paths implements analyzer.Analyzer: all paths but those that the rules skip.
func (a Analyzer) Paths() analyzer.Paths {
	r := a.rules()
	return analyzer.Paths{All: true, Forward: true, Accept: func(path string) bool { return !r.skip.match(path) }}
}

// worker is what one search needs. It is kept for the next one, so that a window is not made
// for each file.
type worker struct {
	search *search
	head   [headBytes]byte
	read   int // of head
	wide   utf16Reader
}

var workers sync.Pool

// Extract implements analyzer.Analyzer: a fact of analyzer.KindSecret for each secret, in the
// order of the text. What is no text gives none. A text that is larger than the rules
// allow, and one in which there is more than they report, is an error of ErrLimit, beside
// the facts that there are.
func (a Analyzer) Extract(ctx context.Context, f *analyzer.File) (facts []analyzer.Fact, err error) {
	r := a.rules()
	w, _ := workers.Get().(*worker)
	if w == nil {
		w = new(worker)
	}
	if w.search == nil || w.search.r != r {
		w.search = newSearch(r, windowBytes)
	}
	defer func() {
		// What a panic says could quote the text.
		if v := recover(); v != nil {
			panic(fmt.Sprintf("search for secrets failed (%T)", v))
		}
	}()
	facts, err = w.extract(ctx, f)
	w.forget()
	workers.Put(w)
	return facts, err
}

func (w *worker) forget() {
	clear(w.head[:w.read])
	w.search.forget()
	if w.wide.from != nil {
		w.wide = utf16Reader{}
	}
}

func (w *worker) extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	n, err := io.ReadFull(f, w.head[:])
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	w.read = n
	enc := encodingOf(w.head[:n])
	if enc == binary {
		return nil, nil
	}
	if limit := w.search.r.bundle.MaxFile; f.Size > limit {
		return nil, &fault.LimitError{What: "bytes of a text that is searched for secrets", Where: f.Path, Max: limit, Seen: f.Size}
	}
	var from io.Reader = io.MultiReader(bytes.NewReader(w.head[:n]), f)
	if enc != plainText {
		w.wide.from, w.wide.big = from, enc == bigEndian
		from = &w.wide
	}
	s := w.search
	s.begin(f.Path, from)
	err = s.run(ctx)
	found := s.settle()
	if len(found) == 0 {
		return nil, err
	}
	pieces := gramsOf(s.found)
	facts := make([]analyzer.Fact, len(found))
	for i := range found {
		c := &s.r.list[found[i].rule]
		facts[i] = analyzer.Fact{Kind: analyzer.KindSecret, Secret: &sbom.Secret{Rule: c.id, Title: c.title, Line: found[i].line, Masked: pieces.masked(&found[i])}}
	}
	return facts, err
}
