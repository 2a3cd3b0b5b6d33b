package storetest

import (
	"testing"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/store"
)

// FillAttest fills a store with something of the tenant acme in every table of proof,
// and returns the id of an attestation.
func FillAttest(t *testing.T, open func(t testing.TB) *store.Root) (id string) {
	t.Helper()
	w := newProofWorld(t, open)
	scanID := w.completed(w.acme)
	must[*attest.Signature](t)(w.acme.Attest().KeepSignature(w.ctx, signature("payload of e", "s", scanID)))
	for _, text := range []string{"e", "f"} {
		w.keep(attestation(text, scanID, attest.ProofLog, attest.ProofTimestamp))
		w.prove(sha(text), attest.ProofLog)
	}
	w.request(scanID, "", "spdx k1")
	r := result(scanID, export.SPDX, "k1", 1, sha("e"))
	r.Push = []string{"bucket"}
	w.finish(r)
	if err := w.acme.Exports().SetSettings(w.ctx, &export.Settings{Mode: export.Sign}); err != nil {
		t.Fatal(err)
	}
	if err := w.acme.Attest().Hold(w.ctx, scanID, "a trial", "ann"); err != nil {
		t.Fatal(err)
	}
	return sha("e")
}

// AttestTables are the tables that FillAttest fills.
func AttestTables() []string {
	return []string{"signatures", "attestations", "subjects", "wanted", "proofs", "uses", "exports", "bundled", "pushes", "settings", "holds"}
}

// AttestTampers lists statements that must be refused, whoever tries them.
func AttestTampers() (out []string) {
	for table, columns := range map[string][]string{
		"signatures":   {"tenant_id", "payload", "key_id", "payload_type", "sig", "scan_id", "predicate_type", "by_whom", "at_us"},
		"attestations": {"tenant_id", "id", "envelope", "size", "chunks", "payload", "key_id", "predicate_type", "scan_id", "at_us", "guard"},
		"subjects":     {"tenant_id", "digest", "attestation"},
		"wanted":       {"tenant_id", "attestation", "kind"},
		"proofs":       {"tenant_id", "attestation", "kind", "number", "source", "content", "at_us"},
		"uses":         {"tenant_id", "attestation", "scan_id"},
		"settings":     {"tenant_id", "number", "body", "by_whom", "at_us"},
		"holds":        {"tenant_id", "scan_id", "number", "held", "reason", "by_whom", "at_us"},
	} {
		for _, c := range columns {
			out = append(out, "UPDATE attest."+table+" SET "+c+" = "+c)
		}
		out = append(out, "DELETE FROM attest."+table, "TRUNCATE attest."+table+" CASCADE")
	}
	return append(out, "DELETE FROM scanner.scan_jobs")
}
