package channel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/examples/channel"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/store/event"
)

const path = "/hooks/7sd9f6g8sd7f6g98s7df6g"

// A vulnerability turns up in an image, and the chat of the team hears of it: the channel
// beside those of the SDK, driven by rules as they are.
func Example() {
	ctx := context.Background()
	room := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || r.URL.Path != path {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		var said struct{ Text string }
		if err := json.Unmarshal(body, &said, json.MatchCaseInsensitiveNames(true)); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Print(said.Text)
	}))
	defer room.Close()

	// Endpoints of this type are the example's, all others the SDK's.
	secret := func(context.Context, string) ([]byte, error) { return []byte(room.URL + path), nil }
	open := func(tenant string) notify.Opener {
		others := channels.Opener(tenant, nil) // with options of their own where they have secrets
		return func(e *notify.Endpoint, templates []notify.Template) (notify.Channel, error) {
			if e.Type == channel.Type {
				return channel.Open(e, templates, &channel.Options{Secret: secret, Transport: room.Client().Transport}) // in production: no Transport
			}
			return others(e, templates)
		}
	}
	store := notify.NewMemory(time.Now, nil)
	for _, s := range []notify.Setting{
		{Kind: notify.SettingEndpoint, ID: "team", Body: []byte(`{"id":"team","type":"chat","secrets":{"url":"env:CHAT_URL"}}`)},
		{Kind: notify.SettingRule, ID: "severe", Body: []byte(`{"id":"severe","to":[{"endpoint":"team"}],"match":{"severity":"high"}}`)},
	} {
		body, err := notify.Check(s.Kind, s.Body)
		if err != nil {
			fmt.Println(err)
			return
		}
		s.Number, s.Body, s.By = 1, body, "ann"
		if err := store.Set(ctx, &s); err != nil {
			fmt.Println(err)
			return
		}
	}
	router := &notify.Router{Stores: func(string) (notify.Routes, error) { return store, nil }, Open: open}
	deliverer := &notify.Deliverer{Queues: func(string) (notify.Queue, error) { return store, nil }, Open: open, Holder: "notifier-1", Now: time.Now}

	drift := &event.Drift{Head: 7, Vulnerability: "CVE-2026-0001", Cause: "new", Severity: "critical", Summary: "An *overflow*",
		Scans: []event.DriftScan{{ScanID: "scan-1", ImageRef: "registry.example/shop:1", Owner: "ann"}}}
	data, err := drift.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	e := event.Event{ID: "drift/7", Type: event.AdvisoryDrift, Source: "concelier", Tenant: "acme", Data: data}
	body, err := e.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // however often the event comes, the room hears once
		if err := router.Handle(ctx, body); err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, id := range store.Waiting(10) {
		if _, err := deliverer.Deliver(ctx, "acme", id); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// **New critical CVE-2026-0001 affects registry.example/shop:1 scan**
	// * CVE-2026-0001 registry.example/shop:1 An ∗overflow∗
	// _the rule severe says so_
	// _the event is advisory.drift_
	// _the severity is critical, the least is high_
}

// TestChannel runs the suite of channels.
func TestChannel(t *testing.T) {
	permanent := []int{}
	for status := 400; status < 500; status++ {
		if status != 408 && status != 409 && status != 425 && status != 429 {
			permanent = append(permanent, status)
		}
	}
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		c, err := channel.Open(endpoint(), nil, &channel.Options{
			Secret:    func(context.Context, string) ([]byte, error) { return []byte(r.URL() + path), nil },
			Transport: r.Transport(), Now: r.Now, Timeout: notifytest.Timeout,
		})
		if err != nil {
			t.Fatal(err)
		}
		return notifytest.Channel{
			Channel: c, MaxBody: 64 << 10, Permanent: permanent, Gone: []int{404, 410}, Secrets: []string{path},
			ID:      func(q *notifytest.Request) string { return q.Header.Get("X-Delivery") },
			Flagged: func(q *notifytest.Request) bool { return q.Header.Get("X-Possible-Duplicate") == "true" },
			Check: func(_ *notify.Message, p *notify.Payload) error {
				var said map[string]string
				if err := json.Unmarshal(p.Body, &said); err != nil {
					return err
				}
				if len(said) != 1 || said["text"] == "" {
					return fmt.Errorf("a chat takes a text: %q", said)
				}
				if strings.Contains(said["text"], "@") || strings.Contains(said["text"], "<script") {
					return fmt.Errorf("a stranger's text mentions or marks up: %q", said["text"])
				}
				return nil
			},
			Sent: func(q *notifytest.Request) error {
				if q.Method != http.MethodPost || q.Path != path || q.Header.Get("Content-Type") != "application/json" {
					return fmt.Errorf("%s %s %q", q.Method, q.Path, q.Header)
				}
				return nil
			},
		}
	})
}

func endpoint() *notify.Endpoint {
	return &notify.Endpoint{ID: "team", Type: channel.Type, Secrets: map[string]string{"url": "env:CHAT_URL"}}
}

// TestOpen: a mistake in an endpoint is told before anything is sent.
func TestOpen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(e *notify.Endpoint)
		want   error
	}{
		"another type":    {func(e *notify.Endpoint) { e.Type = "slack" }, notify.ErrUnsupported},
		"no secret":       {func(e *notify.Endpoint) { e.Secrets = nil }, notify.ErrInvalid},
		"another secret":  {func(e *notify.Endpoint) { e.Secrets["token"] = "env:T" }, notify.ErrInvalid},
		"an open address": {func(e *notify.Endpoint) { e.URL = "https://chat.example" }, notify.ErrInvalid},
		"an option":       {func(e *notify.Endpoint) { e.Options = map[string]string{"colour": "red"} }, notify.ErrInvalid},
	} {
		e := endpoint()
		c.change(e)
		if _, err := channel.Open(e, nil, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDoor: without a transport of its own a chat reaches public addresses alone.
func TestDoor(t *testing.T) {
	asked := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer inside.Close()
	for _, address := range []string{inside.URL + path, "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "chat.example"} {
		c, err := channel.Open(endpoint(), nil, &channel.Options{Secret: func(context.Context, string) ([]byte, error) { return []byte(address), nil }})
		if err != nil {
			t.Fatal(err)
		}
		var f *notify.Failure
		_, err = c.Send(t.Context(), &notify.Dispatch{ID: "d", Attempt: 1, Payload: notify.Payload{MediaType: "application/json", Body: []byte("{}")}})
		if !errors.As(err, &f) || f.Sent != notify.No || strings.Contains(f.Error(), path) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if asked {
		t.Error("an address of this machine was reached")
	}
}
