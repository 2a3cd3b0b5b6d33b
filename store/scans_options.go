package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// ScansOptions say under which conditions a tenant's scans are taken. The zero value has
// no quota, and refuses credentials of registries.
type ScansOptions struct {
	// Quota bounds what the tenant may ask for.
	Quota scan.Quota
	// Seal seals what a registry is asked with before it is stored; package
	// scan/pullsecret does. Nil refuses submissions that have it.
	Seal func(tenant, jobID string, s scan.Secret) ([]byte, error)
	// Layers has an archive of the layers made of every image, as if each request asked for
	// it, but of those that were sent with a credential, which is gone by then.
	Layers bool
	// SecretLife is how long such a secret is kept at most. Default: DefaultSecretLife.
	SecretLife time.Duration
}

// DefaultSecretLife is how long what a registry is asked with is kept at most.
const DefaultSecretLife = 2 * time.Hour

// With returns the same scans under other conditions. A nil o is the zero value.
func (s *Scans) With(o *ScansOptions) *Scans {
	out := &Scans{tenant: s.tenant}
	if o != nil {
		out.options = *o
	}
	return out
}

// admit counts a submission, and refuses it where a quota is used up. The row of the
// tenant is locked until the end, so that two submissions do not share the last place.
func (t *tx) admit(q scan.Quota) error {
	if q.Open <= 0 && q.Daily <= 0 {
		return nil
	}
	today, submitted := t.now/day.Microseconds(), 0
	err := t.get(`INSERT INTO scanner.quotas (tenant_id, day, submitted) VALUES ($1, $2, 1) ON CONFLICT (tenant_id) DO UPDATE
		SET submitted = CASE WHEN scanner.quotas.day = excluded.day THEN scanner.quotas.submitted + 1 ELSE 1 END, day = excluded.day RETURNING submitted`,
		[]any{t.tenant, today}, &submitted)
	if err != nil {
		return err
	}
	if q.Daily > 0 && submitted > q.Daily {
		after := time.Duration((today+1)*day.Microseconds()-t.now) * time.Microsecond
		return &scan.QuotaError{What: "scans a day", Max: q.Daily, After: after}
	}
	if q.Open <= 0 {
		return nil
	}
	open := 0
	if err := t.get(`SELECT count(*) FROM (SELECT 1 FROM scanner.scan_jobs WHERE tenant_id = $1 AND status IN ('pending', 'running', 'evaluating') LIMIT $2) AS open`,
		[]any{t.tenant, q.Open}, &open); err != nil {
		return err
	}
	if open >= q.Open {
		return &scan.QuotaError{What: "open scans", Max: q.Open}
	}
	return nil
}

// keepSecret keeps what a worker has to ask the registry with.
func (t *tx) keepSecret(id string, s scan.Secret, o *ScansOptions) error {
	if s == "" {
		return nil
	}
	if o.Seal == nil {
		return fmt.Errorf("scan request: authorization: credentials of registries are not taken here, as no key to seal them is configured: %w", fault.Unsupported)
	}
	sealed, err := o.Seal(t.tenant, id, s)
	if err != nil {
		return fmt.Errorf("seal the credential of %s: %w", id, err)
	}
	if _, err := t.exec(`DELETE FROM scanner.pull_secrets WHERE tenant_id = $1 AND expires_us <= $2`, t.tenant, t.now); err != nil {
		return err
	}
	life := cmp.Or(o.SecretLife, DefaultSecretLife)
	_, err = t.exec(`INSERT INTO scanner.pull_secrets (tenant_id, job_id, sealed, expires_us) VALUES ($1, $2, $3, $4)`, t.tenant, id, sealed, t.now+life.Microseconds())
	return err
}

// secret returns what is kept for a worker; nil where there is nothing any more.
func (t *tx) secret(id string) ([]byte, error) {
	var sealed []byte
	err := t.get(`SELECT sealed FROM scanner.pull_secrets WHERE tenant_id = $1 AND job_id = $2 AND expires_us > $3`, []any{t.tenant, id, t.now}, &sealed)
	if isNoRows(err) {
		return nil, nil
	}
	return sealed, err
}

// dropSecret deletes it: no worker will have the job again.
func (t *tx) dropSecret(id string) error {
	_, err := t.exec(`DELETE FROM scanner.pull_secrets WHERE tenant_id = $1 AND job_id = $2`, t.tenant, id)
	return err
}

// collectSecrets deletes those whose time is over.
func (t *Tenant) collectSecrets(ctx context.Context) error {
	return t.write(ctx, "delete expired credentials", func(tx *tx) error {
		_, err := tx.exec(`DELETE FROM scanner.pull_secrets WHERE tenant_id = $1 AND expires_us <= $2`, tx.tenant, tx.now)
		return err
	})
}
