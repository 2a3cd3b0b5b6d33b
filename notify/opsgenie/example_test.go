package opsgenie_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/opsgenie"
)

// An alert is rendered and sent, here to a server that stands for Opsgenie.
func Example() {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var alert struct {
			Message  string `json:"message"`
			Priority string `json:"priority"`
		}
		if err := json.Unmarshal(body, &alert); err != nil {
			fmt.Println(err)
		}
		fmt.Println(r.URL.Path, alert.Priority, alert.Message)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()

	c, err := opsgenie.Open(&notify.Endpoint{ID: "oncall", Type: opsgenie.Type, URL: server.URL, Secrets: map[string]string{"api_key": "env:KEY"}}, nil, &opsgenie.Options{
		Secret:    func(context.Context, string) ([]byte, error) { return []byte("e93facc04764012d7bfb002500d5d1a6"), nil },
		Transport: server.Client().Transport, // in production nil: public addresses alone
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := c.Render(&notify.Message{ID: "delivery-1", Tenant: "acme", Kind: notify.KindAlert, Title: "New critical CVE-2024-1234 affects alpine:latest scan", Severity: finding.Critical})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := c.Send(context.Background(), &notify.Dispatch{ID: "delivery-1", Tenant: "acme", Attempt: 1, Payload: *p})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(receipt.Status)
	// Output:
	// /v2/alerts P1 New critical CVE-2024-1234 affects alpine:latest scan
	// 202
}
