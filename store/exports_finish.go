package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// Finish keeps what was made. Should all proofs be there that the bundle misses, the
// next version is queued at once. An error wraps ErrNotFound where the scan is gone;
// the message is noted then all the same.
func (e *Exports) Finish(ctx context.Context, r *export.Result) error {
	if err := checkResult(r); err != nil {
		return fmt.Errorf("finish the %.80s export of scan %.80q: %w", r.Format, r.ScanID, err)
	}
	var refused error
	finish := func() error {
		return e.tenant.write(ctx, fmt.Sprintf("finish the %s export of %s", r.Format, r.ScanID), func(tx *tx) (err error) {
			refused, err = tx.finishExport(r)
			return err
		})
	}
	err := finish()
	if errors.Is(err, errUnknown) {
		err = finish() // what is kept already is recognised
	}
	if err != nil {
		return err
	}
	return refused
}

func checkResult(r *export.Result) error {
	m := &r.Made
	err := errors.Join(checkName("scan", r.ScanID, maxName), checkName("format", string(r.Format), maxFormat), checkName("key", m.Key, maxName), checkObject(&m.Document))
	if m.Bundle.Ref.Digest != "" {
		err = errors.Join(err, checkObject(&m.Bundle))
	}
	if len(m.Attestations) > MaxBundled || len(r.Push) > MaxWanted {
		err = errors.Join(err, &fault.LimitError{What: "attestations or destinations", Where: "an export", Max: MaxBundled, Seen: int64(len(m.Attestations) + len(r.Push))})
	}
	for _, name := range r.Push {
		err = errors.Join(err, checkName("destination", name, export.MaxName))
	}
	for _, k := range m.Missing {
		err = errors.Join(err, checkKind(attest.ProofKind(k)))
	}
	return err
}

func checkObject(o *export.Object) error {
	if !sum.Is(o.Ref.Digest) || o.Ref.Size < 0 {
		return fmt.Errorf("object %.80q of %d bytes: %w", o.Ref.Digest, o.Ref.Size, fault.Invalid)
	}
	return errors.Join(checkName("name", o.Name, maxName), checkName("media type", o.MediaType, maxName))
}

func (t *tx) finishExport(r *export.Result) (refused, err error) {
	done := func() error { return t.consumeMessage(event.ExportJobs, event.GroupExportWorkers, r.Message) }
	_, err = t.jobFor(forUpdate, r.ScanID, "")
	if errors.Is(err, fault.NotFound) {
		return err, done()
	}
	if err != nil {
		return nil, err
	}
	ids := slices.Compact(slices.Sorted(slices.Values(r.Made.Attestations)))
	// While they are shared nobody proves them: a proof that comes later finds this export.
	there, err := t.lockAttestations(ids, " FOR SHARE")
	if err != nil {
		return nil, err
	}
	e, err := t.export(r.ScanID, r.Format)
	if err != nil {
		return nil, err
	}
	if e == nil || e.Key != r.Made.Key || e.Version != r.Made.Version {
		return nil, done() // it is not wanted any more
	}
	before := e.Made
	if before != nil && before.Key == e.Key && before.Version == e.Version {
		if err := sameDocument(e, &r.Made); err != nil {
			return nil, err
		}
		if e.State == export.Completed { // else it is made again, since an object was lost
			return nil, done()
		}
	}
	if there != len(ids) {
		return nil, fmt.Errorf("%d of %d attestations of its bundle are not kept: %w", len(ids)-there, len(ids), fault.Invalid)
	}
	if err := t.keepMade(e, &r.Made, ids); err != nil {
		return nil, err
	}
	if err := t.push(e, r.Push); err != nil {
		return nil, err
	}
	if err := done(); err != nil {
		return nil, err
	}
	if before != nil && before.Key == e.Key && before.Bundle.Ref.Digest == e.Made.Bundle.Ref.Digest {
		return nil, nil // what is there to be put in makes no difference
	}
	return nil, t.queueProved(e)
}

// sameDocument holds a second result against the first. A document follows from the key
// alone; a bundle, and evidence, which is one, may have had other proofs.
func sameDocument(e *exported, m *export.Made) error {
	if kept := e.Made; m.Document.Ref.Digest != m.Bundle.Ref.Digest && kept.Document.Ref.Digest != m.Document.Ref.Digest {
		return &fault.MismatchError{What: "digest of the document with the inputs " + m.Key, Want: kept.Document.Ref.Digest, Got: m.Document.Ref.Digest}
	}
	return nil
}

// keepMade points to what was made, which the scan refers to from then on, and to
// nothing that was made before.
func (t *tx) keepMade(e *exported, m *export.Made, ids []string) error {
	owner := exportOwner(e)
	if _, err := t.exec(`DELETE FROM scanner.blob_refs WHERE tenant_id = $1 AND scan_id = $2`, t.tenant, owner); err != nil {
		return err
	}
	refs := []blob.Ref{m.Document.Ref}
	if m.Bundle.Ref.Digest != "" && m.Bundle.Ref.Digest != m.Document.Ref.Digest {
		refs = append(refs, m.Bundle.Ref)
	}
	for _, ref := range refs {
		if err := t.refTo(ref, owner); err != nil {
			return err
		}
	}
	if _, err := t.exec(`DELETE FROM attest.bundled WHERE tenant_id = $1 AND scan_id = $2 AND format = $3`, t.tenant, e.ScanID, string(e.Format)); err != nil {
		return err
	}
	var rows []any
	for _, id := range ids {
		rows = append(rows, t.tenant, e.ScanID, string(e.Format), id)
	}
	if _, err := t.insert(`INSERT INTO attest.bundled (tenant_id, scan_id, format, attestation)`, 4, rows, ""); err != nil {
		return err
	}
	if err := t.useAttestations(e.ScanID, ids); err != nil {
		return err
	}
	row := &madeRow{Key: m.Key, Version: m.Version, Document: rowOf(m.Document), Bundle: rowOf(m.Bundle), Missing: slices.Compact(slices.Sorted(slices.Values(m.Missing)))}
	text, err := json.Marshal(row, json.Deterministic(true))
	if err != nil {
		return err
	}
	e.Made = row.made(t.now)
	e.Made.Attestations = ids
	if _, err := t.exec(`UPDATE attest.exports SET made = $4, made_us = $5 WHERE tenant_id = $1 AND scan_id = $2 AND format = $3`, t.tenant, e.ScanID, string(e.Format), string(text), t.now); err != nil {
		return err
	}
	return t.settleExport(e, export.Completed, "")
}

// exportOwner is what refers to the objects of an export.
func exportOwner(e *exported) string { return e.ScanID + "/export/" + string(e.Format) }

// queueProved has the next version made of an export that misses proofs, where all that
// its attestations want are there. The export is locked.
func (t *tx) queueProved(e *exported) error {
	if e.State != export.Completed || e.Made == nil || e.Made.Key != e.Key || len(e.Made.Missing) == 0 {
		return nil
	}
	list := make([]attest.Attestation, len(e.Made.Attestations))
	for i, id := range e.Made.Attestations {
		list[i].ID = id
	}
	if err := t.fillAttestations(list); err != nil {
		return err
	}
	news := false // whether a proof is there that the bundle misses
	for i := range list {
		if len(list[i].Missing()) > 0 {
			return nil
		}
		news = news || slices.ContainsFunc(list[i].Proofs, func(p attest.Proof) bool { return slices.Contains(e.Made.Missing, string(p.Kind)) })
	}
	if !news {
		return nil
	}
	e.Version++
	return t.queueExport(e, "attestor")
}

// provedExports has the exports made anew that have waited for the proof which an
// attestation was just given. The attestation is locked.
func (t *tx) provedExports(id string) error {
	// Who proves another attestation of the same export waits here, and sees this proof.
	list, err := t.exports(` AND EXISTS (SELECT 1 FROM attest.bundled b WHERE b.tenant_id = $1 AND b.attestation = $2 AND b.scan_id = attest.exports.scan_id AND b.format = attest.exports.format)
		ORDER BY scan_id, format`+forUpdate, id)
	for i := range list {
		if err == nil {
			err = t.queueProved(&list[i])
		}
	}
	return err
}

// Fail notes a failed attempt.
func (e *Exports) Fail(ctx context.Context, f *export.Failure) (final bool, err error) {
	fail := func() error {
		return e.tenant.write(ctx, fmt.Sprintf("note that the %.80s export of %.80s failed", f.Format, f.ScanID), func(tx *tx) (err error) {
			final, err = tx.failExport(f)
			return err
		})
	}
	if err = fail(); errors.Is(err, errUnknown) {
		err = fail() // at worst it counts twice
	}
	return final && err == nil, err
}

func (t *tx) failExport(f *export.Failure) (final bool, err error) {
	done := func() error { return t.consumeMessage(event.ExportJobs, event.GroupExportWorkers, f.Message) }
	_, err = t.jobFor(forUpdate, f.ScanID, "")
	if errors.Is(err, fault.NotFound) {
		return true, done()
	}
	if err != nil {
		return false, err
	}
	e, err := t.export(f.ScanID, f.Format)
	if err != nil {
		return false, err
	}
	if e == nil || e.Key != f.Key || e.Version != f.Version || e.State != export.Queued {
		return true, done()
	}
	e.Attempt++
	if !f.Permanent && e.Attempt < Attempts {
		return false, t.settleExport(e, export.Queued, cut(f.Reason))
	}
	return true, errors.Join(t.settleExport(e, export.Failed, cut(f.Reason)), done())
}
