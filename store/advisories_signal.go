package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// signalsRow is how many signals one row holds.
const signalsRow = 4000

// saidChunk is a row of signals that is current.
type saidChunk struct {
	seq int64
	stored
}

// signalRow is a row to be.
type signalRow struct {
	document string
	n, count int
	place    place
	digest   []byte
}

func (o *observing) readChunks(t *tx, in string, args []any) error {
	seen := map[int64]bool{}
	return t.each(func(row func(...any) error) error {
		var name string
		var c saidChunk
		err := row(&name, &c.seq, &c.digest, &c.pack, &c.at, &c.size)
		if !seen[c.seq] && err == nil {
			seen[c.seq] = true
			if !slices.ContainsFunc(o.chunks[name], func(have saidChunk) bool { return have.seq == c.seq }) {
				o.chunks[name] = append(o.chunks[name], c)
			}
		}
		return err
	}, `SELECT document, seq, digest, pack, at, size FROM vuln.signals WHERE source = $1 AND to_run = 0 AND document IN `+in+` ORDER BY document, n`, args...)
}

// prepareSignals works out what a document's signals change: all rows of the
// document, or nothing.
func (o *observing) prepareSignals(ctx context.Context, document string, d *advisory.Observed) error {
	before := o.chunks[document]
	if len(d.Signals) == 0 && len(before) == 0 {
		return nil
	}
	list, err := o.keptSignals(ctx, d, before)
	if err != nil {
		return err
	}
	var rows []signalRow
	var texts [][]byte
	for n, chunk := 0, list; len(chunk) > 0; n++ {
		take := chunk[:min(len(chunk), signalsRow)]
		chunk = chunk[len(take):]
		text, err := json.Marshal(take, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return fmt.Errorf("write signals: %v: %w", err, fault.Invalid)
		}
		sum := sha256.Sum256(text)
		rows, texts = append(rows, signalRow{document: document, n: n, count: len(take), digest: sum[:]}), append(texts, text)
	}
	same := len(rows) == len(before)
	for i := 0; same && i < len(rows); i++ {
		same = bytes.Equal(rows[i].digest, before[i].digest)
	}
	if same {
		return nil
	}
	for i := range rows {
		rows[i].place = o.packs.add(texts[i])
	}
	for _, c := range before {
		o.endedChunk = append(o.endedChunk, c.seq)
	}
	o.signals = append(o.signals, rows...)
	return nil
}

// keptSignals returns the signals of a document, one for each vulnerability and
// sorted by it, with those from before for the parts that are broken now.
func (o *observing) keptSignals(ctx context.Context, d *advisory.Observed, before []saidChunk) ([]*advisory.Signal, error) {
	by := make(map[string]*advisory.Signal, len(d.Signals))
	for _, s := range d.Signals {
		if s.Source != o.run.Source || s.Vulnerability == "" {
			return nil, fmt.Errorf("signal about %q is of source %q: %w", s.Vulnerability, s.Source, fault.Invalid)
		}
		by[s.Vulnerability] = s
	}
	broken := map[string]bool{}
	for _, p := range d.Problems {
		if p.ID != "" && by[p.ID] == nil {
			broken[p.ID] = true
		}
	}
	if len(broken) > 0 {
		for _, c := range before {
			list, err := o.advisories.signalsOf(ctx, c.stored)
			if err != nil {
				return nil, err
			}
			for _, s := range list {
				if broken[s.Vulnerability] {
					by[s.Vulnerability] = s
				}
			}
		}
	}
	out := make([]*advisory.Signal, 0, len(by))
	for _, s := range by {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *advisory.Signal) int { return strings.Compare(a.Vulnerability, b.Vulnerability) })
	return out, nil
}

// signalsOf reads a row of signals.
func (a *Advisories) signalsOf(ctx context.Context, s stored) (list []*advisory.Signal, err error) {
	err = a.texts(ctx, []stored{s}, func(_ int, text []byte) error {
		if err := json.Unmarshal(text, &list); err != nil {
			return fmt.Errorf("read signals: %v: %w", err, fault.Invalid)
		}
		return nil
	})
	return list, err
}

func (o *observing) storeSignals(t *tx, seqs []int64) error {
	args := make([]any, 0, 9*len(o.signals))
	for i := range o.signals {
		r := &o.signals[i]
		args = append(args, o.run.Source, r.document, r.n, r.count, o.run.Number, r.digest, seqs[r.place.pack], r.place.at, r.place.size)
	}
	_, err := t.insert(`INSERT INTO vuln.signals (source, document, n, count, from_run, digest, pack, at, size)`, 9, args, "")
	return err
}
