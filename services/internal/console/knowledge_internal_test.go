package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan"
)

// TestSideBySide shows records that contradict each other, with hostile texts in every field.
func TestSideBySide(t *testing.T) {
	bad := `<script>alert(1)</script>"><img src=x onerror=alert(1)>` + "\u202e\u0007" + strings.Repeat("long", 2500)
	l := &advisory.Linkset{
		Key: "CVE-2026-1", Confidence: 70, Aliases: []string{bad}, Upstream: []string{bad}, Related: []string{bad},
		Members:   []advisory.Member{{Source: "osv", ID: "GHSA-1", Path: []string{"GHSA-1", bad, "CVE-2026-1"}}, {Source: bad, ID: bad}},
		Conflicts: []advisory.Conflict{{Kind: advisory.ConflictSeverity, Field: bad, Values: []advisory.Stated{{Record: "GHSA-1", Value: bad}, {Record: bad, Value: "9.8"}}}},
	}
	k := advisoryhttp.Known{
		Record: &advisory.Record{ID: "GHSA-1", Source: "osv", Summary: bad, Modified: bad, Published: bad, Withdrawn: bad, Aliases: []string{bad}, Rating: bad, Digest: "sha256:1", Scores: []finding.Score{{Type: bad, Value: bad}}},
		Text: &advisory.Text{Details: bad, CWEs: []string{bad}, References: []advisory.Reference{{Type: bad, URL: "javascript:alert(1)"}, {URL: "https://ok.example/a"}},
			Affected: []advisory.Affected{{Ecosystem: bad, Name: bad, Stream: bad, Rating: bad, Status: advisory.WillNotFix, Versions: advisory.NewVersionList(bad, "1.0"),
				Ranges: []advisory.Range{{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "0"}, {Fixed: bad}}}, {Type: advisory.RangeGit, Repo: bad, Events: []version.Event{{Introduced: bad}}}}}}},
	}
	d := &linksetView{Key: "CVE-2026-1", Linkset: l, Missing: l.Members[1:], Others: []*advisory.Linkset{{Key: bad}},
		Signals: []advisory.Signal{{Exploited: bad, Due: bad, Ransomware: bad, Source: "kev"}, {EPSS: bad, Percentile: bad, Day: bad, Source: bad}}}
	r := viewRecord(&k)
	r.Path, r.Disputed = l.Members[0].Path, disputes(l, "GHSA-1")
	d.Records = append(d.Records, r)
	var b strings.Builder
	if err := templates.run(&b, "linkset", &page{Title: bad, Data: d}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Contains(text, `="javascript:`) {
		t.Errorf("the page leads to a script:\n%s", text)
	}
	text = regexp.MustCompile(`href="[^"]*"`).ReplaceAllString(text, "") // which have to be whole
	for _, wrong := range []string{"<script>alert", "<img src=x", "\u202e", "\u0007", strings.Repeat("long", 2400)} {
		if strings.Contains(text, wrong) {
			t.Errorf("the page has %.40q as it is", wrong)
		}
	}
	for _, want := range []string{"severity mismatch", "exploited", "EPSS", ">https://ok.example/a</a>", "will not fix", "all versions, before", "hang together by 70 %", "are not shown", "1.0"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q:\n%s", want, text)
		}
	}
}

func TestViewAffected(t *testing.T) {
	var versions []string
	for i := range 15 {
		versions = append(versions, fmt.Sprint(i))
	}
	got := viewAffected(&advisory.Affected{Ecosystem: "npm", Name: "a", Versions: advisory.NewVersionList(versions...), Ranges: []advisory.Range{
		{Type: advisory.RangeSemver, Events: []version.Event{{Introduced: "0"}, {Fixed: "1.2"}, {Introduced: "2"}, {Fixed: "2.1"}}},
		{Type: advisory.RangeEcosystem, Events: []version.Event{{Introduced: "3"}, {LastAffected: "3.9"}, {Limit: "*"}, {Fixed: "1.2"}}},
		{Type: advisory.RangeGit, Repo: "https://x.example", Events: []version.Event{{Introduced: "abc"}, {Fixed: "def"}}},
	}})
	want := affectedView{Ecosystem: "npm", Name: "a", Versions: versions[:12], MoreVersions: 3, Fixed: []string{"1.2", "2.1"},
		Ranges: []string{"all versions, before 1.2, from 2, before 2.1", "from 3, up to 3.9, below the limit *, before 1.2", "commits of https://x.example: from abc, before def"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentText(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want documentView
	}{
		"text":    {"a\nb", documentView{Text: "a\nb"}},
		"JSON":    {`{"a":[1]}`, documentView{Text: "{\n  \"a\": [\n    1\n  ]\n}", Laid: true}},
		"no JSON": {`{"a":`, documentView{Text: `{"a":`}},
		"bytes":   {"\x1f\x8b\xff", documentView{Binary: true}},
		"long":    {strings.Repeat("ä", maxShown), documentView{Text: strings.Repeat("ä", maxShown/2) + "…", Cut: true}},
	} {
		d := documentView{Cut: len(test.text) > maxShown}
		d.fill([]byte(test.text))
		if diff := cmp.Diff(test.want, d); diff != "" {
			t.Errorf("%s: %.400s", name, diff)
		}
	}
}

func TestStands(t *testing.T) {
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	base := policy.Exception{ID: "e", Effect: policy.Suppress, Owner: "ann", Approver: "bob", Created: at.AddDate(0, 0, -10)}
	with := func(f func(e *policy.Exception)) policy.Exception {
		e := base
		f(&e)
		return e
	}
	lenient := granted{"production", policy.Named{ID: "lenient", Version: 1}, policy.Grant{}}
	strict := granted{"production", policy.Named{ID: "strict", Version: 2}, policy.Grant{Approver: true, MaxDays: 30, Effects: []policy.Effect{policy.Suppress}}}
	elsewhere := granted{"staging", policy.Named{ID: "lenient", Version: 1}, policy.Grant{}}
	for name, test := range map[string]struct {
		e          policy.Exception
		list       []granted
		state, why string
	}{
		"nobody could say":  {base, nil, "in-force", ""},
		"no policy":         {base, []granted{}, "in-force", "no policy is in force where it would count"},
		"granted":           {base, []granted{lenient, strict}, "in-force", ""},
		"not yet":           {with(func(e *policy.Exception) { e.Created = at.Add(1) }), []granted{lenient}, "not-yet", ""},
		"last moment":       {with(func(e *policy.Exception) { e.Expires = at.Add(1) }), []granted{lenient}, "in-force", ""},
		"expired":           {with(func(e *policy.Exception) { e.Expires = at }), []granted{lenient}, "expired", ""},
		"revoked":           {with(func(e *policy.Exception) { e.Revoked, e.Expires = at, at }), []granted{lenient}, "revoked", ""},
		"own approver":      {with(func(e *policy.Exception) { e.Approver = "ann" }), []granted{strict}, "void", "policy strict version 2: somebody else than its owner must approve it"},
		"effect":            {with(func(e *policy.Exception) { e.Effect = policy.RequireControl }), []granted{strict}, "void", "policy strict version 2: it grants no require control"},
		"too old":           {with(func(e *policy.Exception) { e.Created = at.AddDate(0, 0, -30) }), []granted{strict}, "void", "policy strict version 2: exceptions count for 30 days"},
		"refused by one":    {with(func(e *policy.Exception) { e.Approver = "" }), []granted{lenient, strict}, "in-force", "policy strict version 2: somebody else than its owner must approve it"},
		"other environment": {with(func(e *policy.Exception) { e.Scope.Environments, e.Approver = []string{"staging"}, "" }), []granted{strict, elsewhere}, "in-force", ""},
		"no environment":    {with(func(e *policy.Exception) { e.Scope.Environments = []string{"test"} }), []granted{lenient}, "in-force", "no policy is in force where it would count"},
	} {
		got := stands(&test.e, at, test.list)
		if got.State != test.state || got.Why != test.why {
			t.Errorf("%s: %s (%s), want %s (%s)", name, got.State, got.Why, test.state, test.why)
		}
	}
}

func TestBasis(t *testing.T) {
	list := []policy.Basis{{Vulnerability: "CVE-1", Severity: finding.High, Exploited: true, FixAvailable: true}, {Vulnerability: "GHSA-2"}, {Vulnerability: "CVE-3", Severity: finding.None, FixAvailable: true}}
	got, err := readBasis(strings.ReplaceAll(basisText(list), "\n", "\r\n\r\n"))
	if diff := cmp.Diff(list, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, wrong := range []string{"CVE-1 high low", "CVE-1 exploited exploited", "CVE-1 fixx", "CVE-1 unknown high", "CVE-1\nCVE-2 x"} {
		if got, err := readBasis(wrong); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), fmt.Sprintf("line %d", strings.Count(wrong, "\n")+1)) {
			t.Errorf("%q: %v, %v", wrong, got, err)
		}
	}
	facts := factsOf([]finding.Finding{
		{Vulnerability: "CVE-1", PURL: "pkg:apk/a", Severity: finding.Low}, {Vulnerability: "CVE-1", PURL: "pkg:apk/b", Severity: finding.High, Fixed: []string{"2"}},
		{Vulnerability: "CVE-1", PURL: "pkg:apk/c", Severity: finding.Critical, Exploited: "2026-01-01"},
	}, []string{"CVE-1", "CVE-2"}, []string{"pkg:apk/a", "pkg:apk/b"})
	if diff := cmp.Diff([]policy.Basis{{Vulnerability: "CVE-1", Severity: finding.High, FixAvailable: true}}, facts); diff != "" {
		t.Error(diff)
	}
}

// slow is a gateway that answers nothing until the caller is gone.
type slow struct{ most, now chan struct{} }

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case s.most <- struct{}{}:
	default:
		s.now <- struct{}{} // more at a time than there should be
	}
	defer func() { <-s.most }()
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestSimulationIsBounded tries a policy at a gateway that never answers: it ends when its
// time is over, says so, and asks for no more at a time than it may.
func TestSimulationIsBounded(t *testing.T) {
	s := &slow{make(chan struct{}, simulateAtOnce), make(chan struct{}, 100)}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	out := &simulated{Of: 50}
	run := &simulation{api: &api{policies: &policyhttp.Client{URL: "http://127.0.0.1", Transport: s}}, text: "id: x", at: time.Now(), out: out}
	jobs := make([]scan.Job, 50)
	for i := range jobs {
		jobs[i].ID = fmt.Sprintf("scan-%d", i)
	}
	run.all(ctx, &visit{c: &Console{Now: time.Now}}, jobs)
	if !out.Late || out.Done != 0 || out.Failing != 0 {
		t.Errorf("a simulation that got no answer: %+v", out)
	}
	if len(s.now) > 0 {
		t.Errorf("%d more requests at a time than %d", len(s.now), simulateAtOnce)
	}
}
