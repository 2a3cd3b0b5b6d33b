package rekorclient_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/rekor/rekorclient"
)

// A log that cannot take an entry now says when to come back.
func Example() {
	log := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, `{"code":14,"message":"reached max pushback; retry"}`, http.StatusServiceUnavailable)
	}))
	defer log.Close()
	key, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))) // take a real one
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := dsse.Sign(context.Background(), "application/vnd.in-toto+json", []byte(`{}`), key)
	if err != nil {
		fmt.Println(err)
		return
	}

	client := &rekorclient.Client{URL: log.URL}
	_, err = client.Add(context.Background(), &rekor.Record{Envelope: envelope, PublicKey: key.Public().DER()})
	fmt.Println(err)
	var status *rekorclient.StatusError
	if errors.As(err, &status) && errors.Is(err, rekorclient.ErrUnavailable) {
		fmt.Println("again in", status.RetryAfter)
	}
	// Output:
	// enter a signature into the log: the log answered 503: "reached max pushback; retry"
	// again in 5s
}
