package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/event"
)

// Attest is what one tenant has signed, and had attested. It is an attest.Store, and
// safe for concurrent use.
type Attest struct{ tenant *Tenant }

var _ attest.Store = (*Attest)(nil)

// Attest returns the tenant's signatures and attestations.
func (t *Tenant) Attest() *Attest { return &Attest{t} }

// The bounds of what is kept of attestations.
const (
	MaxSubjects = 100_000 // of one attestation
	MaxProof    = 1 << 20 // bytes of one
	maxName     = 4 << 10 // bytes of a type, a name or a digest of another kind
)

// checkName refuses text that not every engine can keep, or that has no place.
func checkName(what, s string, most int) error {
	if len(s) > most {
		return &fault.LimitError{What: "bytes of " + what, Where: fmt.Sprintf("%.40q…", s), Max: int64(most), Seen: int64(len(s))}
	}
	if s == "" || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s %.80q: want text: %w", what, s, fault.Invalid)
	}
	return nil
}

// Signature returns the signature of a payload by a key.
func (a *Attest) Signature(ctx context.Context, payload, keyID string) (s *attest.Signature, err error) {
	err = a.tenant.read(ctx, "read a signature", func(tx *tx) (err error) {
		s, err = tx.signature(payload, keyID)
		return err
	})
	return s, err
}

func (t *tx) signature(payload, keyID string) (*attest.Signature, error) {
	s := &attest.Signature{Payload: payload, KeyID: keyID}
	var at int64
	err := t.get(`SELECT payload_type, sig, scan_id, predicate_type, by_whom, at_us FROM attest.signatures WHERE tenant_id = $1 AND payload = $2 AND key_id = $3`,
		[]any{t.tenant, payload, keyID}, &s.PayloadType, &s.Sig, &s.ScanID, &s.PredicateType, &s.By, &at)
	if isNoRows(err) {
		return nil, fmt.Errorf("signature of %.80q by key %.80q: %w", payload, keyID, fault.NotFound)
	}
	if err != nil {
		return nil, err
	}
	s.Made = micros(at)
	return s, nil
}

// KeepSignature keeps a signature, unless there is one, and returns the one that is
// kept. An error wraps ErrNotFound where its scan is gone.
func (a *Attest) KeepSignature(ctx context.Context, s *attest.Signature) (kept *attest.Signature, err error) {
	if !sum.Is(s.Payload) || len(s.Sig) == 0 || len(s.Sig) > dsse.MaxSignature {
		return nil, fmt.Errorf("keep a signature of %d bytes of payload %.80q: %w", len(s.Sig), s.Payload, fault.Invalid)
	}
	err = errors.Join(checkName("key", s.KeyID, dsse.MaxKeyID), checkName("payload type", s.PayloadType, dsse.MaxPayloadType), checkName("predicate type", s.PredicateType, maxName))
	if err != nil {
		return nil, fmt.Errorf("keep a signature of payload %s: %w", s.Payload, err)
	}
	keep := func() error {
		return a.tenant.write(ctx, "keep the signature of "+s.Payload, func(tx *tx) (err error) {
			if err := tx.shareScan(s.ScanID); err != nil {
				return err
			}
			if _, err := tx.exec(`INSERT INTO attest.signatures (tenant_id, payload, key_id, payload_type, sig, scan_id, predicate_type, by_whom, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (tenant_id, payload, key_id) DO NOTHING`, tx.tenant, s.Payload, s.KeyID, s.PayloadType, s.Sig, s.ScanID, s.PredicateType, cut(s.By), tx.now); err != nil {
				return err
			}
			kept, err = tx.signature(s.Payload, s.KeyID)
			return err
		})
	}
	if err = keep(); errors.Is(err, errUnknown) {
		err = keep() // what is kept already is returned
	}
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// shareScan has a scan stay until the transaction ends, and refuses one that is gone;
// "" is none. It is the first lock of whoever keeps something for a scan.
func (t *tx) shareScan(id string) error {
	if id == "" {
		return nil
	}
	_, err := t.jobFor(" FOR SHARE", id, "")
	return err
}

// Attestation returns one. Its envelope is verified against its id.
func (a *Attest) Attestation(ctx context.Context, id string) (out *attest.Attestation, err error) {
	err = a.tenant.root.readOnce(ctx, Scope{RoleTenant, a.tenant.name}, "read an attestation", func(tx *tx) (err error) {
		out, err = tx.attestation(id)
		return err
	})
	return out, err
}

// Done settles a message to attestor:submissions that leads to nothing more.
func (a *Attest) Done(ctx context.Context, message string) error {
	return a.tenant.write(ctx, "settle "+message, func(tx *tx) error {
		return tx.consumeMessage(event.AttestorSubmissions, event.GroupAttestorWorkers, message)
	})
}

// idList is a list of ids as a JSON parameter, for "IN" and oneOf.
func idList(ids []string) (string, error) {
	rows := make([]idRow, len(ids))
	for i, id := range ids {
		rows[i].ID = id
	}
	text, err := json.Marshal(rows)
	return string(text), err
}

// oneOf chooses rows by the second parameter, an idList.
const oneOf = ` IN (SELECT value->>'id' FROM json_rows($2) AS chosen)`
