package store

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/vex"
)

// Find returns a verdict by its key, with its trace, both verified.
func (p *Policy) Find(ctx context.Context, key string) (*policy.Record, error) {
	r := &policy.Record{Key: key}
	var traceDigest string
	var size int64
	var packed []byte
	err := p.tenant.read(ctx, "read a verdict", func(tx *tx) error {
		err := tx.get(`SELECT digest, trace_digest, trace_size, body, trace FROM policy.verdicts WHERE tenant_id = $1 AND key = $2`, []any{tx.tenant, key}, &r.Digest, &traceDigest, &size, &r.Body, &packed)
		if isNoRows(err) {
			return fmt.Errorf("verdict %.80q: %w", key, fault.NotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if size < 0 || size > MaxTrace {
		return nil, fmt.Errorf("verdict %s: its trace has %d bytes: %w", key, size, fault.Mismatch)
	}
	if r.Trace, err = traceReader().DecodeAll(packed, make([]byte, 0, size)); err != nil {
		return nil, fmt.Errorf("verdict %s: its trace: %v: %w", key, err, fault.Mismatch)
	}
	if got := sumText(r.Trace); got != traceDigest {
		return nil, &fault.MismatchError{What: "digest of the trace with the inputs " + key, Want: traceDigest, Got: got}
	}
	if got := sumText(r.Body); got != r.Digest {
		return nil, &fault.MismatchError{What: "digest of the verdict with the inputs " + key, Want: r.Digest, Got: got}
	}
	v, err := policy.DecodeVerdict(r.Body)
	if err != nil {
		return nil, err
	}
	if got := v.Key(); got != key {
		return nil, &fault.MismatchError{What: "key of verdict " + r.Digest, Want: key, Got: got}
	}
	r.Environment, r.Policy, r.Outcome, r.Because, r.At, r.NextChange = v.Environment, v.Policy, v.Outcome, v.Because, v.At, v.NextChange
	return r, nil
}

// Current returns what holds about a scan, sorted by environment. An error wraps
// ErrNotFound where there is no such scan.
func (p *Policy) Current(ctx context.Context, scanID string) (out []policy.Standing, err error) {
	err = p.tenant.root.readOnce(ctx, Scope{RoleTenant, p.tenant.name}, "read what holds about "+scanID, func(tx *tx) error {
		if _, err := tx.job(scanID, ""); err != nil {
			return err
		}
		out, err = tx.standings(scanID)
		return err
	})
	return out, err
}

// standings reads what holds about a scan, sorted by environment.
func (t *tx) standings(scanID string) ([]policy.Standing, error) {
	var out []policy.Standing
	newest, err := t.policyMarks(scanID)
	if err != nil {
		return nil, err
	}
	err = t.each(func(row func(...any) error) error {
		s := policy.Standing{Newest: newest}
		var at, next, since int64
		var marks string
		if err := row(&s.Environment, &s.Outcome, &s.Because, &s.Key, &s.Digest, &s.Policy.ID, &s.Policy.Version, &s.Blocked, &at, &next, &since, &marks); err != nil {
			return err
		}
		s.At, s.Since = micros(at), micros(since)
		if next > 0 {
			s.NextChange = micros(next)
		}
		out = append(out, s)
		return json.Unmarshal([]byte(marks), &out[len(out)-1].Evaluated)
	}, `SELECT environment, outcome, because, key, digest, policy_id, version, blocked, at_us, next_us, changed_us, marks FROM policy.current WHERE tenant_id = $1 AND scan_id = $2 ORDER BY environment`, t.tenant, scanID)
	for i := range out {
		if err == nil {
			out[i].Stale, err = t.stalePolicy(scanID, &out[i])
		}
	}
	return out, err
}

// stalePolicy reports whether something that a verdict follows from has changed and
// the scan was not decided about since: what is due and not done, a report or a policy
// that it does not know, an evaluation that is under way, or another public trust, or
// another consensus about one of its vulnerabilities, that nobody was told of yet.
func (t *tx) stalePolicy(scanID string, s *policy.Standing) (bool, error) {
	if s.Evaluated.Report != s.Newest.Report || s.Evaluated.Policies < s.Newest.Policies {
		return true, nil
	}
	var n int64
	err := t.get(`SELECT (SELECT count(*) FROM policy.due WHERE tenant_id = $1 AND scan_id IN ($2, '') AND (message <> '' OR due_us <= $3))
		+ (SELECT count(*) FROM scheduler.evaluations WHERE tenant_id = $1 AND scan_id = $2 AND state IN ('pending', 'running'))
		+ (SELECT count(*) FROM vex.decisions d JOIN policy.watched w ON w.tenant_id = $1 AND w.scan_id = $2 AND w.name = d.vulnerability
			WHERE d.tenant_id = '' AND d.head > $4 OR d.tenant_id = $1 AND d.head > $5)
		+ (SELECT count(*) FROM vex.heads a JOIN vex.heads b ON b.tenant_id = a.tenant_id AND b.number = $6 WHERE a.tenant_id = '' AND a.number = $4 AND b.trust <> a.trust
			AND NOT EXISTS (SELECT 1 FROM vex.scopes WHERE tenant_id = $1 AND trust <> ''))`, []any{t.tenant, scanID, t.now, s.Evaluated.VEX, s.Evaluated.Own, s.Newest.VEX}, &n)
	return n > 0, err
}

// Decisions lists the verdicts that there were about a scan, the newest first, from
// after, which is what the page before returned as next, "" for the first. Limit 0
// means 100, the most is 1000.
func (p *Policy) Decisions(ctx context.Context, scanID, after string, limit int) (list []policy.Decision, next string, err error) {
	if limit, err = pageLimit(limit); err != nil {
		return nil, "", err
	}
	before, tail := int64(1)<<62, ""
	if after != "" {
		number, rest, ok := strings.Cut(after, ".")
		if before, err = strconv.ParseInt(number, 10, 64); !ok || err != nil {
			return nil, "", badCursor(after)
		}
		tail = rest
	}
	var kept int64
	err = p.tenant.read(ctx, "list verdicts about "+scanID, func(tx *tx) error {
		if _, err := tx.job(scanID, ""); err != nil {
			return err
		}
		list = list[:0]
		return tx.each(func(row func(...any) error) error {
			var d policy.Decision
			var at, us int64
			err := row(&d.Environment, &d.Key, &d.Digest, &d.Outcome, &d.Cause, &at, &us)
			d.At, d.Kept = micros(at), micros(us)
			if list = append(list, d); len(list) == limit {
				kept = us
			}
			return err
		}, `SELECT d.environment, d.key, v.digest, v.outcome, d.cause, d.at_us, d.kept_us FROM policy.decisions d JOIN policy.verdicts v ON v.tenant_id = d.tenant_id AND v.key = d.key
			WHERE d.tenant_id = $1 AND d.scan_id = $2 AND (d.kept_us < $3 OR d.kept_us = $3 AND d.environment || ' ' || d.key < $4) ORDER BY d.kept_us DESC, d.environment || ' ' || d.key DESC LIMIT $5`,
			tx.tenant, scanID, before, tail, limit+1)
	})
	if len(list) > limit {
		list = list[:limit]
		last := list[limit-1]
		next = fmt.Sprintf("%d.%s %s", kept, last.Environment, last.Key)
	}
	return list, next, err
}

// Said returns what sets of statements, each public or the tenant's own, say about
// vulnerabilities with one of the ids. It is a policy.Gateway's Statements. Each
// statement is verified; that none is missing is not: a snapshot's view does that. An
// error wraps ErrNotFound where a set is not there.
func (r *Root) Said(ctx context.Context, tenant string, digests, ids []string) ([]*vex.Statement, error) {
	t, err := r.Tenant(tenant)
	if err != nil {
		return nil, err
	}
	if ids == nil {
		ids = []string{}
	}
	var out []*vex.Statement
	for _, digest := range digests {
		from := t.VEX()
		head, err := from.HeadOf(ctx, digest)
		if fault.KindOf(err) == fault.NotFound {
			from = r.VEX()
			head, err = from.HeadOf(ctx, digest)
		}
		if err != nil {
			return nil, err
		}
		for s, err := range from.Statements(ctx, head, ids) {
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// Documents reads neutral documents, from the row where they are small, as a
// policy.Gateway's Document. open gives the objects of a tenant; nil has only what is
// small read. decode reads a document.
func Documents(open func(tenant string) (schedule.Objects, error), decode func(io.Reader) (*sbom.Document, error)) func(context.Context, string, *policy.Document) (*sbom.Document, error) {
	return func(ctx context.Context, tenant string, d *policy.Document) (*sbom.Document, error) {
		if d.Size > schedule.MaxDocument {
			return nil, &fault.LimitError{What: "bytes of a document", Where: d.Digest, Max: schedule.MaxDocument, Seen: d.Size}
		}
		if d.Content != nil && sumText(d.Content) == d.Digest {
			return decode(strings.NewReader(string(d.Content)))
		}
		if open == nil {
			return nil, fmt.Errorf("document %s is an object, and there are none here: %w", d.Digest, fault.Unavailable)
		}
		objects, err := open(tenant)
		if err != nil {
			return nil, err
		}
		body, err := objects.Open(ctx, blob.Ref{Digest: d.Digest, Size: d.Size, Chunks: d.Chunks})
		if err != nil {
			return nil, err
		}
		defer body.Close()
		return decode(io.LimitReader(body, schedule.MaxDocument))
	}
}
