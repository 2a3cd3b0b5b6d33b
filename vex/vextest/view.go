package vextest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/vex"
)

// Statements returns prepared statements that try a view: several of one
// vulnerability, aliases of others, names in several cases and alphabets, long ones,
// and everything that a statement can have.
func Statements(t testing.TB) []*vex.Statement {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC)
	list := []*vex.Statement{
		{Vulnerability: "CVE-2024-1", Aliases: []string{"GHSA-aaaa-bbbb-cccc", "ghsa-AAAA-bbbb-cccc", "cve-2024-1"}, Status: vex.NotAffected, Justification: vex.CodeNotPresent, Impact: "none \u2028 \"of it\" <>&",
			Products: []vex.Product{{PURL: "pkg:oci/i@sha256:00", Digests: []string{"sha256:00"}, Subcomponents: []vex.Product{{PURL: "pkg:npm/%40a/b@1"}, {CPE: "cpe:2.3:a:x:y:1:*:*:*:*:*:*:*"}}}, {Name: "no identifier"}},
			Time:     at, Until: at.AddDate(1, 0, 0), Origin: vex.Origin{Format: "openvex", ID: "https://x.example/1", Version: "3", Author: "A <a@x.example>", Pointer: "/statements/0", Signature: vex.Verified, Signer: "key:sha256:1"}},
		{Vulnerability: "CVE-2024-1", Status: vex.Affected, Action: "update", Products: []vex.Product{{CPE: "cpe:/a:x:y:1", Versions: "vers:npm/<2"}}, Time: at, Origin: vex.Origin{Format: "csaf", Signature: vex.Unchecked}},
		{Vulnerability: "GHSA-AAAA-BBBB-CCCC", Status: vex.UnderInvestigation, Notes: "n", Products: []vex.Product{{PURL: "pkg:npm/x"}}, Origin: vex.Origin{Format: "cyclonedx", Signature: vex.Bad}},
		{Vulnerability: "cve-2024-2", Status: vex.Fixed, Products: []vex.Product{{PURL: "pkg:npm/x@2"}}, Time: at.Add(time.Nanosecond), Origin: vex.Origin{Format: "openvex"}},
		{Vulnerability: "ÅNGSTRÖM-1", Aliases: []string{strings.Repeat("L", 250)}, Status: vex.Affected, Products: []vex.Product{{PURL: "not a package url"}}, Origin: vex.Origin{Format: "openvex"}},
	}
	for i := range 300 { // more than a page, a block or a frame
		list = append(list, &vex.Statement{Vulnerability: fmt.Sprintf("CVE-2025-%d", i/3), Status: vex.Statuses[1+i%3], Time: at, Notes: strings.Repeat(fmt.Sprint(i), i),
			Products: []vex.Product{{PURL: fmt.Sprintf("pkg:npm/p@%d", i)}}, Origin: vex.Origin{Format: "openvex"}})
	}
	for i, s := range list {
		s.Origin.Document, s.Origin.Source = fmt.Sprintf("sha256:%064x", i), "s"
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// TestView checks the promises of vex.View. open returns a view of exactly the given
// statements, which are prepared and have the source "s".
func TestView(t *testing.T, open func(t testing.TB, statements []*vex.Statement) vex.View) {
	list := Statements(t)
	want, view := vex.NewSet(list), open(t, list)
	t.Run("Digest", func(t *testing.T) {
		if got := view.Digest(); got != want.Digest() {
			t.Errorf("%s, want %s", got, want.Digest())
		}
	})
	t.Run("Answers", func(t *testing.T) {
		for _, ids := range questions(list) {
			sameAnswer(t, view, want, ids)
		}
	})
	t.Run("AtOnce", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i := range 20 {
					sameAnswer(t, view, want, []string{fmt.Sprintf("CVE-2025-%d", i)})
				}
			})
		}
		wg.Wait()
	})
	t.Run("Cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := view.Statements(ctx, []string{"CVE-2024-1"}); err != nil && !errors.Is(err, context.Canceled) || err == nil && len(got) != 2 {
			t.Errorf("%d statements, %v", len(got), err)
		}
	})
	t.Run("Empty", func(t *testing.T) {
		empty := open(t, nil)
		if got := empty.Digest(); got != vex.NewSet(nil).Digest() {
			t.Errorf("%s", got)
		}
		if got, err := empty.Statements(t.Context(), []string{"CVE-2024-1"}); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// questions are what is asked: each name as it is and in other cases, names that are
// not there, and many at once.
func questions(list []*vex.Statement) [][]string {
	out := [][]string{nil, {""}, {"CVE-2024"}, {"CVE-2024-11"}, {"CVE-2024-1", "CVE-2024-1", "cve-2024-2", "nothing"}, {"ångström-1"}, {"CVE-2025-0", "CVE-2025-99"}}
	var all []string
	for _, s := range list[:40] {
		for _, name := range append([]string{s.Vulnerability}, s.Aliases...) {
			out = append(out, []string{name}, []string{strings.ToLower(name)})
		}
	}
	for _, s := range list {
		all = append(all, s.Vulnerability)
	}
	slices.Reverse(all)
	return append(out, all)
}

func sameAnswer(t *testing.T, view vex.View, want *vex.Set, ids []string) {
	t.Helper()
	expected, err := want.Statements(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	got, err := view.Statements(t.Context(), ids)
	if err != nil {
		t.Errorf("%.200q: %v", ids, err)
		return
	}
	if diff := cmp.Diff(expected, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(vex.Product{})); diff != "" {
		t.Errorf("%.200q (-want +got):\n%s", ids, diff)
		return
	}
	for _, s := range got { // it is prepared: it can be asked
		again := *s
		again.Products = slices.Clone(s.Products)
		if err := again.Prepare(); err != nil || again.ID != s.ID || again.Content != s.Content {
			t.Errorf("statement %s: %s, %v", s.ID, again.ID, err)
		}
		q := vex.Query{Vulnerabilities: []string{s.Vulnerability}, Package: vex.Part{PURL: "pkg:npm/p@7"}}
		a, b := q.Select([]*vex.Statement{s}), q.Select([]*vex.Statement{&again})
		if len(a.Claims) != len(b.Claims) {
			t.Errorf("statement %s is not prepared", s.ID)
		}
	}
}
