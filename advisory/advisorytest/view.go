package advisorytest

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestView proves that a view answers like another one of the same data, which
// is taken to be right: every method, for all that the records name and for what
// they do not, and the findings of documents. Refs may differ; what they lead to
// may not.
func TestView(t *testing.T, want, got advisory.View, records []*advisory.Record, documents ...*sbom.Document) {
	ctx := t.Context()
	if want.Digest() != got.Digest() {
		t.Errorf("digest %s, want %s", got.Digest(), want.Digest())
	}
	if diff := cmp.Diff(want.Ecosystems(), got.Ecosystems(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("ecosystems (-want +got)\n%s", diff)
	}
	compare := func(what string, ask func(advisory.View) (any, error)) {
		t.Helper()
		a, err := ask(want)
		if err != nil {
			t.Fatalf("%s: the view that is compared with: %v", what, err)
		}
		b, err := ask(got)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		if diff := cmp.Diff(a, b, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	names, ids := map[advisory.Lookup]bool{{Ecosystem: "npm", Name: "nobody-names-this"}: true, {Ecosystem: "Unheard", Name: "x"}: true}, map[string]bool{"CVE-1999-0000": true, "nothing": true, "": true}
	for _, r := range records {
		for _, a := range r.Affected {
			if a.Name != "" {
				names[advisory.Lookup{Ecosystem: a.Ecosystem, Name: advisory.CanonicalName(a.Ecosystem, a.Name)}] = true
			}
		}
		for _, list := range [][]string{{r.ID}, r.Aliases, r.Upstream, r.Related} {
			for _, id := range list {
				ids[id] = true
			}
		}
	}
	for l := range names {
		compare(fmt.Sprintf("about %v", l), func(v advisory.View) (any, error) { return entriesOf(ctx, v, l) })
	}
	for id := range ids {
		compare("named "+id, func(v advisory.View) (any, error) { return namedBy(ctx, v, id) })
		compare("signals of "+id, func(v advisory.View) (any, error) { return v.Signals(ctx, id) })
	}
	for i, doc := range documents {
		compare(fmt.Sprintf("findings of document %d", i), func(v advisory.View) (any, error) { return advisory.Matcher{View: v}.Match(ctx, doc) })
	}
}

// stated is an entry with its record.
type stated struct {
	Affected  advisory.Affected
	Withdrawn bool
	Record    *advisory.Record
}

func entriesOf(ctx context.Context, v advisory.View, l advisory.Lookup) (out []stated, err error) {
	entries, err := v.Affected(ctx, l.Ecosystem, l.Name)
	for _, e := range entries {
		r, err := v.Record(ctx, e.Record)
		if err != nil {
			return nil, err
		}
		out = append(out, stated{e.Affected, e.Withdrawn, r})
	}
	return out, err
}

func namedBy(ctx context.Context, v advisory.View, id string) (out []any, err error) {
	refs, err := v.Named(ctx, id)
	for _, ref := range refs {
		r, err := v.Record(ctx, ref)
		if err != nil {
			return nil, err
		}
		t, err := v.Text(ctx, ref)
		if err != nil {
			return nil, err
		}
		out = append(out, r, t)
	}
	return out, err
}
