package rekorclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
)

// signed returns a record of a payload, with a key that is always the same.
func signed(t testing.TB, payload string) *rekor.Record {
	t.Helper()
	private := &ecdsa.PrivateKey{D: big.NewInt(7)}
	private.Curve = elliptic.P256()
	//lint:ignore SA1019 the point of a number that is no secret
	private.X, private.Y = private.ScalarBaseMult(private.D.Bytes())
	key, err := dsse.NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	e, err := dsse.Sign(context.Background(), "application/vnd.in-toto+json", []byte(payload), key)
	if err != nil {
		t.Fatal(err)
	}
	return &rekor.Record{Envelope: e, PublicKey: key.Public().DER()}
}

// proto is a message as JSON.
type proto = map[string]any

// fakeLog answers like Rekor v2 (rekor-tiles v2.3.0), with a tree of one entry. change
// may make the answer another one.
type fakeLog struct {
	*httptest.Server
	requests int
	change   func(entry, body proto)
	answer   func(w http.ResponseWriter, r *http.Request) // instead
}

func newLog(t testing.TB) *fakeLog {
	l := new(fakeLog)
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

func (l *fakeLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.requests++
	if l.answer != nil {
		l.answer(w, r)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/api/v2/log/entries" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "Not Found", http.StatusNotFound)
		return
	}
	text, _ := io.ReadAll(r.Body)
	body, err := enter(text)
	if err != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(proto{"code": 3, "message": "invalid hashedrekord request", "details": []any{}})
		return
	}
	entry := proto{
		"logIndex": "0", "logId": proto{"keyId": base64.StdEncoding.EncodeToString(make([]byte, 32))},
		"kindVersion": proto{"kind": "hashedrekord", "version": "0.0.2"}, "integratedTime": "0", "inclusionPromise": nil,
	}
	entry["inclusionProof"] = proto{"logIndex": "0", "treeSize": "1", "hashes": []any{}}
	if l.change != nil {
		l.change(entry, body)
	}
	if _, ok := entry["canonicalizedBody"]; !ok {
		canonical, _ := json.Marshal(body) // of a map: in order, and here without what JSON could write in two ways
		leaf := sha256.Sum256(append([]byte{0}, canonical...))
		root := base64.StdEncoding.EncodeToString(leaf[:])
		entry["canonicalizedBody"] = base64.StdEncoding.EncodeToString(canonical)
		if proof, ok := entry["inclusionProof"].(proto); ok {
			proof["rootHash"] = root
			if _, ok := proof["checkpoint"]; !ok {
				proof["checkpoint"] = proto{"envelope": fmt.Sprintf("log.example\n1\n%s\n\n— log.example AAAAAAAA\n", root)}
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(entry)
}

// enter verifies a request as the log does and returns the body of its entry.
func enter(text []byte) (proto, error) {
	var q struct {
		Request *struct {
			Digest    []byte
			Signature struct {
				Content  []byte
				Verifier struct {
					KeyDetails string
					PublicKey  struct{ RawBytes []byte }
				}
			}
		} `json:"hashedRekordRequestV002"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil || q.Request == nil {
		return nil, fmt.Errorf("no request: %v", err)
	}
	v := q.Request.Signature.Verifier
	public, err := x509.ParsePKIXPublicKey(v.PublicKey.RawBytes)
	if err != nil {
		return nil, err
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok || v.KeyDetails != "PKIX_ECDSA_P256_SHA_256" || len(q.Request.Digest) != 32 || !ecdsa.VerifyASN1(key, q.Request.Digest, q.Request.Signature.Content) {
		return nil, fmt.Errorf("verifying signature")
	}
	b64 := base64.StdEncoding.EncodeToString
	return proto{"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": proto{"hashedRekordV002": proto{
		"data": proto{"algorithm": "SHA2_256", "digest": b64(q.Request.Digest)},
		"signature": proto{"content": b64(q.Request.Signature.Content), "verifier": proto{
			"keyDetails": v.KeyDetails, "publicKey": proto{"rawBytes": b64(v.PublicKey.RawBytes)},
		}},
	}}}, nil
}
