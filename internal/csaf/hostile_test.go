package csaf_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/csaf"
)

// TestHostile validates a document that would take hours if the work were the
// product of its lists: each of many flags, threats and remediations names one
// large group, and each of many relationships refers to the one before it.
func TestHostile(t *testing.T) {
	const n = 20_000
	list := func(format string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(items, ",")
	}
	text := edited(t, edits{
		tree + "/full_product_names": `[{"name":"r","product_id":"r0"},{"name":"S","product_id":"S"},` + list(`{"name":"p","product_id":"p#"}`) + `]`,
		tree + "/product_groups":     `[{"group_id":"G","product_ids":["T0","T1"]},{"group_id":"all","product_ids":[` + list(`"p#"`) + `]}]`,
		vuln + "/flags":              `[` + list(`{"label":"component_not_present","group_ids":["all"],"product_ids":["f#"]}`) + `]`,
		vuln + "/threats":            `[` + list(`{"category":"impact","details":"#","group_ids":["all","all"]}`) + `]`,
		vuln + "/remediations":       `[` + list(`{"category":"vendor_fix","details":"#","group_ids":["all"]}`) + `]`,
		vuln + "/involvements":       `[` + list(`{"party":"vendor","status":"open","summary":"#"}`) + `]`,
	})
	chain := list(`{"category":"installed_on","full_product_name":{"name":"r","product_id":"q#"},"product_reference":"p#","relates_to_product_reference":"q0"}`)
	text = []byte(strings.Replace(string(text), `"relationships":[`, `"relationships":[`+chain+`,`, 1))
	doc, err := csaf.Decode(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := csaf.Validate(doc, "", everything)
	if err != nil {
		t.Fatal(err)
	}
	byTest := map[string]int{}
	for _, p := range problems {
		byTest[p.Test]++
	}
	for _, id := range []string{"6.1.1", "6.1.3", "6.1.24", "6.1.33"} {
		if byTest[id] != 100 {
			t.Errorf("%s: %d problems", id, byTest[id])
		}
	}
}
