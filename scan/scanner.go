package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Scanner turns images into documents. Analyzers is required; all.Set gives
// every analyzer of the SDK. A Scanner is safe for concurrent use.
type Scanner struct {
	Analyzers *analyzer.Set
	// Cache keeps fragments and documents. Nil means that every layer is read.
	Cache Cache
	// Limits bound one scan. Zero fields mean their defaults.
	Limits analyzer.Limits
	// Parallel is how many layers are read at a time. Default: GOMAXPROCS.
	Parallel int
	// TempDir is for files that need random access and are too large for
	// memory; they have no name there. Default: the system's.
	TempDir string
	// Tool is named in documents. Default: stella without a version.
	Tool sbom.Tool
	// Progress, if set, is called from several goroutines.
	Progress func(Progress)
}

// Progress is a step of a scan.
type Progress struct {
	Layer  int   // index, base first
	Bytes  int64 // stored bytes read since the last call for this layer
	Done   bool  // the layer is finished
	Cached bool  // with Done: it was known and not read
}

// Result is what a scan found.
type Result struct {
	// Document is normalised. It depends on the image's content, the analyzers
	// and the limits alone, but for its Source.
	Document *sbom.Document
	// Cached is the number of layers that were known and not read.
	Cached int
	// Fragments are what Document.Composition names, in its order. It is nil
	// when the whole document was known. They must not be changed.
	Fragments []*layer.Fragment
}

// Scan reads what is not yet known of m and composes the document. An error
// means that m could not be read as what it claims to be; what could not be
// read inside it is a gap in the document. Cache failures are not errors.
func (s *Scanner) Scan(ctx context.Context, m *Image) (*Result, error) {
	if s.Analyzers == nil {
		return nil, fmt.Errorf("scan: no analyzers: %w", fault.Invalid)
	}
	key := ""
	if m.Tree == nil {
		key = s.documentKey(m)
		if doc := s.knownDocument(ctx, key); doc != nil {
			doc.Source = m.Source
			for i := range m.Layers {
				if s.Progress != nil {
					s.Progress(Progress{Layer: i, Done: true, Cached: true})
				}
			}
			return &Result{Document: doc, Cached: len(m.Layers)}, nil
		}
	}
	run := &run{Scanner: s, image: m, budget: analyzer.NewBudget(s.Limits), memory: new(layer.Memory)}
	fragments, err := run.fragments(ctx)
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w", cmp.Or(m.Subject.Name, string(m.Subject.Kind)), err)
	}
	doc, err := run.compose(ctx, fragments)
	if err != nil {
		return nil, fmt.Errorf("scan %s: compose: %w", cmp.Or(m.Subject.Name, string(m.Subject.Kind)), err)
	}
	s.keepDocument(ctx, key, doc)
	doc.Source = m.Source
	return &Result{Document: doc, Cached: run.cached, Fragments: run.recipe}, nil
}

// run is one call of Scan.
type run struct {
	*Scanner
	image   *Image
	budget  *analyzer.Budget
	memory  *layer.Memory
	mu      sync.Mutex
	cached  int
	digests map[*layer.Fragment]string // of fragments whose bytes were at hand
	recipe  []*layer.Fragment
}

func (r *run) options(i int) *layer.Options {
	o := &layer.Options{Analyzers: r.Analyzers, Budget: r.budget, Memory: r.memory, TempDir: r.TempDir}
	if r.Progress != nil {
		o.Progress = func(n int64) { r.Progress(Progress{Layer: i, Bytes: n}) }
	}
	return o
}

// fragments reads all layers, the largest first, so that no core is left with
// a large one at the end. It returns the error of the lowest layer that failed.
func (r *run) fragments(ctx context.Context) ([]*layer.Fragment, error) {
	if r.image.Tree != nil {
		f, err := layer.ScanTree(ctx, *r.image.Tree, r.options(0))
		if err != nil {
			return nil, err
		}
		return []*layer.Fragment{f}, nil
	}
	layers := r.image.Layers
	order := make([]int, len(layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(layers[b].Descriptor.Size, layers[a].Descriptor.Size)
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, errs := make([]*layer.Fragment, len(layers)), make([]error, len(layers))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(max(cmp.Or(r.Parallel, runtime.GOMAXPROCS(0)), 1), len(layers)) {
		wg.Go(func() {
			for i := range next {
				if out[i], errs[i] = r.fragment(ctx, i); errs[i] != nil {
					cancel()
				}
			}
		})
	}
	for _, i := range order {
		next <- i
	}
	close(next)
	wg.Wait()
	return out, firstCause(errs)
}

// firstCause returns the first error that is not the echo of another's
// cancellation.
func firstCause(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

// fragment gives one layer's fragment, from the cache or by reading it.
func (r *run) fragment(ctx context.Context, i int) (*layer.Fragment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := r.image.Layers[i]
	key := r.fragmentKey(b)
	if f := r.knownFragment(ctx, key, b.DiffID); f != nil {
		if err := r.memory.Hold(f); err != nil {
			return nil, err
		}
		r.done(Progress{Layer: i, Done: true, Cached: true})
		return f, nil
	}
	f, err := layer.Scan(ctx, b, r.options(i))
	if err != nil {
		return nil, err
	}
	r.keepFragment(ctx, key, f)
	r.done(Progress{Layer: i, Done: true})
	return f, nil
}

func (r *run) done(p Progress) {
	if p.Cached {
		r.mu.Lock()
		r.cached++
		r.mu.Unlock()
	}
	if r.Progress != nil {
		r.Progress(p)
	}
}
