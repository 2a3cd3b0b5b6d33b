package oracle

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/stella-ops/stella/internal/webhooksig"
	"github.com/stella-ops/stella/notify/webhook"
)

// The webhooks of notify/webhook and attest/export are held against the library of the
// Standard Webhooks project: what one signs the other verifies, and what one refuses so
// does the other.

const webhookRounds = 10_000

// round is one random webhook.
type round struct {
	id      string
	at      time.Time
	body    []byte
	secrets []string // those that sign
	changed string   // what was changed afterwards; "" for nothing
}

func randomRound(r *rand.Rand, now time.Time) *round {
	const ids = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	id := "msg_"
	for range 1 + r.IntN(40) {
		id += string(ids[r.IntN(len(ids))])
	}
	out := &round{id: id, at: now.Add(time.Duration(r.IntN(480)-240) * time.Second), body: randomBytes(r, r.IntN(1<<r.IntN(14)))}
	for range 1 + r.IntN(3) {
		out.secrets = append(out.secrets, "whsec_"+base64.StdEncoding.EncodeToString(randomBytes(r, 24+r.IntN(41))))
	}
	out.changed = []string{"", "", "", "id", "time", "body", "key", "signature"}[r.IntN(8)]
	return out
}

func randomBytes(r *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// theirWebhook signs as a sender does who uses the library: one signature for each key.
func theirWebhook(t *testing.T, w *round) string {
	var signatures []string
	for _, secret := range w.secrets {
		lib, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := lib.Sign(w.id, w.at, w.body)
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	return strings.Join(signatures, " ")
}

func ourWebhook(t *testing.T, w *round) *webhooksig.Signed {
	var keys []*webhooksig.Key
	for _, secret := range w.secrets {
		k, err := webhooksig.ParseKey([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	signed, err := webhooksig.Sign(keys, w.id, w.at, w.body)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestStandardWebhooks signs and verifies on both sides, with up to three keys while they
// take turns, and with something changed in every other round.
func TestStandardWebhooks(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	now := time.Now() // the library looks at the clock itself
	verified, refused := 0, 0
	for i := range webhookRounds {
		w := randomRound(r, now)
		signed := ourWebhook(t, w)
		if want := theirWebhook(t, w); signed.Signature != want {
			t.Fatalf("round %d: ours %s, theirs %s", i, signed.Signature, want)
		}
		key, body := w.secrets[r.IntN(len(w.secrets))], w.body
		switch w.changed {
		case "id":
			signed.ID += "x"
		case "time":
			signed.Timestamp = signed.Timestamp[:len(signed.Timestamp)-1] + string('0'+(signed.Timestamp[len(signed.Timestamp)-1]-'0'+1)%10)
		case "body":
			body = append(bytes.Clone(body), ' ')
		case "key":
			key = "whsec_" + base64.StdEncoding.EncodeToString(randomBytes(r, 32))
		case "signature":
			signed.Signature = strings.ReplaceAll(signed.Signature, "v1,", "v1,AAAA")
		}
		h := http.Header{}
		h.Set("webhook-id", signed.ID)
		h.Set("webhook-timestamp", signed.Timestamp)
		h.Set("webhook-signature", signed.Signature)
		lib, err := standardwebhooks.NewWebhook(key)
		if err != nil {
			t.Fatal(err)
		}
		they := lib.Verify(body, h)
		_, we := webhook.Verify([]string{key}, h, body, now, nil)
		if (they == nil) != (w.changed == "") || (we == nil) != (w.changed == "") {
			t.Fatalf("round %d, changed %q: they %v, we %v", i, w.changed, they, we)
		}
		if we == nil {
			verified++
		} else {
			refused++
		}
	}
	t.Logf("%d rounds: %d verified and %d refused by both, 0 differences", webhookRounds, verified, refused)
}

// TestStandardWebhooksVectors are the cases of the library's own tests, by both.
func TestStandardWebhooksVectors(t *testing.T) {
	const secret, id, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	now := time.Now()
	lib, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	good, err := lib.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	header := func(change func(http.Header)) http.Header {
		h := http.Header{}
		signed := ourWebhook(t, &round{id: id, at: now, body: []byte(body), secrets: []string{secret}})
		h.Set("webhook-id", id)
		h.Set("webhook-timestamp", signed.Timestamp)
		h.Set("webhook-signature", good)
		change(h)
		return h
	}
	for _, c := range []struct {
		name   string
		change func(http.Header)
		ok     bool
	}{
		{"as signed", func(http.Header) {}, true},
		{"no id", func(h http.Header) { h.Del("webhook-id") }, false},
		{"no timestamp", func(h http.Header) { h.Del("webhook-timestamp") }, false},
		{"a timestamp that is none", func(h http.Header) { h.Set("webhook-timestamp", "hello") }, false},
		{"an old timestamp", func(h http.Header) { h.Set("webhook-timestamp", "1614265330") }, false},
		{"no signature", func(h http.Header) { h.Del("webhook-signature") }, false},
		{"another signature", func(h http.Header) { h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") }, false},
		{"a part of one", func(h http.Header) { h.Set("webhook-signature", good[:8]) }, false},
		{"another version", func(h http.Header) { h.Set("webhook-signature", "v2"+good[2:]) }, false},
		{"one among others", func(h http.Header) {
			h.Set("webhook-signature", strings.Join([]string{"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=", "v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=", good, "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="}, " "))
		}, true},
	} {
		h := header(c.change)
		they := lib.Verify([]byte(body), h)
		_, we := webhook.Verify([]string{secret}, h, []byte(body), now, nil)
		if (they == nil) != c.ok || (we == nil) != c.ok {
			t.Errorf("%s: they %v, we %v", c.name, they, we)
		}
	}
}
