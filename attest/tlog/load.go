package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// maxLoads is how often the head may change while it is being read.
const maxLoads = 64

// state is what a process knows of the head.
type state struct {
	record    []byte // the head as it is stored
	head      *head
	committed *Checkpoint
	edge      *edge // of the committed tree, which is integrated
}

// load reads the head, begins the log where there is none, integrates what was
// committed, and reads the leaf hashes that are new. A failure leaves no state: the
// next call begins again.
func (l *Log) load(ctx context.Context) error {
	known := l.current().committed
	l.state = nil
	for range maxLoads {
		s, again, err := l.loadHead(ctx)
		if again {
			continue
		}
		if err != nil {
			return err
		}
		if known != nil {
			if err := l.follows(ctx, known, s.committed); err != nil {
				return err
			}
		}
		if err := l.readIndex(ctx, s.committed.Tree); err != nil {
			return err
		}
		if l.opt.MaxEntries < s.committed.Size {
			return &fault.LimitError{What: "entries of the log", Where: l.Origin(), Max: l.opt.MaxEntries, Seen: s.committed.Size}
		}
		l.adopt(s)
		l.notePartial(s.edge.all())
		l.dropPartial(ctx, s.committed.Size)
		return nil
	}
	return fmt.Errorf("the head changed %d times while it was read: %w", maxLoads, fault.Unavailable)
}

// loadHead reads the head. again says that it changed meanwhile.
func (l *Log) loadHead(ctx context.Context) (s *state, again bool, err error) {
	record, err := l.storage.Head.Load(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("read the head: %w", err)
	}
	if record == nil {
		err := l.begin(ctx)
		return nil, err == nil || errors.As(err, new(*lostError)), err
	}
	s = &state{record: record}
	if s.head, err = decodeHead(record); err != nil {
		return nil, false, err
	}
	if s.committed, err = l.policy.Open(s.head.Committed); err != nil {
		return nil, false, fmt.Errorf("the committed checkpoint: %w", err)
	}
	if sameTree(s.head.Integrated, s.committed.Tree) {
		s.edge, err = l.reader.edge(ctx, s.committed.Tree)
		return s, false, err
	}
	err = l.integrate(ctx, s)
	if err == nil || errors.As(err, new(*lostError)) {
		return nil, true, nil
	}
	if errors.Is(err, fault.NotFound) { // somebody else integrated it and removed what was staged
		now, loadErr := l.storage.Head.Load(ctx)
		if loadErr != nil || !bytes.Equal(now, record) {
			return nil, loadErr == nil, loadErr
		}
	}
	return nil, false, err
}

func sameTree(a, b Tree) bool { return a.Size == b.Size && a.Root == b.Root }

// begin makes the head of the empty log.
func (l *Log) begin(ctx context.Context) error {
	empty := Tree{Origin: l.Origin(), Root: EmptyRoot()}
	checkpoint, err := signTree(ctx, empty, l.signer)
	if err != nil {
		return err
	}
	h := &head{Committed: checkpoint, Integrated: empty}
	if l.opt.WitnessThreshold == 0 {
		h.Published = checkpoint
	}
	record, err := h.encode()
	if err != nil {
		return err
	}
	if err := l.swap(ctx, nil, record); err != nil {
		return fmt.Errorf("begin the log: %w", err)
	}
	return nil
}

// integrate makes the tiles of what was committed by somebody who has not made them,
// or not yet.
func (l *Log) integrate(ctx context.Context, s *state) error {
	old := s.head.Integrated
	old.Origin = l.Origin()
	e, err := l.reader.edge(ctx, old)
	if err != nil {
		return fmt.Errorf("integrate size %d: %w", s.committed.Size, err)
	}
	path := stagingPath(old, s.committed.Tree)
	staged, err := l.storage.Files.Get(ctx, path, maxStaged)
	if err != nil {
		return fmt.Errorf("integrate size %d: what was staged: %w", s.committed.Size, err)
	}
	entries, err := splitBundle(path, staged, int(s.committed.Size-old.Size))
	if err != nil {
		return err
	}
	g, err := e.grow(entries)
	if err != nil {
		return err
	}
	if g.root != s.committed.Root {
		return &Error{Reason: ReasonRoot, What: path, Detail: fmt.Sprintf("its entries lead to %s, the committed checkpoint has %s", g.root, s.committed.Root)}
	}
	if err := l.writeTiles(ctx, g); err != nil {
		return err
	}
	if err := l.swapIntegrated(ctx, s, s.head.Published); err != nil {
		return err
	}
	l.unstage(ctx, path)
	return nil
}

// lostError says that another writer swapped the head. No other conflict is one.
type lostError struct{ error }

// Unwrap returns what the head said.
func (e *lostError) Unwrap() error { return e.error }

// swap swaps the head.
func (l *Log) swap(ctx context.Context, old, new []byte) error {
	err := l.storage.Head.Swap(ctx, old, new)
	if errors.Is(err, fault.Conflict) {
		return &lostError{err}
	}
	return err
}

// swapIntegrated says in the head that the committed tree is integrated, and what is
// published.
func (l *Log) swapIntegrated(ctx context.Context, s *state, published []byte) error {
	next := &head{Committed: s.head.Committed, Integrated: s.committed.Tree, Published: published}
	if l.opt.WitnessThreshold == 0 && len(l.opt.Witnesses) == 0 {
		next.Published = next.Committed
	}
	record, err := next.encode()
	if err != nil {
		return err
	}
	if err := l.swap(ctx, s.record, record); err != nil {
		return fmt.Errorf("publish size %d: %w", s.committed.Size, err)
	}
	crashpoint.Hit(crashpoint.LogPublished)
	s.head, s.record = next, record
	return nil
}

// unstage removes a staged file that no head needs any more.
func (l *Log) unstage(ctx context.Context, path string) {
	if err := l.storage.Files.Delete(ctx, path); err != nil {
		l.opt.Report(fmt.Errorf("log %s: %w", l.Origin(), err))
	}
	crashpoint.Hit(crashpoint.LogCleaned)
}

// follows refuses a head that does not contain what this process committed or read.
func (l *Log) follows(ctx context.Context, old, new *Checkpoint) error {
	if new.Size < old.Size {
		return &Error{Reason: ReasonRollback, What: "head", Detail: fmt.Sprintf("size %d after %d", new.Size, old.Size)}
	}
	proof, err := l.reader.Consistency(ctx, new.Tree, old.Size)
	if err != nil {
		return err
	}
	return VerifyConsistency(old.Size, new.Size, old.Root, new.Root, proof)
}

// readIndex reads the leaf hashes that the index lacks, verified.
func (l *Log) readIndex(ctx context.Context, t Tree) error {
	for l.indexed < t.Size {
		to := min(t.Size, (l.indexed/Width+1)*Width)
		leaves, err := l.reader.leaves(ctx, t, l.indexed, to)
		if err != nil {
			return fmt.Errorf("read the leaf hashes: %w", err)
		}
		l.addIndex(leaves)
	}
	return nil
}

// addIndex notes the leaves behind those that are indexed.
func (l *Log) addIndex(leaves []Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range leaves {
		if _, ok := l.index[h]; !ok {
			l.index[h] = l.indexed
		}
		l.indexed++
	}
}

// adopt makes s what this process knows.
func (l *Log) adopt(s *state) {
	c := shown{committed: s.committed}
	if s.head.Published != nil {
		p, err := l.policy.Open(s.head.Published)
		switch {
		case err != nil:
			l.opt.Report(fmt.Errorf("log %s: the published checkpoint: %w", l.Origin(), err)) // readers see it all the same
		case len(p.Cosigned) >= l.opt.WitnessThreshold: // which may have been another when it was published
			c.published = p
		}
	}
	l.state = s
	l.mu.Lock()
	l.shown = c
	l.mu.Unlock()
}
