package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// MaxTrust bounds a trust document, in bytes as it is kept.
const MaxTrust = 4 << 20

// DecisionChange is one step of what was decided about one vulnerability of one
// product.
type DecisionChange struct {
	Head int64     `json:"head"` // that made it
	At   time.Time `json:"at"`   // as of when it decides
	// Decision is what has been decided since. Its Value is "" where nothing is
	// decided any more.
	Decision vex.Decision `json:"decision"`
}

// SetTrust puts a trust in force. by says who wants it. What is decided by it is
// for the next head; verdicts of a tenant that has it of its own follow from it at once,
// and all of its scans are due. An error wraps ErrInvalid or ErrLimit where the trust is not a
// valid one.
func (v *VEX) SetTrust(ctx context.Context, trust *vex.Trust, by string) (digest string, err error) {
	if _, err := trust.Judge(); err != nil {
		return "", fmt.Errorf("trust: %w", err)
	}
	sorted := vex.Trust{Issuers: slices.Clone(trust.Issuers)}
	slices.SortFunc(sorted.Issuers, func(a, b vex.Issuer) int { return strings.Compare(a.ID, b.ID) })
	body, err := json.Marshal(&sorted, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&body).Canonicalize()
	}
	if err != nil {
		return "", fmt.Errorf("trust: %v: %w", err, fault.Invalid)
	}
	sum := sha256.Sum256(body)
	if digest = hexDigest(sum[:]); digest != trust.Digest() {
		return "", fmt.Errorf("trust: it cannot be written as it is: %w", fault.Invalid)
	}
	if len(body) > MaxTrust {
		return "", &fault.LimitError{What: "bytes of a trust", Where: digest, Max: MaxTrust, Seen: int64(len(body))}
	}
	err = v.write(ctx, "put trust "+digest+" in force", func(tx *tx) error {
		_, before, err := tx.lockVEX()
		if err != nil || before == digest {
			return err
		}
		if _, err = tx.exec(`INSERT INTO vex.trusts (tenant_id, digest, body, at_us) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, digest) DO NOTHING`, tx.tenant, digest, string(body), tx.now); err != nil {
			return err
		}
		if _, err = tx.exec(`INSERT INTO vex.trust_changes (tenant_id, digest, by_whom, at_us) VALUES ($1, $2, $3, $4)`, tx.tenant, digest, cut(by), tx.now); err != nil {
			return err
		}
		if _, err = tx.exec(`UPDATE vex.scopes SET trust = $2 WHERE tenant_id = $1`, tx.tenant, digest); err != nil || tx.tenant == "" {
			return err // what is public follows with its next head
		}
		return tx.due("", tx.now, causeTrust, "")
	})
	if err == nil {
		crashpoint.Hit(crashpoint.VEXTrusted)
	}
	return digest, err
}

// Trust returns the trust of a digest, or the one in force for "": the tenant's own,
// else the public one, else one that believes nobody. An error wraps ErrNotFound.
func (v *VEX) Trust(ctx context.Context, digest string) (*vex.Trust, error) {
	var out *vex.Trust
	err := v.read(ctx, "read a trust", func(tx *tx) error {
		wanted := digest
		if wanted == "" {
			var own string
			err := tx.get(`SELECT trust FROM vex.scopes WHERE tenant_id = $1`, []any{tx.tenant}, &own)
			if err != nil && !isNoRows(err) {
				return err
			}
			if wanted, err = tx.trustInForce(own); err != nil {
				return err
			}
		}
		var err error
		out, err = tx.trust(wanted)
		return err
	})
	return out, err
}

// trustInForce returns the digest of the trust in force, given the scope's own.
func (t *tx) trustInForce(own string) (string, error) {
	if own == "" && t.tenant != "" {
		err := t.get(`SELECT trust FROM vex.scopes WHERE tenant_id = ''`, nil, &own)
		if err != nil && !isNoRows(err) {
			return "", err
		}
	}
	if own == "" {
		own = new(vex.Trust).Digest()
	}
	return own, nil
}

// trust reads a trust and verifies it. The zero one need not be kept.
func (t *tx) trust(digest string) (*vex.Trust, error) {
	out := new(vex.Trust)
	if digest == out.Digest() {
		return out, nil
	}
	var body string
	err := t.get(`SELECT body FROM vex.trusts WHERE digest = $1 AND tenant_id IN ($2, '') ORDER BY tenant_id DESC LIMIT 1`, []any{digest, t.tenant}, &body)
	if isNoRows(err) {
		return nil, fmt.Errorf("trust %.80q: %w", digest, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(body), out); err != nil {
		return nil, fmt.Errorf("trust %s: %v: %w", digest, err, fault.Mismatch)
	}
	if got := out.Digest(); got != digest {
		return nil, &fault.MismatchError{What: "digest of a trust", Want: digest, Got: got}
	}
	return out, nil
}

// History returns every step of what was decided about a vulnerability, by head and
// product.
func (v *VEX) History(ctx context.Context, vulnerability string) ([]DecisionChange, error) {
	if err := checkVulnerability(vulnerability); err != nil {
		return nil, err
	}
	name := clean(strings.ToUpper(vulnerability))
	var out []DecisionChange
	err := v.read(ctx, "read what was decided about "+name, func(tx *tx) error {
		out = out[:0]
		return tx.each(func(row func(...any) error) error {
			c := DecisionChange{}
			var product, body string
			var at int64
			if err := row(&c.Head, &at, &product, &body); err != nil {
				return err
			}
			c.At, c.Decision = micros(at), vex.Decision{Vulnerability: name, Product: product}
			if body != "" {
				if err := json.Unmarshal([]byte(body), &c.Decision); err != nil {
					return fmt.Errorf("decision about %s with head %d: %v: %w", name, c.Head, err, fault.Mismatch)
				}
			}
			out = append(out, c)
			return nil
		}, `SELECT d.head, h.at_us, d.product, d.body FROM vex.decisions d JOIN vex.heads h ON h.tenant_id = d.tenant_id AND h.number = d.head
			WHERE d.tenant_id = $1 AND d.vulnerability = $2 ORDER BY d.head, d.product`, tx.tenant, name)
	})
	return out, err
}
