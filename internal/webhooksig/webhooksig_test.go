package webhooksig_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/internal/webhooksig"
)

var (
	now    = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	secret = "whsec_" + b64(bytes.Repeat([]byte{7}, 24))
	newer  = "whsec_" + b64(bytes.Repeat([]byte{8}, 64))
	seed   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
)

func b64(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

func keys(t testing.TB, texts ...string) []*webhooksig.Key {
	t.Helper()
	var out []*webhooksig.Key
	for _, text := range texts {
		k, err := webhooksig.ParseKey([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, k)
	}
	return out
}

// TestPublishedVector is the one of the reference libraries.
func TestPublishedVector(t *testing.T) {
	var v struct {
		Secret    string `json:"secret"`
		ID        string `json:"webhook-id"`
		Timestamp int64  `json:"webhook-timestamp"`
		Payload   string `json:"payload"`
		Signature string `json:"webhook-signature"`
	}
	text, err := os.ReadFile(testdata.Path(t, "conformance/standard-webhooks-vector.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(v.Timestamp, 0)
	s, err := webhooksig.Sign(keys(t, v.Secret), v.ID, at, []byte(v.Payload))
	if err != nil || s.Signature != v.Signature {
		t.Fatalf("signed %+v, %v; want %s", s, err, v.Signature)
	}
	if _, err := webhooksig.Verify(keys(t, v.Secret), s, []byte(v.Payload), at, 0); err != nil {
		t.Error(err)
	}
}

func TestParseKey(t *testing.T) {
	for _, c := range []struct {
		name, text string
		signs, ok  bool
	}{
		{"a secret", secret, true, true},
		{"a secret in white space", "\n " + secret + "\n", true, true},
		{"the longest secret", newer, true, true},
		{"a secret that is too short", "whsec_" + b64(make([]byte, 23)), false, false},
		{"a secret that is too long", "whsec_" + b64(make([]byte, 65)), false, false},
		{"no base64", "whsec_~~~~", false, false},
		{"base64 on two lines", "whsec_MfKQ9r8GKYqrTwjU\nPD8ILPZIo2LaLaSw", false, false},
		{"base64 of URLs", "whsec_" + strings.Repeat("-_", 16), false, false},
		{"a private key", "whsk_" + b64(seed), true, true},
		{"its seed", "whsk_" + b64(seed.Seed()), true, true},
		{"halves of two keys", "whsk_" + b64(append(bytes.Repeat([]byte{1}, 32), seed[32:]...)), false, false},
		{"a private key that is too short", "whsk_" + b64(seed[:33]), false, false},
		{"a public key", "whpk_" + b64(seed[32:]), false, true},
		{"a public key that is too long", "whpk_" + b64(seed), false, false},
		{"any text", "sixteen letters.", true, true},
		{"a short text", "fifteen letters", false, false},
		{"a long text", strings.Repeat("x", 1025), false, false},
		{"nothing", "", false, false},
	} {
		k, err := webhooksig.ParseKey([]byte(c.text))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err != nil && len(c.text) > 8 && strings.Contains(err.Error(), c.text[6:]) {
			t.Errorf("%s: the error shows it: %v", c.name, err)
		}
		if c.ok && k.Signs() != c.signs {
			t.Errorf("%s: signs %t", c.name, k.Signs())
		}
		if c.ok && strings.Contains(fmt.Sprintf("%v %+v %#v %s", k, k, k, k), strings.TrimSpace(c.text)) {
			t.Errorf("%s: it is shown", c.name)
		}
	}
}

func TestVerify(t *testing.T) {
	body := []byte(`{"a":1}`)
	good, err := webhooksig.Sign(keys(t, secret, "whsk_"+b64(seed)), "msg_1", now, body)
	if err != nil {
		t.Fatal(err)
	}
	hmacOnly, edOnly := strings.Fields(good.Signature)[0], strings.Fields(good.Signature)[1]
	public := "whpk_" + b64(seed[32:])
	for _, c := range []struct {
		name   string
		keys   []string
		change func(*webhooksig.Signed)
		body   string
		late   time.Duration
		reason string
	}{
		{name: "by the secret", keys: []string{secret}},
		{name: "by the public key", keys: []string{public}},
		{name: "by a key among others", keys: []string{newer, public}},
		{name: "beside versions of the future", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature = "v2,!! v3 , " + hmacOnly }},
		{name: "at the end of the tolerance", keys: []string{secret}, late: webhooksig.Tolerance},
		{name: "at its beginning", keys: []string{secret}, late: -webhooksig.Tolerance},
		{name: "another key", keys: []string{newer}, reason: webhooksig.Unknown},
		{name: "another body", keys: []string{secret, public}, body: `{"a":2}`, reason: webhooksig.Unknown},
		{name: "another id", keys: []string{secret, public}, change: func(s *webhooksig.Signed) { s.ID = "msg_2" }, reason: webhooksig.Unknown},
		{name: "another second", keys: []string{secret, public}, change: func(s *webhooksig.Signed) { s.Timestamp = "1795939201" }, reason: webhooksig.Unknown},
		{name: "a zero before the second", keys: []string{secret, public}, change: func(s *webhooksig.Signed) { s.Timestamp = "0" + s.Timestamp }, reason: webhooksig.Unknown},
		{name: "the digest as the other version", keys: []string{secret, public}, change: func(s *webhooksig.Signed) { s.Signature = "v1a," + hmacOnly[3:] }, reason: webhooksig.Unknown},
		{name: "the signature as the other version", keys: []string{secret, public}, change: func(s *webhooksig.Signed) { s.Signature = "v1," + edOnly[4:] }, reason: webhooksig.Unknown},
		{name: "a part of the digest", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature = "v1," + hmacOnly[3:27] }, reason: webhooksig.Unknown},
		{name: "an empty signature", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature = "v1," }, reason: webhooksig.Unknown},
		{name: "too old", keys: []string{secret}, late: webhooksig.Tolerance + 1, reason: webhooksig.TooOld},
		{name: "of the future", keys: []string{secret}, late: -webhooksig.Tolerance - 1, reason: webhooksig.TooNew},
		{name: "no id", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.ID = "" }, reason: webhooksig.BadID},
		{name: "an id with a dot", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.ID = "msg_1.1795939200" }, reason: webhooksig.BadID},
		{name: "a long id", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.ID = strings.Repeat("x", 257) }, reason: webhooksig.BadID},
		{name: "no timestamp", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Timestamp = "" }, reason: webhooksig.BadTimestamp},
		{name: "a signed timestamp", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Timestamp = "+" + s.Timestamp }, reason: webhooksig.BadTimestamp},
		{name: "a timestamp with a dot", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Timestamp += ".0" }, reason: webhooksig.BadTimestamp},
		{name: "a huge timestamp", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Timestamp = strings.Repeat("9", 30) }, reason: webhooksig.BadTimestamp},
		{name: "no signature", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature = "" }, reason: webhooksig.BadSignature},
		{name: "none that is known", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature = "v2," + hmacOnly[3:] }, reason: webhooksig.BadSignature},
		{name: "no base64", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature = "v1,~" }, reason: webhooksig.BadSignature},
		{name: "many signatures", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature = strings.Repeat("v1,AAAA ", 21) }, reason: webhooksig.BadSignature},
		{name: "a long header", keys: []string{secret}, change: func(s *webhooksig.Signed) { s.Signature += strings.Repeat(" ", 5000) }, reason: webhooksig.BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, text := *good, body
			if c.change != nil {
				c.change(&s)
			}
			if c.body != "" {
				text = []byte(c.body)
			}
			at, err := webhooksig.Verify(keys(t, c.keys...), &s, text, now.Add(c.late), 0)
			var refused *webhooksig.Refusal
			if errors.As(err, &refused); c.reason == "" && (err != nil || !at.Equal(now)) || c.reason != "" && (refused == nil || refused.Reason != c.reason) {
				t.Errorf("at %s: %v; want reason %q", at, err, c.reason)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	for _, c := range []struct {
		name, id string
		keys     []*webhooksig.Key
		at       time.Time
	}{
		{"no key", "msg_1", nil, now},
		{"many keys", "msg_1", make([]*webhooksig.Key, 11), now},
		{"a key that only verifies", "msg_1", keys(t, "whpk_"+b64(seed[32:])), now},
		{"an id with a dot", "msg.1", keys(t, secret), now},
		{"an id with a line", "msg\n1", keys(t, secret), now},
		{"no id", "", keys(t, secret), now},
		{"no time", "msg_1", keys(t, secret), time.Time{}},
	} {
		if s, err := webhooksig.Sign(c.keys, c.id, c.at, nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %+v, %v", c.name, s, err)
		}
	}
}

// TestWhatIsSignedIsVerified: by any of the keys that signed, and by no other, whatever the
// body; and a changed bit is seen.
func TestWhatIsSignedIsVerified(t *testing.T) {
	all := []string{secret, newer, "whsk_" + b64(seed), "a secret of its own"}
	stranger := keys(t, "whsec_"+b64(bytes.Repeat([]byte{3}, 32)))
	rapid.Check(t, func(r *rapid.T) {
		body := rapid.SliceOf(rapid.Byte()).Draw(r, "body")
		id := rapid.StringMatching(`[!-\-/-~]{1,64}`).Draw(r, "id")
		first := rapid.IntRange(0, len(all)-1).Draw(r, "first")
		last := rapid.IntRange(first, len(all)-1).Draw(r, "last")
		s, err := webhooksig.Sign(keys(t, all[first:last+1]...), id, now, body)
		if err != nil {
			r.Fatal(err)
		}
		for i, text := range all {
			_, err := webhooksig.Verify(keys(t, text), s, body, now, 0)
			if signed := first <= i && i <= last; signed != (err == nil) {
				r.Fatalf("key %d of %d to %d: %v", i, first, last, err)
			}
		}
		if _, err := webhooksig.Verify(stranger, s, body, now, 0); err == nil {
			r.Fatal("a stranger's key verifies it")
		}
		if len(body) > 0 {
			body[rapid.IntRange(0, len(body)-1).Draw(r, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
			if _, err := webhooksig.Verify(keys(t, all...), s, body, now, 0); err == nil {
				r.Fatal("a changed body is verified")
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	k := keys(f, secret, "whpk_"+b64(seed[32:]))
	good, err := webhooksig.Sign(keys(f, secret, "whsk_"+b64(seed)), "msg_1", now, []byte("{}"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.ID, good.Timestamp, good.Signature, []byte("{}"))
	f.Add("", "-1", "v1,AAAA v1a, v2", []byte(nil))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		at, err := webhooksig.Verify(k, &webhooksig.Signed{ID: id, Timestamp: timestamp, Signature: signature}, body, now, 0)
		if err != nil {
			if !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Unauthenticated) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		// Only what was signed is verified, in whatever company the signature comes.
		if id != good.ID || timestamp != good.Timestamp || string(body) != "{}" || !at.Equal(now) {
			t.Fatalf("verified %q at %q: %q", id, timestamp, body)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 20<<10)
	for name, text := range map[string]string{"v1": secret, "v1a": "whsk_" + b64(seed)} {
		k := keys(b, text)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := webhooksig.Sign(k, "msg_1", now, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
