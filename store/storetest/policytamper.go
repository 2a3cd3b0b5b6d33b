package storetest

import (
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store"
)

// FillPolicy fills a store with something of the tenant acme in every table of policy
// that is append-only, and returns the key of a verdict about a scan that has not
// ended.
func FillPolicy(t *testing.T, open func(t testing.TB) *store.Root) (key string) {
	t.Helper()
	w := newPolicyWorld(t, open)
	w.enforce(w.acme, "production", blockFrom(1, finding.High))
	if _, _, err := w.acme.Policy().Except(t.Context(), suppress("exc-1", time.Time{}, "CVE-9"), "bob"); err != nil {
		t.Fatal(err)
	}
	id := w.scan(w.acme, "a", "CVE-1 high")
	w.scan(w.acme, "b", "CVE-2 high")
	w.settle()
	must[int](t)(w.root.SamplePostures(t.Context()))
	return must[[]policy.Standing](t)(w.acme.Policy().Current(t.Context(), id))[0].Key
}

// PolicyTampers lists statements that must be refused, whoever tries them.
func PolicyTampers() (out []string) {
	for table, columns := range map[string][]string{
		"policies":         {"tenant_id", "id", "version", "digest", "title", "body", "source", "by_whom", "at_us"},
		"activations":      {"tenant_id", "number", "environment", "policy_id", "version", "digest", "controls", "rollback", "by_whom", "reason", "at_us"},
		"exceptions":       {"tenant_id", "id", "request", "body", "expires_us", "at_us"},
		"exception_events": {"tenant_id", "number", "id", "kind", "by_whom", "reason", "at_us"},
		"verdicts":         {"tenant_id", "key", "digest", "trace_digest", "trace_size", "outcome", "body", "trace", "at_us"},
		"decisions":        {"tenant_id", "scan_id", "environment", "key", "cause", "at_us", "kept_us"},
	} {
		for _, c := range columns {
			out = append(out, "UPDATE policy."+table+" SET "+c+" = "+c)
		}
		out = append(out, "DELETE FROM policy."+table, "TRUNCATE policy."+table+" CASCADE")
	}
	return out
}
