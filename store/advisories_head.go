package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Head returns a head by its number, and the newest for 0.
func (a *Advisories) Head(ctx context.Context, number int64) (*advisory.Head, error) {
	var h *advisory.Head
	err := a.read(ctx, "read a head of the advisories", func(tx *tx) error {
		var err error
		h, err = tx.head(number)
		return err
	})
	return h, err
}

func (t *tx) head(number int64) (*advisory.Head, error) {
	h := new(advisory.Head)
	var manifest []byte
	var runs string
	var at int64
	err := t.get(`SELECT number, digest, manifest, runs, at_us FROM vuln.heads WHERE number = CASE WHEN CAST($1 AS BIGINT) = 0 THEN (SELECT number FROM vuln.current_head WHERE id = 1) ELSE $1 END`,
		[]any{number}, &h.Number, &h.Digest, &manifest, &runs, &at)
	if isNoRows(err) {
		return nil, fmt.Errorf("head %d of the advisories: %w", number, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	if h.Manifest, err = packReader().DecodeAll(manifest, nil); err != nil {
		return nil, fmt.Errorf("manifest of head %d: %v: %w", h.Number, err, fault.Mismatch)
	}
	h.At = micros(at)
	if err := json.Unmarshal([]byte(runs), &h.Runs); err != nil {
		return nil, fmt.Errorf("runs of head %d: %v: %w", h.Number, err, fault.Mismatch)
	}
	return h, nil
}

// Sources returns how every source stands, sorted by name.
func (a *Advisories) Sources(ctx context.Context) ([]advisory.SourceState, error) {
	var out []advisory.SourceState
	err := a.read(ctx, "list sources", func(tx *tx) error {
		var err error
		out, err = tx.sources()
		return err
	})
	return out, err
}

func (t *tx) sources() (out []advisory.SourceState, err error) {
	err = t.each(func(row func(...any) error) error {
		var s advisory.SourceState
		var succeeded, failed int64
		err := row(&s.Source, &s.Released, &s.Records, &s.Documents, &s.Quarantined, &s.Problems, &succeeded, &failed, &s.Cause, &s.Held, &s.Why)
		if succeeded > 0 {
			s.Succeeded = micros(succeeded)
		}
		if failed > 0 {
			s.Failed = micros(failed)
		}
		out = append(out, s)
		return err
	}, `SELECT name, released, records, documents, quarantined, problems, succeeded_us, failed_us, cause, held, why FROM vuln.sources ORDER BY name`)
	return out, err
}

// Changed returns the parts that differ between a head, nil for none, and what is
// released now. A part without a database stands for the signals of its source.
func (a *Advisories) Changed(ctx context.Context, since *advisory.Head) ([]advisory.Part, error) {
	before := map[string]int64{}
	if since != nil {
		before = since.Runs
	}
	var out []advisory.Part
	err := a.read(ctx, "look for changed parts", func(tx *tx) error {
		sources, err := tx.sources()
		if err != nil {
			return err
		}
		out = out[:0]
		for _, s := range sources {
			if s.Released == before[s.Source] {
				continue
			}
			parts, err := tx.changed(s.Source, min(before[s.Source], s.Released), max(before[s.Source], s.Released))
			if err != nil {
				return err
			}
			out = append(out, parts...)
		}
		return nil
	})
	slices.SortFunc(out, compareParts)
	return out, err
}

func compareParts(a, b advisory.Part) int {
	return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Database, b.Database), strings.Compare(a.Ecosystem, b.Ecosystem))
}

// between is the condition that a row began or ended after one run and up to
// another.
const between = `(EXISTS (SELECT 1 FROM vuln.observations o WHERE o.group_id = g.id AND o.from_run > $2 AND o.from_run <= $3)
	OR EXISTS (SELECT 1 FROM vuln.observations o WHERE o.group_id = g.id AND o.to_run > 0 AND o.to_run > $2 AND o.to_run <= $3))`

// changed returns the parts of a source that differ between two of its runs.
func (t *tx) changed(source string, after, upTo int64) ([]advisory.Part, error) {
	found := map[advisory.Part]bool{}
	err := t.each(func(row func(...any) error) error {
		var database, ecosystems string
		err := row(&database, &ecosystems)
		for e := range strings.SplitSeq(ecosystems, "\n") {
			found[advisory.Part{Source: source, Database: database, Ecosystem: e}] = true
		}
		return err
	}, `SELECT g.database, g.ecosystems FROM vuln.groups g WHERE g.source = $1 AND `+between, source, after, upTo)
	if err != nil {
		return nil, err
	}
	var n int
	err = t.get(`SELECT count(*) FROM vuln.signals WHERE source = $1 AND (from_run > $2 AND from_run <= $3 OR to_run > 0 AND to_run > $2 AND to_run <= $3)`, []any{source, after, upTo}, &n)
	if n > 0 {
		found[advisory.Part{Source: source}] = true
	}
	return slices.SortedFunc(maps.Keys(found), compareParts), err
}

// listed is an observation as it is looked for.
type listed struct {
	source, record, document string
	stored
}

// errStop ends a reading whose consumer has had enough.
var errStop = errors.New("stop")

// Records yields the records of a part as of the runs of a head, sorted by source
// and id. A part without a source is of all of them.
func (a *Advisories) Records(ctx context.Context, at *advisory.Head, p advisory.Part) iter.Seq2[*advisory.Record, error] {
	return func(yield func(*advisory.Record, error) bool) {
		list, err := a.listed(ctx, at, p)
		if err != nil {
			yield(nil, err)
			return
		}
		// What runs have stored stays: no transaction is kept open meanwhile.
		texts := make([]stored, len(list))
		for i := range list {
			texts[i] = list[i].stored
		}
		err = a.texts(ctx, texts, func(i int, text []byte) error {
			r := new(advisory.Record)
			if err := json.Unmarshal(text, r); err != nil {
				return fmt.Errorf("read record %s of %s: %v: %w", list[i].record, list[i].source, err, fault.Mismatch)
			}
			if !yield(r, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			yield(nil, err)
		}
	}
}

func (a *Advisories) listed(ctx context.Context, at *advisory.Head, p advisory.Part) (out []listed, err error) {
	sources := []string{p.Source}
	if p.Source == "" {
		sources = slices.Sorted(maps.Keys(at.Runs))
	}
	err = a.read(ctx, "list records of "+p.Database+" about "+p.Ecosystem, func(tx *tx) error {
		out = out[:0]
		for _, source := range sources {
			groups, err := tx.groupsOf(source, p)
			if err != nil {
				return err
			}
			for _, g := range groups {
				err := tx.each(func(row func(...any) error) error {
					l := listed{source: source}
					err := row(&l.record, &l.document, &l.digest, &l.pack, &l.at, &l.size)
					out = append(out, l)
					return err
				}, `SELECT record, document, digest, pack, at, size FROM vuln.observations WHERE group_id = $1 AND `+visible, g, at.Runs[source])
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b listed) int {
		return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.record, b.record), strings.Compare(a.document, b.document))
	})
	return out, err
}

// groupsOf returns the groups that have a part.
func (t *tx) groupsOf(source string, p advisory.Part) (out []int64, err error) {
	err = t.each(func(row func(...any) error) error {
		var id int64
		var ecosystems string
		err := row(&id, &ecosystems)
		if slices.Contains(strings.Split(ecosystems, "\n"), p.Ecosystem) {
			out = append(out, id)
		}
		return err
	}, `SELECT id, ecosystems FROM vuln.groups WHERE source = $1 AND database = $2`, source, p.Database)
	return out, err
}

// Signals yields the signals as of the runs of a head, sorted by vulnerability and
// source. All are held in memory.
func (a *Advisories) Signals(ctx context.Context, at *advisory.Head) iter.Seq2[*advisory.Signal, error] {
	return func(yield func(*advisory.Signal, error) bool) {
		all, err := a.allSignals(ctx, at)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, s := range all {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (a *Advisories) allSignals(ctx context.Context, at *advisory.Head) ([]*advisory.Signal, error) {
	var rows []stored
	err := a.read(ctx, "list signals", func(tx *tx) error {
		rows = rows[:0]
		for _, source := range slices.Sorted(maps.Keys(at.Runs)) {
			err := tx.each(func(row func(...any) error) error {
				var s stored
				err := row(&s.digest, &s.pack, &s.at, &s.size)
				rows = append(rows, s)
				return err
			}, `SELECT digest, pack, at, size FROM vuln.signals WHERE source = $1 AND `+visible+` ORDER BY document, n`, source, at.Runs[source])
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []*advisory.Signal
	for _, r := range rows {
		list, err := a.signalsOf(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(a, b *advisory.Signal) int {
		return cmp.Or(strings.Compare(a.Vulnerability, b.Vulnerability), strings.Compare(a.Source, b.Source))
	})
	return out, nil
}
