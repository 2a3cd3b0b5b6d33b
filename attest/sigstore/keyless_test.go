package sigstore_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
)

// TestKeyless signs by the certificate authority's API and verifies what came out
// against the trust root's file.
func TestKeyless(t *testing.T) {
	for _, subject := range []string{subject, "alice@stella.test"} {
		i := must(sigstoretest.New(noon))
		text, err := must(i.Sign(context.Background(), subject, intoto.PayloadType, payload)).Encode()
		if err != nil {
			t.Fatal(err)
		}
		file, err := must(i.TrustRoot()).Encode()
		if err != nil {
			t.Fatal(err)
		}
		root, err := sigstore.ParseTrustRoot(file)
		if err != nil {
			t.Fatal(err)
		}
		v, err := sigstore.NewVerifier(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		policy := &sigstore.Policy{Identities: []sigstore.Identity{{Issuer: sigstoretest.Issuer, Subject: subject}}}
		if _, err := v.Verify(context.Background(), text, &sigstore.Artifact{Digest: image}, policy); err != nil {
			t.Error(err)
		}
		// The authority refuses a trust root of another instance.
		other, err := sigstore.NewVerifier(must(must(sigstoretest.New(noon)).TrustRoot()), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Verify(context.Background(), text, nil, policy); err == nil {
			t.Error("another instance's trust root accepts it")
		}
	}
}

func TestCertifiedKey(t *testing.T) {
	i := must(sigstoretest.New(noon))
	k, err := must(i.Keyless(subject)).Signer(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if k.Identity() != "sigstore:"+sigstoretest.Issuer+"|"+subject || !k.Until().Equal(noon.Add(10*time.Minute)) || k.KeyID() != "" || len(k.Intermediates()) != 1 {
		t.Errorf("%s until %s, %q, %d", k.Identity(), k.Until(), k.KeyID(), len(k.Intermediates()))
	}
	sig, err := k.Sign(context.Background(), []byte("message"))
	if err != nil || k.Public().Verify([]byte("message"), sig) != nil {
		t.Errorf("signature: %v", err)
	}
	i.Set(noon.Add(10*time.Minute + time.Second))
	if _, err := k.Sign(context.Background(), []byte("message")); sigstore.ReasonOf(err) != sigstore.ReasonExpired {
		t.Errorf("after its end: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v", k, k, *k); strings.Contains(s, "D:") {
		t.Errorf("printed: %s", s)
	}
}

// authorityFunc is a certificate authority of a test.
type authorityFunc func(pub crypto.PublicKey) ([][]byte, error)

// Issue calls f.
func (f authorityFunc) Issue(_ context.Context, pub crypto.PublicKey, _ []byte, _ string) ([][]byte, error) {
	return f(pub)
}

func TestBadAuthorities(t *testing.T) {
	i := must(sigstoretest.New(noon))
	issue := func(change func(*x509.Certificate)) authorityFunc {
		return func(pub crypto.PublicKey) ([][]byte, error) {
			return [][]byte{must(i.Certificate(pub, subject, noon, change)), i.CA.Below.Raw, i.CA.Root.Raw}, nil
		}
	}
	for name, c := range map[string]struct {
		want sigstore.Reason
		ca   authorityFunc
	}{
		"nothing":  {sigstore.ReasonCertificate, func(crypto.PublicKey) ([][]byte, error) { return nil, nil }},
		"too much": {sigstore.ReasonCertificate, func(crypto.PublicKey) ([][]byte, error) { return make([][]byte, 11), nil }},
		"garbage":  {sigstore.ReasonMalformed, func(crypto.PublicKey) ([][]byte, error) { return [][]byte{[]byte("x")}, nil }},
		"garbage above": {sigstore.ReasonMalformed, func(pub crypto.PublicKey) ([][]byte, error) {
			return [][]byte{must(i.Certificate(pub, subject, noon, nil)), nil}, nil
		}},
		"another key": {sigstore.ReasonKey, func(crypto.PublicKey) ([][]byte, error) {
			pub, err := x509.ParsePKIXPublicKey(newScene(t, step{}).public.DER())
			return [][]byte{must(i.Certificate(pub, subject, noon, nil))}, err
		}},
		"over":        {sigstore.ReasonExpired, issue(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.Add(-time.Hour), noon.Add(-time.Second) })},
		"later":       {sigstore.ReasonExpired, issue(func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) })},
		"for servers": {sigstore.ReasonCertificate, issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
		"for nobody":  {sigstore.ReasonCertificate, issue(func(c *x509.Certificate) { c.URIs = nil })},
	} {
		k := must(i.Keyless(subject))
		k.Authority = c.ca
		if _, err := k.Signer(context.Background()); sigstore.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	k := must(i.Keyless(subject))
	k.Authority = authorityFunc(func(crypto.PublicKey) ([][]byte, error) { return nil, sigstore.ErrUnavailable })
	if _, err := k.Signer(context.Background()); !errors.Is(err, sigstore.ErrUnavailable) {
		t.Errorf("authority that is away: %v", err)
	}
	k.Token = func(context.Context) (string, error) { return "", sigstore.ErrUnavailable }
	if _, err := k.Signer(context.Background()); !errors.Is(err, sigstore.ErrUnavailable) {
		t.Errorf("no token: %v", err)
	}
}

// TestBadTokens holds that bad tokens are refused here or by the authority, and
// are in no error.
func TestBadTokens(t *testing.T) {
	i := must(sigstoretest.New(noon))
	part := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2VjcmV0"
	}
	good := must(i.Token(subject))
	for name, c := range map[string]struct {
		want  error
		token string
	}{
		"empty":               {sigstore.ReasonMalformed, ""},
		"two parts":           {sigstore.ReasonMalformed, "e30.e30"},
		"no base64":           {sigstore.ReasonMalformed, "e30.!.x"},
		"no JSON":             {sigstore.ReasonMalformed, part("secret")},
		"a claim twice":       {sigstore.ReasonMalformed, part(`{"sub":"a","sub":"b"}`)},
		"nobody":              {sigstore.ReasonIdentity, part(`{}`)},
		"address of somebody": {sigstore.ReasonIdentity, part(`{"sub":"1","email":"alice@stella.test"}`)},
		"address not checked": {sigstore.ReasonIdentity, part(`{"sub":"1","email":"alice@stella.test","email_verified":false}`)},
		"too long":            {sigstore.ReasonLimit, part(strings.Repeat(" ", sigstore.MaxToken))},
		"signature flipped":   {sigstore.ErrUnauthenticated, good[:len(good)-4] + "AAAA"},
		"of another issuer":   {sigstore.ErrUnauthenticated, must(must(sigstoretest.New(noon)).Token(subject))},
		"for somebody else":   {sigstore.ErrUnauthenticated, must(i.TokenOf(map[string]any{"iss": sigstoretest.Issuer, "aud": "other", "sub": subject, "exp": noon.Unix() + 60}))},
		"over":                {sigstore.ErrUnauthenticated, must(i.TokenOf(map[string]any{"iss": sigstoretest.Issuer, "aud": sigstoretest.Audience, "sub": subject, "exp": noon.Unix() - 1}))},
	} {
		k := must(i.Keyless(subject))
		k.Token = func(context.Context) (string, error) { return c.token, nil }
		_, err := k.Signer(context.Background())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || len(c.token) > 20 && strings.Contains(err.Error(), c.token[4:20])) {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
}

// roundTrip is a transport of a test.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFulcio(t *testing.T) {
	key, err := dsse.ParsePublicKeyDER(newScene(t, step{}).public.DER())
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.ParsePKIXPublicKey(key.DER())
	if err != nil {
		t.Fatal(err)
	}
	answer := func(status int, body string) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			if r.URL.String() != "https://fulcio.stella.test/api/v2/signingCert" || r.Header.Get("Authorization") != "Bearer token" || r.Method != http.MethodPost {
				t.Errorf("%s %s, %v", r.Method, r.URL, r.Header)
			}
			return response(r, status, body), nil
		}
	}
	for name, c := range map[string]struct {
		want error
		rt   roundTrip
	}{
		"cannot be reached":     {sigstore.ErrUnavailable, func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") }},
		"is down":               {sigstore.ErrUnavailable, answer(503, `{}`)},
		"knows nobody":          {sigstore.ErrUnauthenticated, answer(401, `{"code":16,"message":"x"}`)},
		"answers with nothing":  {sigstore.ReasonCertificate, answer(200, `{}`)},
		"answers with no PEM":   {sigstore.ReasonMalformed, answer(200, `{"signedCertificateEmbeddedSct":{"chain":{"certificates":["x"]}}}`)},
		"answers with a lot":    {sigstore.ErrLimit, answer(200, `{"x":"`+strings.Repeat("x", sigstore.MaxAnswer)+`"}`)},
		"answers with too many": {sigstore.ReasonCertificate, answer(200, `{"signedCertificateDetachedSct":{"chain":{"certificates":["","","","","","","","","","",""]}}}`)},
	} {
		f, err := sigstore.NewFulcio(sigstoretest.CA, &sigstore.FulcioOptions{Transport: c.rt, Attempts: 1, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Issue(context.Background(), pub, []byte("proof"), "token"); !errors.Is(err, c.want) || strings.Contains(fmt.Sprint(err), "token") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, bad := range []string{"", "fulcio.stella.test", "ftp://fulcio.stella.test", "http://fulcio.stella.test", "https://u:p@fulcio.stella.test", "https://fulcio.stella.test?x"} {
		if _, err := sigstore.NewFulcio(bad, nil); !errors.Is(err, sigstore.ErrInvalid) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, fine := range []string{"https://fulcio.stella.test/path", "http://localhost:5555", "http://127.0.0.1:5555", "http://[::1]:5555"} {
		if _, err := sigstore.NewFulcio(fine, nil); err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
}
