package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Add keeps a version of a policy, with the text that it was read from. repeated
// reports that the same was kept before; another text that means the same is the same.
// An error wraps ErrConflict where the version is another policy.
func (p *Policy) Add(ctx context.Context, v *policy.Policy, source []byte, by string) (r *policy.Revision, repeated bool, err error) {
	if err := v.Check(); err != nil {
		return nil, false, err
	}
	body, err := v.Encode()
	if err != nil {
		return nil, false, err
	}
	if len(source) > MaxPolicySource || len(body) > MaxPolicyBody {
		return nil, false, &fault.LimitError{What: "bytes of a policy", Where: v.ID, Max: MaxPolicySource, Seen: int64(max(len(source), len(body)))}
	}
	if len(v.ID) > maxPolicyName {
		return nil, false, &fault.LimitError{What: "bytes of a policy's id", Where: fmt.Sprintf("%.40s…", v.ID), Max: maxPolicyName, Seen: int64(len(v.ID))}
	}
	digest := sumText(body)
	err = p.tenant.write(ctx, fmt.Sprintf("keep policy %s, version %d", v.ID, v.Version), func(tx *tx) error {
		n, err := tx.exec(`INSERT INTO policy.policies (tenant_id, id, version, digest, title, body, source, by_whom, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (tenant_id, id, version) DO NOTHING`, tx.tenant, v.ID, v.Version, digest, cut(v.Title), body, present(source), cut(by), tx.now)
		if err != nil {
			return err
		}
		repeated = n == 0
		if r, err = tx.revision(v.ID, v.Version); err != nil {
			return err
		}
		if r.Digest != digest {
			return fmt.Errorf("policy %s has another version %d, %s: versions are never changed: %w", v.ID, v.Version, r.Digest, fault.Conflict)
		}
		return nil
	})
	if errors.Is(err, errUnknown) {
		return p.Add(ctx, v, source, by) // what is kept already is recognised
	}
	if err != nil {
		return nil, false, err
	}
	return r, repeated, nil
}

const revisionColumns = `id, version, digest, title, by_whom, at_us`

func (t *tx) revision(id string, version int) (*policy.Revision, error) {
	r := new(policy.Revision)
	var at int64
	var body []byte
	err := t.get(`SELECT `+revisionColumns+`, body, source FROM policy.policies WHERE tenant_id = $1 AND id = $2 AND (version = $3 OR CAST($3 AS BIGINT) = 0) ORDER BY version DESC LIMIT 1`,
		[]any{t.tenant, id, version}, &r.ID, &r.Version, &r.Digest, &r.Title, &r.By, &at, &body, &r.Source)
	if isNoRows(err) {
		return nil, fmt.Errorf("policy %.80q, version %d: %w", id, version, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	r.Created = micros(at)
	if r.Policy, err = policy.DecodePolicy(body, r.Digest); err != nil {
		return nil, err
	}
	list := []policy.Revision{*r}
	err = t.inForce(list)
	r.Environments = list[0].Environments
	return r, err
}

// inForce says where revisions are in force.
func (t *tx) inForce(list []policy.Revision) error {
	active, err := t.activePolicies()
	for i := range list {
		for _, a := range active {
			if a.Policy.ID == list[i].ID && a.Policy.Version == list[i].Version {
				list[i].Environments = append(list[i].Environments, a.Environment)
			}
		}
	}
	return err
}

// Revision returns a version of a policy, the newest for 0, with its text. An error
// wraps ErrNotFound.
func (p *Policy) Revision(ctx context.Context, id string, version int) (*policy.Revision, error) {
	var out *policy.Revision
	err := p.tenant.read(ctx, "read policy "+id, func(tx *tx) (err error) {
		out, err = tx.revision(id, version)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Revisions lists versions of policies, by id and the newest version first, from
// after, which is what the page before returned as next, "" for the first. Limit 0
// means 100, the most is 1000.
func (p *Policy) Revisions(ctx context.Context, after string, limit int) (list []policy.Revision, next string, err error) {
	if limit, err = pageLimit(limit); err != nil {
		return nil, "", err
	}
	id, version := "", int64(0)
	if after != "" {
		number, rest, ok := strings.Cut(after, ".")
		if version, err = strconv.ParseInt(number, 10, 64); !ok || err != nil {
			return nil, "", badCursor(after)
		}
		id = rest
	}
	err = p.tenant.read(ctx, "list policies", func(tx *tx) error {
		list = list[:0]
		err := tx.each(func(row func(...any) error) error {
			var r policy.Revision
			var at int64
			err := row(&r.ID, &r.Version, &r.Digest, &r.Title, &r.By, &at)
			r.Created = micros(at)
			list = append(list, r)
			return err
		}, `SELECT `+revisionColumns+` FROM policy.policies WHERE tenant_id = $1 AND (id > $2 OR id = $2 AND version < $3) ORDER BY id, version DESC LIMIT $4`, tx.tenant, id, version, limit+1)
		if err != nil {
			return err
		}
		return tx.inForce(list)
	})
	if len(list) > limit {
		list = list[:limit]
		next = fmt.Sprintf("%d.%s", list[limit-1].Version, list[limit-1].ID)
	}
	return list, next, err
}

func pageLimit(limit int) (int, error) {
	if limit < 0 || limit > 1000 {
		return 0, fmt.Errorf("limit %d: want 1 to 1000: %w", limit, fault.Invalid)
	}
	return cmp.Or(limit, 100), nil
}

func badCursor(after string) error {
	return fmt.Errorf("after %.80q is not what an earlier page gave: %w", after, fault.Invalid)
}

// Activate puts a version of a policy in force in an environment, "" for none in
// particular, and makes all scans due. What is in force already stays as it is. Going
// back to an older version of the same policy is refused with ErrConflict, unless
// Rollback is set with a Reason. The zero Policy puts nothing in force there any more,
// and needs a Reason: what holds in the environment goes.
func (p *Policy) Activate(ctx context.Context, a policy.Activation) (*policy.Activation, error) {
	if err := checkActivation(&a); err != nil {
		return nil, err
	}
	var out *policy.Activation
	err := p.tenant.write(ctx, fmt.Sprintf("activate policy %s in environment %q", a.Policy.ID, a.Environment), func(tx *tx) (err error) {
		out, err = tx.activate(a)
		return err
	})
	if errors.Is(err, errUnknown) {
		return p.Activate(ctx, a) // what is in force already is recognised
	}
	if err != nil {
		return nil, err
	}
	crashpoint.Hit(crashpoint.PolicyChanged)
	return out, nil
}

func checkActivation(a *policy.Activation) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("activate policy %.80q: "+format+": %w", append(append([]any{a.Policy.ID}, args...), fault.Invalid)...)
	}
	name := func(s string) bool {
		return len(s) <= maxPolicyName && strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) < 0
	}
	if !name(a.Environment) {
		return bad("environment %.80q: want up to %d printable ASCII characters", a.Environment, maxPolicyName)
	}
	if (a.Rollback || a.Policy == policy.Named{}) && strings.TrimSpace(a.Reason) == "" {
		return bad("a rollback, and the end of a policy, need a reason")
	}
	a.Controls = slices.Clone(a.Controls)
	slices.Sort(a.Controls)
	a.Controls = slices.Compact(a.Controls)
	if len(a.Controls) > MaxControls || slices.ContainsFunc(a.Controls, func(s string) bool { return s == "" || !name(s) }) {
		return bad("controls: want up to %d names of printable ASCII characters", MaxControls)
	}
	return nil
}

func (t *tx) activate(a policy.Activation) (*policy.Activation, error) {
	if err := t.lockPolicy(forUpdate); err != nil {
		return nil, err
	}
	a.Digest = ""
	if a.Policy != (policy.Named{}) {
		r, err := t.revision(a.Policy.ID, a.Policy.Version)
		if err != nil {
			return nil, err
		}
		a.Policy.Version, a.Digest = r.Version, r.Digest
	}
	before, older, err := t.activeBefore(&a)
	if err != nil || before != nil && before.Policy == a.Policy && slices.Equal(before.Controls, a.Controls) {
		return before, err
	}
	a.Rollback, a.At, a.By, a.Reason = older, micros(t.now), cut(a.By), cut(a.Reason)
	data := event.Activation{Environment: a.Environment, Policy: a.Policy.ID, Version: a.Policy.Version, Digest: a.Digest, Rollback: older, By: a.By, Reason: a.Reason}
	if before != nil {
		data.Before, data.BeforeVersion = before.Policy.ID, before.Policy.Version
	}
	if err := t.get(`SELECT coalesce(max(number), 0) + 1 FROM policy.activations WHERE tenant_id = $1`, []any{t.tenant}, &a.Number); err != nil {
		return nil, err
	}
	controls, err := jsonText(append([]string{}, a.Controls...))
	if err != nil {
		return nil, err
	}
	_, err = t.exec(`INSERT INTO policy.activations (tenant_id, number, environment, policy_id, version, digest, controls, rollback, by_whom, reason, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		t.tenant, a.Number, a.Environment, a.Policy.ID, a.Policy.Version, a.Digest, controls, bit(older), a.By, a.Reason, t.now)
	if err != nil {
		return nil, err
	}
	data.Number = a.Number
	body, err := data.Encode()
	if err != nil {
		return nil, err
	}
	cause := fmt.Sprintf("activation/%d", a.Number)
	if err := t.announce(announcement{topic: event.PolicyEvents, event: event.Event{ID: cause, Type: event.PolicyActivated, Source: "policy", Data: body}}); err != nil {
		return nil, err
	}
	return &a, t.due("", t.now, cause, "")
}

// activeBefore returns what was activated last in the environment, nil for nothing,
// and whether the new one goes back to an older version than any that was in force
// last: to end a policy in between makes no difference.
func (t *tx) activeBefore(a *policy.Activation) (last *policy.Activation, older bool, err error) {
	const newest = ` AND environment = $2 ORDER BY number DESC LIMIT 1`
	list, err := t.activations(newest, a.Environment)
	if err != nil {
		return nil, false, err
	}
	if len(list) > 0 {
		last = &list[0]
	} else if a.Policy == (policy.Named{}) {
		return nil, false, fmt.Errorf("no policy is in force in environment %q: %w", a.Environment, fault.NotFound)
	}
	list, err = t.activations(` AND policy_id <> ''`+newest, a.Environment)
	if err != nil || len(list) == 0 {
		return last, false, err
	}
	b := &list[0]
	older = b.Policy.ID == a.Policy.ID && b.Policy.Version > a.Policy.Version
	if older && !a.Rollback {
		return nil, false, fmt.Errorf("version %d of policy %s is older than version %d, which was in force in environment %q; say rollback, with a reason: %w",
			a.Policy.Version, a.Policy.ID, b.Policy.Version, a.Environment, fault.Conflict)
	}
	return last, older, nil
}

func (t *tx) activations(where string, args ...any) ([]policy.Activation, error) {
	var out []policy.Activation
	err := t.each(func(row func(...any) error) error {
		var a policy.Activation
		var at int64
		var controls string
		if err := row(&a.Number, &a.Environment, &a.Policy.ID, &a.Policy.Version, &a.Digest, &controls, &a.Rollback, &a.By, &a.Reason, &at); err != nil {
			return err
		}
		a.At = micros(at)
		out = append(out, a)
		return json.Unmarshal([]byte(controls), &out[len(out)-1].Controls)
	}, `SELECT number, environment, policy_id, version, digest, controls, rollback, by_whom, reason, at_us FROM policy.activations WHERE tenant_id = $1`+where, append([]any{t.tenant}, args...)...)
	return out, err
}

// Activations lists which policies were put in force, the newest first, from before
// the number of the page before, 0 for the first. Limit 0 means 100, the most is 1000.
func (p *Policy) Activations(ctx context.Context, before int64, limit int) (list []policy.Activation, err error) {
	if limit, err = pageLimit(limit); err != nil {
		return nil, err
	}
	err = p.tenant.read(ctx, "list activations", func(tx *tx) (err error) {
		list, err = tx.activations(` AND (number < $2 OR CAST($2 AS BIGINT) = 0) ORDER BY number DESC LIMIT $3`, before, limit)
		return err
	})
	return list, err
}
