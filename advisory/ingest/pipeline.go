package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// item is one document on its way.
type item struct {
	doc    *advisory.Document
	digest string
	kept   bool // it is stored already
}

// batch is what goes into one transaction.
type batch struct {
	items []item
	bytes int
}

// pipeline keeps documents, has them read and keeps what they say, each on a
// goroutine of its own, batch after batch: nobody reads while a transaction is
// open, and the store is busy while somebody reads.
type pipeline struct {
	r      *running
	ctx    context.Context
	cancel context.CancelCauseFunc
	open   batch
	in     chan batch
	wg     sync.WaitGroup
}

// start starts a pipeline. It must be ended.
func (r *running) start(ctx context.Context) *pipeline {
	p := &pipeline{r: r, in: make(chan batch)}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	kept, said := make(chan batch), make(chan []advisory.Observed)
	p.wg.Go(func() {
		defer close(kept)
		forward(p, p.in, kept, p.keep)
	})
	p.wg.Go(func() {
		defer close(said)
		forward(p, kept, said, p.parse)
	})
	p.wg.Go(func() { forward(p, said, nil, p.observe) })
	return p
}

// forward does a step with everything that comes, until it fails.
func forward[A, B any](p *pipeline, in <-chan A, out chan<- B, step func(A) (B, error)) {
	for a := range in {
		if p.ctx.Err() != nil {
			continue // drain
		}
		b, err := step(a)
		if err != nil {
			p.cancel(err)
			continue
		}
		if out != nil {
			select {
			case out <- b:
			case <-p.ctx.Done():
			}
		}
	}
}

// add passes a document on; an error says that an earlier one failed.
func (p *pipeline) add(i item) error {
	p.open.items = append(p.open.items, i)
	p.open.bytes += len(i.doc.Content)
	o := p.r.ingester
	if len(p.open.items) < cmp.Or(o.Batch, 8192) && p.open.bytes < cmp.Or(o.BatchBytes, 16<<20) {
		return context.Cause(p.ctx)
	}
	return p.flush()
}

func (p *pipeline) flush() error {
	b := p.open
	p.open = batch{}
	if len(b.items) > 0 {
		select {
		case p.in <- b:
		case <-p.ctx.Done():
		}
	}
	return context.Cause(p.ctx)
}

// end waits until everything that came is done. err is why no more comes, nil for
// a good end; what made a step fail comes before it.
func (p *pipeline) end(err error) error {
	if failed := p.flush(); err == nil {
		err = failed
	}
	close(p.in)
	p.wg.Wait()
	if cause := context.Cause(p.ctx); cause != nil {
		err = cause
	}
	p.cancel(nil)
	return err
}

func (p *pipeline) keep(b batch) (batch, error) {
	docs := make([]*advisory.Document, 0, len(b.items))
	for _, i := range b.items {
		if !i.kept {
			docs = append(docs, i.doc)
		}
	}
	if len(docs) == 0 {
		return b, nil
	}
	return b, p.r.ingester.Store.Keep(p.ctx, p.r.run, docs)
}

func (p *pipeline) parse(b batch) ([]advisory.Observed, error) {
	out := make([]advisory.Observed, len(b.items))
	for n, i := range b.items {
		if err := context.Cause(p.ctx); err != nil {
			return nil, err
		}
		out[n] = read(p.r.source, p.r.run.Source, i)
	}
	crashpoint.Hit(crashpoint.IngestParsed)
	return out, nil
}

func (p *pipeline) observe(list []advisory.Observed) (struct{}, error) {
	err := p.r.ingester.Store.Observe(p.ctx, p.r.run, list)
	if err != nil {
		return struct{}{}, err
	}
	out := p.r.out
	for i := range list {
		o := &list[i]
		out.Records, out.Signals, out.Problems = out.Records+len(o.Records), out.Signals+len(o.Signals), out.Problems+len(o.Problems)
		if o.Quarantined != "" {
			out.Quarantined++
		}
	}
	return struct{}{}, nil
}

// read has a document read. Whatever goes wrong is of this document alone: even a
// reader that panics quarantines it.
func read(source advisory.Source, name string, i item) (o advisory.Observed) {
	o = advisory.Observed{Document: i.doc.Name, Digest: i.digest}
	defer func() {
		if p := recover(); p != nil {
			o = advisory.Observed{Document: i.doc.Name, Digest: i.digest, Quarantined: fmt.Sprintf("its reader panicked: %v", p)}
		}
	}()
	for s, err := range source.Parse(i.doc) {
		var broken *advisory.RecordError
		switch {
		case errors.As(err, &broken):
			o.Problems = append(o.Problems, broken)
			continue
		case err != nil:
			return advisory.Observed{Document: o.Document, Digest: o.Digest, Quarantined: err.Error()}
		}
		if err := take(&o, name, s); err != nil {
			o.Problems = append(o.Problems, err)
		}
	}
	return o
}

// take adds what a document says, if it is valid.
func take(o *advisory.Observed, source string, s advisory.Statement) *advisory.RecordError {
	fail := func(id, digest string, err error) *advisory.RecordError {
		var broken *advisory.RecordError
		if !errors.As(err, &broken) {
			broken = &advisory.RecordError{ID: id, Err: err}
		}
		broken.File, broken.Digest = cmp.Or(broken.File, o.Document), cmp.Or(broken.Digest, digest)
		return broken
	}
	switch s := s.(type) {
	case *advisory.Record:
		s.Source = source
		err := s.Validate()
		if err == nil && s.Digest == "" { // snapshots name every record by it
			err = fmt.Errorf("it has no digest of its text: %w", fault.Invalid)
		}
		if err != nil {
			return fail(s.ID, s.Digest, err)
		}
		o.Records = append(o.Records, s)
	case *advisory.Signal:
		s.Source = source
		if err := s.Validate(); err != nil {
			return fail(s.Vulnerability, "", err)
		}
		o.Signals = append(o.Signals, s)
	default:
		return fail("", "", fmt.Errorf("a statement of type %T: %w", s, fault.Unsupported))
	}
	return nil
}
