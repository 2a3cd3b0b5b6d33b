package tlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// WitnessOptions say what a [Witness] watches and where it remembers.
type WitnessOptions struct {
	// Logs are the keys of the logs that it co-signs for.
	Logs []LogKey
	// Head returns where the newest checkpoint of a log is remembered: one head for
	// each origin, and the same one for the same origin. It is asked for the origins
	// of Logs only.
	Head func(origin string) (Head, error)
	// Now is the clock of cosignatures; nil means the machine's.
	Now func() time.Time
}

// Witness co-signs checkpoints of logs that never contradict themselves: each must
// contain the one that was co-signed before. It is safe for concurrent use, also by
// several processes that share the heads. It is a [Cosigner].
type Witness struct {
	signer *Signer
	logs   *Policy
	head   func(origin string) (Head, error)
	now    func() time.Time
}

var _ Cosigner = (*Witness)(nil)

// NewWitness returns a witness. An error wraps ErrInvalid.
func NewWitness(s *Signer, opt *WitnessOptions) (*Witness, error) {
	if s == nil || s.key.kind != TypeCosignature || opt == nil || opt.Head == nil {
		return nil, fmt.Errorf("witness: a signer that co-signs, logs and their heads are needed: %w", fault.Invalid)
	}
	w := &Witness{signer: s, logs: &Policy{Logs: opt.Logs}, head: opt.Head, now: opt.Now}
	if w.now == nil {
		w.now = time.Now
	}
	if _, err := w.logs.keyring(); err != nil {
		return nil, fmt.Errorf("witness %s: %w", s.key.name, err)
	}
	return w, nil
}

// Key returns the witness's key.
func (w *Witness) Key() *Key { return w.signer.key }

// AddCheckpoint co-signs a checkpoint that contains the one of size old, which must
// be the one that was co-signed last, and returns the line of the cosignature. What
// is co-signed is remembered first. An error is an [*Error], or a [*StaleError].
func (w *Witness) AddCheckpoint(ctx context.Context, old int64, proof []Hash, checkpoint []byte) ([]byte, error) {
	c, err := w.open(checkpoint)
	if err != nil {
		return nil, err
	}
	if old < 0 || old > c.Size {
		return nil, &Error{Reason: ReasonMalformed, What: "request", Detail: fmt.Sprintf("old size %d, the checkpoint has %d", old, c.Size)}
	}
	h, err := w.head(c.Origin)
	if err != nil {
		return nil, fmt.Errorf("witness %s: %w", c.Origin, err)
	}
	for {
		last, record, err := w.last(ctx, h, c.Origin)
		if err != nil {
			return nil, err
		}
		if last.Size != old {
			return nil, &StaleError{Size: last.Size}
		}
		if err := VerifyConsistency(last.Size, c.Size, last.Root, c.Root, proof); err != nil {
			return nil, err
		}
		line, text, err := w.cosign(ctx, c)
		if err != nil {
			return nil, err
		}
		switch err := h.Swap(ctx, record, text); {
		case err == nil:
			return line, nil
		case !errors.Is(err, fault.Conflict):
			return nil, fmt.Errorf("witness %s: remember size %d: %w", c.Origin, c.Size, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// open verifies that a known log signed a checkpoint. Which logs are known comes
// before who signed.
func (w *Witness) open(checkpoint []byte) (*Checkpoint, error) {
	tree, err := ParseTree(checkpoint)
	if err != nil {
		return nil, err
	}
	for _, l := range w.logs.Logs {
		if l.origin() == tree.Origin {
			return w.logs.Open(checkpoint)
		}
	}
	return nil, &Error{Reason: ReasonUnknownLog, What: "checkpoint", Detail: fmt.Sprintf("origin %q", tree.Origin)}
}

// last returns what was co-signed last, the empty tree where nothing was.
func (w *Witness) last(ctx context.Context, h Head, origin string) (Tree, []byte, error) {
	record, err := h.Load(ctx)
	if err != nil {
		return Tree{}, nil, fmt.Errorf("witness %s: %w", origin, err)
	}
	if record == nil {
		return Tree{Origin: origin, Root: EmptyRoot()}, nil, nil
	}
	// A record that this witness did not sign is not its own memory.
	t, err := ParseTree(record)
	if err == nil {
		lines, _ := bytes.CutPrefix(record, []byte(t.text()+"\n"))
		_, err = checkCosignature(w.signer.key, t, lines)
	}
	if err == nil && t.Origin != origin {
		err = &Error{Reason: ReasonOrigin, What: "checkpoint", Detail: fmt.Sprintf("%q", t.Origin)}
	}
	if err != nil {
		return Tree{}, nil, fmt.Errorf("what witness %s remembers of %s is damaged: %v: %w", w.signer.key.name, origin, err, fault.Unavailable)
	}
	return t, record, nil
}

// cosign signs a checkpoint, and returns the line and what is remembered: the
// checkpoint with the log's signature and this one.
func (w *Witness) cosign(ctx context.Context, c *Checkpoint) (line, text []byte, err error) {
	at := w.now().Unix()
	if at <= 0 {
		return nil, nil, fmt.Errorf("witness %s: the clock says %d: %w", w.signer.key.name, at, fault.Unavailable)
	}
	sig, err := w.signer.signature(ctx, cosigned([]byte(c.text()), at), binary.BigEndian.AppendUint64(nil, uint64(at)))
	if err != nil {
		return nil, nil, err
	}
	line = signatureLine(w.signer.key.name, sig)
	known, err := w.logs.keyring()
	if err != nil {
		return nil, nil, err
	}
	signed, err := openNote(c.Text, known)
	if err != nil {
		return nil, nil, err
	}
	text = concat([]byte(c.text()), []byte{'\n'})
	for _, s := range signed {
		text = append(text, s.line...)
	}
	return line, append(text, line...), nil
}

// Checkpoint returns the newest checkpoint of a log that was co-signed, with the
// signatures of the log and the witness. The error wraps ErrNotFound where there is
// none.
func (w *Witness) Checkpoint(ctx context.Context, origin string) ([]byte, error) {
	for _, l := range w.logs.Logs {
		if l.origin() != origin {
			continue
		}
		h, err := w.head(origin)
		if err != nil {
			return nil, fmt.Errorf("witness %s: %w", origin, err)
		}
		_, record, err := w.last(ctx, h, origin)
		if err != nil {
			return nil, err
		}
		if record != nil {
			return record, nil
		}
	}
	return nil, fmt.Errorf("witness: nothing of %.80q was co-signed: %w", origin, fault.NotFound)
}
