package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/vex"
)

// TestVEX checks the promises of vex.Feeds and vex.Heads, for what is public and for
// what a tenant has of its own. open returns an empty store each time; it is closed
// by the test.
func TestVEX(t *testing.T, open func(t testing.TB) *store.Root) {
	fresh := func(t testing.TB) *store.Root {
		root := open(t)
		t.Cleanup(func() { root.Close() })
		return root
	}
	tests := map[string]func(*testing.T, *store.VEX){
		"Keep": testVEXKeep, "Lease": testVEXLease, "LeaseAtOnce": testVEXLeaseAtOnce, "Observe": testVEXObserve, "Quarantine": testVEXQuarantine, "Problems": testVEXProblems,
		"Rollback": testVEXRollback, "Equivocation": testVEXEquivocation, "InPlace": testVEXInPlace, "Stripped": testVEXStripped, "Gone": testVEXGone, "Failed": testVEXFailed, "Refused": testVEXRefused,
		"AsOf": testVEXAsOf, "Heads": testVEXHeads, "HeadsAtOnce": testVEXHeadsAtOnce, "Trust": testVEXTrust, "History": testVEXHistory, "Names": testVEXNames,
	}
	for name, test := range tests {
		t.Run(name+"/public", func(t *testing.T) { test(t, fresh(t).VEX()) })
		t.Run(name+"/tenant", func(t *testing.T) { test(t, tenant(t, fresh(t), "acme").VEX()) })
	}
	t.Run("Tenants", func(t *testing.T) { testVEXTenants(t, fresh(t)) })
	t.Run("Events", func(t *testing.T) { testVEXEvents(t, fresh(t)) })
}

// vexRun is a run with what it is of.
type vexRun struct {
	t *testing.T
	v *store.VEX
	r *vex.Run
}

func vexRunOf(t *testing.T, v *store.VEX, source string) *vexRun {
	t.Helper()
	return &vexRun{t, v, must[*vex.Run](t)(v.Begin(t.Context(), source, "holder", time.Minute))}
}

func (f *vexRun) keep(name, content string) {
	f.t.Helper()
	if err := f.v.Keep(f.t.Context(), f.r, []*vex.Document{{Source: f.r.Source, Name: name, URL: "https://x.example/" + name, Content: []byte(content)}}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *vexRun) observe(list ...vex.Observed) {
	f.t.Helper()
	if err := f.v.Observe(f.t.Context(), f.r, list); err != nil {
		f.t.Fatal(err)
	}
}

// says keeps a document of a version and what it says.
func (f *vexRun) says(name, version, content string, said ...*vex.Statement) {
	f.t.Helper()
	f.keep(name, content)
	f.observe(f.observed(name, version, content, said...))
}

func (f *vexRun) observed(name, version, content string, said ...*vex.Statement) vex.Observed {
	f.t.Helper()
	o := vex.Observed{Document: name, Digest: sha(content)}
	for i, s := range said {
		c := *s
		c.Origin = vex.Origin{Document: sha(content), Format: "openvex", Author: "a", Pointer: fmt.Sprintf("/statements/%d", i), Source: f.r.Source}
		if version != "" {
			c.Origin.ID, c.Origin.Version = "doc-"+name, version
		}
		if err := c.Prepare(); err != nil {
			f.t.Fatal(err)
		}
		o.Statements = append(o.Statements, &c)
	}
	return o
}

func (f *vexRun) finish(end vex.Finish) *vexRun {
	f.t.Helper()
	if err := f.v.Finish(f.t.Context(), f.r, end); err != nil {
		f.t.Fatal(err)
	}
	return f
}

// says is a statement about pkg:npm/x@1.
func says(vulnerability string, status vex.Status) *vex.Statement {
	s := &vex.Statement{Vulnerability: vulnerability, Products: []vex.Product{{PURL: "pkg:npm/x@1"}}, Status: status, Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	if status == vex.NotAffected {
		s.Justification = vex.CodeNotPresent
	}
	return s
}

// spoken lists what is in force, as "CVE-1 affected".
func spoken(t *testing.T, v *store.VEX, at *vex.Head, names ...string) []string {
	t.Helper()
	out := []string{}
	last := ""
	for s, err := range v.Statements(t.Context(), at, names) {
		if err != nil {
			t.Fatal(err)
		}
		if s.ID <= last {
			t.Errorf("%s after %s", s.ID, last)
		}
		last = s.ID
		out = append(out, s.Vulnerability+" "+string(s.Status))
	}
	slices.Sort(out)
	return out
}

func wantSpoken(t *testing.T, v *store.VEX, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, spoken(t, v, nil)); diff != "" {
		t.Errorf("in force (-want +got):\n%s", diff)
	}
}

func vexState(t *testing.T, v *store.VEX, source string) vex.SourceState {
	t.Helper()
	for _, s := range must[[]vex.SourceState](t)(v.Sources(t.Context())) {
		if s.Source == source {
			return s
		}
	}
	t.Fatalf("no source %s", source)
	return vex.SourceState{}
}

func testVEXKeep(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	d := &vex.Document{Source: "s", Name: "a/b.json", URL: "https://x.example/b", Content: []byte("content"), Proof: []byte("proof")}
	for range 2 { // the second time nothing happens
		if err := f.v.Keep(t.Context(), f.r, []*vex.Document{d}); err != nil {
			t.Fatal(err)
		}
	}
	known := func() (out []vex.Known) {
		for k, err := range v.Known(t.Context(), "s") {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, k)
		}
		return out
	}
	if diff := cmp.Diff([]vex.Known{{Name: "a/b.json", Digest: sha("content"), Proof: sha("proof"), Pending: true}}, known()); diff != "" {
		t.Error(diff)
	}
	got := must[*vex.Document](t)(v.Raw(t.Context(), sha("content")))
	if diff := cmp.Diff(d, got); diff != "" {
		t.Error(diff)
	}
	f.observe(f.observed("a/b.json", "", "content"))
	if k := known(); k[0].Pending {
		t.Error("it is still pending")
	}
	// A signature that comes later is a new revision.
	d.Proof = []byte("later")
	if err := f.v.Keep(t.Context(), f.r, []*vex.Document{d}); err != nil {
		t.Fatal(err)
	}
	if k := known(); len(k) != 1 || !k[0].Pending || k[0].Proof != sha("later") {
		t.Errorf("%+v", k)
	}
	// What is in an envelope is found by its digest too.
	f.keep("enveloped", "envelope")
	s := *says("CVE-1", vex.Affected)
	s.Origin = vex.Origin{Document: sha("payload"), ID: "e", Version: "1", Source: "s", Format: "openvex"}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	f.observe(vex.Observed{Document: "enveloped", Digest: sha("envelope"), Statements: []*vex.Statement{&s}})
	if d := must[*vex.Document](t)(v.Raw(t.Context(), sha("payload"))); string(d.Content) != "envelope" {
		t.Errorf("%q", d.Content)
	}
	for digest, kind := range map[string]error{sha("other"): vex.ErrNotFound, "sha256:x": vex.ErrInvalid, "": vex.ErrInvalid} {
		if _, err := v.Raw(t.Context(), digest); !errors.Is(err, kind) {
			t.Errorf("%q: %v", digest, err)
		}
	}
	for _, d := range []*vex.Document{{Name: ""}, {Name: "x", Gone: true}} {
		if err := v.Keep(t.Context(), f.r, []*vex.Document{d}); !errors.Is(err, vex.ErrInvalid) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	for _, d := range []*vex.Document{{Name: "x", Content: make([]byte, store.MaxVEXDocument+1)}, {Name: string(make([]byte, store.MaxVEXName+1))}} {
		if err := v.Keep(t.Context(), f.r, []*vex.Document{d}); !errors.Is(err, vex.ErrLimit) {
			t.Errorf("%.10s: %v", d.Name, err)
		}
	}
}

func testVEXLease(t *testing.T, v *store.VEX) {
	r := must[*vex.Run](t)(v.Begin(t.Context(), "s", "first", store.MinLease))
	if _, err := v.Begin(t.Context(), "s", "second", store.MinLease); !errors.Is(err, vex.ErrConflict) {
		t.Errorf("a source that is taken: %v", err)
	}
	if err := v.Extend(t.Context(), r); err != nil {
		t.Error(err)
	}
	time.Sleep(store.MinLease + 50*time.Millisecond)
	second := must[*vex.Run](t)(v.Begin(t.Context(), "s", "second", time.Minute))
	if second.Number <= r.Number || second.Epoch <= r.Epoch {
		t.Errorf("%+v after %+v", second, r)
	}
	for name, err := range map[string]error{
		"extend": v.Extend(t.Context(), r), "keep": v.Keep(t.Context(), r, []*vex.Document{{Name: "x"}}), "observe": v.Observe(t.Context(), r, nil), "finish": v.Finish(t.Context(), r, vex.Finish{}),
	} {
		if !errors.Is(err, vex.ErrFenced) {
			t.Errorf("%s by who had it before: %v", name, err)
		}
	}
	if err := v.Finish(t.Context(), second, vex.Finish{State: []byte("state")}); err != nil {
		t.Fatal(err)
	}
	if err := v.Finish(t.Context(), second, vex.Finish{State: []byte("state")}); err != nil {
		t.Errorf("said again, since its answer was lost: %v", err)
	}
	if third := must[*vex.Run](t)(v.Begin(t.Context(), "s", "third", time.Minute)); string(third.State) != "state" {
		t.Errorf("state %q", third.State)
	}
	for _, c := range []struct {
		source, holder string
		length         time.Duration
	}{{"S", "h", time.Minute}, {"", "h", time.Minute}, {"s", "", time.Minute}, {"s", "h", 0}, {"s", "h", 48 * time.Hour}} {
		if _, err := v.Begin(t.Context(), c.source, c.holder, c.length); !errors.Is(err, vex.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func testVEXLeaseAtOnce(t *testing.T, v *store.VEX) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for i := range 6 {
		wg.Go(func() {
			_, err := v.Begin(t.Context(), "s", fmt.Sprint("h", i), time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got++
			} else if !errors.Is(err, vex.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got != 1 {
		t.Errorf("%d have it", got)
	}
}

func testVEXObserve(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "a1", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected))
	f.says("b", "1", "b1", says("CVE-3", vex.Fixed))
	wantSpoken(t, v) // nothing is released yet
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-1 not_affected", "CVE-2 affected", "CVE-3 fixed")
	if s := vexState(t, v, "s"); s.Documents != 2 || s.Statements != 3 || s.Released != f.r.Number || s.Succeeded.IsZero() {
		t.Errorf("%+v", s)
	}
	// A newer document ends what the older one said.
	f = vexRunOf(t, v, "s")
	f.says("a", "2", "a2", says("CVE-1", vex.Affected))
	f.observe(f.observed("a", "2", "a2", says("CVE-1", vex.Affected)))  // said twice
	f.observe(f.observed("a", "1", "a1", says("CVE-9", vex.Affected)))  // of a content that is not current
	f.observe(f.observed("zz", "1", "zz", says("CVE-9", vex.Affected))) // of a document that is not there
	wantSpoken(t, v, "CVE-1 not_affected", "CVE-2 affected", "CVE-3 fixed")
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-1 affected", "CVE-3 fixed")
	if diff := cmp.Diff([]string{"CVE-3 fixed"}, spoken(t, v, nil, "cve-3", "CVE-7")); diff != "" {
		t.Error(diff)
	}
	if got := spoken(t, v, nil, "CVE-2"); len(got) != 0 {
		t.Errorf("what has ended: %v", got)
	}
}

func testVEXQuarantine(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "a1", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected), says("CVE-3", vex.Fixed), says("CVE-4", vex.UnderInvestigation))
	f.finish(vex.Finish{})
	f = vexRunOf(t, v, "s")
	f.keep("a", "broken")
	f.observe(vex.Observed{Document: "a", Digest: sha("broken"), Quarantined: "it is not JSON"})
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-2 affected", "CVE-4 under_investigation")
	if s := vexState(t, v, "s"); s.Quarantined != 1 || s.Statements != 2 {
		t.Errorf("%+v", s)
	}
	// A good one takes its place.
	f = vexRunOf(t, v, "s")
	f.says("a", "2", "a2", says("CVE-1", vex.NotAffected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-1 not_affected")
	if s := vexState(t, v, "s"); s.Quarantined != 0 {
		t.Errorf("%+v", s)
	}
}

func testVEXProblems(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "a1", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected))
	f.keep("a", "a2")
	o := f.observed("a", "2", "a2", says("CVE-3", vex.NotAffected))
	o.Problems = []*vex.StatementError{{Document: "a", Pointer: "/statements/1", Err: vex.ErrInvalid}}
	f.observe(o)
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-2 affected", "CVE-3 not_affected")
	if s := vexState(t, v, "s"); s.Problems != 1 || s.Quarantined != 0 {
		t.Errorf("%+v", s)
	}
	want := &vex.Reading{Source: "s", Document: "a", Digest: sha("a2"), Count: 1, Problems: []vex.Problem{{Pointer: "/statements/1", Error: vex.ErrInvalid.Error()}}}
	if diff := cmp.Diff(want, must[*vex.Reading](t)(v.Reading(t.Context(), "s", "a"))); diff != "" {
		t.Error(diff)
	}
	f = vexRunOf(t, v, "s")
	f.keep("p", "p1")
	f.finish(vex.Finish{})
	if r := must[*vex.Reading](t)(v.Reading(t.Context(), "s", "p")); !r.Pending {
		t.Errorf("%+v", r)
	}
	if _, err := v.Reading(t.Context(), "s", "q"); !errors.Is(err, vex.ErrNotFound) {
		t.Error(err)
	}
}

func testVEXRollback(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.says("a", "10", "a10", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected))
	f.says("a", "9", "a9", says("CVE-3", vex.NotAffected), says("CVE-4", vex.Affected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-2 affected", "CVE-4 affected")
	if s := vexState(t, v, "s"); s.Quarantined != 1 {
		t.Errorf("%+v", s)
	}
	// The version of before is no help; a higher one is.
	f = vexRunOf(t, v, "s")
	f.says("a", "11", "a11", says("CVE-3", vex.NotAffected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-3 not_affected")
	for _, c := range []struct {
		versions [2]string
		lower    bool
	}{{[2]string{"1.10.0", "1.9.0"}, true}, {[2]string{"1.9.0", "1.10.0"}, false}, {[2]string{"2", "2-rc1"}, true}, {[2]string{"1.0", "1"}, false}, {[2]string{"b", "a"}, false}, {[2]string{"1", "0.9"}, true}} {
		f := vexRunOf(t, v, "versions")
		name := fmt.Sprint(c.versions)
		f.says(name, c.versions[0], name+"x", says("CVE-1", vex.NotAffected))
		f.says(name, c.versions[1], name+"y", says("CVE-1", vex.NotAffected))
		f.finish(vex.Finish{})
		if got := vexState(t, v, "versions").Quarantined == 1; got != c.lower {
			t.Errorf("%v: quarantined %v", c.versions, got)
		}
		vexRunOf(t, v, "versions").finish(vex.Finish{Gone: []string{name}})
	}
}

func testVEXEquivocation(t *testing.T, v *store.VEX) {
	same := func(f *vexRun, name, content string, said ...*vex.Statement) {
		f.keep(name, content)
		o := f.observed(name, "7", content, said...)
		for _, s := range o.Statements {
			s.Origin.ID = "the-same"
			if err := s.Prepare(); err != nil {
				t.Fatal(err)
			}
		}
		f.observe(o)
	}
	f := vexRunOf(t, v, "s")
	same(f, "a", "a1", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected), says("CVE-3", vex.Fixed))
	f.finish(vex.Finish{})
	f = vexRunOf(t, v, "s")
	same(f, "copy", "a1", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected), says("CVE-3", vex.Fixed))
	f.finish(vex.Finish{Gone: []string{"copy"}})
	// The same id and version for something else, or as of another time, are sloppy.
	later := says("CVE-1", vex.Affected)
	later.Time = later.Time.AddDate(0, 0, 1)
	f = vexRunOf(t, v, "s")
	same(f, "sloppy", "c1", says("CVE-7", vex.NotAffected), later)
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-1 affected", "CVE-1 not_affected", "CVE-2 affected", "CVE-3 fixed", "CVE-7 not_affected")
	if s := vexState(t, v, "s"); s.Quarantined != 0 {
		t.Errorf("%+v", s)
	}
	// The contrary is equivocation: neither is believed where it lowers risk.
	f = vexRunOf(t, v, "s")
	same(f, "b", "b1", says("CVE-1", vex.Affected), says("CVE-4", vex.NotAffected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-1 affected", "CVE-1 affected", "CVE-2 affected", "CVE-7 not_affected")
	if s := vexState(t, v, "s"); s.Quarantined != 2 {
		t.Errorf("%+v", s)
	}
	for name, other := range map[string]string{"a": "b says the contrary", "b": "a says the contrary"} {
		if r := must[*vex.Reading](t)(v.Reading(t.Context(), "s", name)); !strings.Contains(r.Quarantined, other) {
			t.Errorf("%+v", r)
		}
	}
	// A third one that agrees with what was set aside shares its fault.
	f = vexRunOf(t, v, "s")
	same(f, "third", "t1", says("CVE-4", vex.Affected), says("CVE-8", vex.NotAffected))
	f.finish(vex.Finish{})
	if s := vexState(t, v, "s"); s.Quarantined != 3 {
		t.Errorf("%+v", s)
	}
	// Another source may use the same id; it is not the same document.
	f = vexRunOf(t, v, "other")
	same(f, "b", "b2", says("CVE-2", vex.NotAffected))
	f.finish(vex.Finish{})
	if s := vexState(t, v, "other"); s.Quarantined != 0 {
		t.Errorf("%+v", s)
	}
}

// testVEXInPlace: what is turned round under the same version and time is not
// believed until there is another version.
func testVEXInPlace(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "p1", says("CVE-6", vex.Affected))
	f.says("a", "1", "p2", says("CVE-6", vex.NotAffected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-6 affected")
	if s := vexState(t, v, "s"); s.Quarantined != 1 {
		t.Errorf("%+v", s)
	}
	f = vexRunOf(t, v, "s")
	f.says("a", "2", "p3", says("CVE-6", vex.NotAffected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-6 not_affected")
}

func testVEXStripped(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.keep("a", "a1")
	o := f.observed("a", "1", "a1", says("CVE-1", vex.NotAffected), says("CVE-2", vex.Affected))
	o.Signature, o.Signer = vex.Verified, "key:x"
	f.observe(o)
	f.says("a", "2", "a2", says("CVE-1", vex.NotAffected), says("CVE-2", vex.NotAffected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-2 affected")
	if s := vexState(t, v, "s"); s.Quarantined != 1 {
		t.Errorf("%+v", s)
	}
}

func testVEXGone(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "a1", says("CVE-1", vex.Affected))
	f.says("b", "1", "b1", says("CVE-2", vex.Affected))
	f.finish(vex.Finish{})
	vexRunOf(t, v, "s").finish(vex.Finish{Gone: []string{"a", "nothing"}})
	wantSpoken(t, v, "CVE-2 affected")
	// It may come back.
	f = vexRunOf(t, v, "s")
	f.says("a", "1", "a1", says("CVE-1", vex.Affected))
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-1 affected", "CVE-2 affected")
}

func testVEXFailed(t *testing.T, v *store.VEX) {
	vexRunOf(t, v, "s").finish(vex.Finish{State: []byte("1")})
	f := vexRunOf(t, v, "s")
	f.says("a", "1", "a1", says("CVE-1", vex.Affected))
	f.finish(vex.Finish{State: []byte("2"), Cause: "the network is away", Gone: []string{"a"}})
	wantSpoken(t, v)
	if s := vexState(t, v, "s"); s.Cause != "the network is away" || s.Failed.IsZero() || s.Released != f.r.Number-1 {
		t.Errorf("%+v", s)
	}
	f = vexRunOf(t, v, "s")
	if string(f.r.State) != "1" {
		t.Errorf("state %q", f.r.State)
	}
	f.finish(vex.Finish{})
	wantSpoken(t, v, "CVE-1 affected")
	if err := v.Finish(t.Context(), vexRunOf(t, v, "s").r, vex.Finish{State: make([]byte, store.MaxState+1)}); !errors.Is(err, vex.ErrLimit) {
		t.Errorf("a state that is too large: %v", err)
	}
}

// testVEXRefused: what cannot be stored is refused, and nothing of it is.
func testVEXRefused(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	f.keep("a", "a1")
	foreign, long, raw := *says("CVE-1", vex.Affected), *says(string(make([]byte, store.MaxVulnerability+1)), vex.Affected), *says("CVE-1", vex.Affected)
	foreign.Origin.Source, long.Origin.Source, raw.Origin.Source = "other", "s", "s"
	for _, s := range []*vex.Statement{&foreign, &long} {
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		s    *vex.Statement
		kind error
	}{"of another source": {&foreign, vex.ErrInvalid}, "a long name": {&long, vex.ErrLimit}, "not prepared": {&raw, vex.ErrInvalid}} {
		good := f.observed("a", "1", "a1", says("CVE-2", vex.Affected)).Statements[0]
		err := v.Observe(t.Context(), f.r, []vex.Observed{{Document: "a", Digest: sha("a1"), Statements: []*vex.Statement{good, c.s}}})
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.finish(vex.Finish{})
	wantSpoken(t, v)
}

func testVEXNames(t *testing.T, v *store.VEX) {
	f := vexRunOf(t, v, "s")
	s := says("GHSA-aaaa-bbbb-cccc", vex.Affected)
	s.Aliases = []string{"CVE-1", "ghsa-AAAA-bbbb-cccc", "x\x00\xff"}
	f.says("a\x00", "1", "a1", s)
	f.finish(vex.Finish{})
	for _, id := range []string{"CVE-1", "cve-1", "GHSA-AAAA-BBBB-CCCC", "ghsa-aaaa-bbbb-cccc", "X\x00\xff"} {
		if got := spoken(t, v, nil, id, id); len(got) != 1 {
			t.Errorf("%q: %v", id, got)
		}
	}
	got := must[[]string](t)(v.Changed(t.Context(), nil, time.Now()))
	if diff := cmp.Diff([]string{"CVE-1", "GHSA-AAAA-BBBB-CCCC", "X\ufffd\ufffd"}, got); diff != "" {
		t.Error(diff)
	}
}
