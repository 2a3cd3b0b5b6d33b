package store

import (
	"slices"
)

// proofs are the attestations that scans have which are about to be deleted.
type proofs struct{ ids, payloads []string }

// lockProof locks the attestations of scans, whose locks are held, given as an idList.
// Nobody proves them, and has an export of them made, until they are gone.
func (t *tx) lockProof(scans string) (p proofs, err error) {
	err = t.each(func(row func(...any) error) error {
		var id, payload string
		err := row(&id, &payload)
		p.ids, p.payloads = append(p.ids, id), append(p.payloads, payload)
		return err
	}, `SELECT id, payload FROM attest.attestations WHERE tenant_id = $1 AND id IN (SELECT attestation FROM attest.uses WHERE tenant_id = $1 AND scan_id`+oneOf+`) ORDER BY id FOR UPDATE`, t.tenant, scans)
	return p, err
}

// collectProof deletes what is kept for scans that were just deleted: references of
// their exports, attestations that no other scan has, and then their signatures.
func (t *tx) collectProof(scans string, p proofs) error {
	for _, statement := range []string{
		`DELETE FROM scanner.blob_refs WHERE tenant_id = $1 AND scan_id IN (SELECT scan_id || '/export/' || format FROM attest.exports WHERE tenant_id = $1 AND scan_id` + oneOf + `)`,
		`DELETE FROM attest.exports WHERE tenant_id = $1 AND scan_id` + oneOf, `DELETE FROM attest.bundled WHERE tenant_id = $1 AND scan_id` + oneOf, `DELETE FROM attest.pushes WHERE tenant_id = $1 AND scan_id` + oneOf,
		`DELETE FROM attest.uses WHERE tenant_id = $1 AND scan_id` + oneOf, `DELETE FROM attest.holds WHERE tenant_id = $1 AND scan_id` + oneOf,
	} {
		if _, err := t.exec(statement, t.tenant, scans); err != nil {
			return err
		}
	}
	ids, err := idList(p.ids)
	if err != nil {
		return err
	}
	const gone = oneOf + ` AND NOT EXISTS (SELECT 1 FROM attest.attestations a WHERE a.tenant_id = $1 AND a.id = attestation)`
	for _, statement := range []string{
		`DELETE FROM attest.attestations WHERE tenant_id = $1 AND scan_id <> '' AND id` + oneOf + ` AND NOT EXISTS (SELECT 1 FROM attest.uses u WHERE u.tenant_id = $1 AND u.attestation = id)`,
		`DELETE FROM attest.subjects WHERE tenant_id = $1 AND attestation` + gone,
		`DELETE FROM attest.wanted WHERE tenant_id = $1 AND attestation` + gone,
		`DELETE FROM attest.proofs WHERE tenant_id = $1 AND attestation` + gone,
		`DELETE FROM scanner.blob_refs WHERE tenant_id = $1 AND scan_id IN (SELECT 'attestation/' || (value->>'id') FROM json_rows($2) AS chosen)
			AND NOT EXISTS (SELECT 1 FROM attest.attestations a WHERE a.tenant_id = $1 AND 'attestation/' || a.id = scanner.blob_refs.scan_id)`,
	} {
		if len(p.ids) == 0 {
			break
		}
		if _, err := t.exec(statement, t.tenant, ids); err != nil {
			return err
		}
	}
	const needless = ` AND scan_id <> '' AND NOT EXISTS (SELECT 1 FROM scanner.scan_jobs j WHERE j.tenant_id = $1 AND j.job_id = attest.signatures.scan_id)
		AND NOT EXISTS (SELECT 1 FROM attest.attestations a WHERE a.tenant_id = $1 AND a.payload = attest.signatures.payload AND a.key_id = attest.signatures.key_id)`
	if _, err := t.exec(`DELETE FROM attest.signatures WHERE tenant_id = $1 AND scan_id`+oneOf+needless, t.tenant, scans); err != nil || len(p.ids) == 0 {
		return err
	}
	payloads, err := idList(slices.Compact(slices.Sorted(slices.Values(p.payloads))))
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM attest.signatures WHERE tenant_id = $1 AND payload`+oneOf+needless, t.tenant, payloads)
	return err
}
