package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/event"
)

// Keep keeps an attestation, unless there is one of its ID, and returns the one that is
// kept, with its proofs. It is kept as long as one of the scans that it was kept for, or
// that have it in an export; one for no scan is kept for ever. Kinds of proof that are
// wanted for the first time are asked for, also of one that was there before. An error
// wraps ErrNotFound where the scan is gone, and ErrConflict where the object is being
// deleted: put it again.
func (a *Attest) Keep(ctx context.Context, in *attest.Attestation) (kept *attest.Attestation, err error) {
	if err := checkAttestation(in); err != nil {
		return nil, fmt.Errorf("keep attestation %.80q: %w", in.ID, err)
	}
	keep := func() error {
		return a.tenant.write(ctx, "keep attestation "+in.ID, func(tx *tx) (err error) {
			kept, err = tx.keepAttestation(in)
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

func checkAttestation(a *attest.Attestation) error {
	if !sum.Is(a.ID) || a.Ref.Digest != a.ID || a.Ref.Size < 1 || !sum.Is(a.Payload) {
		return fmt.Errorf("object %.80q of %d bytes, payload %.80q: %w", a.Ref.Digest, a.Ref.Size, a.Payload, fault.Invalid)
	}
	if len(a.Envelope) > attest.MaxInline {
		return &fault.LimitError{What: "bytes of an envelope", Where: "a row", Max: attest.MaxInline, Seen: int64(len(a.Envelope))}
	}
	if a.Envelope != nil {
		if got := sum.Of(a.Envelope); got != a.ID || int64(len(a.Envelope)) != a.Ref.Size {
			return &fault.MismatchError{What: "digest of the envelope", Want: a.ID, Got: got}
		}
	}
	if n := len(a.Subjects); n > MaxSubjects {
		return &fault.LimitError{What: "subjects", Where: a.ID, Max: MaxSubjects, Seen: int64(n)}
	}
	err := errors.Join(checkName("key", a.KeyID, dsse.MaxKeyID), checkName("predicate type", a.PredicateType, maxName))
	for _, s := range a.Subjects {
		err = errors.Join(err, checkName("subject", s, maxName))
	}
	for _, k := range a.Wanted {
		err = errors.Join(err, checkKind(k))
	}
	return err
}

func checkKind(k attest.ProofKind) error {
	if k != attest.ProofTimestamp && k != attest.ProofLog {
		return fmt.Errorf("no proof is called %.40q: %w", k, fault.Invalid)
	}
	return nil
}

func (t *tx) keepAttestation(in *attest.Attestation) (*attest.Attestation, error) {
	scanID, err := t.scanOf(in)
	if err != nil {
		return nil, err
	}
	n, err := t.exec(`INSERT INTO attest.attestations (tenant_id, id, envelope, size, chunks, payload, key_id, predicate_type, scan_id, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (tenant_id, id) DO NOTHING`, t.tenant, in.ID, in.Envelope, in.Ref.Size, present(in.Ref.Chunks), in.Payload, in.KeyID, in.PredicateType, scanID, t.now)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		// It may be going: then it is put and kept anew.
		if locked, err := t.lockAttestations([]string{in.ID}, forUpdate); err != nil || locked == 0 {
			return nil, errors.Join(err, fmt.Errorf("attestation %s is being deleted; keep it again: %w", in.ID, fault.Conflict))
		}
	} else if err := t.keepSubjects(in); err != nil {
		return nil, err
	}
	if err := t.refTo(in.Ref, attestationOwner(in.ID)); err != nil {
		return nil, err
	}
	if err := t.useAttestations(scanID, []string{in.ID}); err != nil {
		return nil, err
	}
	if err := t.want(in.ID, in.Wanted); err != nil {
		return nil, err
	}
	return t.attestation(in.ID)
}

// scanOf locks the scan that an attestation is kept for: the one that is given, or that
// its signature was made for; "" for none, or where the latter is gone.
func (t *tx) scanOf(in *attest.Attestation) (string, error) {
	if in.ScanID != "" {
		return in.ScanID, t.shareScan(in.ScanID)
	}
	s, err := t.signature(in.Payload, in.KeyID)
	if err == nil {
		err = t.shareScan(s.ScanID)
	}
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return s.ScanID, nil
}

// attestationOwner is what refers to the object of an attestation.
func attestationOwner(id string) string { return "attestation/" + id }

func (t *tx) keepSubjects(in *attest.Attestation) error {
	var rows []any
	for _, s := range slices.Compact(slices.Sorted(slices.Values(in.Subjects))) {
		rows = append(rows, t.tenant, s, in.ID)
	}
	_, err := t.insert(`INSERT INTO attest.subjects (tenant_id, digest, attestation)`, 3, rows, "")
	return err
}

// useAttestations notes that attestations are kept for a scan, whose lock is held.
func (t *tx) useAttestations(scanID string, ids []string) error {
	if scanID == "" {
		return nil
	}
	var rows []any
	for _, id := range ids {
		rows = append(rows, t.tenant, id, scanID)
	}
	_, err := t.insert(`INSERT INTO attest.uses (tenant_id, attestation, scan_id)`, 3, rows, ` ON CONFLICT (tenant_id, attestation, scan_id) DO NOTHING`)
	return err
}

// want notes which proofs an attestation is to have, and asks for those that it was not
// to have before. Whoever keeps it asks for them first, and settles the message.
func (t *tx) want(id string, kinds []attest.ProofKind) error {
	var fresh int64
	for _, k := range slices.Compact(slices.Sorted(slices.Values(kinds))) {
		n, err := t.exec(`INSERT INTO attest.wanted (tenant_id, attestation, kind) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, attestation, kind) DO NOTHING`, t.tenant, id, string(k))
		if err != nil {
			return err
		}
		fresh += n
	}
	if fresh == 0 {
		return nil
	}
	// Where it was settled before, something else is wanted now.
	if _, err := t.exec(`DELETE FROM transport.inbox WHERE tenant_id = $1 AND group_name = $2 AND event_id = $3`, t.tenant, event.GroupAttestorWorkers, keptMessage(id)); err != nil {
		return err
	}
	data := event.Submission{Attestation: id}
	body, err := data.Encode()
	if err != nil {
		return err
	}
	return t.announce(announcement{topic: event.AttestorSubmissions, notBefore: t.now + minBackoff.Microseconds(),
		event: event.Event{ID: keptMessage(id), Type: event.AttestationKept, Source: "attestor", Data: body}})
}

// keptMessage is the message that asks for the proofs of an attestation.
func keptMessage(id string) string { return id + "/kept" }

// lockAttestations locks those of ids that are there, in the order of their ids, and
// returns how many they are. It is the second lock, after scans; see
// docs/architecture.md.
func (t *tx) lockAttestations(ids []string, lock string) (n int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	list, err := idList(ids)
	if err != nil {
		return 0, err
	}
	return n, t.each(func(row func(...any) error) error {
		var id string
		n++
		return row(&id)
	}, `SELECT id FROM attest.attestations WHERE tenant_id = $1 AND id`+oneOf+` ORDER BY id`+lock, t.tenant, list)
}

// Prove keeps a proof, unless the attestation has one of its kind, and returns the
// attestation as it is kept. Exports that waited for it, and for nothing else, are
// queued again.
func (a *Attest) Prove(ctx context.Context, id string, p attest.Proof) (out *attest.Attestation, err error) {
	err = errors.Join(checkKind(p.Kind), checkName("source", p.Source, maxName))
	if n := len(p.Content); err == nil && (n == 0 || n > MaxProof) {
		err = &fault.LimitError{What: "bytes of a proof", Where: string(p.Kind), Max: MaxProof, Seen: int64(n)}
	}
	if err != nil {
		return nil, fmt.Errorf("prove attestation %.80q: %w", id, err)
	}
	prove := func() error {
		return a.tenant.write(ctx, "prove attestation "+id, func(tx *tx) (err error) {
			out, err = tx.prove(id, p)
			return err
		})
	}
	if err = prove(); errors.Is(err, errUnknown) {
		err = prove() // what is kept already is returned
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) prove(id string, p attest.Proof) (*attest.Attestation, error) {
	locked, err := t.lockAttestations([]string{id}, forUpdate)
	if err != nil {
		return nil, err
	}
	if locked == 0 {
		return nil, fmt.Errorf("attestation %.80q: %w", id, fault.NotFound)
	}
	n, err := t.exec(`INSERT INTO attest.proofs (tenant_id, attestation, kind, number, source, content, at_us)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), count(*) + 1, CAST($4 AS TEXT), $5, CAST($6 AS BIGINT) FROM attest.proofs WHERE tenant_id = $1 AND attestation = $2
		ON CONFLICT (tenant_id, attestation, kind) DO NOTHING`, t.tenant, id, string(p.Kind), p.Source, p.Content, t.now)
	if err != nil {
		return nil, err
	}
	a, err := t.attestation(id)
	if err != nil || n == 0 {
		return a, err
	}
	if len(a.Wanted) > 0 && len(a.Missing()) == 0 {
		if err := t.consumeMessage(event.AttestorSubmissions, event.GroupAttestorWorkers, keptMessage(id)); err != nil {
			return nil, err
		}
	}
	return a, t.provedExports(id)
}
