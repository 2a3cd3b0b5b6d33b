package dsse_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/attest/dsse"
)

func TestDecode(t *testing.T) {
	payload := []byte{0xfb, 0xff, 0xbe} // "+/++" and "-_--"
	sig := dsse.Signature{Sig: []byte{1, 2, 3}}
	many := func(n int) string { return strings.Repeat(`{"sig":"AQID"},`, n-1) + `{"sig":"AQID"}` }
	for name, c := range map[string]struct {
		text string
		err  error // nil means that it is read
		want *dsse.Envelope
	}{
		"standard alphabet":     {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID"}]}`},
		"URL alphabet":          {text: `{"payloadType":"t","payload":"-_--","signatures":[{"sig":"AQID"}]}`},
		"unknown members":       {text: `{"v":[{}],"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID","cert":"x"}]}`},
		"members of other case": {text: `{"Payload":"AAAA","payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID","SIG":1}]}`},
		"null key id":           {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID","keyid":null}]}`},
		"white space":           {text: " {\n\"payloadType\" : \"\\u0074\",\t\"payload\":\"+/++\",\"signatures\":[{\"sig\":\"AQID\"}]} \r\n"},
		"escaped base64":        {text: `{"payloadType":"t","payload":"\u002b/++","signatures":[{"sig":"AQID"}]}`},
		"empty payload": {
			text: `{"payloadType":"t","payload":"","signatures":[{"sig":"AQID"}]}`,
			want: &dsse.Envelope{PayloadType: "t", Payload: []byte{}, Signatures: []dsse.Signature{sig}},
		},
		"key id": {
			text: `{"payloadType":"t","payload":"+/++","signatures":[{"keyid":"k","sig":"AQID"}]}`,
			want: &dsse.Envelope{PayloadType: "t", Payload: payload, Signatures: []dsse.Signature{{KeyID: "k", Sig: sig.Sig}}},
		},
		"most signatures": {
			text: `{"payloadType":"t","payload":"+/++","signatures":[` + many(dsse.MaxSignatures) + `]}`,
			want: &dsse.Envelope{PayloadType: "t", Payload: payload, Signatures: func() (s []dsse.Signature) {
				for range dsse.MaxSignatures {
					s = append(s, sig)
				}
				return s
			}()},
		},

		"nothing":                       {text: ``, err: dsse.ErrInvalid},
		"null":                          {text: `null`, err: dsse.ErrInvalid},
		"array":                         {text: `[]`, err: dsse.ErrInvalid},
		"empty object":                  {text: `{}`, err: dsse.ErrInvalid},
		"no payload":                    {text: `{"payloadType":"t","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"payload null":                  {text: `{"payloadType":"t","payload":null,"signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"payload a number":              {text: `{"payloadType":"t","payload":1,"signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"payload an object":             {text: `{"payloadType":"t","payload":{},"signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"payload of other case":         {text: `{"payloadType":"t","Payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"no type":                       {text: `{"payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"empty type":                    {text: `{"payloadType":"","payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"type not UTF-8":                {text: "{\"payloadType\":\"\xff\",\"payload\":\"+/++\",\"signatures\":[{\"sig\":\"AQID\"}]}", err: dsse.ErrInvalid},
		"type a lone surrogate":         {text: `{"payloadType":"\ud800","payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"long type":                     {text: `{"payloadType":"` + strings.Repeat("t", dsse.MaxPayloadType+1) + `","payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrLimit},
		"no signatures":                 {text: `{"payloadType":"t","payload":"+/++"}`, err: dsse.ErrInvalid},
		"signatures null":               {text: `{"payloadType":"t","payload":"+/++","signatures":null}`, err: dsse.ErrInvalid},
		"signatures empty":              {text: `{"payloadType":"t","payload":"+/++","signatures":[]}`, err: dsse.ErrInvalid},
		"signatures an object":          {text: `{"payloadType":"t","payload":"+/++","signatures":{"sig":"AQID"}}`, err: dsse.ErrInvalid},
		"signature null":                {text: `{"payloadType":"t","payload":"+/++","signatures":[null]}`, err: dsse.ErrInvalid},
		"signature without sig":         {text: `{"payloadType":"t","payload":"+/++","signatures":[{"keyid":"k"}]}`, err: dsse.ErrInvalid},
		"signature empty":               {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":""}]}`, err: dsse.ErrInvalid},
		"signature empty after another": {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID"},{"sig":""}]}`, err: dsse.ErrInvalid},
		"too many signatures":           {text: `{"payloadType":"t","payload":"+/++","signatures":[` + many(dsse.MaxSignatures+1) + `]}`, err: dsse.ErrLimit},
		"100,000 signatures":            {text: `{"payloadType":"t","payload":"+/++","signatures":[` + many(100_000) + `]}`, err: dsse.ErrLimit},
		"long signature":                {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"` + base64.StdEncoding.EncodeToString(make([]byte, dsse.MaxSignature+1)) + `"}]}`, err: dsse.ErrLimit},
		"long key id":                   {text: `{"payloadType":"t","payload":"+/++","signatures":[{"keyid":"` + strings.Repeat("k", dsse.MaxKeyID+1) + `","sig":"AQID"}]}`, err: dsse.ErrLimit},
		"100 MB":                        {text: `{"payloadType":"t","payload":"` + strings.Repeat("A", 100<<20) + `","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrLimit},
		"payload twice":                 {text: `{"payloadType":"t","payload":"+/++","payload":"AAAA","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"payload twice, once escaped":   {text: `{"payloadType":"t","payload":"+/++","p\u0061yload":"AAAA","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"sig twice":                     {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID","sig":"AAAA"}]}`, err: dsse.ErrInvalid},
		"unknown member twice":          {text: `{"a":1,"a":1,"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"text after the object":         {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID"}]} x`, err: dsse.ErrInvalid},
		"two objects":                   {text: strings.Repeat(`{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID"}]}`+"\n", 2), err: dsse.ErrInvalid},
		"byte order mark":               {text: "\ufeff" + `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"comment":                       {text: `{"payloadType":"t",/**/"payload":"+/++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"depth":                         {text: `{"a":` + strings.Repeat("[", 100_000), err: dsse.ErrInvalid},
		"unpadded":                      {text: `{"payloadType":"t","payload":"AA","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"padding too long":              {text: `{"payloadType":"t","payload":"AA===","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"padding inside":                {text: `{"payloadType":"t","payload":"AA==AA==","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"bits behind the end":           {text: `{"payloadType":"t","payload":"AB==","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"mixed alphabets":               {text: `{"payloadType":"t","payload":"+/--","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"line break in base64":          {text: `{"payloadType":"t","payload":"+/\n++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"blank in base64":               {text: `{"payloadType":"t","payload":"+/ ++","signatures":[{"sig":"AQID"}]}`, err: dsse.ErrInvalid},
		"line break in a signature":     {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"AQ\r\nID"}]}`, err: dsse.ErrInvalid},
		"signature not base64":          {text: `{"payloadType":"t","payload":"+/++","signatures":[{"sig":"*"}]}`, err: dsse.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dsse.Decode([]byte(c.text))
			if !errors.Is(err, c.err) || got == nil != (err != nil) {
				t.Fatalf("got %v, %v, want error %v", got, err, c.err)
			}
			if want := c.want; c.err == nil {
				if want == nil {
					want = &dsse.Envelope{PayloadType: "t", Payload: payload, Signatures: []dsse.Signature{sig}}
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// TestDecodeCut: an envelope that ends early is told from one that is wrong.
func TestDecodeCut(t *testing.T) {
	text, err := sealed(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for n := range text {
		if _, err := dsse.Decode(text[:n]); !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, dsse.ErrInvalid) {
			t.Fatalf("%d of %d bytes: %v", n, len(text), err)
		}
	}
}

func sealed(t testing.TB) *dsse.Envelope {
	t.Helper()
	e, err := dsse.Sign(context.Background(), "application/vnd.example+json", []byte(`{"n":1}`), key(t, "a"), key(t, "b"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEncodeRefuses(t *testing.T) {
	good := []dsse.Signature{{Sig: []byte{1}}}
	for name, e := range map[string]*dsse.Envelope{
		"nothing":           {},
		"no type":           {Signatures: good},
		"type not UTF-8":    {PayloadType: "\xff", Signatures: good},
		"no signatures":     {PayloadType: "t"},
		"empty signature":   {PayloadType: "t", Signatures: []dsse.Signature{{KeyID: "k"}}},
		"key id not UTF-8":  {PayloadType: "t", Signatures: []dsse.Signature{{KeyID: "\xff", Sig: []byte{1}}}},
		"many signatures":   {PayloadType: "t", Signatures: make([]dsse.Signature, dsse.MaxSignatures+1)},
		"too large payload": {PayloadType: "t", Payload: make([]byte, dsse.MaxEnvelope), Signatures: good},
	} {
		if b, err := e.Encode(); !typed(err) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestRoundTrip: reading what was written gives it again, and equal envelopes
// give equal bytes.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &dsse.Envelope{PayloadType: rapid.StringN(1, 40, 200).Draw(t, "type"), Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload")}
		for i := range rapid.IntRange(1, 4).Draw(t, "signatures") {
			e.Signatures = append(e.Signatures, dsse.Signature{
				KeyID: rapid.StringN(0, 20, 80).Draw(t, fmt.Sprint("id", i)),
				Sig:   rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, fmt.Sprint("sig", i)),
			})
		}
		text, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := dsse.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e, got); d != "" {
			t.Fatal(d)
		}
		again, err := got.Encode()
		if err != nil || string(again) != string(text) {
			t.Fatalf("%s, then %s, %v", text, again, err)
		}
	})
}

// TestPAEIsInjective: no two pairs of type and payload are signed alike, also
// where one borrows the other's separators.
func TestPAEIsInjective(t *testing.T) {
	part := rapid.StringMatching(`[ 0-9a-bDSEv]{0,12}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := part.Draw(t, "type"), part.Draw(t, "payload")
		c, d := part.Draw(t, "other type"), part.Draw(t, "other payload")
		if whole := a + " " + b; rapid.Bool().Draw(t, "shift") { // the same bytes, cut elsewhere
			i := rapid.IntRange(0, len(whole)).Draw(t, "cut")
			c, d = whole[:i], whole[i:]
		}
		if (a != c || b != d) && string(dsse.PAE(a, []byte(b))) == string(dsse.PAE(c, []byte(d))) {
			t.Fatalf("%q %q is signed as %q %q", a, b, c, d)
		}
	})
}

func TestPAE(t *testing.T) {
	for _, c := range [][3]string{
		{"", "", "DSSEv1 0  0 "},
		{"é", "\n", "DSSEv1 2 é 1 \n"},
		{"t", "0123456789", "DSSEv1 1 t 10 0123456789"},
	} {
		if got := string(dsse.PAE(c[0], []byte(c[1]))); got != c[2] {
			t.Errorf("PAE(%q, %q) = %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func FuzzDecode(f *testing.F) {
	text, err := sealed(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, s := range []string{`{}`, `{"payload":"","payloadType":"t","signatures":[{"sig":"AQID"}]}`, `{"payload":"-_--","payload":null}`, `[[[[`} {
		f.Add([]byte(s))
	}
	tr := trust(1, key(f, "a"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := dsse.Decode(text)
		if err != nil {
			if !typed(err) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		again, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		same, err := dsse.Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e, same); d != "" {
			t.Fatal(d)
		}
		if v, err := tr.Verify(e, "application/vnd.example+json"); err == nil && string(v.Payload) != `{"n":1}` {
			t.Fatalf("verified %q", v.Payload)
		}
	})
}
