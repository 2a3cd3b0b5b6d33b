package timeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Sink is a place for checkpoints that the owner of the database cannot change. It is
// safe for concurrent use, also by several processes.
type Sink interface {
	// Last returns the newest checkpoint of a tenant, nil without any.
	Last(ctx context.Context, tenant string) (*Kept, error)
	// Put keeps one durably. One that is there stays: an error wraps ErrConflict where it
	// is another one, and where the one before is missing.
	Put(ctx context.Context, tenant string, k *Kept) error
	// Open reads all of a tenant in their order, each an envelope on a line of its own.
	// Without any there is nothing to read. Close it.
	Open(ctx context.Context, tenant string) (io.ReadCloser, error)
}

// Source is what a Publisher works on.
type Source interface {
	Chain
	Checkpoints
}

// Publisher signs checkpoints of the chain of one tenant. Several may work on a chain:
// which checkpoint has a number is what the store kept first, and that alone goes to
// sinks. It checks the rows since the checkpoint before and signs nothing that does not
// follow from it.
type Publisher struct {
	Tenant  string
	Source  Source
	Sink    Sink
	Signers []dsse.Signer
	// Trust verifies the checkpoints that are there. It has the keys of the Signers, and
	// those that came before them.
	Trust dsse.Trust
	// Rows and Every say when a checkpoint is due: after so many rows, or when so much
	// time has passed since the one before and there is a row. Default: 1000 and 1 min.
	Rows  int64
	Every time.Duration
}

// Publish makes the checkpoints that are due, brings what the sink lacks there, and
// returns how many it made. Call it every second or so. An error wraps ErrMismatch where
// the chain does not follow from its last checkpoint, and ErrConflict where the sink has
// checkpoints that the store has not: it was set back, or rewritten.
func (p *Publisher) Publish(ctx context.Context) (made int, err error) { return p.publish(ctx, false) }

// Flush is Publish that does not wait until a checkpoint is due.
func (p *Publisher) Flush(ctx context.Context) (made int, err error) { return p.publish(ctx, true) }

func (p *Publisher) publish(ctx context.Context, now bool) (made int, err error) {
	fail := func(err error) (int, error) {
		return made, fmt.Errorf("publish checkpoints of tenant %s: %w", p.Tenant, err)
	}
	last, err := p.settle(ctx)
	if err != nil {
		return fail(err)
	}
	head, err := p.Source.Head(ctx)
	if err != nil {
		return fail(err)
	}
	if head.Seq < last.Last || head.Seq == last.Last && head.Hash != last.Hash {
		return fail(fmt.Errorf("the chain ends in row %d with %s, and checkpoint %d says row %d with %s: %w", head.Seq, head.Hash, last.Number, last.Last, last.Hash, fault.Mismatch))
	}
	due := now || head.Seq-last.Last >= cmp.Or(p.Rows, 1000) || head.Now.Sub(last.Time) >= cmp.Or(p.Every, time.Minute)
	for due && last.Last < head.Seq {
		own, next, err := p.next(ctx, last, head)
		if err != nil {
			return fail(err)
		}
		if own {
			made++
		}
		last = next
	}
	return made, nil
}

// link is a checkpoint with the digest that the next one names.
type link struct {
	*Checkpoint
	digest string
}

// settle brings to the sink what it lacks, and returns the newest checkpoint.
func (p *Publisher) settle(ctx context.Context) (link, error) {
	newest, err := p.Source.Checkpoint(ctx, 0)
	if errors.Is(err, fault.NotFound) {
		newest, err = &Kept{}, nil
	}
	if err != nil {
		return link{}, err
	}
	there, err := p.Sink.Last(ctx, p.Tenant)
	if err != nil {
		return link{}, err
	}
	if there == nil {
		there = &Kept{}
	}
	// Another publisher may have been faster since the store was asked.
	if there.Number > newest.Number {
		if newest, err = p.Source.Checkpoint(ctx, there.Number); err != nil {
			return link{}, fmt.Errorf("checkpoint %d was published, and the store: %w: %w", there.Number, err, fault.Conflict)
		}
	}
	if there.Number > 0 {
		same, err := p.Source.Checkpoint(ctx, there.Number)
		if err != nil {
			return link{}, err
		}
		if !bytes.Equal(same.Envelope, there.Envelope) {
			return link{}, fmt.Errorf("checkpoint %d was published, and the store has another one: %w", there.Number, fault.Conflict)
		}
	}
	last := link{Checkpoint: &Checkpoint{Hash: Genesis(p.Tenant)}}
	if there.Number > 0 {
		if last.Checkpoint, last.digest, err = ReadCheckpoint(there, p.Tenant, p.Trust); err != nil {
			return link{}, err
		}
	}
	for n := there.Number + 1; n <= newest.Number; n++ {
		k, err := p.Source.Checkpoint(ctx, n)
		if err == nil {
			last, err = p.follow(last, k)
		}
		if err == nil {
			err = p.Sink.Put(ctx, p.Tenant, k)
		}
		if err != nil {
			return link{}, err
		}
	}
	return last, nil
}

// follow verifies a checkpoint that comes after another: a sink gets no other.
func (p *Publisher) follow(last link, k *Kept) (link, error) {
	c, digest, err := ReadCheckpoint(k, p.Tenant, p.Trust)
	if err == nil && (c.Number != last.Number+1 || c.First != last.Last+1 || c.Previous != last.digest) {
		err = fmt.Errorf("checkpoint %d of row %d on does not follow from checkpoint %d: %w", c.Number, c.First, last.Number, fault.Mismatch)
	}
	return link{c, digest}, err
}

// next makes the checkpoint after last, and reports whether it is the one that was kept.
func (p *Publisher) next(ctx context.Context, last link, head Head) (own bool, next link, err error) {
	c := &Checkpoint{Number: last.Number + 1, Tenant: p.Tenant, First: last.Last + 1, Last: last.Last, Hash: last.Hash, Previous: last.digest, Time: head.Now}
	for until := min(head.Seq, last.Last+MaxMarks); c.Last < until; {
		rows, err := p.Source.Rows(ctx, c.Last, int(min(until-c.Last, MaxRows)))
		if err != nil {
			return false, next, err
		}
		if len(rows) == 0 {
			return false, next, fmt.Errorf("row %d is missing: %w", c.Last+1, fault.Mismatch)
		}
		for i := range rows {
			r := &rows[i]
			if r.Seq != c.Last+1 || r.After(c.Hash) != r.Hash {
				return false, next, fmt.Errorf("row %d does not follow from row %d: %w", r.Seq, c.Last, fault.Mismatch)
			}
			c.Last, c.Hash = r.Seq, r.Hash
			c.Marks = append(c.Marks, r.Hash[:markSize]...)
		}
	}
	made, err := c.Sign(ctx, p.Signers...)
	if err != nil {
		return false, next, err
	}
	crashpoint.Hit(crashpoint.TimelineSigned)
	kept, err := p.Source.Keep(ctx, made)
	if err != nil {
		return false, next, err
	}
	crashpoint.Hit(crashpoint.TimelineKept)
	if next, err = p.follow(last, kept); err != nil {
		return false, next, err
	}
	err = p.Sink.Put(ctx, p.Tenant, kept)
	crashpoint.Hit(crashpoint.TimelinePublished)
	return bytes.Equal(kept.Envelope, made.Envelope), next, err
}
