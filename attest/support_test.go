package attest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

var (
	now   = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	image = sum.Of([]byte("image"))
	other = sum.Of([]byte("other"))
)

// world is a signer with a log, a witness and a timestamp authority of its own.
type world struct {
	t         testing.TB
	key       *dsse.PrivateKey
	log       *tlog.Log
	tsa       *timestamptest.TSA
	stamped   time.Time // what the authority's clock says
	away      bool      // neither log nor authority answers
	memory    *attest.Memory
	trust     attest.Trust
	predicate []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, key: newKey(t), stamped: now.Add(-time.Hour), memory: &attest.Memory{Now: func() time.Time { return now }}, predicate: []byte(`{"spdxVersion":"SPDX-2.3"}`)}
	logKey := newKey(t)
	signer, err := tlog.NewLogSigner("log.example/stella", logKey.Public(), logKey)
	if err != nil {
		t.Fatal(err)
	}
	if w.log, err = tlog.Open(t.Context(), tlog.NewMem(), signer, &tlog.Options{MaxDelay: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.log.Close() })
	if w.tsa, err = timestamptest.New(&timestamptest.Options{Now: func() time.Time { return w.stamped }}); err != nil {
		t.Fatal(err)
	}
	w.trust = attest.Trust{
		Keys:        key.Ring{Members: []key.Member{{Key: w.key.Public(), From: now.Add(-24 * time.Hour), To: now.Add(24 * time.Hour), Purposes: []string{key.AnyPurpose}}}},
		Logs:        tlog.Policy{Logs: []tlog.LogKey{{Key: w.log.Key()}}},
		Authorities: []*timestamp.Authority{w.tsa.Authority()},
	}
	return w
}

func newKey(t testing.TB) *dsse.PrivateKey {
	t.Helper()
	k, err := key.Generate(key.P256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Fact tells every scan that its SBOM is the world's predicate, about the image.
func (w *world) Fact(_ context.Context, scanID, predicateType, digest string) (*attest.Fact, error) {
	subject, err := intoto.NewSubject("example/app", image)
	return &attest.Fact{Subjects: []intoto.Subject{subject}, PredicateType: predicateType, Predicate: w.predicate, Digest: sum.Of(w.predicate)}, err
}

// Current and Key make the world's key that of everybody.
func (w *world) Current(context.Context, string, string) (string, error) { return w.key.KeyID(), nil }

func (w *world) Key(_ context.Context, _, id, _ string) (attest.Key, error) {
	if id != w.key.KeyID() {
		return nil, fault.NotFound
	}
	return w.key, nil
}

func (w *world) signer() *attest.Signer {
	return &attest.Signer{
		Facts: func(string) (attest.Facts, error) { return w, nil }, Keys: w, Grants: []attest.Grant{{}},
		Stores: func(string) (attest.Store, error) { return w.memory, nil },
	}
}

// RoundTrip carries requests to the authority, where it is there.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.away {
		return nil, fault.Unavailable
	}
	out := httptest.NewRecorder()
	w.tsa.ServeHTTP(out, r)
	return out.Result(), nil
}

// Name and Enter make the world a log that can be away.
func (w *world) attestor() *attest.Attestor {
	return &attest.Attestor{
		Trust:   func(context.Context, string) (*attest.Trust, error) { return &w.trust, nil },
		Stores:  func(string) (attest.Store, error) { return w.memory, nil },
		Objects: func(string) (attest.Objects, error) { return w.memory, nil },
		Log:     &fickle{attest.Embedded{Log: w.log}, w}, Now: func() time.Time { return now },
		Stamper: &attest.Authority{Client: &timestamp.Client{
			URL: "https://tsa.example", Authorities: w.trust.Authorities, Transport: w, Now: func() time.Time { return w.stamped },
		}},
	}
}

// statement returns the envelope of a statement of the world.
func (w *world) statement(predicateType string, signers ...dsse.Signer) *dsse.Envelope {
	w.t.Helper()
	subject, err := intoto.NewSubject("example/app", image)
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := (&intoto.Statement{Type: intoto.TypeV1, Subjects: []intoto.Subject{subject}, PredicateType: predicateType, Predicate: w.predicate}).Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	if len(signers) == 0 {
		signers = []dsse.Signer{w.key}
	}
	e, err := dsse.Sign(w.t.Context(), intoto.PayloadType, payload, signers...)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// proved returns the bundle of an envelope that has everything.
func (w *world) proved(e *dsse.Envelope) *bundle.Bundle {
	w.t.Helper()
	text, err := e.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	a, b, err := w.attestor().Attest(w.t.Context(), "acme", text, &attest.AttestOptions{Logged: true})
	if err != nil || len(a.Missing()) > 0 {
		w.t.Fatal(a, err)
	}
	return b
}

func encode(t testing.TB, b *bundle.Bundle) []byte {
	t.Helper()
	text, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// mustRefuse wants an error of a code; a code that ends in a slash stands for all below.
func mustRefuse(t *testing.T, err error, code string) {
	t.Helper()
	got := attest.Code(err)
	if err == nil || got != code && !(strings.HasSuffix(code, "/") && strings.HasPrefix(got+"/", code)) {
		t.Errorf("code %q, want %q: %v", got, code, err)
	}
}

type recordOf = rekor.Record
