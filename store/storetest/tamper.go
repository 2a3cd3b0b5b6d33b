package storetest

import (
	"fmt"
	"testing"

	"github.com/stella-ops/stella/advisory"
)

// FillAdvisories fills a store with something in every table of advisories: a
// source called "tampered" with two revisions, a head and what hangs on it.
func FillAdvisories(t *testing.T, a Advisories) {
	t.Helper()
	f := feedOf(t, a, "tampered")
	f.says("first", "1", rec("GHSA-1", 1), rec("CVE-2024-1", 1))
	f.says("second", "2", rec("GHSA-2", 1))
	f.finish(advisory.Finish{State: []byte("s")})
	f = feedOf(t, a, "tampered")
	f.says("second", "3", rec("GHSA-2", 2))
	f.keep("scores", "s", "pending", "p")
	f.observe(advisory.Observed{Document: "scores", Digest: sha("s"), Signals: []*advisory.Signal{{Vulnerability: "CVE-2024-1", EPSS: "0.5"}}})
	f.finish(advisory.Finish{})
	c := &advisory.Commit{Head: advisory.Head{Number: 1, Digest: sha("m"), Manifest: []byte("m"), Runs: map[string]int64{"tampered": f.r.Number}},
		Facts: []advisory.Fact{{Ecosystem: "npm", Name: "a", Record: "GHSA-1", Vulnerability: "GHSA-1", Cause: advisory.CauseNew}}}
	if err := a.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// Tampers lists statements that must be refused, whoever tries them.
func Tampers() (out []string) {
	for table, columns := range map[string][]string{
		"packs": {"body", "size", "seq"}, "contents": {"digest", "pack", "at", "size"}, "groups": {"source", "database", "ecosystems"},
		"documents":    {"source", "name", "revision", "from_run", "digest", "url", "signature", "signer", "fetched_us"},
		"observations": {"source", "document", "record", "group_id", "from_run", "digest", "pack", "at", "size", "withdrawn", "affected", "modified_us", "severity", "severity_from"},
		"signals":      {"source", "document", "n", "count", "from_run", "digest", "pack", "at", "size"},
		"runs":         {"number", "source", "holder", "epoch", "began_us"}, "heads": {"number", "digest", "manifest", "runs", "facts", "at_us"}, "facts": {"n", "name", "cause"},
	} {
		for _, c := range columns {
			out = append(out, fmt.Sprintf("UPDATE vuln.%s SET %s = %s", table, c, other[c]))
		}
		out = append(out, "DELETE FROM vuln."+table, "TRUNCATE vuln."+table)
	}
	return append(out,
		"UPDATE vuln.observations SET to_run = 0 WHERE to_run > 0", // to open what has ended
		"UPDATE vuln.observations SET to_run = to_run + 1 WHERE to_run > 0",
		"UPDATE vuln.observations SET to_run = -1 WHERE to_run = 0",
		"UPDATE vuln.documents SET to_run = 0 WHERE to_run > 0", "UPDATE vuln.signals SET to_run = -1",
		"UPDATE vuln.documents SET state = 0 WHERE state = 1", // to have it read again
		"UPDATE vuln.documents SET problems = 'x', state = 2 WHERE state = 1", "UPDATE vuln.documents SET state = 7 WHERE state = 0",
		"UPDATE vuln.runs SET outcome = 'held'", "UPDATE vuln.runs SET ended_us = 0", "UPDATE vuln.runs SET approved_by = 'eve', approved_us = 1",
		"INSERT INTO vuln.current_head (id, number) VALUES (2, 9)")
}

// other are values that columns do not have.
var other = map[string]string{
	"body": "'x'", "size": "size + 1", "seq": "seq + 100", "digest": "'x'", "pack": "pack + 1", "at": "at + 1", "source": "'x'", "database": "'x'", "ecosystems": "'x'",
	"name": "'x'", "revision": "9", "from_run": "from_run - 1", "url": "'x'", "signature": "'verified'", "signer": "'x'", "fetched_us": "1", "document": "'x'", "record": "'x'",
	"group_id": "99", "withdrawn": "1 - withdrawn", "affected": "affected + 1", "modified_us": "1", "severity": "'none'", "severity_from": "'x'", "n": "n + 7", "count": "count + 1",
	"number": "number + 100", "holder": "'x'", "epoch": "epoch + 1", "began_us": "1", "manifest": "'x'", "runs": "'x'", "facts": "facts + 1", "at_us": "1", "cause": "'x'",
}
