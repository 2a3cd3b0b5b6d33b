package timestamp_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

// tripper answers requests without a network.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func client(tsa *timestamptest.TSA, h http.Handler) *timestamp.Client {
	return &timestamp.Client{
		URL: "https://tsa.example/api/v1/timestamp", Authorities: []*timestamp.Authority{tsa.Authority()}, Now: func() time.Time { return noon },
		Transport: tripper(func(r *http.Request) (*http.Response, error) {
			if err := r.Context().Err(); err != nil {
				return nil, err
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Result(), r.Context().Err()
		}),
	}
}

func TestClient(t *testing.T) {
	for name, change := range map[string]func(*timestamp.Client){
		"as it is": func(*timestamp.Client) {},
		"SHA-384":  func(c *timestamp.Client) { c.Hash = crypto.SHA384 },
		"SHA-512":  func(c *timestamp.Client) { c.Hash = crypto.SHA512 },
		"a policy": func(c *timestamp.Client) { c.Policy = "1.3.6.1.4.1.99999.1" },
		"root only": func(c *timestamp.Client) {
			c.Authorities[0].Certificates = c.Authorities[0].Certificates[2:]
		},
		"a clock that is slow":  func(c *timestamp.Client) { c.Now = func() time.Time { return noon.Add(-timestamp.DefaultSkew) } },
		"a clock that is ahead": func(c *timestamp.Client) { c.Now = func() time.Time { return noon.Add(timestamp.DefaultSkew) } },
	} {
		t.Run(name, func(t *testing.T) {
			tsa := authority(t, nil)
			c := client(tsa, tsa)
			change(c)
			der, s, err := c.Stamp(context.Background(), message)
			if err != nil {
				t.Fatal(err)
			}
			again, err := timestamp.Verify(der, message, c.Authorities)
			if err != nil || again.Time != s.Time || s.Time != noon || c.Policy != "" && s.Policy != c.Policy || c.Hash != 0 && s.Hash != c.Hash {
				t.Errorf("%+v, %+v, %v", s, again, err)
			}
		})
	}
}

// TestClientRefuses: what an authority, or somebody on the way, may answer.
func TestClientRefuses(t *testing.T) {
	old := stamped(t, authority(t, nil))
	answer := func(status int, media string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
			w.Write(body)
		}
	}
	reply := func(body []byte) http.HandlerFunc { return answer(200, "application/timestamp-reply", body) }
	changed := func(f func(*timestamptest.Token)) func(*testing.T) (*timestamptest.TSA, http.Handler) {
		return func(t *testing.T) (*timestamptest.TSA, http.Handler) {
			tsa := authority(t, &timestamptest.Options{Change: f})
			return tsa, tsa
		}
	}
	rejected, _ := asn1.Marshal(struct {
		Status struct {
			Status int
			Text   []asn1.RawValue
			Fail   asn1.BitString
		}
	}{struct {
		Status int
		Text   []asn1.RawValue
		Fail   asn1.BitString
	}{2, []asn1.RawValue{{Tag: 12, Bytes: []byte("go\x1baway")}}, asn1.BitString{Bytes: []byte{0x20}, BitLength: 3}}})
	for name, c := range map[string]struct {
		make   func(*testing.T) (*timestamptest.TSA, http.Handler) // or
		answer http.Handler
		change func(*timestamp.Client)
		err    error
		says   string
	}{
		"wrong nonce":         {make: changed(func(k *timestamptest.Token) { k.Nonce = new(big.Int).Add(k.Nonce, big.NewInt(1)) }), err: timestamp.ReasonNonce},
		"no nonce":            {make: changed(func(k *timestamptest.Token) { k.Nonce = nil }), err: timestamp.ReasonNonce},
		"negative nonce":      {make: changed(func(k *timestamptest.Token) { k.Nonce.Neg(k.Nonce) }), err: timestamp.ReasonNonce},
		"other message":       {make: changed(func(k *timestamptest.Token) { k.Digest[5]++ }), err: timestamp.ReasonImprint},
		"other policy":        {make: changed(func(k *timestamptest.Token) { k.Policy = asn1.ObjectIdentifier{1, 2, 4} }), change: func(c *timestamp.Client) { c.Policy = "1.2.3" }, err: timestamp.ReasonPolicy},
		"a time long ago":     {make: changed(func(k *timestamptest.Token) { k.Time = noon.Add(-timestamp.DefaultSkew - time.Second) }), err: timestamp.ReasonTime},
		"a time to come":      {make: changed(func(k *timestamptest.Token) { k.Time = noon.Add(timestamp.DefaultSkew + time.Second) }), err: timestamp.ReasonTime},
		"less skew":           {make: changed(func(k *timestamptest.Token) { k.Time = noon.Add(2 * time.Second) }), change: func(c *timestamp.Client) { c.Skew = time.Second }, err: timestamp.ReasonTime},
		"an old response":     {answer: reply(old), err: timestamp.ReasonAuthority},
		"rejected":            {answer: reply(rejected), err: timestamp.ReasonRefused, says: `status 2, request not permitted, "go\x1baway"`},
		"empty":               {answer: reply(nil), err: timestamp.ReasonMalformed},
		"endless":             {answer: reply(make([]byte, timestamp.MaxToken+1)), err: timestamp.ReasonTooLarge},
		"HTML":                {answer: answer(200, "text/html", []byte("<html>")), err: timestamp.ErrUnsupported},
		"no type":             {answer: answer(200, "", old), err: timestamp.ErrUnsupported},
		"a redirection":       {answer: answer(302, "application/timestamp-reply", old), err: timestamp.ErrUnsupported},
		"not found":           {answer: answer(404, "text/plain", nil), err: timestamp.ErrUnsupported},
		"forbidden":           {answer: answer(403, "text/plain", nil), err: timestamp.ErrForbidden},
		"too many":            {answer: answer(429, "text/plain", nil), err: timestamp.ErrUnavailable},
		"broken":              {answer: answer(503, "text/plain", nil), err: timestamp.ErrUnavailable},
		"no authorities":      {answer: reply(old), change: func(c *timestamp.Client) { c.Authorities = nil }, err: timestamp.ErrInvalid},
		"SHA-1":               {answer: reply(old), change: func(c *timestamp.Client) { c.Hash = crypto.SHA1 }, err: timestamp.ErrUnsupported},
		"no URL":              {answer: reply(old), change: func(c *timestamp.Client) { c.URL = "" }, err: timestamp.ErrInvalid},
		"no host":             {answer: reply(old), change: func(c *timestamp.Client) { c.URL = "tsa.example" }, err: timestamp.ErrInvalid},
		"a bad policy":        {answer: reply(old), change: func(c *timestamp.Client) { c.Policy = "1.x" }, err: timestamp.ErrInvalid},
		"an empty arc":        {answer: reply(old), change: func(c *timestamp.Client) { c.Policy = "1..2" }, err: timestamp.ErrInvalid},
		"arcs that cannot be": {answer: reply(old), change: func(c *timestamp.Client) { c.Policy = "9.99" }, err: timestamp.ErrInvalid},
		"no connection": {answer: reply(old), change: func(c *timestamp.Client) {
			c.Transport = tripper(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
		}, err: timestamp.ErrUnavailable},
		"cut": {answer: reply(old), change: func(c *timestamp.Client) {
			c.Transport = tripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/timestamp-reply"}},
					Body: io.NopCloser(io.MultiReader(bytes.NewReader(old[:10]), errReader{}))}, nil
			})
		}, err: timestamp.ErrUnavailable},
		"too slow": {answer: reply(old), change: func(c *timestamp.Client) {
			c.Timeout = time.Millisecond
			c.Transport = tripper(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
		}, err: timestamp.ErrUnavailable},
		"a private address": {answer: reply(old), change: func(c *timestamp.Client) { c.URL, c.Transport = "http://127.0.0.1:9/", nil }, err: timestamp.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			tsa, h := authority(t, nil), c.answer
			if c.make != nil {
				tsa, h = c.make(t)
			}
			cl := client(tsa, h)
			if c.change != nil {
				c.change(cl)
			}
			der, s, err := cl.Stamp(context.Background(), message)
			if !errors.Is(err, c.err) || der != nil || s != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%x, %v, %v, want %v", der, s, err, c.err)
			}
		})
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestClientHidesCredentials: what a URL hides is in no message.
func TestClientHidesCredentials(t *testing.T) {
	tsa := authority(t, nil)
	c := client(tsa, http.NotFoundHandler())
	c.URL = "https://user:geheim@tsa.example/geheim?geheim"
	if _, _, err := c.Stamp(context.Background(), message); err == nil || strings.Contains(err.Error(), "geheim") || !strings.Contains(err.Error(), "tsa.example") {
		t.Error(err)
	}
}

// TestClientLeavesOutWhatNobodySigned: a text in the status is not kept.
func TestClientLeavesOutWhatNobodySigned(t *testing.T) {
	tsa := authority(t, nil)
	c := client(tsa, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, _ := io.ReadAll(r.Body)
		der, err := tsa.Respond(query)
		if err != nil {
			t.Error(err)
		}
		var plain struct {
			Status struct{ Status int }
			Token  asn1.RawValue
		}
		if _, err := asn1.Unmarshal(der, &plain); err != nil {
			t.Error(err)
		}
		var talkative struct {
			Status struct {
				Status int
				Text   []asn1.RawValue
			}
			Token asn1.RawValue
		}
		talkative.Status.Text, talkative.Token = []asn1.RawValue{{Tag: 12, Bytes: []byte("Operation Okay")}}, plain.Token
		if der, err = asn1.Marshal(talkative); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		w.Write(der)
	}))
	der, _, err := c.Stamp(context.Background(), message)
	if err != nil || bytes.Contains(der, []byte("Okay")) {
		t.Errorf("%v, %q", err, der)
	}
}
