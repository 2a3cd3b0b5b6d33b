package tlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/stella-ops/stella/internal/fault"
)

// Options are the details of a [Log]; nil means the defaults.
type Options struct {
	// MaxDelay is how long a batch waits for more entries; 0 means DefaultMaxDelay,
	// and a negative one not at all.
	MaxDelay time.Duration
	// MaxBatch is how many entries are committed together at most; 0 means
	// DefaultMaxBatch. MaxBatchBytes bounds them as well.
	MaxBatch int
	// MaxPending is how many entries may wait for their commit; 0 means
	// DefaultMaxPending. More are refused with ErrUnavailable.
	MaxPending int
	// MaxEntries is how many entries the log may have; 0 means DefaultMaxEntries.
	// Their leaf hashes are held in memory, about 100 bytes each. More are refused
	// with ErrLimit: a new log, under another origin, goes on.
	MaxEntries int64
	// Witnesses are asked to co-sign each checkpoint. Those with equal public keys
	// count as one.
	Witnesses []Cosigner
	// WitnessThreshold is how many distinct witnesses must have co-signed before a
	// checkpoint is published; 0 means that none needs to.
	WitnessThreshold int
	// WitnessTimeout is how long a checkpoint waits for them; 0 means
	// DefaultWitnessTimeout.
	WitnessTimeout time.Duration
	// Report is told of what fails and costs nobody anything, such as a staged file
	// that could not be deleted. Nil means nobody. It may be called from several
	// goroutines.
	Report func(error)
}

// defaults returns the options with their defaults, checked.
func (o *Options) defaults() (Options, error) {
	var out Options
	if o != nil {
		out = *o
	}
	set := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	set(&out.MaxBatch, DefaultMaxBatch)
	set(&out.MaxPending, DefaultMaxPending)
	if out.MaxDelay == 0 {
		out.MaxDelay = DefaultMaxDelay
	}
	if out.MaxEntries == 0 {
		out.MaxEntries = DefaultMaxEntries
	}
	if out.WitnessTimeout == 0 {
		out.WitnessTimeout = DefaultWitnessTimeout
	}
	if out.Report == nil {
		out.Report = func(error) {}
	}
	distinct := map[string]bool{}
	for i, w := range out.Witnesses {
		if w == nil || w.Key() == nil || w.Key().kind != TypeCosignature {
			return out, fmt.Errorf("options of a log: witness %d has no key that co-signs: %w", i, fault.Invalid)
		}
		distinct[string(w.Key().raw)] = true
	}
	switch {
	case out.MaxBatch < 0, out.MaxPending < 0, out.MaxEntries < 0, out.MaxEntries > MaxSize, out.WitnessTimeout < 0:
		return out, fmt.Errorf("options of a log: a negative limit: %w", fault.Invalid)
	case out.WitnessThreshold < 0 || out.WitnessThreshold > len(distinct):
		return out, fmt.Errorf("options of a log: a threshold of %d, but %d distinct witnesses: %w", out.WitnessThreshold, len(distinct), fault.Invalid)
	case out.MaxBatch > DefaultMaxPending:
		return out, &fault.LimitError{What: "entries of a batch", Where: "options of a log", Max: DefaultMaxPending, Seen: int64(out.MaxBatch)}
	case len(out.Witnesses) > MaxKeys-1:
		return out, &fault.LimitError{What: "witnesses", Where: "options of a log", Max: MaxKeys - 1, Seen: int64(len(out.Witnesses))}
	}
	return out, nil
}

// Log appends entries to a log. It is safe for concurrent use. Make it with [Open].
type Log struct {
	storage Storage
	signer  *Signer
	opt     Options
	policy  *Policy // the log's own key and the witnesses, with no threshold
	reader  *Reader

	turn  chan struct{}   // held by whoever reads and changes the head
	state *state          // what the head was; behind turn
	sizes map[*Key]int64  // what witnesses have seen; behind turn
	edges []merkle.Tile   // partial tiles that will be replaced by full ones; behind turn
	stop  context.Context // ends when the log is closed
	end   context.CancelFunc
	done  chan struct{} // closed when the batches have ended
	wake  chan struct{}

	mu       sync.Mutex
	closed   bool
	pending  []*waiting
	inFlight map[Hash]*waiting
	index    map[Hash]int64 // of the integrated entries
	indexed  int64          // how many
	shown    shown
}

// shown is what receipts are made with.
type shown struct {
	committed *Checkpoint // integrated
	published *Checkpoint // nil where there is none yet
}

// waiting is an entry that is being submitted.
type waiting struct {
	entry []byte
	leaf  Hash
	since time.Time
	done  chan struct{} // closed when the result is there
	out   *Receipt
	err   error
}

// Open opens the log that a storage has, or begins it: its origin is the name of the
// signer's key. It finishes what a writer that died left behind, and reads all leaf
// hashes. Close the log when it is no longer used.
//
// An error is an [*Error] where the storage has another log, or one that is damaged.
func Open(ctx context.Context, s Storage, signer *Signer, opt *Options) (*Log, error) {
	o, err := opt.defaults()
	if err != nil {
		return nil, err
	}
	if s.Files == nil || s.Head == nil || signer == nil || signer.key.kind == TypeCosignature {
		return nil, fmt.Errorf("open a log: files, a head and a signer for logs are needed: %w", fault.Invalid)
	}
	l := &Log{
		storage: s, signer: signer, opt: o,
		turn: make(chan struct{}, 1), done: make(chan struct{}), wake: make(chan struct{}, 1),
		sizes: map[*Key]int64{}, inFlight: map[Hash]*waiting{}, index: map[Hash]int64{},
	}
	l.policy = &Policy{Logs: []LogKey{{Key: signer.key}}}
	for _, w := range o.Witnesses {
		l.policy.Witnesses = append(l.policy.Witnesses, w.Key())
	}
	if _, err := l.policy.keyring(); err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	l.reader = NewReader(s.Source(), l.policy)
	if err := l.load(ctx); err != nil {
		return nil, fmt.Errorf("open the log %s: %w", l.Origin(), err)
	}
	l.stop, l.end = context.WithCancel(context.WithoutCancel(ctx))
	go l.batches()
	return l, nil
}

// Origin returns the first line of the log's checkpoints.
func (l *Log) Origin() string { return l.signer.key.name }

// Key returns the log's key.
func (l *Log) Key() *Key { return l.signer.key }

// Close ends the log: a batch whose commit began is finished, entries that still wait
// are refused with ErrUnavailable. It may be called again.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end()
	<-l.done
	return nil
}

// Submit appends an entry of at most MaxEntry bytes and returns its receipt, when the
// entry is durable and readers see it. An entry that is in the log already gets a
// receipt of the place it has. The entry must not be changed during the call.
//
// An error wraps ErrUnavailable where the same call may succeed later. The entry may
// then be in the log or not; to submit it again never doubles it. A [*WitnessError]
// is such an error: the entry is in the log, and its receipt, which is returned beside
// the error, has fewer cosignatures than the log requires. When ctx ends first, the
// entry may still be appended.
func (l *Log) Submit(ctx context.Context, entry []byte) (*Receipt, error) {
	if len(entry) > MaxEntry {
		return nil, &fault.LimitError{What: "bytes of an entry", Where: l.Origin(), Max: MaxEntry, Seen: int64(len(entry))}
	}
	leaf := LeafHash(entry)
	w, index, err := l.enqueue(entry, leaf)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return l.receipt(ctx, leaf, index)
	}
	select {
	case <-w.done:
		return w.out, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// enqueue adds an entry to the next batch, or finds it: among those that wait, or at
// an index of the log.
func (l *Log) enqueue(entry []byte, leaf Hash) (*waiting, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index, ok := l.index[leaf]; ok {
		return nil, index, nil
	}
	if w := l.inFlight[leaf]; w != nil {
		return w, 0, nil
	}
	switch {
	case l.closed:
		return nil, 0, l.closedError()
	case len(l.inFlight) >= l.opt.MaxPending:
		return nil, 0, fmt.Errorf("submit to %s: %d entries are waiting: %w", l.Origin(), len(l.inFlight), fault.Unavailable)
	}
	w := &waiting{entry: entry, leaf: leaf, since: time.Now(), done: make(chan struct{})}
	l.pending, l.inFlight[leaf] = append(l.pending, w), w
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return w, 0, nil
}

func (l *Log) closedError() error {
	return fmt.Errorf("submit to %s: the log is closed: %w", l.Origin(), fault.Unavailable)
}

// Lookup returns the receipt of the entry with a [LeafHash]. The error wraps
// ErrNotFound where this process knows none: another one may have appended it since
// this one last wrote. It may be a [*WitnessError] beside a receipt, as of Submit.
func (l *Log) Lookup(ctx context.Context, leaf Hash) (*Receipt, error) {
	l.mu.Lock()
	index, ok := l.index[leaf]
	l.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("leaf %s in %s: %w", leaf, l.Origin(), fault.NotFound)
	}
	return l.receipt(ctx, leaf, index)
}

// receipt makes the receipt of an entry that is in the log.
func (l *Log) receipt(ctx context.Context, leaf Hash, index int64) (*Receipt, error) {
	c := l.current()
	var lacking error
	if c.published == nil || index >= c.published.Size {
		err := l.Publish(ctx)
		var w *WitnessError
		if err != nil && !errors.As(err, &w) {
			return nil, err
		}
		lacking, c = err, l.current()
	}
	at := c.committed
	if c.published != nil && index < c.published.Size {
		at, lacking = c.published, nil
	}
	r, err := l.reader.Receipt(ctx, at, index)
	if err != nil {
		return nil, fmt.Errorf("receipt of entry %d of %s: %w", index, l.Origin(), err)
	}
	if err := VerifyInclusion(leaf, index, at.Size, at.Root, r.Proof); err != nil {
		return nil, fmt.Errorf("receipt of entry %d of %s: %w", index, l.Origin(), err)
	}
	return r, lacking
}

func (l *Log) current() shown {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown
}

// Publish asks the witnesses for the newest checkpoint, where it is not published
// yet, and publishes it. The error is a [*WitnessError] where too few answered.
func (l *Log) Publish(ctx context.Context) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	if l.state == nil {
		return l.load(ctx)
	}
	return l.publish(ctx)
}

func (l *Log) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) give() { <-l.turn }
