package tlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

const (
	// maxStaged is the most bytes of a staged file.
	maxStaged = MaxBatchBytes + MaxEntry + 2*(DefaultMaxPending+1)
	// maxCommits is how often a batch is staged anew because another writer was
	// faster.
	maxCommits = 64
	// writers is how many tiles are written at once.
	writers = 8
)

// batches commits one batch after the other until the log is closed.
func (l *Log) batches() {
	defer close(l.done)
	for {
		batch := l.next()
		if batch == nil {
			return
		}
		l.commit(context.WithoutCancel(l.stop), batch)
	}
}

// next waits for the next batch; nil where the log was closed.
func (l *Log) next() []*waiting {
	for {
		l.mu.Lock()
		n := len(l.pending)
		var left time.Duration
		if n > 0 {
			left = l.opt.MaxDelay - time.Since(l.pending[0].since)
		}
		closed := l.closed
		if n > 0 && !closed && (n >= l.opt.MaxBatch || left <= 0) {
			batch := l.cut()
			l.mu.Unlock()
			return batch
		}
		l.mu.Unlock()
		if closed {
			l.refuseAll()
			return nil
		}
		var timer <-chan time.Time
		if n > 0 {
			timer = time.After(left)
		}
		select {
		case <-l.wake:
		case <-timer:
		case <-l.stop.Done():
		}
	}
}

// cut takes a batch from what is pending.
func (l *Log) cut() []*waiting {
	n, size := 0, 0
	for n < len(l.pending) && n < l.opt.MaxBatch && size <= MaxBatchBytes {
		size += len(l.pending[n].entry)
		n++
	}
	batch := l.pending[:n:n]
	l.pending = append([]*waiting(nil), l.pending[n:]...)
	return batch
}

// refuseAll refuses what waits when the log is closed.
func (l *Log) refuseAll() {
	l.mu.Lock()
	batch := l.pending
	l.pending = nil
	l.mu.Unlock()
	for _, w := range batch {
		l.answer(w, nil, l.closedError())
	}
}

// answer gives an entry its result.
func (l *Log) answer(w *waiting, r *Receipt, err error) {
	l.mu.Lock()
	delete(l.inFlight, w.leaf)
	l.mu.Unlock()
	w.out, w.err = r, err
	close(w.done)
}

// commit appends a batch and answers each of its entries.
func (l *Log) commit(ctx context.Context, batch []*waiting) {
	err := fmt.Errorf("commit to %s: other writers were faster %d times: %w", l.Origin(), maxCommits, fault.Unavailable)
	for range maxCommits {
		if batch = l.answerKnown(ctx, batch); len(batch) == 0 {
			return
		}
		var again bool
		if again, err = l.attempt(ctx, batch); err == nil {
			return
		}
		if !again {
			break
		}
	}
	for _, w := range batch {
		l.answer(w, nil, err)
	}
}

// answerKnown answers the entries that are in the log and returns the others.
func (l *Log) answerKnown(ctx context.Context, batch []*waiting) []*waiting {
	var rest []*waiting
	for _, w := range batch {
		l.mu.Lock()
		index, ok := l.index[w.leaf]
		l.mu.Unlock()
		if !ok {
			rest = append(rest, w)
			continue
		}
		r, err := l.receipt(ctx, w.leaf, index)
		l.answer(w, r, err)
	}
	return rest
}

// attempt commits a batch on top of what this process knows. Where it answered the
// batch, the error is nil; otherwise again says whether to look at what another
// writer committed, and to try once more.
func (l *Log) attempt(ctx context.Context, batch []*waiting) (again bool, err error) {
	if err := l.take(ctx); err != nil {
		return false, err
	}
	defer l.give()
	if l.state == nil || l.indexed != l.state.committed.Size {
		if err := l.load(ctx); err != nil {
			return false, fmt.Errorf("commit to %s: %w", l.Origin(), err)
		}
		return true, errors.New("loaded") // what was read may have the entries
	}
	s := l.state
	g, err := l.propose(s, batch)
	if err != nil {
		return false, err
	}
	tree := Tree{Origin: l.Origin(), Size: g.size, Root: g.root}
	next, err := l.swapCommitted(ctx, s, tree, batch)
	if errors.As(err, new(*lostError)) {
		l.state = nil
		if err := l.load(ctx); err != nil {
			return false, fmt.Errorf("commit to %s: %w", l.Origin(), err)
		}
		if !sameTree(l.state.committed.Tree, s.committed.Tree) {
			// The tree that this grew from is past: nobody commits this batch on it
			// any more, or somebody did and it is integrated.
			l.unstage(ctx, stagingPath(s.committed.Tree, tree))
		}
		return true, err
	}
	if err != nil {
		l.state = nil // it may be committed or not
		return false, fmt.Errorf("commit to %s: %w", l.Origin(), err)
	}
	l.state = nil // until it is integrated
	if err := l.writeTiles(ctx, g); err != nil {
		return false, fmt.Errorf("commit to %s: the entries are in the log, its tiles are not: %w", l.Origin(), err)
	}
	next.edge = g.edge()
	err = l.finish(ctx, next)
	if errors.As(err, new(*lostError)) {
		return true, err // another writer integrated it: the entries are found when it is loaded
	}
	var lacking *WitnessError
	if err != nil && !errors.As(err, &lacking) {
		return false, fmt.Errorf("commit to %s: the entries are in the log, its checkpoint is not published: %w", l.Origin(), err)
	}
	l.unstage(ctx, stagingPath(s.committed.Tree, tree))
	l.answerNew(g, batch, err)
	l.notePartial(g.tiles)
	l.dropPartial(ctx, g.size)
	return false, nil
}

// propose grows the tree by a batch.
func (l *Log) propose(s *state, batch []*waiting) (*grown, error) {
	if n := s.committed.Size + int64(len(batch)); n > l.opt.MaxEntries {
		return nil, &fault.LimitError{What: "entries of the log", Where: l.Origin(), Max: l.opt.MaxEntries, Seen: n}
	}
	entries := make([][]byte, len(batch))
	for i, w := range batch {
		entries[i] = w.entry
	}
	return s.edge.grow(entries)
}

// swapCommitted stages a batch and commits the tree that has it.
func (l *Log) swapCommitted(ctx context.Context, s *state, tree Tree, batch []*waiting) (*state, error) {
	checkpoint, err := signTree(ctx, tree, l.signer)
	if err != nil {
		return nil, err
	}
	var staged []byte
	for _, w := range batch {
		staged = appendEntry(staged, w.entry)
	}
	if err := l.storage.Files.Put(ctx, stagingPath(s.committed.Tree, tree), staged); err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	crashpoint.Hit(crashpoint.LogStaged)
	next := &state{head: &head{Committed: checkpoint, Integrated: s.committed.Tree, Published: s.head.Published}}
	next.committed = &Checkpoint{Tree: tree, Key: l.signer.key, Text: checkpoint}
	if next.record, err = next.head.encode(); err != nil {
		return nil, err
	}
	if err := l.swap(ctx, s.record, next.record); err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.LogCommitted)
	return next, nil
}

// writeTiles writes the tiles and bundles of a grown tree.
func (l *Log) writeTiles(ctx context.Context, g *grown) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	slots := make(chan struct{}, writers)
	for _, t := range g.tiles {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			err := l.storage.Files.Put(ctx, tilePath(t.tile), t.data)
			crashpoint.Hit(crashpoint.LogTile)
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	if errors.Is(first, fault.Conflict) { // somebody else wrote where only this log does
		return &Error{Reason: ReasonRoot, What: "tiles", Detail: "what is there is not of this tree: " + first.Error()}
	}
	if first == nil {
		crashpoint.Hit(crashpoint.LogIntegrated)
	}
	return first
}

// answerNew answers the entries of a batch that was committed. lacking is what the
// witnesses left open.
func (l *Log) answerNew(g *grown, batch []*waiting, lacking error) {
	leaves := make([]Hash, len(batch))
	for i, w := range batch {
		leaves[i] = w.leaf
	}
	l.addIndex(leaves)
	c := l.current()
	at := c.committed
	if lacking == nil {
		at = c.published
	}
	for i, w := range batch {
		index := g.old.size + int64(i)
		proof, err := g.prove(index)
		if err != nil {
			l.answer(w, nil, err)
			continue
		}
		l.answer(w, &Receipt{Index: index, Proof: proof, Checkpoint: at.Text}, lacking)
	}
}

// notePartial remembers partial tiles and bundles that are there.
func (l *Log) notePartial(tiles []edgeTile) {
	for _, t := range tiles {
		if t.tile.W < Width {
			l.edges = append(l.edges, t.tile)
		}
	}
}

// dropPartial removes the partial tiles and bundles whose full ones are in the tree of
// a size, which readers take instead. Otherwise a log of small batches would have each
// entry a hundred times. Those that a writer that died left behind stay.
func (l *Log) dropPartial(ctx context.Context, size int64) {
	rest := l.edges[:0]
	for _, t := range l.edges {
		if tileAt(t.L, t.N, size).W < Width {
			rest = append(rest, t)
			continue
		}
		if err := l.storage.Files.Delete(ctx, tilePath(t)); err != nil {
			l.opt.Report(fmt.Errorf("log %s: %w", l.Origin(), err))
		}
	}
	l.edges = rest
}
