package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// policyRetry is when a scan is decided about again whose evaluation failed for good:
// a newer program, or a policy that was put right, may do better.
const policyRetry = time.Hour

// keptVerdict is a record as it is stored.
type keptVerdict struct {
	*policy.Record
	trace       []byte // compressed
	traceDigest string
	blocking    string // digest of the set
}

// Keep stores what is decided about a scan.
func (p *Policy) Keep(ctx context.Context, b *policy.Batch) error {
	list := make([]keptVerdict, len(b.Records))
	for i := range b.Records {
		var err error
		if list[i], err = newVerdict(&b.Records[i]); err != nil {
			return fmt.Errorf("verdict about %s: %w", b.ScanID, err)
		}
	}
	if b.ScanID == "" || b.At.IsZero() {
		return fmt.Errorf("keep verdicts: a scan and an evaluation time are required: %w", fault.Invalid)
	}
	keep := func() error {
		return p.tenant.write(ctx, "keep verdicts about "+b.ScanID, func(tx *tx) error { return tx.keepVerdicts(b, list) })
	}
	err := keep()
	if errors.Is(err, errUnknown) {
		err = keep() // what is stored already is recognised
	}
	if err == nil {
		crashpoint.Hit(crashpoint.PolicyKept)
	}
	return err
}

func newVerdict(r *policy.Record) (k keptVerdict, err error) {
	k = keptVerdict{Record: r, blocking: sumText([]byte(strings.Join(r.Blocking, "\n")))}
	limit := func(what string, n, most int) error {
		if n > most {
			return &fault.LimitError{What: what, Where: fmt.Sprintf("environment %q", r.Environment), Max: int64(most), Seen: int64(n)}
		}
		return nil
	}
	if r.Outcome.Rank() < 0 || r.At.IsZero() || (r.Key == "") != (r.Body == nil) || r.Key == "" && r.Outcome != policy.Error {
		return k, fmt.Errorf("outcome %q as of %v under the key %.80q: %w", r.Outcome, r.At, r.Key, fault.Invalid)
	}
	if r.Key == "" {
		return k, nil
	}
	if !isSum(r.Key) || sumText(r.Body) != r.Digest {
		return k, fmt.Errorf("key %.80q, or a verdict that is not %.80s: %w", r.Key, r.Digest, fault.Invalid)
	}
	if err := errors.Join(limit("bytes of a verdict", len(r.Body), MaxVerdict), limit("bytes of a trace", len(r.Trace), MaxTrace)); err != nil {
		return k, err
	}
	k.traceDigest, k.trace = sumText(r.Trace), packWriter().EncodeAll(r.Trace, nil)
	return k, limit("bytes of a trace, compressed", len(k.trace), MaxTraceKept)
}

func (t *tx) keepVerdicts(b *policy.Batch, list []keptVerdict) error {
	// Whoever keeps something about this scan waits here; see docs/architecture.md for
	// the order of locks.
	job, err := t.jobFor(forUpdate, b.ScanID, "")
	if err != nil {
		return err
	}
	if err := t.lockPolicy(" FOR SHARE"); err != nil {
		return err
	}
	for i := range list {
		if err := t.keepVerdict(b, &list[i]); err != nil {
			return err
		}
	}
	crashpoint.Hit(crashpoint.PolicyVerdicts)
	for i := range list {
		if err := t.makeCurrent(job, b, &list[i]); err != nil {
			return err
		}
	}
	// Where no policy is in force any more, nothing holds.
	if _, err := t.exec(`DELETE FROM policy.current WHERE tenant_id = $1 AND scan_id = $2 AND environment IN (`+ended+`)`, t.tenant, b.ScanID); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.PolicyCurrent)
	if len(list) > 0 {
		if err := t.watch(b); err != nil {
			return err
		}
		if err := t.dueAgain(b); err != nil {
			return err
		}
	}
	err = t.donePolicy(b.ScanID, b.Message)
	crashpoint.Hit(crashpoint.PolicyNext)
	return err
}

// ended are the environments of tenant $1 where a policy was in force and none is.
const ended = `SELECT a.environment FROM policy.activations a WHERE a.tenant_id = $1 AND a.policy_id = ''
	AND NOT EXISTS (SELECT 1 FROM policy.activations b WHERE b.tenant_id = $1 AND b.environment = a.environment AND b.number > a.number)`

// lockPolicy takes the tenant's lock. Who keeps verdicts shares it; who changes
// policies or exceptions has it alone: a verdict is kept before a change, and then the
// change makes its scan due, or after, and then it sees the change.
func (t *tx) lockPolicy(mode string) error {
	if _, err := t.exec(`INSERT INTO policy.locks (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO NOTHING`, t.tenant); err != nil {
		return err
	}
	var guard int64
	return t.get(`SELECT guard FROM policy.locks WHERE tenant_id = $1`+mode, []any{t.tenant}, &guard)
}

// keepVerdict stores a verdict that is not there yet, and that it is about the scan.
func (t *tx) keepVerdict(b *policy.Batch, k *keptVerdict) error {
	if k.Key == "" {
		return nil
	}
	n, err := t.exec(`INSERT INTO policy.verdicts (tenant_id, key, digest, trace_digest, trace_size, outcome, body, trace, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id, key) DO NOTHING`, t.tenant, k.Key, k.Digest, k.traceDigest, len(k.Trace), string(k.Outcome), k.Body, k.trace, k.At.UnixMicro())
	if err != nil {
		return err
	}
	if n == 0 {
		var digest, trace string
		if err := t.get(`SELECT digest, trace_digest FROM policy.verdicts WHERE tenant_id = $1 AND key = $2`, []any{t.tenant, k.Key}, &digest, &trace); err != nil {
			return err
		}
		if digest != k.Digest {
			return &fault.MismatchError{What: "digest of the verdict with the inputs " + k.Key, Want: digest, Got: k.Digest}
		}
		if trace != k.traceDigest {
			return &fault.MismatchError{What: "digest of the trace with the inputs " + k.Key, Want: trace, Got: k.traceDigest}
		}
	}
	_, err = t.exec(`INSERT INTO policy.decisions (tenant_id, scan_id, environment, key, cause, at_us, kept_us) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, scan_id, environment, key) DO NOTHING`, t.tenant, b.ScanID, k.Environment, k.Key, cut(b.Cause), k.At.UnixMicro(), t.now)
	return err
}

// holding is what holds about a scan in one environment.
type holding struct {
	outcome, blocking string
	marks             policy.Marks
	at, changes       int64
	changed           int64
}

func (t *tx) holding(scanID, environment string) (h *holding, err error) {
	h = new(holding)
	var marks string
	err = t.get(`SELECT outcome, blocking, marks, at_us, changes, changed_us FROM policy.current WHERE tenant_id = $1 AND scan_id = $2 AND environment = $3`,
		[]any{t.tenant, scanID, environment}, &h.outcome, &h.blocking, &marks, &h.at, &h.changes, &h.changed)
	if isNoRows(err) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(marks), &h.marks)
	}
	return h, err
}

// makeCurrent has a record hold, unless what holds follows from something newer, and
// announces what is another than before.
func (t *tx) makeCurrent(job *scan.Job, b *policy.Batch, k *keptVerdict) error {
	before, err := t.holding(job.ID, k.Environment)
	if err != nil {
		return err
	}
	if before == nil {
		before = new(holding)
		// Where a policy was ended nothing holds any more: counting goes on from then, so
		// that no event has the name of an earlier one.
		err := t.get(`SELECT coalesce(max(at_us), 0) FROM policy.activations WHERE tenant_id = $1 AND environment = $2 AND policy_id = ''`, []any{t.tenant, k.Environment}, &before.changes)
		if err != nil {
			return err
		}
	} else if b.Marks.Precedes(before.marks) || !before.marks.Precedes(b.Marks) && k.At.UnixMicro() < before.at {
		return nil
	}
	differs := before.outcome != string(k.Outcome) || before.blocking != k.blocking
	if differs {
		before.changes, before.changed = before.changes+1, t.now
	}
	marks, err := json.Marshal(b.Marks)
	if err != nil {
		return err
	}
	var next int64
	if !k.NextChange.IsZero() {
		next = k.NextChange.UnixMicro()
	}
	open, err := openText(k.Open)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO policy.current (tenant_id, scan_id, environment, key, digest, outcome, because, blocking, blocked, policy_id, version, at_us, next_us, marks, changes, changed_us, kept_us, open)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT (tenant_id, scan_id, environment) DO UPDATE SET
		key = excluded.key, digest = excluded.digest, outcome = excluded.outcome, because = excluded.because, blocking = excluded.blocking, blocked = excluded.blocked,
		policy_id = excluded.policy_id, version = excluded.version, at_us = excluded.at_us, next_us = excluded.next_us, marks = excluded.marks,
		changes = excluded.changes, changed_us = excluded.changed_us, kept_us = excluded.kept_us, open = excluded.open`,
		t.tenant, job.ID, k.Environment, k.Key, k.Digest, string(k.Outcome), cut(k.Because), k.blocking, len(k.Blocking), k.Policy.ID, k.Policy.Version,
		k.At.UnixMicro(), next, string(marks), before.changes, before.changed, t.now, open)
	if err != nil || !differs {
		return err
	}
	data := event.VerdictChange{
		JobID: job.ID, ImageRef: job.Image, Owner: job.Owner, Environment: k.Environment, Outcome: string(k.Outcome), Before: before.outcome, Because: cut(k.Because),
		Verdict: k.Digest, Key: k.Key, Policy: k.Policy.ID, Version: k.Policy.Version, At: k.At.UTC(), Cause: cut(b.Cause), Blocked: len(k.Blocking),
	}
	for _, name := range k.Blocking[:min(len(k.Blocking), event.MaxBlocking)] {
		data.Blocking = append(data.Blocking, cutTo(name, maxBlockingName))
	}
	body, err := data.Encode()
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s/verdict/%s/%d", job.ID, k.Environment, before.changes)
	return t.announce(announcement{topic: event.PolicyEvents, event: event.Event{ID: id, Type: event.VerdictChanged, Source: "policy", Data: body}})
}

// maxBlockingName bounds a finding's name in an event, in bytes, so that the most of
// them fit.
const maxBlockingName = 1024

// watch notes which vulnerabilities the scan has.
func (t *tx) watch(b *policy.Batch) error {
	newest, err := t.policyMarks(b.ScanID)
	if err != nil || newest.Report != b.Marks.Report {
		return err // who decides by the newest report notes those of that
	}
	want := map[string]bool{}
	for _, name := range b.Vulnerabilities {
		want[cutTo(name, MaxVulnerability)] = true
	}
	var gone []string
	err = t.each(func(row func(...any) error) error {
		var name string
		err := row(&name)
		if !want[name] {
			gone = append(gone, name)
		}
		delete(want, name)
		return err
	}, `SELECT name FROM policy.watched WHERE tenant_id = $1 AND scan_id = $2`, t.tenant, b.ScanID)
	if err != nil {
		return err
	}
	err = batches(gone, []any{t.tenant, b.ScanID}, func(in string, args []any) error {
		_, err := t.exec(`DELETE FROM policy.watched WHERE tenant_id = $1 AND scan_id = $2 AND name IN `+in, args...)
		return err
	})
	if err != nil {
		return err
	}
	fresh := make([]string, 0, len(want))
	for name := range want {
		fresh = append(fresh, name)
	}
	slices.Sort(fresh)
	var rows []any
	for _, name := range fresh {
		rows = append(rows, t.tenant, name, b.ScanID)
	}
	_, err = t.insert(`INSERT INTO policy.watched (tenant_id, name, scan_id)`, 3, rows, ` ON CONFLICT (tenant_id, name, scan_id) DO NOTHING`)
	return err
}
