package teams_test

import (
	"fmt"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/teams"
)

func Example() {
	channel, err := teams.Open(&notify.Endpoint{ID: "security", Type: teams.Type, Secrets: map[string]string{"url": "vault:teams-workflow"}}, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := channel.Render(&notify.Message{ID: "d-1", Title: "New critical CVE-2024-1234 affects alpine:latest scan"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payload.MediaType, len(payload.Body) <= teams.MaxPayload, payload.Notes)
	// Output:
	// application/json true []
}
