package envelope_test

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/envelope"
)

func Example() {
	pub, key, _ := ed25519.GenerateKey(nil)
	v := &envelope.Verifier{Audience: "scanner", Issuers: map[string]envelope.Trust{
		"worker": {Keys: []ed25519.PublicKey{pub}, Scopes: []string{auth.ScannerWork}},
	}}
	service := httptest.NewServer(v.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := auth.FromContext(r.Context())
		fmt.Println(id.Subject, "may work:", id.Has(auth.ScannerWork))
	})))
	defer service.Close()

	client := &http.Client{Transport: &envelope.Transport{
		Signer: &envelope.Signer{Name: "worker", Key: key}, Audience: "scanner", Base: http.DefaultTransport,
		Identity: &auth.Identity{Subject: "worker", Client: "worker", Scopes: []string{auth.ScannerWork}, Proof: auth.ProofService},
	}}
	resp, err := client.Post(service.URL+"/api/v1/scans/scan-1/heartbeat", "application/json", strings.NewReader(`{"epoch":1}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	bare, err := http.Get(service.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	bare.Body.Close()
	fmt.Println(bare.Status)
	// Output:
	// worker may work: true
	// 401 Unauthorized
}
