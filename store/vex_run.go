package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// Begin takes a source for a while, between MinLease and MaxLease.
func (v *VEX) Begin(ctx context.Context, source, holder string, length time.Duration) (*vex.Run, error) {
	if !sourceName.Get().MatchString(source) || holder == "" || length < MinLease || length > MaxLease {
		return nil, fmt.Errorf("begin a run of source %.80q for %.80q over %v: want lower-case letters, digits and hyphens, a holder, and %v to %v: %w",
			source, holder, length, MinLease, MaxLease, fault.Invalid)
	}
	r := &vex.Run{Source: source, Holder: holder, Length: length}
	err := v.write(ctx, "begin a run of "+source, func(tx *tx) error { return tx.beginVEX(r) })
	if errors.Is(err, errUnknown) { // the run is there if and only if the commit happened
		known, readErr := v.holds(context.WithoutCancel(ctx), r)
		if readErr == nil && known {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.VEXBegun)
	return r, nil
}

func (t *tx) beginVEX(r *vex.Run) error {
	_, err := t.exec(`INSERT INTO vex.sources (tenant_id, name, epoch, holder, until_us, run) VALUES ($1, $2, 0, '', 0, 0) ON CONFLICT (tenant_id, name) DO NOTHING`, t.tenant, r.Source)
	if err != nil {
		return err
	}
	var holder string
	var until, before int64
	err = t.get(`SELECT epoch, holder, until_us, run, state FROM vex.sources WHERE tenant_id = $1 AND name = $2 FOR UPDATE`, []any{t.tenant, r.Source}, &r.Epoch, &holder, &until, &before, &r.State)
	if err != nil {
		return err
	}
	if until > t.now {
		return fmt.Errorf("source %s is held by %s until %s: %w", r.Source, holder, micros(until).Format(time.RFC3339), fault.Conflict)
	}
	if before != 0 {
		_, err := t.exec(`UPDATE vex.runs SET ended_us = $3, outcome = 'abandoned', why = $4 WHERE tenant_id = $1 AND number = $2 AND ended_us = 0`,
			t.tenant, before, t.now, "the lease of "+clean(holder)+" ended without a sign of life")
		if err != nil {
			return err
		}
	}
	r.Epoch++
	err = t.get(`INSERT INTO vex.runs (tenant_id, source, holder, epoch, began_us) VALUES ($1, $2, $3, $4, $5) RETURNING number`, []any{t.tenant, r.Source, clean(r.Holder), r.Epoch, t.now}, &r.Number)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE vex.sources SET epoch = $3, holder = $4, until_us = $5, run = $6 WHERE tenant_id = $1 AND name = $2`, t.tenant, r.Source, r.Epoch, clean(r.Holder), t.now+r.Length.Microseconds(), r.Number)
	return err
}

// holds reports whether a run is the one that has its source.
func (v *VEX) holds(ctx context.Context, r *vex.Run) (bool, error) {
	var n int
	err := v.read(ctx, "look for a run of "+r.Source, func(tx *tx) error {
		return tx.get(`SELECT count(*) FROM vex.sources WHERE tenant_id = $1 AND name = $2 AND epoch = $3 AND run = $4 AND holder = $5`, []any{tx.tenant, r.Source, r.Epoch, r.Number, clean(r.Holder)}, &n)
	})
	return n == 1, err
}

// guardVEX locks the source and checks that the run has it.
func (t *tx) guardVEX(r *vex.Run) error {
	var epoch, run int64
	err := t.get(`SELECT epoch, run FROM vex.sources WHERE tenant_id = $1 AND name = $2 FOR UPDATE`, []any{t.tenant, r.Source}, &epoch, &run)
	if isNoRows(err) || err == nil && (epoch != r.Epoch || run != r.Number) {
		err = fmt.Errorf("run %d of source %s by %s is over: %w", r.Number, r.Source, r.Holder, fault.Fenced)
	}
	return err
}

// Extend makes a run last from now on for its length again.
func (v *VEX) Extend(ctx context.Context, r *vex.Run) error {
	return v.write(ctx, "extend a run of "+r.Source, func(tx *tx) error {
		if err := tx.guardVEX(r); err != nil {
			return err
		}
		_, err := tx.exec(`UPDATE vex.sources SET until_us = $3 WHERE tenant_id = $1 AND name = $2`, tx.tenant, r.Source, tx.now+r.Length.Microseconds())
		return err
	})
}

// Finish ends a run. One that did not fail is released: heads are made of it.
func (v *VEX) Finish(ctx context.Context, r *vex.Run, f vex.Finish) error {
	if len(f.State) > MaxState {
		return &fault.LimitError{What: "bytes of state", Where: "source " + r.Source, Max: MaxState, Seen: int64(len(f.State))}
	}
	err := v.write(ctx, "finish a run of "+r.Source, func(tx *tx) error { return tx.finishVEX(r, f) })
	if errors.Is(err, errUnknown) || errors.Is(err, fault.Fenced) { // an answer was lost, perhaps
		ended, readErr := v.ended(context.WithoutCancel(ctx), r)
		if readErr == nil && ended {
			err = nil
		}
	}
	if err == nil {
		crashpoint.Hit(crashpoint.VEXFinished)
	}
	return err
}

// ended reports whether a run ended because its holder said so.
func (v *VEX) ended(ctx context.Context, r *vex.Run) (bool, error) {
	var outcome string
	err := v.read(ctx, "look how a run of "+r.Source+" ended", func(tx *tx) error {
		return tx.get(`SELECT outcome FROM vex.runs WHERE tenant_id = $1 AND number = $2 AND source = $3 AND epoch = $4`, []any{tx.tenant, r.Number, r.Source, r.Epoch}, &outcome)
	})
	return outcome != "" && outcome != "abandoned", err
}

func (t *tx) finishVEX(r *vex.Run, f vex.Finish) error {
	if err := t.guardVEX(r); err != nil {
		return err
	}
	outcome := "released"
	var err error
	if f.Cause != "" {
		outcome = "failed"
		_, err = t.exec(`UPDATE vex.sources SET failed_us = $3, cause = $4 WHERE tenant_id = $1 AND name = $2`, t.tenant, r.Source, t.now, cut(f.Cause))
	} else {
		err = t.releaseVEX(r, f)
	}
	if err != nil {
		return err
	}
	if _, err = t.exec(`UPDATE vex.runs SET ended_us = $3, outcome = $4, why = $5 WHERE tenant_id = $1 AND number = $2`, t.tenant, r.Number, t.now, outcome, cut(f.Cause)); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE vex.sources SET holder = '', until_us = 0, run = 0,
		quarantined = (SELECT count(*) FROM vex.documents WHERE tenant_id = $1 AND source = $2 AND to_run = 0 AND state = 2),
		problems = (SELECT coalesce(sum(problem_count), 0) FROM vex.documents WHERE tenant_id = $1 AND source = $2 AND to_run = 0) WHERE tenant_id = $1 AND name = $2`, t.tenant, r.Source)
	crashpoint.Hit(crashpoint.VEXState)
	return err
}

// releaseVEX ends what is gone and makes heads from now on of this run.
func (t *tx) releaseVEX(r *vex.Run, f vex.Finish) error {
	names := make([]string, len(f.Gone))
	for i, n := range f.Gone {
		names[i] = clean(n)
	}
	err := batches(names, []any{r.Number, t.tenant, r.Source}, func(in string, args []any) error {
		if _, err := t.exec(`UPDATE vex.documents SET to_run = $1 WHERE tenant_id = $2 AND source = $3 AND to_run = 0 AND name IN `+in, args...); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE vex.observations SET to_run = $1 WHERE tenant_id = $2 AND source = $3 AND to_run = 0 AND document IN `+in, args...)
		return err
	})
	if err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.VEXGone)
	_, err = t.exec(`UPDATE vex.sources SET state = $3, succeeded_us = $4, released = $5,
		documents = (SELECT count(*) FROM vex.documents WHERE tenant_id = $1 AND source = $2 AND to_run = 0),
		statements = (SELECT count(*) FROM vex.observations WHERE tenant_id = $1 AND source = $2 AND to_run = 0) WHERE tenant_id = $1 AND name = $2`,
		t.tenant, r.Source, f.State, t.now, r.Number)
	return err
}
