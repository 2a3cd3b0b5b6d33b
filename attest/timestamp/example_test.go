package timestamp_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

// A signature is stamped when it is made, and verified later without a network.
func Example() {
	tsa, err := timestamptest.New(&timestamptest.Options{Now: func() time.Time { return noon }})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(tsa)
	defer server.Close()

	trusted := []*timestamp.Authority{tsa.Authority()}
	signature := []byte("the bytes of a signature")
	client := &timestamp.Client{URL: server.URL, Authorities: trusted, Transport: http.DefaultTransport, Now: func() time.Time { return noon }}
	response, _, err := client.Stamp(context.Background(), signature)
	if err != nil {
		log.Fatal(err)
	}

	stamp, err := timestamp.Verify(response, signature, trusted)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed before", stamp.Time.Add(stamp.Accuracy).Format(time.RFC3339))

	_, err = timestamp.Verify(response, []byte("another signature"), trusted)
	fmt.Println(timestamp.ReasonOf(err), errors.Is(err, timestamp.ErrMismatch))
	// Output:
	// signed before 2027-01-31T12:00:01Z
	// other message true
}
