package slack_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/slack"
)

func Example() {
	channel, err := slack.Open(&notify.Endpoint{ID: "security", Type: slack.Type, To: "#security", Secrets: map[string]string{"token": "vault:slack-bot"}}, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := channel.Render(&notify.Message{ID: "d-1", Title: "New critical CVE-2024-1234 affects alpine:latest scan"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payload.MediaType, payload.Notes)
	// Nothing is sent: there is nobody who gives secrets.
	_, err = channel.Send(context.Background(), &notify.Dispatch{ID: "d-1", Attempt: 1, Payload: *payload})
	fmt.Println(err)
	// Output:
	// application/json []
	// the endpoint's secret "token" cannot be read: forbidden
}
