package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/event"
)

// pushed is the row of a push.
type pushed struct {
	export.Push
	round int // numbers the messages that ask for it
}

// Pushes returns those of a scan, sorted by format, destination and digest. An error
// wraps ErrNotFound where there is no such scan.
func (e *Exports) Pushes(ctx context.Context, scanID string) (out []export.Push, err error) {
	err = e.tenant.read(ctx, "read pushes of "+scanID, func(tx *tx) error {
		if _, err := tx.job(scanID, ""); err != nil {
			return err
		}
		list, err := tx.pushes(` AND scan_id = $2 ORDER BY format, destination, digest`, scanID)
		out = out[:0]
		for i := range list {
			out = append(out, list[i].Push)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) pushes(where string, args ...any) ([]pushed, error) {
	var out []pushed
	err := t.each(func(row func(...any) error) error {
		var p pushed
		var at int64
		err := row(&p.ScanID, &p.Format, &p.Destination, &p.Digest, &p.State, &p.round, &p.Attempt, &p.Reason, &p.Receipt, &at)
		p.Updated = micros(at)
		out = append(out, p)
		return err
	}, `SELECT scan_id, format, destination, digest, state, round, attempt, reason, receipt, updated_us FROM attest.pushes WHERE tenant_id = $1`+where, append([]any{t.tenant}, args...)...)
	return out, err
}

// push has what was just made be at destinations. What was made before, and is not
// there yet, need not be any more: its objects may be collected.
func (t *tx) push(e *exported, destinations []string) error {
	digest := pushedDigest(e.Made)
	list, err := t.pushes(` AND scan_id = $2 AND format = $3 ORDER BY destination, digest`+forUpdate, e.ScanID, string(e.Format))
	if err != nil {
		return err
	}
	there := map[string]*pushed{}
	for i := range list {
		p := &list[i]
		if p.Digest == digest {
			there[p.Destination] = p
		} else if p.State == export.Queued {
			if err := t.settlePush(p, export.Failed, fmt.Sprintf("version %d under the key %s was made meanwhile", e.Version, e.Key)); err != nil {
				return err
			}
		}
	}
	for _, name := range destinations {
		p := there[name]
		if p == nil {
			p = &pushed{Push: export.Push{ScanID: e.ScanID, Format: e.Format, Destination: name, Digest: digest}}
		} else if p.State != export.Failed {
			continue
		}
		p.Attempt, p.Reason = 0, ""
		there[name] = p
		if err := t.queuePush(p, 0); err != nil {
			return err
		}
	}
	return nil
}

// pushAgain has pushes tried again that failed, of what is there.
func (t *tx) pushAgain(e *exported) error {
	list, err := t.pushes(` AND scan_id = $2 AND format = $3 AND digest = $4 AND state = 'failed' ORDER BY destination`+forUpdate, e.ScanID, string(e.Format), pushedDigest(e.Made))
	for i := range list {
		if err == nil {
			list[i].Attempt, list[i].Reason = 0, ""
			err = t.queuePush(&list[i], 0)
		}
	}
	return err
}

// pushedDigest is that of the object which is pushed.
func pushedDigest(m *export.Made) string {
	return cmp.Or(m.Bundle.Ref.Digest, m.Document.Ref.Digest)
}

// queuePush has something pushed, in another round than before.
func (t *tx) queuePush(p *pushed, notBefore int64) error {
	p.State, p.round = export.Queued, p.round+1
	_, err := t.exec(`INSERT INTO attest.pushes (tenant_id, scan_id, format, destination, digest, state, round, attempt, reason, updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (tenant_id, scan_id, format, destination, digest) DO UPDATE SET state = excluded.state, round = excluded.round, attempt = excluded.attempt, reason = excluded.reason, updated_us = excluded.updated_us`,
		t.tenant, p.ScanID, string(p.Format), p.Destination, p.Digest, string(p.State), p.round, p.Attempt, p.Reason, t.now)
	if err != nil {
		return err
	}
	data := event.PushJob{JobID: p.ScanID, Format: string(p.Format), Destination: p.Destination, Digest: p.Digest}
	body, err := data.Encode()
	if err != nil {
		return err
	}
	return t.announce(announcement{topic: event.ExportJobs, priority: scan.DefaultPriority, notBefore: notBefore,
		event: event.Event{ID: pushMessage(p), Type: event.ExportPush, Source: "export", Data: body}})
}

// pushMessage is the message of a round.
func pushMessage(p *pushed) string {
	return fmt.Sprintf("%s/push/%s/%s/%s/%d", p.ScanID, p.Format, p.Destination, p.Digest, p.round)
}

// settlePush ends a push.
func (t *tx) settlePush(p *pushed, s export.State, reason string) error {
	p.State, p.Reason = s, reason
	_, err := t.exec(`UPDATE attest.pushes SET state = $6, attempt = $7, reason = $8, receipt = $9, updated_us = $10 WHERE tenant_id = $1 AND scan_id = $2 AND format = $3 AND destination = $4 AND digest = $5`,
		t.tenant, p.ScanID, string(p.Format), p.Destination, p.Digest, string(s), p.Attempt, reason, p.Receipt, t.now)
	if err != nil {
		return err
	}
	return t.consumeMessage(event.ExportJobs, event.GroupExportWorkers, pushMessage(p))
}

// Pushed notes the outcome of an attempt, and the message: another attempt has a
// message of its own, that comes after a backoff. A failure whose message was noted
// before counts once. What is not there any more has nothing following either.
func (e *Exports) Pushed(ctx context.Context, p *export.Push, message string, permanent bool) (final bool, err error) {
	if p.State != export.Completed && p.State != export.Failed {
		return false, fmt.Errorf("note a push of scan %.80q: its outcome cannot be %.40q: %w", p.ScanID, p.State, fault.Invalid)
	}
	note := func() error {
		return e.tenant.write(ctx, fmt.Sprintf("note the push of %.80s to %.80s", p.ScanID, p.Destination), func(tx *tx) (err error) {
			final, err = tx.notePush(p, message, permanent)
			return err
		})
	}
	if err = note(); errors.Is(err, errUnknown) {
		err = note() // what is noted already is recognised
	}
	return final && err == nil, err
}

func (t *tx) notePush(p *export.Push, message string, permanent bool) (final bool, err error) {
	_, err = t.jobFor(forUpdate, p.ScanID, "")
	gone := errors.Is(err, fault.NotFound)
	if err != nil && !gone {
		return false, err
	}
	var list []pushed
	if !gone { // else only the message is left
		list, err = t.pushes(` AND scan_id = $2 AND format = $3 AND destination = $4 AND digest = $5`+forUpdate, p.ScanID, string(p.Format), p.Destination, p.Digest)
		if err != nil {
			return false, err
		}
	}
	fresh := true // whether this is the first time that the message is noted
	if message != "" {
		if fresh, err = t.consume(event.GroupExportWorkers, message); err != nil {
			return false, err
		}
		if err := t.consumeMessage(event.ExportJobs, event.GroupExportWorkers, message); err != nil {
			return false, err
		}
	}
	if len(list) == 0 || list[0].State == export.Completed {
		return true, nil
	}
	row := &list[0]
	switch {
	case p.State == export.Completed:
		row.Attempt, row.Receipt = row.Attempt+1, cut(p.Receipt)
		return true, t.settlePush(row, export.Completed, "")
	case !fresh || row.State == export.Failed:
		return row.State == export.Failed, nil
	}
	row.Attempt++
	if permanent || row.Attempt >= Attempts {
		return true, t.settlePush(row, export.Failed, cut(p.Reason))
	}
	row.Reason = cut(p.Reason)
	if err := t.consumeMessage(event.ExportJobs, event.GroupExportWorkers, pushMessage(row)); err != nil {
		return false, err
	}
	return false, t.queuePush(row, t.now+backoff(row.Attempt).Microseconds())
}
