package attesthttp_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/sum"
)

// play goes through everything that the services can do, by their client.
func play(t *testing.T) (g *rig, id string) {
	g = newRig(t)
	ctx := t.Context()
	ann := g.client("acme/ann")
	g.want(t, "acme", export.SignLog)
	id = g.scan(t, "acme", image(0), true)
	g.playProof(t, ann, id)
	g.playExports(t, ann, id)
	if s, err := g.client("acme/olga/operator").Settings(ctx); err != nil || s.Mode != export.SignLog || s.Number != 1 || s.By != "olga" || len(s.Formats) != 4 {
		t.Errorf("%+v, %v", s, err)
	}
	return g, id
}

func (g *rig) playProof(t *testing.T, ann *attesthttp.Client, id string) {
	ctx := t.Context()
	signed, err := ann.Sign(ctx, attest.Order{ScanID: id, Predicate: "spdx"})
	if err != nil {
		t.Fatal(err)
	}
	if signed.KeyID != g.key.KeyID() || signed.Fact.PredicateType != intoto.PredicateSPDX || signed.Payload != sum.Of(signed.Envelope.Payload) {
		t.Errorf("%+v", signed)
	}
	same, err := ann.Sign(ctx, attest.Order{ScanID: id, Predicate: "spdx", Content: append(bytes.Clone(signed.Fact.Predicate), '\n'), KeyID: signed.KeyID})
	if err != nil || !bytes.Equal(same.Encoded, signed.Encoded) {
		t.Errorf("by its bytes: %+v, %v", same, err)
	}
	if again, err := ann.Sign(ctx, attest.Order{ScanID: id, Predicate: "spdxjson", Digest: signed.Fact.Digest}); err != nil || !bytes.Equal(again.Encoded, signed.Encoded) {
		t.Errorf("by its digest: %+v, %v", again, err)
	}
	if _, err := ann.Sign(ctx, attest.Order{ScanID: id, Predicate: "spdx", Content: []byte(`{"spdxVersion":"SPDX-2.3"}`)}); !errors.Is(err, attesthttp.ErrMismatch) {
		t.Errorf("foreign bytes: %v", err)
	}
	g.away = true
	a, err := ann.Attest(ctx, signed.Encoded, id)
	if err != nil || a.ID != sum.Of(signed.Encoded) || a.Version != 1 || len(a.Missing) != 1 || a.Missing[0] != attest.ProofLog || len(a.Bundle.Material.Entries) != 0 {
		t.Fatalf("while the log is away: %+v, %v", a, err)
	}
	g.away = false
	b, err := ann.Attest(ctx, signed.Encoded, "")
	if err != nil || b.ID != a.ID || b.Version != 2 || len(b.Missing) != 0 || len(b.Bundle.Material.Entries) != 1 {
		t.Fatalf("%+v, %v", b, err)
	}
	read, err := ann.Attestation(ctx, a.ID)
	if diff := cmp.Diff(b, read); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if e, err := ann.Envelope(ctx, a.ID); err != nil || !bytes.Equal(e, signed.Encoded) {
		t.Errorf("%s, %v", e, err)
	}
	for name, q := range map[string]attest.Query{"all": {}, "subject": {Subject: digest("manifest")}, "type": {PredicateType: "spdx"}, "scan": {ScanID: id, Limit: 7}} {
		page, err := ann.Find(ctx, q)
		if err != nil || len(page.Attestations) != 1 || page.Next != "" || page.Attestations[0].ID != a.ID || page.Attestations[0].Version() != 2 || len(page.Attestations[0].Missing()) != 0 || page.Attestations[0].ScanID != id {
			t.Errorf("%s: %+v, %v", name, page, err)
		}
	}
	if page, err := ann.Find(ctx, attest.Query{Subject: digest("other")}); err != nil || len(page.Attestations) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	v, err := ann.Verify(ctx, b.Encoded, &attesthttp.Check{Subjects: []string{digest("manifest")}, Predicates: []string{"spdx"}, Signers: []string{signed.KeyID}, Logged: true, Threshold: 1, Canonical: true})
	if err != nil || len(v.Lines) != 1 || v.Lines[0].Payload != signed.Payload || v.Lines[0].Logged[0].Origin != g.log.Origin() {
		t.Errorf("%+v, %v", v, err)
	}
	for code, k := range map[string]*attesthttp.Check{
		"subject": {Subjects: []string{digest("other")}}, "predicate type": {Predicates: []string{"openvex"}}, "no timestamp": {MaxAge: time.Hour}, "below threshold": {Threshold: 2},
		"malformed": {Digest: digest("other")},
	} {
		if _, err := ann.Verify(ctx, b.Encoded, k); attesthttp.Code(err) != code || !errors.Is(err, attesthttp.ErrMismatch) {
			t.Errorf("%s: %q, %v", code, attesthttp.Code(err), err)
		}
	}
	r, err := ann.Root(ctx)
	if err != nil {
		t.Fatal(err)
	}
	offline := attest.Verifier{Trust: *r.Trust(nil)}
	if _, err := offline.Verify(ctx, b.Encoded, &attest.Expectation{At: time.Now(), Logged: true}); err != nil {
		t.Errorf("by the root that the service tells: %v", err)
	}
}

func (g *rig) playExports(t *testing.T, ann *attesthttp.Client, id string) {
	ctx := t.Context()
	var out bytes.Buffer
	if _, err := ann.Export(ctx, id, export.SPDX, &out, nil); !errors.Is(err, attesthttp.ErrNotFound) {
		t.Errorf("before anybody asked: %v", err)
	}
	list, err := ann.Request(ctx, id, export.SPDX, export.SARIF, export.Evidence)
	if err != nil || len(list) != 3 || list[0].State != export.Queued || list[0].Made != nil || list[0].Inputs.KeyID != g.key.KeyID() {
		t.Fatalf("%+v, %v", list, err)
	}
	if again, err := ann.Request(ctx, id, export.SPDX, export.SARIF, export.Evidence); err != nil || cmp.Diff(list, again) != "" {
		t.Errorf("again: %s, %v", cmp.Diff(list, again), err)
	}
	if _, err := ann.Export(ctx, id, export.SPDX, &out, nil); !errors.Is(err, attesthttp.ErrUnavailable) || out.Len() > 0 {
		t.Errorf("while it is being made: %v", err)
	}
	for _, f := range []export.Format{export.SPDX, export.SARIF, export.Evidence} {
		g.make(t, "acme", id, f)
	}
	kept, err := ann.Exports(ctx, id)
	if err != nil || len(kept) != 3 {
		t.Fatalf("%+v, %v", kept, err)
	}
	spdx := kept[2]
	if spdx.Format != export.SPDX || spdx.State != export.Completed || spdx.Made.Bundle.MediaType != attesthttp.TypeLines || len(spdx.Made.Attestations) != 1 || len(spdx.Made.Missing) != 0 {
		t.Errorf("%+v", spdx.Made)
	}
	d, err := ann.Export(ctx, id, export.SPDX, &out, nil)
	if err != nil || d.Digest != spdx.Made.Bundle.Ref.Digest || d.MediaType != attesthttp.TypeLines || d.Name != id+"-bundle.spdx.jsonl" || d.Version != 1 || d.State != "" || sum.Of(out.Bytes()) != d.Digest {
		t.Errorf("%+v, %v", d, err)
	}
	if v, err := ann.Verify(ctx, out.Bytes(), &attesthttp.Check{Lines: true, Digest: d.Digest, Logged: true}); err != nil || len(v.Lines) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	out.Reset()
	if d, err = ann.Export(ctx, id, export.SPDX, &out, &attesthttp.Download{Accept: attesthttp.TypeSPDX}); err != nil || d.Digest != spdx.Made.Document.Ref.Digest || d.MediaType != attesthttp.TypeSPDX {
		t.Errorf("%+v, %v", d, err)
	}
	out.Reset()
	if d, err = ann.Export(ctx, id, export.SARIF, &out, nil); err != nil || d.MediaType != "application/sarif+json" {
		t.Errorf("%+v, %v", d, err)
	}
	out.Reset()
	if d, err = ann.Export(ctx, id, export.Evidence, &out, nil); err != nil || d.MediaType != attesthttp.TypeLines {
		t.Errorf("%+v, %v", d, err)
	}
	if v, err := ann.Verify(ctx, out.Bytes(), &attesthttp.Check{Evidence: true, Logged: true}); err != nil || len(v.Lines) != 4 {
		t.Errorf("%+v, %v", v, err)
	}
	half := out.Bytes()[:bytes.IndexByte(out.Bytes(), '\n')+1]
	if _, err := ann.Verify(ctx, half, &attesthttp.Check{Evidence: true}); attesthttp.Code(err) == "" {
		t.Errorf("evidence without its end: %v", err)
	}
}

// TestClient goes through the API by its client, and nobody has to tell the operator
// anything.
func TestClient(t *testing.T) {
	g, _ := play(t)
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// TestStrangers: what no known key signed is not attested.
func TestStrangers(t *testing.T) {
	g := newRig(t)
	ann := g.client("acme/ann")
	subject, err := intoto.NewSubject("example/app", digest("manifest"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := (&intoto.Statement{Type: intoto.TypeV1, Subjects: []intoto.Subject{subject}, PredicateType: intoto.PredicateSPDX, Predicate: []byte(`{}`)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	e, err := dsse.Sign(t.Context(), intoto.PayloadType, payload, parseKey(t, strangeKey))
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Attest(t.Context(), text, ""); attesthttp.Code(err) != "not signed by whom it must be" || !errors.Is(err, attesthttp.ErrMismatch) {
		t.Errorf("%q: %v", attesthttp.Code(err), err)
	}
	if page, err := ann.Find(t.Context(), attest.Query{}); err != nil || len(page.Attestations) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}
