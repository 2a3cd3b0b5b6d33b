package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// proofAt is when everything of a story happens: equal stories have equal bytes.
var proofAt = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

// house is everything that proves and exports what a store keeps, with keys that sign
// the same twice. Each story has a log of its own.
type house struct {
	*proofWorld
	policy       *policyWorld
	signing, log *key.Key
}

// proofStory is a story of one tenant that ends once at a crash point.
type proofStory struct {
	*house
	tenant  *store.Tenant
	bucket  *blob.Bucket
	entries *tlog.Log
	target  *collected
	at      crashpoint.Point
	hit     bool
	began   bool // to make exports
	away    bool // the log
	broken  bool // the scan, while the first of its exports is made
}

// collected is a target that remembers what it has, by its digest.
type collected struct{ has map[string]int }

func (c *collected) Push(_ context.Context, p *export.Parcel) (string, error) {
	c.has[p.Object.Ref.Digest]++
	return "has it", nil
}

func newKey(t testing.TB) *key.Key {
	t.Helper()
	private := must[*dsse.PrivateKey](t)(key.Generate(key.P256))
	text := must[[]byte](t)(private.PEM())
	return must[*key.Key](t)(key.Parse(text, "test", nil))
}

// Current and Key make a house attest.Keys.
func (h *house) Current(context.Context, string, string) (string, error) {
	return h.signing.KeyID(), nil
}

func (h *house) Key(context.Context, string, string, string) (attest.Key, error) {
	return h.signing, nil
}

// Name and Enter make a story an attest.Log.
func (s *proofStory) Name() string { return s.entries.Origin() }

func (s *proofStory) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	if s.away {
		return nil, fmt.Errorf("the log is away: %w", fault.Unavailable)
	}
	return (&attest.Embedded{Log: s.entries}).Enter(ctx, r)
}

func (s *proofStory) attestor() *attest.Attestor {
	trust := &attest.Trust{
		Keys: key.Ring{Members: []key.Member{{Key: s.signing.Public(), From: proofAt.Add(-time.Hour), Purposes: []string{key.AnyPurpose}}}},
		Logs: tlog.Policy{Logs: []tlog.LogKey{{Key: s.entries.Key()}}},
	}
	return &attest.Attestor{
		Trust:   func(context.Context, string) (*attest.Trust, error) { return trust, nil },
		Stores:  func(string) (attest.Store, error) { return s.tenant.Attest(), nil },
		Objects: func(string) (attest.Objects, error) { return s.bucket, nil },
		Log:     s, Now: func() time.Time { return proofAt },
	}
}

func (s *proofStory) center() *export.Center {
	reader := &export.Reader{Source: s.tenant.Exports(), Objects: s.bucket, Tool: "test", Author: "stella"}
	return &export.Center{
		Readers: func(string) (*export.Reader, error) {
			if s.broken {
				return nil, fmt.Errorf("an object is damaged: %w", fault.Mismatch)
			}
			return reader, nil
		},
		Stores: func(string) (export.Store, error) { return s.tenant.Exports(), nil },
		Signer: &attest.Signer{
			Facts: func(string) (attest.Facts, error) { return reader, nil }, Keys: s.house,
			Stores: func(string) (attest.Store, error) { return s.tenant.Attest(), nil }, Grants: []attest.Grant{{}},
		},
		Attestor: s.attestor(), Tool: "test",
		Pushes: func(string) (export.Pushes, error) { return s.tenant.Exports(), nil },
		Target: func(context.Context, string, export.Destination) (export.Target, error) { return s.target, nil },
	}
}

// step does something until it is done, however often it ends on the way.
func (s *proofStory) step(what string, f func() error) {
	s.Helper()
	for range 10 {
		err, crashed := error(nil), false
		if s.hit {
			err = f()
		} else if err, crashed = crashAt(s.at, 1, f); crashed {
			s.hit = true
		}
		if err == nil {
			return
		}
		if s.broken = false; !errors.Is(err, errCrashed) && !errors.Is(err, fault.Mismatch) {
			s.Fatalf("%s, %s: %v", s.at, what, err)
		}
	}
	s.Fatalf("%s, %s: it does not end", s.at, what)
}

// rest handles every message of the tenant, twice, until there is none.
func (s *proofStory) rest() {
	s.Helper()
	for range 50 {
		relayAll(s, s.relay)
		messages := s.queue.messages
		s.queue.messages = nil
		if len(messages) == 0 {
			return
		}
		for _, m := range messages {
			if m.topic != event.ScannerEvents && m.topic != event.ExportJobs {
				continue
			}
			s.broken = m.topic == event.ExportJobs && !s.began
			s.began = s.began || s.broken
			for range 2 {
				s.step(string(m.body), func() error { return (&export.Handler{Center: s.center()}).Handle(s.ctx, m.body) })
			}
		}
	}
	s.Fatalf("%s: it does not come to rest", s.at)
}

// scanned brings a scan to completed that has a finding and a verdict.
func (s *proofStory) scanned() string {
	s.Helper()
	d := &sbom.Document{
		Created: "2026-11-01T00:00:00Z", Tools: []sbom.Tool{{Name: "stella", Version: "test"}}, Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: sha("config"), ConfigDigest: sha("config"), Platform: "linux/amd64"},
		Packages: []sbom.Package{{Name: "x", Version: "1", PURL: purl.PackageURL{Type: "npm", Name: "x", Version: "1"}}}, Source: &sbom.Source{Reference: "example/app:1", Manifest: sha("manifest")},
	}
	d.Normalize()
	var neutral bytes.Buffer
	if _, err := format.Encode(&neutral, d, format.StellaJSON, nil); err != nil {
		s.Fatal(err)
	}
	ref := must[blob.Ref](s)(s.bucket.Put(s.ctx, bytes.NewReader(neutral.Bytes())))
	r := scan.Results{ImageDigest: sha("config"), SBOMDigest: ref.Digest, Report: reportOf("one", "CVE-2026-0001 high"), Packages: []scan.PackageFact{{ID: d.Packages[0].ID, Name: "x"}}}
	r.Report.Findings[0].Package = d.Packages[0].ID
	r.Documents = []scan.Stored{{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: ref, Content: neutral.Bytes()}}
	j := submit(s, s.tenant.Scans(), "example/app:1")
	if err := s.tenant.Scans().Complete(s.ctx, *claim(s, s.tenant.Scans(), j), r); err != nil {
		s.Fatal(err)
	}
	s.policy.enforce(s.tenant, "production", blockFrom(1, finding.Critical))
	must[[]policy.Record](s)(s.policy.gateway.Evaluate(s.ctx, s.tenant.Name(), policy.Request{ScanID: j.ID, At: proofAt, Cause: "test"}))
	e := must[*scan.Evaluation](s)(s.tenant.Scans().ClaimEvaluation(s.ctx, scan.ClaimRequest{JobID: j.ID, Holder: "web", Length: 15 * time.Second}))
	if err := s.tenant.Scans().FinishEvaluation(s.ctx, e.Lease, scan.Conclusion{}); err != nil {
		s.Fatal(err)
	}
	return j.ID
}

// tell goes through a story: a scan completes while the log is away, is exported, and
// its statements are logged later. It returns what is exported and pushed in the end.
func (s *proofStory) tell() string {
	s.Helper()
	settings := &export.Settings{Mode: export.SignLog, Formats: []export.Format{export.CycloneDX, export.Evidence, export.SARIF, export.SPDX}, Targets: []export.Destination{{Name: "bucket", URL: "file:/exports"}}}
	if err := s.tenant.Exports().SetSettings(s.ctx, settings); err != nil {
		s.Fatal(err)
	}
	s.away = true
	id := s.scanned()
	s.rest()
	for _, e := range must[[]export.Export](s)(s.tenant.Exports().Exports(s.ctx, id)) {
		if e.State != export.Completed || e.Version != 1 || !slices.Equal(e.Made.Missing, []string{"log"}) {
			s.Errorf("%s: without a log: %+v, %+v", s.at, e, e.Made)
		}
	}
	s.away = false
	page := must[*attest.Page](s)(s.tenant.Attest().Find(s.ctx, attest.Query{ScanID: id}))
	// What has the time of the scan in it goes last, so that the others' entries are the
	// same in every story.
	slices.SortFunc(page.Attestations, func(a, b attest.Attestation) int {
		return cmp.Or(cmp.Compare(timed(a.PredicateType), timed(b.PredicateType)), cmp.Compare(a.PredicateType, b.PredicateType))
	})
	for i := range page.Attestations {
		s.step("complete", func() error {
			_, err := s.attestor().Complete(s.ctx, s.tenant.Name(), page.Attestations[i].ID)
			return err
		})
	}
	s.rest()
	out := s.exported(id)
	// Made once more, it is the same to the last byte.
	for _, e := range must[[]export.Export](s)(s.tenant.Exports().Exports(s.ctx, id)) {
		again := &export.Request{ScanID: id, Wanted: []export.Wanted{{Format: e.Format, Key: e.Key, Inputs: e.Inputs, Again: true}}}
		must[[]export.Export](s)(s.tenant.Exports().Request(s.ctx, again))
		s.rest()
		now := must[[]export.Export](s)(s.tenant.Exports().Exports(s.ctx, id))
		i := slices.IndexFunc(now, func(n export.Export) bool { return n.Format == e.Format })
		if diff := gocmp.Diff(e.Made, now[i].Made, cmpopts.IgnoreFields(export.Made{}, "At")); diff != "" || now[i].State != export.Completed {
			s.Errorf("%s: %s made once more is %s (-before +after):\n%s", s.at, e.Format, now[i].State, diff)
		}
	}
	if n := s.waiting(event.ExportJobs) + s.waiting(event.AttestorSubmissions); n != 0 {
		s.Errorf("%s: %d messages are left", s.at, n)
	}
	return out
}

// timed tells statements that have the time of the scan in them, or of such.
func timed(predicateType string) int {
	switch intoto.KindOf(predicateType) {
	case intoto.Vulns, intoto.Evidence:
		return 1
	}
	return 0
}

// exported says what is exported and pushed, and checks that it is there. Evidence has
// the time of the scan in it, so its bytes are not told.
func (s *proofStory) exported(id string) string {
	s.Helper()
	var out []string
	for _, e := range must[[]export.Export](s)(s.tenant.Exports().Exports(s.ctx, id)) {
		out = append(out, fmt.Sprintf("%s %s %d %q, %d attestations", e.Format, e.State, e.Version, e.Made.Missing, len(e.Made.Attestations)))
		for _, o := range []export.Object{e.Made.Document, e.Made.Bundle} {
			body := must[io.ReadCloser](s)(s.bucket.Open(s.ctx, o.Ref))
			text := must[[]byte](s)(io.ReadAll(body))
			body.Close()
			told := sha(string(text))
			if e.Format == export.Evidence {
				told = "of this scan"
			}
			if out = append(out, fmt.Sprintf("  %s %s, %s", o.Name, o.MediaType, told)); s.free(s.tenant, o.Ref) {
				s.Errorf("%s: %s is free", s.at, o.Name)
			}
		}
	}
	for _, p := range must[[]export.Push](s)(s.tenant.Exports().Pushes(s.ctx, id)) {
		if s.target.has[p.Digest] == 0 {
			s.Errorf("%s: %s is said to be pushed", s.at, p.Digest)
		}
		if p.Format == export.Evidence {
			p.Digest = "of this scan"
		}
		out = append(out, fmt.Sprintf("%s at %s: %s, %s", p.Digest, p.Destination, p.State, p.Receipt))
	}
	return strings.Join(out, "\n")
}

// testProofCrashes goes through the same story, crashing at each point of proof in turn:
// afterwards the same bytes are exported, once.
func testProofCrashes(w *proofWorld) {
	if err := w.root.Register(w.ctx, event.ScannerEvents, event.GroupExport, event.ScanCompleted); err != nil {
		w.Fatal(err)
	}
	h := &house{proofWorld: w, policy: newPolicyWorld(w.T, func(testing.TB) *store.Root { return w.root }), signing: newKey(w), log: newKey(w)}
	h.policy.gateway.Document = store.Documents(nil, func(r io.Reader) (*sbom.Document, error) { d, _, err := format.Decode(r); return d, err })
	story := func(name string, at crashpoint.Point) (*proofStory, string) {
		signer := must[*tlog.Signer](w)(tlog.NewLogSigner("log.example", h.log.Public(), h.log))
		s := &proofStory{house: h, tenant: tenant(w, w.root, name), bucket: must[*blob.Bucket](w)(blob.Open(w.ctx, "mem:")), target: &collected{has: map[string]int{}}, at: at, hit: at == ""}
		s.entries = must[*tlog.Log](w)(tlog.Open(w.ctx, tlog.NewMem(), signer, &tlog.Options{MaxDelay: -1}))
		defer s.entries.Close()
		return s, s.tell()
	}
	_, want := story("calm", "")
	if strings.Count(want, " completed 2 []") != 4 {
		w.Fatalf("the story ends otherwise:\n%s", want)
	}
	for _, p := range crashpoint.All() {
		part, _, _ := strings.Cut(string(p), ".")
		if part != "sign" && part != "attest" && part != "export" || p == crashpoint.AttestStamped { // there is no authority here
			continue
		}
		s, got := story(strings.ReplaceAll(string(p), ".", "-"), p)
		if diff := gocmp.Diff(want, got); diff != "" {
			w.Errorf("crashed at %s (-calm +crashed):\n%s", p, diff)
		}
		if !s.hit {
			w.Errorf("%s is never passed", p)
		}
	}
}
