package storetest

import (
	"fmt"
	"testing"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/vex"
)

// FillVEX fills a scope with something in every table of VEX: a source with two
// revisions, a trust, two heads, and a decision that changed.
func FillVEX(t *testing.T, v *store.VEX) {
	t.Helper()
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "tampered-1", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected))
	f.says("b", "1", "tampered-b", says("CVE-3", vex.Affected))
	f.finish(vex.Finish{State: []byte("state")})
	f = vexRunOf(t, v, "s")
	f.says("a", "2", "tampered-2", says("CVE-1", vex.Affected))
	f.keep("pending", "tampered-p")
	f.finish(vex.Finish{})
	must[string](t)(v.SetTrust(t.Context(), someTrust("t"), "ann"))
	if err := v.KeepSnapshot(t.Context(), sha("set1"), blob.Ref{Digest: sha("object"), Size: 1}); err != nil {
		t.Fatal(err)
	}
	vexCommit(t, v, 1, []string{"CVE-1"}, decision("CVE-1", vex.NotAffected))
	vexCommit(t, v, 2, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
}

// VEXTampers lists statements that must be refused, whoever tries them.
func VEXTampers() (out []string) {
	text := func(columns ...string) map[string]string {
		m := map[string]string{}
		for _, c := range columns {
			m[c] = "'x'"
		}
		return m
	}
	number := func(m map[string]string, columns ...string) map[string]string {
		for _, c := range columns {
			m[c] = c + " + 100"
		}
		return m
	}
	for table, columns := range map[string]map[string]string{
		"contents":      number(text("tenant_id", "digest", "body"), "size", "at_us"),
		"documents":     number(text("tenant_id", "source", "name", "digest", "proof", "url"), "seq", "from_run", "at_us"),
		"readings":      number(text("tenant_id", "source", "name", "payload", "id", "version", "signature", "signer", "why", "quarantined", "problems"), "seq", "document", "run", "problem_count"),
		"observations":  number(text("tenant_id", "source", "document", "statement", "payload", "claim", "body"), "seq", "from_run", "safe"),
		"names":         text("tenant_id", "name", "statement"),
		"runs":          number(text("tenant_id", "source", "holder"), "number", "epoch", "began_us"),
		"trusts":        number(text("tenant_id", "digest", "body"), "at_us"),
		"trust_changes": number(text("tenant_id", "digest", "by_whom"), "seq", "at_us"),
		"heads":         number(text("tenant_id", "digest", "trust", "runs"), "number", "at_us"),
		"snapshots":     number(text("tenant_id", "digest", "object", "chunks"), "size", "at_us"),
		"decisions":     number(text("tenant_id", "vulnerability", "product", "body"), "head", "n"),
	} {
		for column, value := range columns {
			out = append(out, fmt.Sprintf("UPDATE vex.%s SET %s = %s", table, column, value))
		}
		out = append(out, "DELETE FROM vex."+table, "TRUNCATE vex."+table)
	}
	return append(out,
		"UPDATE vex.observations SET to_run = 0 WHERE to_run > 0", // to open what has ended
		"UPDATE vex.observations SET to_run = to_run + 1 WHERE to_run > 0",
		"UPDATE vex.observations SET to_run = -1 WHERE to_run = 0",
		"UPDATE vex.documents SET to_run = 0 WHERE to_run > 0",
		"UPDATE vex.documents SET state = 0 WHERE state = 1", // to have it forgotten that it was read
		"UPDATE vex.documents SET state = 7 WHERE state = 0",
		"UPDATE vex.runs SET outcome = 'failed'", "UPDATE vex.runs SET ended_us = 0")
}
