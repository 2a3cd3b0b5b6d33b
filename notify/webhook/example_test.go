package webhook_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/webhook"
)

// A message is rendered, sent, and verified where it arrives.
func Example() {
	const key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.DefaultMaxBody))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		v, err := webhook.Verify([]string{key}, r.Header, body, time.Now(), nil)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var e webhook.Event
		if err := json.Unmarshal(body, &e); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Println(v.ID, v.Duplicate, e.Type)
		fmt.Println(e.Data.Title)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()

	c, err := webhook.Open(&notify.Endpoint{ID: "hooks", Type: webhook.Type, URL: server.URL, Secrets: map[string]string{"signing": "env:HOOK_KEY"}}, nil, &webhook.Options{
		Secret:    func(context.Context, string) ([]byte, error) { return []byte(key), nil },
		Transport: server.Client().Transport, // in production nil: public addresses alone
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := c.Render(&notify.Message{
		ID: "delivery-1", Tenant: "acme", Kind: notify.KindAlert, At: time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC),
		Title: "New critical CVE-2024-1234 affects alpine:latest scan", Severity: finding.Critical,
	})
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
	// delivery-1 false com.stella.notification.alert
	// New critical CVE-2024-1234 affects alpine:latest scan
	// 204
}
