package email_test

import (
	"bytes"
	"fmt"
	"net/mail"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
)

func ExampleOpen() {
	channel, err := email.Open(&notify.Endpoint{
		ID: "ops", Type: email.Type,
		URL:     "smtps://mail.example.com",
		To:      "ops@example.org, Security <security@example.org>",
		Options: map[string]string{"from": "Stella <stella@example.com>"},
		Secrets: map[string]string{"password": "vault:mail"},
	}, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := channel.Render(&notify.Message{
		ID: "01JNF3", Tenant: "acme", Kind: notify.KindAlert, At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Title: "New critical CVE-2024-1234 affects ghcr.io/acme/shop:1", Severity: "critical", GroupKey: "CVE-2024-1234",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := mail.ReadMessage(bytes.NewReader(payload.Body))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Header.Get("To"))
	fmt.Println(m.Header.Get("Subject"))
	fmt.Println(m.Header.Get("Message-ID"))
	// Output:
	// ops@example.org, Security <security@example.org>
	// [CRITICAL] New critical CVE-2024-1234 affects ghcr.io/acme/shop:1
	// <01JNF3@example.com>
}
