package attest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/sum"
)

func TestSign(t *testing.T) {
	w := newWorld(t)
	caller := attest.Caller{Tenant: "acme", Subject: "ci"}
	first, err := w.signer().Sign(t.Context(), caller, attest.Order{ScanID: "scan-1", Predicate: "spdxjson", Content: w.predicate})
	if err != nil {
		t.Fatal(err)
	}
	// A key that signs otherwise each time changes nothing: what was signed is found.
	again, err := w.signer().Sign(t.Context(), attest.Caller{Tenant: "acme", Subject: "export-center"}, attest.Order{ScanID: "scan-1", Predicate: intoto.PredicateSPDX, KeyID: first.KeyID})
	if err != nil || !bytes.Equal(first.Encoded, again.Encoded) {
		t.Errorf("another envelope, %v", err)
	}
	kept, err := w.memory.Signature(t.Context(), first.Payload, first.KeyID)
	if err != nil || kept.By != "ci" || kept.ScanID != "scan-1" {
		t.Errorf("%+v, %v", kept, err)
	}
	if _, err := (&attest.Verifier{Trust: w.trust}).Verify(t.Context(), first.Encoded, &attest.Expectation{At: now, Subjects: []string{image}, Canonical: true}); err != nil {
		t.Error(err)
	}
}

// liar hands out what is no signature, or one of another message.
type liar struct {
	*dsse.PrivateKey
	answer []byte
}

func (l liar) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if l.answer != nil {
		return l.answer, nil
	}
	return l.PrivateKey.Sign(ctx, []byte("something else"))
}

type liarKeys struct {
	*world
	answer []byte
}

func (l liarKeys) Key(context.Context, string, string, string) (attest.Key, error) {
	return liar{l.key, l.answer}, nil
}

func TestSignRefuses(t *testing.T) {
	w := newWorld(t)
	caller := attest.Caller{Tenant: "acme", Subject: "ci"}
	order := attest.Order{ScanID: "scan-1", Predicate: intoto.PredicateSPDX}
	for _, c := range []struct {
		name   string
		want   error
		signer func(s *attest.Signer)
		caller func(c *attest.Caller)
		order  func(o *attest.Order)
	}{
		{name: "no grant", want: attest.ErrForbidden, signer: func(s *attest.Signer) { s.Grants = nil }},
		{name: "grant of another tenant", want: attest.ErrForbidden, signer: func(s *attest.Signer) { s.Grants = []attest.Grant{{Tenants: []string{"umbrella"}}} }},
		{name: "grant of another caller", want: attest.ErrForbidden, signer: func(s *attest.Signer) { s.Grants = []attest.Grant{{Subjects: []string{"admin"}}} }},
		{name: "grant for another predicate", want: attest.ErrForbidden, signer: func(s *attest.Signer) { s.Grants = []attest.Grant{{Predicates: []string{intoto.PredicateVerdict}}} }},
		{name: "no tenant", want: attest.ErrInvalid, caller: func(c *attest.Caller) { c.Tenant = "" }},
		{name: "no scan", want: attest.ErrInvalid, order: func(o *attest.Order) { o.ScanID = "" }},
		{name: "no predicate", want: attest.ErrInvalid, order: func(o *attest.Order) { o.Predicate = "" }},
		{name: "no kind of predicate", want: attest.ErrInvalid, order: func(o *attest.Order) { o.Predicate = "spxd" }},
		{name: "foreign content", want: attest.ErrMismatch, order: func(o *attest.Order) { o.Content = []byte(`{"spdxVersion":"SPDX-2.3","evil":true}`) }},
		{name: "empty content", want: attest.ErrMismatch, order: func(o *attest.Order) { o.Content = []byte{} }},
		{name: "foreign digest", want: attest.ErrMismatch, order: func(o *attest.Order) { o.Digest = other }},
		{name: "content beside its digest", want: attest.ErrMismatch, order: func(o *attest.Order) { o.Content, o.Digest = w.predicate, other }},
		{name: "unknown key", want: attest.ErrNotFound, order: func(o *attest.Order) { o.KeyID = "another" }},
		{name: "a key that signs something else", want: attest.ErrMismatch, signer: func(s *attest.Signer) { s.Keys = liarKeys{world: w} }},
		{name: "a key that signs nothing", want: attest.ErrMismatch, signer: func(s *attest.Signer) { s.Keys = liarKeys{w, []byte("no signature")} }},
	} {
		s, who, o := w.signer(), caller, order
		if c.signer != nil {
			c.signer(s)
		}
		if c.caller != nil {
			c.caller(&who)
		}
		if c.order != nil {
			c.order(&o)
		}
		signed, err := s.Sign(t.Context(), who, o)
		if signed != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", c.name, signed, err)
		}
	}
	if page, err := w.memory.Find(t.Context(), attest.Query{}); err != nil || len(page.Attestations) > 0 {
		t.Errorf("something was kept: %v, %v", page, err)
	}
}

// While the parties are away a bundle says what it lacks; it is completed later, and
// stays the same from then on.
func TestOutage(t *testing.T) {
	w := newWorld(t)
	w.away = true
	text, err := w.statement(intoto.PredicateSPDX).Encode()
	if err != nil {
		t.Fatal(err)
	}
	a := w.attestor()
	kept, b, err := a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]attest.ProofKind{attest.ProofLog, attest.ProofTimestamp}, kept.Missing()); diff != "" || kept.Version() != 1 {
		t.Errorf("version %d: %s", kept.Version(), diff)
	}
	v := &attest.Verifier{Trust: w.trust}
	if _, err := v.Verify(t.Context(), encode(t, b), &attest.Expectation{At: now}); err != nil {
		t.Errorf("what is there is good: %v", err)
	}
	_, err = v.Verify(t.Context(), encode(t, b), &attest.Expectation{At: now, Logged: true})
	mustRefuse(t, err, "no transparency")
	if _, err := a.Complete(t.Context(), "acme", kept.ID); !errors.Is(err, attest.ErrUnavailable) {
		t.Errorf("while they are away: %v", err)
	}

	w.away = false
	done, err := a.Complete(t.Context(), "acme", kept.ID)
	if err != nil || done.Version() != 3 || len(done.Missing()) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	_, full, err := a.Bundle(t.Context(), "acme", kept.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), encode(t, full), &attest.Expectation{At: now, Logged: true, Stamped: true, Canonical: true}); err != nil {
		t.Error(err)
	}
	w.proved(w.statement(intoto.PredicateOpenVEX)) // the log grows
	_, same, err := a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true})
	if err != nil || !bytes.Equal(encode(t, full), encode(t, same)) {
		t.Errorf("the redo is another bundle: %v", err)
	}
}

// A stranger's envelope, and one that says more than its signer may, is not kept.
func TestAttestRefuses(t *testing.T) {
	w := newWorld(t)
	stranger := newKey(t)
	for name, c := range map[string]struct {
		envelope func() *dsse.Envelope
		code     string
	}{
		"a stranger":             {func() *dsse.Envelope { return w.statement(intoto.PredicateSPDX, stranger) }, "not signed by whom it must be"},
		"a stranger by our name": {func() *dsse.Envelope { return w.statement(intoto.PredicateSPDX, named{stranger, w.key.KeyID()}) }, "not signed by whom it must be"},
		"two signatures":         {func() *dsse.Envelope { return w.statement(intoto.PredicateSPDX, w.key, stranger) }, ""},
		"no statement": {func() *dsse.Envelope {
			return w.payload(intoto.PayloadType, `{"_type":"https://in-toto.io/Statement/v1"}`)
		}, "statement"},
		"another payload type":    {func() *dsse.Envelope { return w.payload("application/json", `{}`) }, "payload type"},
		"a payload with a double": {func() *dsse.Envelope { return w.payload(intoto.PayloadType, `{"_type":"a","_type":"b"}`) }, "statement"},
	} {
		text, err := c.envelope().Encode()
		if err != nil {
			t.Fatal(err)
		}
		kept, b, err := w.attestor().Attest(t.Context(), "acme", text, nil)
		if err == nil || kept != nil || b != nil || attest.Code(err) != c.code {
			t.Errorf("%s: code %q, %v", name, attest.Code(err), err)
		}
	}
	if page, err := w.memory.Find(t.Context(), attest.Query{}); err != nil || len(page.Attestations) > 0 {
		t.Errorf("something was kept: %v, %v", page, err)
	}
}

func (w *world) payload(payloadType, text string) *dsse.Envelope {
	e, err := dsse.Sign(w.t.Context(), payloadType, []byte(text), w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// lying is a log that answers with the entry of something else.
type lying struct {
	attest.Log
	entry *bundle.Entry
}

func (l lying) Enter(context.Context, *recordOf) (*bundle.Entry, error) { return l.entry, nil }

func TestLogThatLies(t *testing.T) {
	w := newWorld(t)
	foreign := w.proved(w.statement(intoto.PredicateOpenVEX)).Material.Entries[0]
	a := w.attestor()
	a.Log = lying{a.Log, &foreign}
	text, err := w.statement(intoto.PredicateSPDX).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true}); !errors.Is(err, attest.ReasonEntry) {
		t.Errorf("a foreign entry: %v", err)
	}
	kept, err := w.memory.Attestation(t.Context(), sum.Of(text))
	if err != nil || slices.ContainsFunc(kept.Proofs, func(p attest.Proof) bool { return p.Kind == attest.ProofLog }) {
		t.Errorf("it was kept: %+v, %v", kept, err)
	}
}

// Many who attest the same at once get the same bundle.
func TestAttestTogether(t *testing.T) {
	w := newWorld(t)
	text, err := w.statement(intoto.PredicateSPDX).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	got := make([][]byte, 8)
	for i := range got {
		wg.Go(func() {
			a := w.attestor()
			kept, _, err := a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true, ScanID: "scan-1"})
			if err != nil {
				t.Error(err)
				return
			}
			_, b, err := a.Bundle(t.Context(), "acme", kept.ID)
			if err != nil {
				t.Error(err)
				return
			}
			got[i], _ = b.Encode()
		})
	}
	wg.Wait()
	for _, b := range got[1:] {
		if !bytes.Equal(got[0], b) {
			t.Fatal("two bundles")
		}
	}
	if page, err := w.memory.Find(t.Context(), attest.Query{Subject: image, ScanID: "scan-1"}); err != nil || len(page.Attestations) != 1 {
		t.Errorf("%v, %v", page, err)
	}
}

func TestPatience(t *testing.T) {
	w := newWorld(t)
	a := w.attestor()
	a.Log = slow{a.Log}
	a.Patience = time.Millisecond
	text, err := w.statement(intoto.PredicateSPDX).Encode()
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true})
	if err != nil || !slices.Contains(kept.Missing(), attest.ProofLog) {
		t.Errorf("%+v, %v", kept, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Attest(ended, "acme", text, &attest.AttestOptions{Logged: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever asks has gone: %v", err)
	}
}

// slow is a log that never answers.
type slow struct{ attest.Log }

func (slow) Enter(ctx context.Context, _ *recordOf) (*bundle.Entry, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// promising is a log that says more than it proves.
type promising struct{ attest.Log }

func (p promising) Enter(ctx context.Context, r *recordOf) (*bundle.Entry, error) {
	e, err := p.Log.Enter(ctx, r)
	if err == nil {
		e.Promise = bundle.Promise{IntegratedTime: 1, SignedEntryTimestamp: []byte{1}}
	}
	return e, err
}

// What a log says and nobody verifies is not handed on.
func TestPromise(t *testing.T) {
	w := newWorld(t)
	a := w.attestor()
	a.Log = promising{a.Log}
	text, err := w.statement(intoto.PredicateSPDX).Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&attest.Verifier{Trust: w.trust}).Verify(t.Context(), encode(t, b), &attest.Expectation{At: now, Logged: true, Canonical: true}); err != nil {
		t.Error(err)
	}
}

// What one tenant's key signed is nothing to another tenant, and what is kept of one is
// not there for the other.
func TestTenantsApart(t *testing.T) {
	w, rival := newWorld(t), newWorld(t)
	worlds := map[string]*world{"acme": w, "umbrella": rival}
	a := w.attestor()
	a.Trust = func(_ context.Context, tenant string) (*attest.Trust, error) { return &worlds[tenant].trust, nil }
	a.Stores = func(tenant string) (attest.Store, error) { return worlds[tenant].memory, nil }
	a.Objects = func(tenant string) (attest.Objects, error) { return worlds[tenant].memory, nil }
	text, err := w.statement(intoto.PredicateVerdict).Encode()
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := a.Attest(t.Context(), "acme", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Attest(t.Context(), "umbrella", text, nil); !errors.Is(err, attest.ReasonUnsigned) {
		t.Errorf("another tenant's envelope: %v", err)
	}
	if _, _, err := a.Bundle(t.Context(), "umbrella", kept.ID); !errors.Is(err, attest.ErrNotFound) {
		t.Errorf("another tenant's attestation: %v", err)
	}
	if _, err := a.Complete(t.Context(), "umbrella", kept.ID); !errors.Is(err, attest.ErrNotFound) {
		t.Errorf("another tenant's attestation, completed: %v", err)
	}
	if page, err := rival.memory.Find(t.Context(), attest.Query{}); err != nil || len(page.Attestations) > 0 {
		t.Errorf("%+v, %v", page, err)
	}
}
