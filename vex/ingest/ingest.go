package ingest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lease"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// Ingester runs sources. It is safe for concurrent use once it is set up.
type Ingester struct {
	// Store is where documents are kept; a store.VEX is one.
	Store vex.Feeds
	Door  vex.Door
	// Verifier checks signatures. Nil means that nobody can: a document with a
	// detached signature is Unchecked, and what is in an envelope cannot be read.
	Verifier vex.Verifier
	// Holder names this process among all that ingest, such as "host/pid".
	Holder string
	// Lease is how long a source stays taken after a sign of life. Default: 1
	// minute.
	Lease time.Duration
	// Batch is how many documents are stored in one transaction at most, and
	// BatchBytes of how many bytes. Default: 512 and 16 MiB.
	Batch      int
	BatchBytes int
	// AllowLoss lets a run take back whatever the publisher has no longer. Without it
	// a run fails that would lose more than a tenth of the documents, and more than
	// MaxLoss: what warned would be silent.
	AllowLoss bool
}

// MaxLoss is how many documents of a source may be gone at once in any case.
const MaxLoss = 20

// Outcome is what a run did.
type Outcome struct {
	Source string `json:"source"`
	Run    int64  `json:"run"` // its number
	// Documents were new or other than before, Pending left to be read, by a reader
	// that died or since their signatures could not be checked, Gone no longer
	// published.
	Documents int `json:"documents"`
	Pending   int `json:"pending"`
	Gone      int `json:"gone"`
	// Statements are what those say; Problems are parts that could not be used,
	// Quarantined whole documents. Verified are documents with a good signature.
	Statements  int `json:"statements"`
	Problems    int `json:"problems"`
	Quarantined int `json:"quarantined"`
	Verified    int `json:"verified"`
	// Unchanged says that the publisher had nothing new.
	Unchanged bool `json:"unchanged"`
}

// Run ingests one source once. An error wraps ErrConflict while another process has
// the source, ErrFenced when another one took it over, and else what made the run
// fail; the source's state is then the one of before.
func (i *Ingester) Run(ctx context.Context, source vex.Source) (*Outcome, error) {
	return i.run(ctx, source, true)
}

// Reread reads every document of a source that is kept once more, without fetching:
// after other keys are known, or a reader was mended. Errors are those of Run.
func (i *Ingester) Reread(ctx context.Context, source vex.Source) (*Outcome, error) {
	return i.run(ctx, source, false)
}

func (i *Ingester) run(ctx context.Context, source vex.Source, fetch bool) (*Outcome, error) {
	name := source.Describe().Name
	run, err := i.Store.Begin(ctx, name, i.Holder, cmp.Or(i.Lease, time.Minute))
	if err != nil {
		return nil, err
	}
	r := &running{ingester: i, source: source, run: run, out: &Outcome{Source: name, Run: run.Number}, known: map[string]vex.Known{}, seen: map[string]bool{}, gone: map[string]bool{}}
	var finish *vex.Finish
	held := lease.Held{
		Length: run.Length,
		Extend: func(ctx context.Context) error { return i.Store.Extend(ctx, run) },
		Finish: func(ctx context.Context, cause string) error {
			if cause != "" {
				return i.Store.Finish(ctx, run, vex.Finish{Cause: cause})
			}
			return i.Store.Finish(ctx, run, *finish)
		},
	}
	err = held.Do(ctx, "ingest "+name, func(ctx context.Context) (err error) {
		finish, err = r.all(ctx, fetch)
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
	source   vex.Source
	run      *vex.Run
	out      *Outcome
	known    map[string]vex.Known // current documents by name
	seen     map[string]bool      // those that were fetched, or are gone
	gone     map[string]bool
	batch    batch
}

// all does everything of a run but its end.
func (r *running) all(ctx context.Context, fetch bool) (*vex.Finish, error) {
	var pending []vex.Known
	for k, err := range r.ingester.Store.Known(ctx, r.run.Source) {
		if err != nil {
			return nil, err
		}
		r.known[k.Name] = k
		if k.Pending || !fetch {
			pending = append(pending, k)
		}
	}
	before := len(r.known)
	if err := r.left(ctx, pending); err != nil {
		return nil, err
	}
	if !fetch {
		return &vex.Finish{State: r.run.State}, nil
	}
	fetched, err := r.source.Fetch(ctx, r.ingester.Door, r.run.State, func(d *vex.Document) error { return r.fetched(ctx, d) })
	if err == nil {
		err = r.flush(ctx)
	}
	if err != nil {
		return nil, err
	}
	f := &vex.Finish{State: fetched.State}
	for name := range r.known {
		if r.gone[name] || fetched.Complete && !r.seen[name] {
			f.Gone = append(f.Gone, name)
		}
	}
	slices.Sort(f.Gone)
	if most := max(MaxLoss, before/10); len(f.Gone) > most && !r.ingester.AllowLoss {
		return nil, &fault.LimitError{What: "documents that are gone at once", Where: fmt.Sprintf("source %s with %d documents", r.run.Source, before), Max: int64(most), Seen: int64(len(f.Gone))}
	}
	r.out.Gone, r.out.Unchanged = len(f.Gone), fetched.Unchanged
	return f, nil
}

// left reads the documents that are kept and to be read.
func (r *running) left(ctx context.Context, pending []vex.Known) error {
	for _, k := range pending {
		d, err := r.ingester.Store.Raw(ctx, k.Digest)
		if err != nil {
			return err
		}
		// The content may be that of several documents, and a signature of one is one
		// of all.
		d.Source, d.Name = r.run.Source, k.Name
		r.out.Pending++
		if err := r.add(ctx, item{doc: d, digest: k.Digest, kept: true}); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

// fetched takes a document that the source passed on.
func (r *running) fetched(ctx context.Context, d *vex.Document) error {
	crashpoint.Hit(crashpoint.VEXFetched)
	if err := CheckDocument(d); err != nil {
		return err
	}
	r.seen[d.Name] = true
	if d.Gone {
		r.gone[d.Name] = true
		return nil
	}
	delete(r.gone, d.Name)
	k := vex.Known{Name: d.Name, Digest: digestOf(d.Content)}
	if len(d.Proof) > 0 {
		k.Proof = digestOf(d.Proof)
	}
	if before := r.known[d.Name]; before.Digest == k.Digest && before.Proof == k.Proof {
		return ctx.Err()
	}
	r.known[d.Name] = k
	r.out.Documents++
	return r.add(ctx, item{doc: d, digest: k.Digest})
}
