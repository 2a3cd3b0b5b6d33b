package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Cosigner is a witness that a [Log] asks. It is safe for concurrent use.
type Cosigner interface {
	// Key is the witness's key.
	Key() *Key
	// AddCheckpoint shows a checkpoint with the proof that it is consistent with the
	// one of size old that the witness co-signed last, 0 for none, and returns the
	// lines of its cosignatures. The error is a [*StaleError] where the witness's
	// size is another.
	AddCheckpoint(ctx context.Context, old int64, proof []Hash, checkpoint []byte) ([]byte, error)
}

// StaleError says that a witness's last checkpoint is not of the size that it was
// said to be. It matches ErrConflict under errors.Is.
type StaleError struct {
	Size int64 // of the checkpoint that the witness co-signed last
}

// Error names the size.
func (e *StaleError) Error() string {
	return fmt.Sprintf("the witness has co-signed size %d last", e.Size)
}

// Is reports whether target is ErrConflict.
func (e *StaleError) Is(target error) bool { return target == fault.Conflict }

// WitnessError says that an entry is in the log, and that fewer witnesses co-signed
// its checkpoint than the log requires. It matches ErrUnavailable and
// [ReasonWitness] under errors.Is, and nothing of what the witnesses said.
type WitnessError struct {
	Size int64 // of the checkpoint
	Got  int   // distinct witnesses that co-signed
	Want int
	Errs []error // why the others did not
}

// Error says how many of how many co-signed.
func (e *WitnessError) Error() string {
	var why []string
	for _, err := range e.Errs {
		why = append(why, err.Error())
	}
	return fmt.Sprintf("size %d is co-signed by %d witnesses, want %d: %s", e.Size, e.Got, e.Want, strings.Join(why, "; "))
}

// Is reports whether target is ErrUnavailable or ReasonWitness.
func (e *WitnessError) Is(target error) bool {
	return target == fault.Unavailable || target == ReasonWitness
}

// publish publishes the committed checkpoint of what this process knows, where it is
// not published yet.
func (l *Log) publish(ctx context.Context) error {
	s := l.state
	if c := l.current(); c.published != nil && sameTree(c.published.Tree, s.committed.Tree) {
		return nil
	}
	next := *s
	l.state = nil
	err := l.finish(ctx, &next)
	if errors.As(err, new(*lostError)) {
		return l.load(ctx) // somebody else went on
	}
	return err
}

// finish asks the witnesses for an integrated tree, says in the head what came of it,
// and makes s what this process knows. The error is a [*WitnessError] where too few
// co-signed, a [*lostError] where another writer was faster.
func (l *Log) finish(ctx context.Context, s *state) error {
	lines, lacking := l.cosign(ctx, s.committed)
	text := concat(s.head.Committed, lines)
	published := s.head.Published
	if lacking == nil {
		published = text
	}
	if !sameTree(s.head.Integrated, s.committed.Tree) || !bytes.Equal(published, s.head.Published) {
		if err := l.swapIntegrated(ctx, s, published); err != nil {
			return err
		}
	}
	c := *s.committed
	if c.Text = text; lacking != nil {
		s.committed = &c // its receipts have the cosignatures that there are
	}
	l.adopt(s)
	if lacking != nil {
		return lacking
	}
	return nil
}

// answerOf is what a witness said.
type answerOf struct {
	key   *Key
	size  int64
	lines []byte
	err   error
}

// cosign asks all witnesses at once, until enough have answered.
func (l *Log) cosign(ctx context.Context, c *Checkpoint) ([]byte, *WitnessError) {
	if len(l.opt.Witnesses) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.opt.WitnessTimeout)
	defer cancel()
	answers := make(chan answerOf, len(l.opt.Witnesses))
	for _, w := range l.opt.Witnesses {
		known := l.sizes[w.Key()]
		go func() { answers <- l.ask(ctx, w, known, c) }()
	}
	want := l.opt.WitnessThreshold
	e := &WitnessError{Size: c.Size, Want: want}
	distinct := map[string]bool{}
	var lines [][]byte
	for range l.opt.Witnesses {
		a := <-answers
		if a.size >= 0 {
			l.sizes[a.key] = a.size
		}
		if a.err != nil {
			e.Errs = append(e.Errs, fmt.Errorf("witness %s: %w", a.key.name, a.err))
			continue
		}
		if !distinct[string(a.key.raw)] {
			distinct[string(a.key.raw)] = true
			lines = append(lines, a.lines)
		}
		if e.Got = len(distinct); want > 0 && e.Got >= want {
			break
		}
	}
	slices.SortFunc(lines, bytes.Compare) // not as they happened to answer
	if e.Got < want {
		return concat(lines...), e
	}
	return concat(lines...), nil
}

// ask asks one witness, twice where it has another size than it was said to have. The
// lines that come back are verified, and of that witness's key alone.
func (l *Log) ask(ctx context.Context, w Cosigner, known int64, c *Checkpoint) answerOf {
	a := answerOf{key: w.Key(), size: -1}
	for attempt := 0; ; attempt++ {
		proof, err := l.reader.Consistency(ctx, c.Tree, known)
		if err != nil {
			a.err = err
			return a
		}
		lines, err := w.AddCheckpoint(ctx, known, proof, c.Text)
		var stale *StaleError
		switch {
		case errors.As(err, &stale) && attempt == 0 && stale.Size <= c.Size:
			known = stale.Size
			a.size = known
			continue
		case err != nil:
			a.err = err
			return a
		}
		if a.lines, a.err = checkCosignature(w.Key(), c.Tree, lines); a.err == nil {
			a.size = c.Size
		}
		return a
	}
}

// checkCosignature returns the line among lines that is the key's cosignature of a
// checkpoint.
func checkCosignature(k *Key, t Tree, lines []byte) ([]byte, error) {
	if len(lines) > MaxCheckpoint {
		return nil, &fault.LimitError{What: "bytes of cosignatures", Where: "answer of a witness", Max: MaxCheckpoint, Seen: int64(len(lines))}
	}
	// An empty line would end another text than the checkpoint's.
	if bytes.HasPrefix(lines, []byte("\n")) || bytes.Contains(lines, []byte("\n\n")) {
		return nil, &Error{Reason: ReasonMalformed, What: "answer of a witness", Detail: "an empty line"}
	}
	signed, err := openNote(concat([]byte(t.text()), []byte{'\n'}, lines), keyring{keyID{k.name, k.ID()}: k})
	if err != nil {
		return nil, err
	}
	for _, s := range signed {
		if s.key == k {
			return s.line, nil
		}
	}
	return nil, &Error{Reason: ReasonUnsigned, What: "answer of a witness", Detail: "no cosignature of " + k.name}
}
