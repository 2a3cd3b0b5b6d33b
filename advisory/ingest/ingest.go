package ingest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/lease"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Store is where documents are kept; store.Advisories is one.
type Store interface {
	advisory.Feeds
	// Compare says how what a source says now differs from what is released of
	// it, without the documents that are gone.
	Compare(ctx context.Context, source string, gone []string) (*advisory.Comparison, error)
}

// Ingester runs sources. It is safe for concurrent use once it is set up.
type Ingester struct {
	Store Store
	Door  advisory.Door
	// Holder names this process among all that ingest, such as "host/pid".
	Holder string
	// Lease is how long a source stays taken after a sign of life. Default: 1
	// minute.
	Lease time.Duration
	// Batch is how many documents are stored in one transaction at most, and
	// BatchBytes of how many bytes. Default: 8,192 and 16 MiB.
	Batch      int
	BatchBytes int
	Limits     Limits
}

// Outcome is what a run did.
type Outcome struct {
	Source string `json:"source"`
	Run    int64  `json:"run"` // its number
	// Documents were new or other than before, Pending left by a reader that
	// died, Gone no longer published.
	Documents int `json:"documents"`
	Pending   int `json:"pending"`
	Gone      int `json:"gone"`
	// Records and Signals are what those say; Problems are parts that could not
	// be used, Quarantined whole documents.
	Records     int `json:"records"`
	Signals     int `json:"signals"`
	Problems    int `json:"problems"`
	Quarantined int `json:"quarantined"`
	// Held says why the run waits for approval; "" means it is released.
	Held string `json:"held,omitempty"`
	// Unchanged says that the publisher had nothing new.
	Unchanged bool `json:"unchanged"`
}

// Run ingests one source once. An error wraps ErrConflict while another process
// has the source, ErrFenced when another one took it over, and else what made the
// run fail; the source's state is then the one of before.
func (i *Ingester) Run(ctx context.Context, source advisory.Source) (*Outcome, error) {
	name := source.Describe().Name
	run, err := i.Store.Begin(ctx, name, i.Holder, cmp.Or(i.Lease, time.Minute))
	if err != nil {
		return nil, err
	}
	r := &running{ingester: i, source: source, run: run, out: &Outcome{Source: name, Run: run.Number}, known: map[string]advisory.Known{}, gone: map[string]bool{}}
	var finish *advisory.Finish
	held := lease.Held{
		Length: run.Length,
		Extend: func(ctx context.Context) error { return i.Store.Extend(ctx, run) },
		Finish: func(ctx context.Context, cause string) error {
			if cause != "" {
				return i.Store.Finish(ctx, run, advisory.Finish{Cause: cause})
			}
			return i.Store.Finish(ctx, run, *finish)
		},
	}
	err = held.Do(ctx, "ingest "+name, func(ctx context.Context) (err error) {
		finish, err = r.all(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.out, nil
}

// running is one run.
type running struct {
	ingester *Ingester
	source   advisory.Source
	run      *advisory.Run
	out      *Outcome
	known    map[string]advisory.Known // current documents by name
	seen     map[string]bool           // of them, those that were fetched, or are gone
	gone     map[string]bool
}

// all does everything of a run but its end.
func (r *running) all(ctx context.Context) (*advisory.Finish, error) {
	var pending []advisory.Known
	for k, err := range r.ingester.Store.Known(ctx, r.run.Source) {
		if err != nil {
			return nil, err
		}
		r.known[k.Name] = k
		if k.Pending {
			pending = append(pending, k)
		}
	}
	r.seen = make(map[string]bool, len(r.known))
	if err := r.left(ctx, pending); err != nil {
		return nil, err
	}
	fetched, err := r.fetch(ctx)
	if err != nil {
		return nil, err
	}
	f := &advisory.Finish{State: fetched.State}
	for name := range r.known {
		if r.gone[name] || fetched.Complete && !r.seen[name] {
			f.Gone = append(f.Gone, name)
		}
	}
	slices.Sort(f.Gone)
	r.out.Gone, r.out.Unchanged = len(f.Gone), fetched.Unchanged
	c, err := r.ingester.Store.Compare(ctx, r.run.Source, f.Gone)
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.IngestCompared)
	f.Hold = r.ingester.Limits.hold(c)
	r.out.Held = f.Hold
	return f, nil
}

// left reads the documents that a reader left that died.
func (r *running) left(ctx context.Context, pending []advisory.Known) error {
	p := r.start(ctx)
	for _, k := range pending {
		content, err := r.ingester.Store.Raw(p.ctx, k.Digest)
		if err == nil {
			r.out.Pending++
			err = p.add(item{doc: &advisory.Document{Source: r.run.Source, Name: k.Name, Content: content}, digest: k.Digest, kept: true})
		}
		if err != nil {
			return p.end(err)
		}
	}
	return p.end(nil)
}

// fetch has documents fetched, and those that are new read.
func (r *running) fetch(ctx context.Context) (*advisory.Fetched, error) {
	p := r.start(ctx)
	fetched, err := r.source.Fetch(p.ctx, r.ingester.Door, r.run.State, func(d *advisory.Document) error {
		crashpoint.Hit(crashpoint.IngestFetched)
		if err := d.Validate(); err != nil {
			return err
		}
		r.seen[d.Name] = true
		if d.Gone {
			r.gone[d.Name] = true
			return nil
		}
		delete(r.gone, d.Name)
		digest := sum.Of(d.Content)
		if r.known[d.Name].Digest == digest {
			return nil
		}
		r.known[d.Name] = advisory.Known{Name: d.Name, Digest: digest}
		r.out.Documents++
		return p.add(item{doc: d, digest: digest})
	})
	if err = p.end(err); err != nil {
		return nil, err
	}
	return fetched, nil
}
