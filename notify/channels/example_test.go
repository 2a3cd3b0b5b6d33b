package channels_test

import (
	"fmt"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
)

// An endpoint is checked before it is kept: what its text says is judged at once, what it
// resolves to each time that it is reached.
func Example() {
	hook := notify.Endpoint{ID: "hook", Type: "webhook", URL: "https://10.0.0.7/stella", Secrets: map[string]string{"signing": "hook-key"}}
	fmt.Println(channels.CheckEndpoint(&hook, nil))
	fmt.Println(channels.CheckEndpoint(&hook, &channels.Options{Allow: []string{"10.0.0.7"}}))
	// Output:
	// endpoint "hook": connect to 10.0.0.7:443: refused by the target network policy: private addresses are reached only where they are listed
	// <nil>
}
