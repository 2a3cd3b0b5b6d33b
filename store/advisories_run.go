package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/store/crashpoint"
)

var sourceName = lazyre.New(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Begin takes a source for a while, between MinLease and MaxLease.
func (a *Advisories) Begin(ctx context.Context, source, holder string, length time.Duration) (*advisory.Run, error) {
	if !sourceName.Get().MatchString(source) || holder == "" || length < MinLease || length > MaxLease {
		return nil, fmt.Errorf("begin a run of source %.80q for %.80q over %v: want lower-case letters, digits and hyphens, a holder, and %v to %v: %w",
			source, holder, length, MinLease, MaxLease, fault.Invalid)
	}
	r := &advisory.Run{Source: source, Holder: holder, Length: length}
	err := a.write(ctx, "begin a run of "+source, func(tx *tx) error { return tx.begin(r) })
	if errors.Is(err, errUnknown) { // the run is there if and only if the commit happened
		known, readErr := a.holds(context.WithoutCancel(ctx), r)
		if readErr == nil && known {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.IngestBegun)
	return r, nil
}

func (t *tx) begin(r *advisory.Run) error {
	_, err := t.exec(`INSERT INTO vuln.sources (name, epoch, holder, until_us, run) VALUES ($1, 0, '', 0, 0) ON CONFLICT (name) DO NOTHING`, r.Source)
	if err != nil {
		return err
	}
	var holder string
	var until, before int64
	err = t.get(`SELECT epoch, holder, until_us, run, state, records FROM vuln.sources WHERE name = $1 FOR UPDATE`, []any{r.Source}, &r.Epoch, &holder, &until, &before, &r.State, &r.Records)
	if err != nil {
		return err
	}
	if until > t.now {
		return fmt.Errorf("source %s is held by %s until %s: %w", r.Source, holder, micros(until).Format(time.RFC3339), fault.Conflict)
	}
	if before != 0 {
		_, err := t.exec(`UPDATE vuln.runs SET ended_us = $2, outcome = 'abandoned', why = $3 WHERE number = $1 AND ended_us = 0`,
			before, t.now, "the lease of "+clean(holder)+" ended without a sign of life")
		if err != nil {
			return err
		}
	}
	r.Epoch++
	err = t.get(`INSERT INTO vuln.runs (source, holder, epoch, began_us) VALUES ($1, $2, $3, $4) RETURNING number`, []any{r.Source, clean(r.Holder), r.Epoch, t.now}, &r.Number)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE vuln.sources SET epoch = $2, holder = $3, until_us = $4, run = $5 WHERE name = $1`, r.Source, r.Epoch, clean(r.Holder), t.now+r.Length.Microseconds(), r.Number)
	return err
}

// holds reports whether a run is the one that has its source.
func (a *Advisories) holds(ctx context.Context, r *advisory.Run) (bool, error) {
	var n int
	err := a.read(ctx, "look for a run of "+r.Source, func(tx *tx) error {
		return tx.get(`SELECT count(*) FROM vuln.sources WHERE name = $1 AND epoch = $2 AND run = $3 AND holder = $4`, []any{r.Source, r.Epoch, r.Number, clean(r.Holder)}, &n)
	})
	return n == 1, err
}

// guardRun locks the source and checks that the run has it.
func (t *tx) guardRun(r *advisory.Run) (released int64, err error) {
	var epoch, run int64
	err = t.get(`SELECT epoch, run, released FROM vuln.sources WHERE name = $1 FOR UPDATE`, []any{r.Source}, &epoch, &run, &released)
	if isNoRows(err) || err == nil && (epoch != r.Epoch || run != r.Number) {
		err = fmt.Errorf("run %d of source %s by %s is over: %w", r.Number, r.Source, r.Holder, fault.Fenced)
	}
	return released, err
}

// Extend makes a run last from now on for its length again.
func (a *Advisories) Extend(ctx context.Context, r *advisory.Run) error {
	return a.write(ctx, "extend a run of "+r.Source, func(tx *tx) error {
		if _, err := tx.guardRun(r); err != nil {
			return err
		}
		_, err := tx.exec(`UPDATE vuln.sources SET until_us = $2 WHERE name = $1`, r.Source, tx.now+r.Length.Microseconds())
		return err
	})
}

// Finish ends a run.
func (a *Advisories) Finish(ctx context.Context, r *advisory.Run, f advisory.Finish) error {
	if len(f.State) > MaxState {
		return &fault.LimitError{What: "bytes of state", Where: "source " + r.Source, Max: MaxState, Seen: int64(len(f.State))}
	}
	err := a.write(ctx, "finish a run of "+r.Source, func(tx *tx) error { return tx.finishRun(r, f) })
	if errors.Is(err, errUnknown) || errors.Is(err, fault.Fenced) { // an answer was lost, perhaps
		ended, readErr := a.ended(context.WithoutCancel(ctx), r)
		if readErr == nil && ended {
			err = nil
		}
	}
	if err == nil {
		crashpoint.Hit(crashpoint.IngestFinished)
	}
	return err
}

// ended reports whether a run ended because its holder said so.
func (a *Advisories) ended(ctx context.Context, r *advisory.Run) (bool, error) {
	var outcome string
	err := a.read(ctx, "look how a run of "+r.Source+" ended", func(tx *tx) error {
		return tx.get(`SELECT outcome FROM vuln.runs WHERE number = $1 AND source = $2 AND epoch = $3`, []any{r.Number, r.Source, r.Epoch}, &outcome)
	})
	return outcome != "" && outcome != "abandoned", err
}

func (t *tx) finishRun(r *advisory.Run, f advisory.Finish) error {
	if _, err := t.guardRun(r); err != nil {
		return err
	}
	outcome, why := "released", ""
	switch {
	case f.Cause != "":
		outcome, why = "failed", cut(f.Cause)
	case f.Hold != "":
		outcome, why = "held", cut(f.Hold)
	}
	if outcome != "failed" {
		if err := t.endDocuments(r, f.Gone); err != nil {
			return err
		}
		crashpoint.Hit(crashpoint.IngestGone)
		if _, err := t.exec(`UPDATE vuln.sources SET state = $2, succeeded_us = $3 WHERE name = $1`, r.Source, f.State, t.now); err != nil {
			return err
		}
	}
	var err error
	switch outcome {
	case "released":
		err = t.releaseNewest(r.Source, r.Number)
	case "held":
		err = t.hold(r, why)
	default:
		_, err = t.exec(`UPDATE vuln.sources SET failed_us = $2, cause = $3 WHERE name = $1`, r.Source, t.now, why)
	}
	if err != nil {
		return err
	}
	if _, err = t.exec(`UPDATE vuln.runs SET ended_us = $2, outcome = $3, why = $4 WHERE number = $1`, r.Number, t.now, outcome, why); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE vuln.sources SET holder = '', until_us = 0, run = 0,
		quarantined = (SELECT count(*) FROM vuln.documents WHERE source = $1 AND to_run = 0 AND (state = 2 OR problem_count > 0) AND state = 2),
		problems = (SELECT coalesce(sum(problem_count), 0) FROM vuln.documents WHERE source = $1 AND to_run = 0 AND (state = 2 OR problem_count > 0)) WHERE name = $1`, r.Source)
	crashpoint.Hit(crashpoint.IngestState)
	return err
}

// endDocuments ends documents, and what they said, with a run.
func (t *tx) endDocuments(r *advisory.Run, names []string) error {
	cleaned := make([]string, len(names))
	for i, n := range names {
		cleaned[i] = clean(n)
	}
	return batches(cleaned, []any{r.Number, r.Source}, func(in string, args []any) error {
		for _, c := range []string{"documents SET to_run = $1 WHERE source = $2 AND to_run = 0 AND name",
			"observations SET to_run = $1 WHERE source = $2 AND to_run = 0 AND document", "signals SET to_run = $1 WHERE source = $2 AND to_run = 0 AND document"} {
			if _, err := t.exec(`UPDATE vuln.`+c+` IN `+in, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// visible is the condition that rows of one table hold as of a run.
const visible = `from_run <= $2 AND (to_run = 0 OR to_run > $2)`

// releaseNewest makes heads from now on of the newest run: as of it, what holds is
// what has not ended, which an index tells.
func (t *tx) releaseNewest(source string, run int64) error {
	_, err := t.exec(`UPDATE vuln.sources SET released = $2, held = 0, why = '',
		records = (SELECT count(*) FROM vuln.observations WHERE source = $1 AND to_run = 0),
		documents = (SELECT count(*) FROM vuln.documents WHERE source = $1 AND to_run = 0) WHERE name = $1`, source, run)
	return err
}

// release makes heads from now on of a run that may not be the newest.
func (t *tx) release(source string, run int64) error {
	_, err := t.exec(`UPDATE vuln.sources SET released = $2, held = 0, why = '',
		records = (SELECT count(*) FROM vuln.groups g JOIN vuln.observations o ON o.group_id = g.id WHERE g.source = $1 AND `+visible+`),
		documents = (SELECT count(*) FROM vuln.documents WHERE source = $1 AND `+visible+`) WHERE name = $1`, source, run)
	return err
}

// hold keeps what a run brought from heads. When nothing changed since a run that
// is held already, that one stays the one to approve.
func (t *tx) hold(r *advisory.Run, why string) error {
	var held int64
	if err := t.get(`SELECT held FROM vuln.sources WHERE name = $1`, []any{r.Source}, &held); err != nil {
		return err
	}
	run := r.Number
	if held != 0 {
		changed, err := t.changed(r.Source, held, r.Number)
		if err != nil {
			return err
		}
		if len(changed) == 0 {
			run = held
		}
	}
	_, err := t.exec(`UPDATE vuln.sources SET held = $2, why = $3 WHERE name = $1`, r.Source, run, why)
	return err
}

// Approve releases a run that is held. by says who wants it.
func (a *Advisories) Approve(ctx context.Context, source string, run int64, by string) error {
	err := a.write(ctx, fmt.Sprintf("approve run %d of %s", run, source), func(tx *tx) error {
		var held int64
		err := tx.get(`SELECT held FROM vuln.sources WHERE name = $1 FOR UPDATE`, []any{source}, &held)
		if isNoRows(err) {
			return fmt.Errorf("source %.80q: %w", source, fault.NotFound)
		}
		if err != nil {
			return err
		}
		if held != run || run == 0 {
			return fmt.Errorf("run %d of source %s is not held; the one that is has number %d: %w", run, source, held, fault.Conflict)
		}
		if err := tx.release(source, run); err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE vuln.runs SET approved_by = $2, approved_us = $3 WHERE number = $1`, run, cut(by), tx.now)
		return err
	})
	if err == nil {
		crashpoint.Hit(crashpoint.IngestApproved)
	}
	return err
}
