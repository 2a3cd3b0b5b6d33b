package notifyhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifyhttp"
)

// Example serves what a tenant has set, and sets an endpoint and a rule by a client.
func Example() {
	if err := serve(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// "Critical ones" is number 1, by ann
	// a rule that cannot be is refused: true
}

func serve(ctx context.Context) error {
	kept := notify.NewMemory(time.Now, nil) // a service has a store.Notify here
	server := httptest.NewServer(&notifyhttp.Handler{
		Stores: func(tenant string) (notifyhttp.Store, error) { return kept, nil },
		// A service takes both from package channels.
		CheckEndpoint: func(string, *notify.Endpoint) error { return nil },
		CheckTemplate: func(*notify.Template) error { return nil },
		Identify: func(*http.Request) (notifyhttp.Identity, error) { // a service checks a token here
			return notifyhttp.Identity{Tenant: "acme", Subject: "ann", Operator: true}, nil
		},
	})
	defer server.Close()

	client := &notifyhttp.Client{URL: server.URL}
	if _, err := client.Endpoints().Set(ctx, "ops", 0, &notify.Endpoint{Type: "slack", Secrets: map[string]string{"url": "env:SLACK_URL"}}); err != nil {
		return err
	}
	rule := &notify.Rule{Name: "Critical ones", Match: notify.Match{Severity: "critical"}, To: []notify.Target{{Endpoint: "ops"}}}
	set, err := client.Rules().Set(ctx, "critical", 0, rule)
	if err != nil {
		return err
	}
	fmt.Printf("%q is number %d, by %s\n", set.Body.Name, set.Number, set.By)
	rule.Match.When = "severity ==" // the error says where it ends too early
	_, err = client.Rules().Set(ctx, "critical", set.Number, rule)
	fmt.Println("a rule that cannot be is refused:", errors.Is(err, notifyhttp.ErrInvalid))
	return nil
}
