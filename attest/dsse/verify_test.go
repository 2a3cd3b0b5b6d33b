package dsse_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
)

const kind = "application/vnd.example+json"

// alias is a key under another name.
type alias struct {
	dsse.Verifier
	id string
}

func (a alias) KeyID() string { return a.id }

func TestVerify(t *testing.T) {
	a, b, c, p256, p384 := key(t, "a"), key(t, "b"), key(t, "c"), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())
	sign := func(keys ...dsse.Signer) *dsse.Envelope {
		t.Helper()
		e, err := dsse.Sign(context.Background(), kind, []byte(`{"n":1}`), keys...)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	edit := func(e *dsse.Envelope, f func(e *dsse.Envelope)) *dsse.Envelope { f(e); return e }
	repeat := func(e *dsse.Envelope, ids ...string) *dsse.Envelope {
		for _, id := range ids {
			e.Signatures = append(e.Signatures, dsse.Signature{KeyID: id, Sig: e.Signatures[0].Sig})
		}
		return e
	}
	ids := func(keys ...*dsse.PrivateKey) (out []string) {
		for _, k := range keys {
			out = append(out, k.KeyID())
		}
		slices.Sort(out)
		return out
	}
	threshold := &dsse.ThresholdError{}
	for name, x := range map[string]struct {
		e     *dsse.Envelope
		trust dsse.Trust
		typ   string
		want  []string
		err   error
	}{
		"one of one":                      {e: sign(a), trust: trust(1, a), want: ids(a)},
		"P-256":                           {e: sign(p256), trust: trust(1, p256), want: ids(p256)},
		"P-384":                           {e: sign(p384), trust: trust(1, p384), want: ids(p384)},
		"two of three":                    {e: sign(a, p256), trust: trust(2, a, b, p256), want: ids(a, p256)},
		"all are named, beyond threshold": {e: sign(a, b, c), trust: trust(1, a, b, c), want: ids(a, b, c)},
		"a stranger's beside":             {e: sign(a, c), trust: trust(1, a), want: ids(a)},
		"no hint":                         {e: edit(sign(a), func(e *dsse.Envelope) { e.Signatures[0].KeyID = "" }), trust: trust(1, b, a), want: ids(a)},
		"unknown hint":                    {e: edit(sign(a), func(e *dsse.Envelope) { e.Signatures[0].KeyID = "?" }), trust: trust(1, b, a), want: ids(a)},
		"hint of another trusted key":     {e: edit(sign(a), func(e *dsse.Envelope) { e.Signatures[0].KeyID = b.KeyID() }), trust: trust(1, b, a), want: ids(a)},
		"hints exchanged": {e: edit(sign(a, b), func(e *dsse.Envelope) {
			e.Signatures[0].KeyID, e.Signatures[1].KeyID = e.Signatures[1].KeyID, e.Signatures[0].KeyID
		}), trust: trust(2, a, b), want: ids(a, b)},
		"garbage before":       {e: edit(sign(a), func(e *dsse.Envelope) { e.Signatures = append([]dsse.Signature{{Sig: []byte{1}}}, e.Signatures...) }), trust: trust(1, a), want: ids(a)},
		"other keys, same ids": {e: sign(a, b), trust: dsse.Trust{Threshold: 2, Keys: []dsse.Verifier{alias{a.Public(), "k"}, alias{b.Public(), "k"}}}, want: []string{"k", "k"}},

		"unsigned":                       {e: &dsse.Envelope{PayloadType: kind}, trust: trust(1, a), err: dsse.ErrInvalid},
		"a stranger's":                   {e: sign(c), trust: trust(1, a, b), err: threshold},
		"a stranger's, labelled trusted": {e: edit(sign(c), func(e *dsse.Envelope) { e.Signatures[0].KeyID = a.KeyID() }), trust: trust(1, a), err: threshold},
		"below threshold":                {e: sign(a), trust: trust(2, a, b), err: threshold},
		"one signature twice":            {e: repeat(sign(a), a.KeyID()), trust: trust(2, a, b), err: threshold},
		"one signature, two labels":      {e: repeat(sign(a), b.KeyID()), trust: trust(2, a, b), err: threshold},
		"one signature, many labels":     {e: repeat(sign(a), "", "x", "y", b.KeyID()), trust: trust(2, a, b), err: threshold},
		"one key, two signatures": {e: edit(sign(a), func(e *dsse.Envelope) {
			e.Signatures = append(e.Signatures, sign(alias2{a, "second"}).Signatures...)
		}), trust: trust(2, a, b), err: threshold},
		"one key, two names":         {e: sign(a), trust: dsse.Trust{Threshold: 2, Keys: []dsse.Verifier{a.Public(), alias{a.Public(), "other"}}}, err: dsse.ErrInvalid},
		"one key, two names, of two": {e: repeat(sign(a), "other"), trust: dsse.Trust{Threshold: 2, Keys: []dsse.Verifier{a.Public(), alias{a.Public(), "other"}, b.Public()}}, err: threshold},
		"other payload":              {e: edit(sign(a), func(e *dsse.Envelope) { e.Payload = []byte(`{"n":2}`) }), trust: trust(1, a), err: threshold},
		"other type":                 {e: edit(sign(a), func(e *dsse.Envelope) { e.PayloadType = "application/json" }), trust: trust(1, a), err: dsse.ErrMismatch},
		"other type, as asked for":   {e: edit(sign(a), func(e *dsse.Envelope) { e.PayloadType = "application/json" }), trust: trust(1, a), typ: "application/json", err: threshold},
		"type of other case":         {e: sign(a), trust: trust(1, a), typ: strings.ToUpper(kind), err: dsse.ErrMismatch},
		"bytes from type to payload": {e: edit(sign(a), func(e *dsse.Envelope) {
			e.PayloadType, e.Payload = kind+" 7", []byte(`{"n":1}`)
		}), trust: trust(1, a), typ: kind + " 7", err: threshold},
		"signature cut":     {e: edit(sign(a), func(e *dsse.Envelope) { e.Signatures[0].Sig = e.Signatures[0].Sig[:63] }), trust: trust(1, a), err: threshold},
		"signature longer":  {e: edit(sign(a), func(e *dsse.Envelope) { e.Signatures[0].Sig = append(e.Signatures[0].Sig, 0) }), trust: trust(1, a), err: threshold},
		"DER with more":     {e: edit(sign(p256), func(e *dsse.Envelope) { e.Signatures[0].Sig = append(e.Signatures[0].Sig, 0) }), trust: trust(1, p256), err: threshold},
		"other curve":       {e: sign(p256), trust: trust(1, p384), err: threshold},
		"empty signature":   {e: edit(sign(a), func(e *dsse.Envelope) { e.Signatures[0].Sig = nil }), trust: trust(1, a), err: dsse.ErrInvalid},
		"trust in nobody":   {e: sign(a), err: dsse.ErrInvalid},
		"threshold 0":       {e: sign(a), trust: trust(0, a), err: dsse.ErrInvalid},
		"threshold below 0": {e: sign(a), trust: trust(-1, a), err: dsse.ErrInvalid},
		"threshold too far": {e: sign(a, b), trust: trust(3, a, b), err: dsse.ErrInvalid},
		"nil key":           {e: sign(a), trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{a.Public(), nil}}, err: dsse.ErrInvalid},
		"key without bytes": {e: sign(a), trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{&dsse.PublicKey{}}}, err: dsse.ErrInvalid},
		"too many pairs": {e: edit(sign(a), func(e *dsse.Envelope) {
			for len(e.Signatures) < dsse.MaxSignatures {
				e.Signatures = append([]dsse.Signature{{Sig: []byte{1}}}, e.Signatures...)
			}
		}), trust: func() dsse.Trust {
			keys := []*dsse.PrivateKey{a}
			for i := range 20 {
				keys = append(keys, key(t, string(rune('A'+i))))
			}
			return trust(1, keys...)
		}(), err: dsse.ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			typ := x.typ
			if typ == "" {
				typ = kind
			}
			v, err := x.trust.Verify(x.e, typ)
			if x.err == error(threshold) {
				var te *dsse.ThresholdError
				if v != nil || !errors.As(err, &te) || te.Got >= te.Want || !errors.Is(err, dsse.ErrMismatch) {
					t.Fatalf("got %v, %v, want a ThresholdError", v, err)
				}
				return
			}
			if !errors.Is(err, x.err) {
				t.Fatalf("got %v, want %v", err, x.err)
			}
			if x.err == nil {
				if d := cmp.Diff(&dsse.Verified{PayloadType: kind, Payload: []byte(`{"n":1}`), Keys: x.want}, v); d != "" {
					t.Error(d)
				}
			}
		})
	}
	if _, err := trust(1, a).Verify(sign(a), ""); !errors.Is(err, dsse.ErrInvalid) {
		t.Errorf("no type asked for: %v", err)
	}
}

// alias2 signs under another name.
type alias2 struct {
	dsse.Signer
	id string
}

func (a alias2) KeyID() string { return a.id }

// TestManySignaturesOfOneKey: ECDSA has two signatures of every message, s and
// n-s, and a hedging signer makes new ones each time. One key counts once.
func TestManySignaturesOfOneKey(t *testing.T) {
	a, b := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	e, err := dsse.Sign(context.Background(), kind, nil, a)
	if err != nil {
		t.Fatal(err)
	}
	e.Signatures = append(e.Signatures, dsse.Signature{KeyID: b.KeyID(), Sig: otherS(t, e.Signatures[0].Sig)})
	if err := a.Public().Verify(dsse.PAE(kind, nil), e.Signatures[1].Sig); err != nil {
		t.Fatalf("the second signature is none: %v", err)
	}
	var te *dsse.ThresholdError
	if _, err := trust(2, a, b).Verify(e, kind); !errors.As(err, &te) || te.Got != 1 {
		t.Errorf("got %v", err)
	}
}

// failing is a signer whose device is away.
type failing struct{ dsse.Signer }

var errAway = errors.New("away")

func (failing) Sign(context.Context, []byte) ([]byte, error) { return nil, errAway }

func TestSign(t *testing.T) {
	ctx := context.Background()
	a, b, c := key(t, "a"), key(t, "b"), key(t, "c")
	one, err := dsse.Sign(ctx, kind, []byte("x"), a, b, c)
	if err != nil {
		t.Fatal(err)
	}
	two, err := dsse.Sign(ctx, kind, []byte("x"), c)
	if err != nil {
		t.Fatal(err)
	}
	// Who must sign together need not meet, and signing again changes nothing.
	for range 2 {
		if err := two.Sign(ctx, b, a); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(one, two); d != "" {
		t.Error(d)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for name, f := range map[string]func() error{
		"no signers":      func() error { return two.Sign(ctx) },
		"one signer more": func() error { return two.Sign(ctx, a, a) },
		"away":            func() error { return two.Sign(ctx, key(t, "d"), failing{a}) },
		"cancelled":       func() error { return two.Sign(cancelled, a) },
		"no type":         func() error { _, err := dsse.Sign(ctx, "", nil, a); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s: signed", name)
		} else if name == "away" && !errors.Is(err, errAway) {
			t.Errorf("away: %v", err)
		}
		if d := cmp.Diff(one, two); d != "" {
			t.Errorf("%s changed the envelope: %s", name, d)
		}
	}
}

// TestSignIsDeterministic: the same key and payload, the same bytes.
func TestSignIsDeterministic(t *testing.T) {
	for _, k := range []*dsse.PrivateKey{key(t, "a"), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())} {
		first, err := k.Sign(context.Background(), []byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if again, err := k.Sign(context.Background(), []byte("m")); err != nil || !slices.Equal(first, again) {
				t.Fatalf("%x, then %x, %v", first, again, err)
			}
		}
	}
}
