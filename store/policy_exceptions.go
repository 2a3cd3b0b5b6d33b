package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Except keeps an exception, which counts from now on. Created and Revoked are set by
// the store. repeated reports that the same was kept before under its ID. An error
// wraps ErrConflict where the ID is another exception's.
func (p *Policy) Except(ctx context.Context, e policy.Exception, by string) (k *policy.KeptException, repeated bool, err error) {
	e.Created, e.Revoked = time.Time{}, time.Time{}
	if !e.Expires.IsZero() {
		e.Expires = micros(e.Expires.UnixMicro())
	}
	request, err := json.Marshal(&e, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, false, fmt.Errorf("exception %.80q: %v: %w", e.ID, err, fault.Invalid)
	}
	if len(request) > MaxPolicySource {
		return nil, false, &fault.LimitError{What: "bytes of an exception", Where: e.ID, Max: MaxPolicySource, Seen: int64(len(request))}
	}
	err = p.tenant.write(ctx, fmt.Sprintf("keep exception %.80q", e.ID), func(tx *tx) (err error) {
		k, repeated, err = tx.except(e, sumText(request), by)
		return err
	})
	if errors.Is(err, errUnknown) {
		return p.Except(ctx, e, by) // what is kept already is recognised
	}
	if err != nil {
		return nil, false, err
	}
	crashpoint.Hit(crashpoint.PolicyChanged)
	return k, repeated, nil
}

func (t *tx) except(e policy.Exception, request, by string) (k *policy.KeptException, repeated bool, err error) {
	if err := t.lockPolicy(forUpdate); err != nil {
		return nil, false, err
	}
	var known string
	err = t.get(`SELECT request FROM policy.exceptions WHERE tenant_id = $1 AND id = $2`, []any{t.tenant, e.ID}, &known)
	if err == nil && known != request {
		return nil, false, fmt.Errorf("exception %.80q is there and says something else: exceptions are never changed: %w", e.ID, fault.Conflict)
	}
	if err == nil {
		k, err = t.keptException(e.ID)
		return k, true, err
	}
	if !isNoRows(err) {
		return nil, false, err
	}
	e.Created = micros(t.now)
	if err := e.Check(); err != nil {
		return nil, false, err
	}
	body, err := json.Marshal(&e, json.Deterministic(true))
	if err != nil {
		return nil, false, fmt.Errorf("exception %.80q: %v: %w", e.ID, err, fault.Invalid)
	}
	var expires int64
	if !e.Expires.IsZero() {
		expires = e.Expires.UnixMicro()
	}
	if _, err = t.exec(`INSERT INTO policy.exceptions (tenant_id, id, request, body, expires_us, at_us) VALUES ($1, $2, $3, $4, $5, $6)`, t.tenant, e.ID, request, string(body), expires, t.now); err != nil {
		return nil, false, err
	}
	if err := t.exceptionEvent(&e, event.ExceptionCreated, by, e.Reason); err != nil {
		return nil, false, err
	}
	if expires > 0 { // its end is announced, whether or not a policy is in force
		_, err = t.exec(`INSERT INTO policy.due (tenant_id, scan_id, due_us, cause, names) VALUES ($1, '', $2, $3, $4)`, t.tenant, expires, "exception/"+e.ID+"/expired", exceptionNames(&e))
		if err != nil {
			return nil, false, err
		}
	}
	k, err = t.keptException(e.ID)
	return k, false, err
}

// exceptionNames are the vulnerabilities that an exception may cover, as they stand
// with what is due; "" for any.
func exceptionNames(e *policy.Exception) string {
	ids := e.Scope.Vulnerabilities
	if len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(id, "*") }) {
		return ""
	}
	text, err := jsonText(ids)
	if err != nil {
		return ""
	}
	return text
}

// exceptionEvent notes what became of an exception, announces it, and makes the scans
// due that it may cover.
func (t *tx) exceptionEvent(e *policy.Exception, kind event.Type, by, reason string) error {
	short := strings.TrimPrefix(string(kind), "policy.exception.")
	n, err := t.exec(`INSERT INTO policy.exception_events (tenant_id, number, id, kind, by_whom, reason, at_us)
		SELECT CAST($1 AS TEXT), (SELECT coalesce(max(number), 0) + 1 FROM policy.exception_events WHERE tenant_id = $1), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT)
		WHERE true ON CONFLICT (tenant_id, id, kind) DO NOTHING`, t.tenant, e.ID, short, cut(by), cut(reason), t.now)
	if err != nil || n == 0 {
		return err
	}
	data := event.ExceptionChange{ID: e.ID, Effect: string(e.Effect), Owner: cut(e.Owner), By: cut(by), Reason: cut(reason), Expires: e.Expires}
	body, err := data.Encode()
	if err != nil {
		return err
	}
	id := "exception/" + e.ID + "/" + short
	if err := t.announce(announcement{topic: event.PolicyEvents, event: event.Event{ID: id, Type: kind, Source: "policy", Data: body}}); err != nil {
		return err
	}
	if kind == event.ExceptionExpired {
		return nil // what is due for it is being worked off
	}
	return t.due("", t.now, id, exceptionNames(e))
}

// expireException notes that an exception has expired, unless it was revoked before.
func (t *tx) expireException(id string) error {
	k, err := t.keptException(id)
	if err != nil {
		return err
	}
	if !k.Exception.Revoked.IsZero() {
		return nil
	}
	return t.exceptionEvent(&k.Exception, event.ExceptionExpired, "", "")
}

func (t *tx) keptException(id string) (*policy.KeptException, error) {
	var body string
	err := t.get(`SELECT body FROM policy.exceptions WHERE tenant_id = $1 AND id = $2`, []any{t.tenant, id}, &body)
	if isNoRows(err) {
		return nil, fmt.Errorf("exception %.80q: %w", id, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	e, err := readException(body, 0)
	if err != nil {
		return nil, err
	}
	k := &policy.KeptException{Exception: *e}
	err = t.each(func(row func(...any) error) error {
		var v policy.ExceptionEvent
		var at int64
		err := row(&v.Number, &v.Kind, &v.By, &v.Reason, &at)
		v.At = micros(at)
		if v.Kind == "revoked" {
			k.Exception.Revoked = v.At
		}
		k.Events = append(k.Events, v)
		return err
	}, `SELECT number, kind, by_whom, reason, at_us FROM policy.exception_events WHERE tenant_id = $1 AND id = $2 ORDER BY number`, t.tenant, id)
	return k, err
}

// Exception returns an exception with its history. An error wraps ErrNotFound.
func (p *Policy) Exception(ctx context.Context, id string) (*policy.KeptException, error) {
	var k *policy.KeptException
	err := p.tenant.read(ctx, "read an exception", func(tx *tx) (err error) {
		k, err = tx.keptException(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// Exceptions lists exceptions by id, from after the last of the page before, "" for
// the first. Limit 0 means 100, the most is 1000.
func (p *Policy) Exceptions(ctx context.Context, after string, limit int) (list []policy.Exception, err error) {
	if limit, err = pageLimit(limit); err != nil {
		return nil, err
	}
	err = p.tenant.read(ctx, "list exceptions", func(tx *tx) error {
		list = list[:0]
		return tx.each(func(row func(...any) error) error {
			var body string
			var revoked int64
			if err := row(&body, &revoked); err != nil {
				return err
			}
			e, err := readException(body, revoked)
			if err == nil {
				list = append(list, *e)
			}
			return err
		}, `SELECT e.body, coalesce(r.at_us, 0) FROM policy.exceptions e LEFT JOIN policy.exception_events r ON r.tenant_id = e.tenant_id AND r.id = e.id AND r.kind = 'revoked'
			WHERE e.tenant_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3`, tx.tenant, after, limit)
	})
	return list, err
}

// Revoke takes an exception back, from now on. One that was taken back before is no
// error. An error wraps ErrNotFound, or ErrInvalid without a reason.
func (p *Policy) Revoke(ctx context.Context, id, by, reason string) (*policy.KeptException, error) {
	if strings.TrimSpace(reason) == "" {
		return nil, fmt.Errorf("revoke exception %.80q: a reason is required: %w", id, fault.Invalid)
	}
	var k *policy.KeptException
	err := p.tenant.write(ctx, fmt.Sprintf("revoke exception %.80q", id), func(tx *tx) error {
		if err := tx.lockPolicy(forUpdate); err != nil {
			return err
		}
		var err error
		if k, err = tx.keptException(id); err != nil || !k.Exception.Revoked.IsZero() {
			return err
		}
		if err := tx.exceptionEvent(&k.Exception, event.ExceptionRevoked, by, reason); err != nil {
			return err
		}
		k, err = tx.keptException(id)
		return err
	})
	if errors.Is(err, errUnknown) {
		return p.Revoke(ctx, id, by, reason) // what is revoked already is recognised
	}
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.PolicyChanged)
	return k, nil
}
