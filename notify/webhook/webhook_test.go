package webhook_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/webhook"
)

const (
	older = "whsec_b2xkZXIga2V5IG9mIHRoZSB3ZWJob29rIQ=="
	newer = "whsec_bmV3ZXIga2V5IG9mIHRoZSB3ZWJob29rIQ=="
)

var update = flag.Bool("update", false, "write goldens anew")

var now = notifytest.Epoch

func secrets(_ context.Context, ref string) ([]byte, error) {
	switch ref {
	case "env:OLD":
		return []byte(older), nil
	case "env:NEW":
		return []byte(newer + "\n"), nil
	case "env:SHORT":
		return []byte("short"), nil
	case "env:PUBLIC":
		return []byte("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), nil
	}
	return nil, fmt.Errorf("%s: %w", ref, fault.NotFound)
}

func endpoint(url string) *notify.Endpoint {
	return &notify.Endpoint{ID: "hooks", Type: "webhook", URL: url, Secrets: map[string]string{"signing": "env:NEW env:OLD"}}
}

func open(t testing.TB, r *notifytest.Receiver, e *notify.Endpoint) notify.Channel {
	t.Helper()
	c, err := webhook.Open(e, nil, &webhook.Options{Secret: secrets, Transport: r.Transport(), Now: r.Now, Timeout: notifytest.Timeout})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChannel(t *testing.T) {
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		return notifytest.Channel{
			Channel: open(t, r, endpoint(r.URL()+"/in?x=y")), MaxBody: webhook.DefaultMaxBody, Permanent: []int{413}, Gone: []int{410}, Secrets: []string{older, newer},
			ID:      func(q *notifytest.Request) string { return q.Header.Get("webhook-id") },
			Flagged: func(q *notifytest.Request) bool { return q.Header.Get(webhook.HeaderDuplicate) == "true" },
			Check:   checkEvent,
			Sent: func(q *notifytest.Request) error {
				_, err := webhook.Verify([]string{older}, q.Header, q.Body, now, nil)
				return err
			},
		}
	})
}

// TestSecretAddress is the channel with an address that is a secret, and the least bound.
func TestSecretAddress(t *testing.T) {
	notifytest.TestChannel(t, func(t *testing.T, r *notifytest.Receiver) notifytest.Channel {
		address := r.URL() + "/in/hunter2hunter2"
		e := &notify.Endpoint{ID: "hooks", Type: "webhook", Secrets: map[string]string{"signing": "env:NEW", "url": "env:URL"}, Options: map[string]string{"max_bytes": "8192", "source": "https://stella.example/acme"}}
		read := func(ctx context.Context, ref string) ([]byte, error) {
			if ref == "env:URL" {
				return []byte(address), nil
			}
			return secrets(ctx, ref)
		}
		c, err := webhook.Open(e, nil, &webhook.Options{Secret: read, Transport: r.Transport(), Now: r.Now, Timeout: notifytest.Timeout})
		if err != nil {
			t.Fatal(err)
		}
		return notifytest.Channel{Channel: c, MaxBody: 8192, Permanent: []int{413}, Gone: []int{410}, Secrets: []string{"hunter2hunter2", newer}, Check: checkEvent}
	})
}

// checkEvent holds a body against CloudEvents 1.0.2, sections 3.1 (required attributes) and
// 2.4 (types), and its JSON format, section 3: names of attributes are lower-case letters
// and digits, values are not empty, data is JSON.
func checkEvent(m *notify.Message, p *notify.Payload) error {
	var attributes map[string]jsontext.Value
	if err := json.Unmarshal(p.Body, &attributes); err != nil {
		return err
	}
	for name, value := range attributes {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(name) > 20 || string(value) == `""` || string(value) == "null" {
			return fmt.Errorf("attribute %q: %.40s", name, value)
		}
	}
	var e webhook.Event
	if err := json.Unmarshal(p.Body, &e, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	switch {
	case e.SpecVersion != "1.0" || e.ID != m.ID || e.Source == "" || !strings.HasPrefix(e.Type, "com.stella.notification.") || e.DataContentType != "application/json":
		return fmt.Errorf("attributes: %+v", e)
	case e.Data.ID != m.ID || e.Data.Total < len(e.Data.Notices) || len(m.Notices) > len(e.Data.Notices) && len(p.Notes) == 0:
		return fmt.Errorf("%d of %d notices are listed, total %d, notes %q", len(e.Data.Notices), len(m.Notices), e.Data.Total, p.Notes)
	}
	canonical := jsontext.Value(append([]byte(nil), p.Body...))
	if err := canonical.Canonicalize(); err != nil || string(canonical) != string(p.Body) {
		return errors.New("it is not canonical")
	}
	return nil
}

// TestEvent: nothing of a message is lost on the way, where it fits.
func TestEvent(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	c := open(t, r, endpoint(r.URL()))
	for _, m := range notifytest.Kinds()[:10] {
		p, err := c.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		var e webhook.Event
		if err := json.Unmarshal(p.Body, &e); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, &e.Data); diff != "" || len(p.Notes) != 0 {
			t.Errorf("%s (-sent +got), notes %q:\n%s", m.ID, p.Notes, diff)
		}
		if want := "com.stella.notification." + string(m.Kind); e.Type != want || e.Subject != m.GroupKey || !e.Time.Equal(m.At) || e.Source != "/tenants/acme" {
			t.Errorf("attributes: %+v", e)
		}
	}
}

// TestGolden is a body as receivers get it, but for its line breaks.
func TestGolden(t *testing.T) {
	p, err := open(t, notifytest.NewReceiver(t, nil), endpoint("https://hooks.example")).Render(notifytest.Message("delivery-1"))
	if err != nil {
		t.Fatal(err)
	}
	body := jsontext.Value(p.Body)
	if err := body.Indent(); err != nil {
		t.Fatal(err)
	}
	got := string(body) + "\n"
	const file = "testdata/alert.json"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestCut: what does not fit is cut where it can be, and left out where half of it would
// be wrong.
func TestCut(t *testing.T) {
	m := notifytest.Message("delivery-1")
	m.Title = strings.Repeat("t", 10_000)
	m.Link = "https://stella.example/" + strings.Repeat("l", 5000)
	m.Why = make([]string, 25)
	m.Notices[0].Labels = map[string]string{"\xff": "first", "\xfe": "second", "z": "last"}
	m.Notices[0].Findings = map[finding.Severity]int{finding.Critical: 2, "odd": 1}
	p, err := open(t, notifytest.NewReceiver(t, nil), endpoint("https://hooks.example")).Render(m)
	if err != nil {
		t.Fatal(err)
	}
	var e webhook.Event
	if err := json.Unmarshal(p.Body, &e); err != nil {
		t.Fatal(err)
	}
	want := []string{"texts were cut", "links were left out: they are too long", "5 reasons were left out"}
	if diff := cmp.Diff(want, p.Notes); diff != "" {
		t.Errorf("notes, -want +got:\n%s", diff)
	}
	if d := e.Data; len(d.Title) != 4<<10 || !strings.HasSuffix(d.Title, "…") || d.Link != "" || d.AckLink != m.AckLink || len(d.Why) != 20 {
		t.Errorf("title of %d bytes, link %q, %d reasons", len(d.Title), d.Link, len(d.Why))
	}
	n := e.Data.Notices[0]
	if diff := cmp.Diff(map[string]string{"\uFFFD": "second", "z": "last"}, n.Labels); diff != "" {
		t.Errorf("labels, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[finding.Severity]int{finding.Critical: 2}, n.Findings); diff != "" {
		t.Errorf("findings, -want +got:\n%s", diff)
	}
	m.ID = "delivery.1" // what is signed would have two readings
	if _, err := open(t, notifytest.NewReceiver(t, nil), endpoint("https://hooks.example")).Render(m); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("an id with a dot: %v", err)
	}
}

// TestManyImages: as many as messages list fit, unless they are beyond measure.
func TestManyImages(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	m := notifytest.Message("delivery-1")
	for len(m.Notices) < notify.MaxListed {
		m.Notices = append(m.Notices, m.Notices[len(m.Notices)%2])
	}
	m.Total = 10_000
	for size, want := range map[string]int{"262144": notify.MaxListed, "20480": 0, "8192": 0} {
		e := endpoint(r.URL())
		e.Options = map[string]string{"max_bytes": size}
		p, err := open(t, r, e).Render(m)
		if err != nil {
			t.Fatal(err)
		}
		var got webhook.Event
		if err := json.Unmarshal(p.Body, &got); err != nil {
			t.Fatal(err)
		}
		n := len(got.Data.Notices)
		if want > 0 && n != want || n == 0 || got.Data.Total != 10_000 || got.Data.Link == "" || p.Notes[0] != fmt.Sprintf("%d of 10000 notices are listed", n) {
			t.Errorf("%s bytes: %d notices of %d, link %q, notes %q", size, n, got.Data.Total, got.Data.Link, p.Notes)
		}
	}
}

// TestRotation: while one key takes over from another, receivers that have either of them
// verify; and a key that cannot be read is not passed over.
func TestRotation(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	d := &notify.Dispatch{ID: "delivery-1", Attempt: 1, Payload: notify.Payload{MediaType: webhook.MediaType, Body: []byte("{}")}}
	for _, c := range []struct {
		refs     string
		verifies []string
		refused  []string
	}{
		{"env:OLD", []string{older}, []string{newer}},
		{"env:NEW env:OLD", []string{older, newer}, nil},
		{"env:NEW", []string{newer}, []string{older}},
	} {
		e := endpoint(r.URL())
		e.Secrets["signing"] = c.refs
		if _, err := open(t, r, e).Send(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		all := r.Requests()
		q := all[len(all)-1]
		for _, key := range c.verifies {
			got, err := webhook.Verify([]string{key}, q.Header, q.Body, now, nil)
			if err != nil || got.ID != "delivery-1" || !got.At.Equal(now) || got.Duplicate {
				t.Errorf("%s: %+v, %v", c.refs, got, err)
			}
		}
		for _, key := range c.refused {
			if _, err := webhook.Verify([]string{key}, q.Header, q.Body, now, nil); !errors.Is(err, webhook.ErrUnauthenticated) {
				t.Errorf("%s: another key: %v", c.refs, err)
			}
		}
	}
	before := len(r.Requests())
	for _, refs := range []string{"env:NEW env:GONE", "env:SHORT", "env:PUBLIC"} {
		e := endpoint(r.URL())
		e.Secrets["signing"] = refs
		_, err := open(t, r, e).Send(t.Context(), d)
		var f *notify.Failure
		if !errors.As(err, &f) || f.Sent != notify.No || f.Permanent {
			t.Errorf("%s: %#v", refs, err)
		}
	}
	if n := len(r.Requests()) - before; n != 0 {
		t.Errorf("%d requests with keys that are none", n)
	}
}

// TestDoor: without a transport only public addresses are reached.
func TestDoor(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	c, err := webhook.Open(endpoint(r.URL()), nil, &webhook.Options{Secret: secrets})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Send(t.Context(), &notify.Dispatch{ID: "delivery-1", Attempt: 1, Payload: notify.Payload{MediaType: webhook.MediaType, Body: []byte("{}")}})
	var f *notify.Failure
	if !errors.As(err, &f) || f.Sent != notify.No || !f.Permanent || !errors.Is(f.Err, webhook.ErrForbidden) || r.Conns() != 0 {
		t.Errorf("%#v, %d connections", err, r.Conns())
	}
}

func TestVerifyRefuses(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	d := &notify.Dispatch{ID: "delivery-1", Attempt: 2, Duplicate: true, Payload: notify.Payload{MediaType: webhook.MediaType, Body: []byte("{}")}}
	if _, err := open(t, r, endpoint(r.URL())).Send(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	q := r.Requests()[0]
	if got, err := webhook.Verify([]string{newer}, q.Header, q.Body, now, nil); err != nil || !got.Duplicate {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, c := range []struct {
		name   string
		change func(http.Header)
		body   string
		late   time.Duration
		o      *webhook.VerifyOptions
		reason string
	}{
		{name: "no header", change: func(h http.Header) { clear(h) }, reason: webhook.ReasonHeader},
		{name: "two ids", change: func(h http.Header) { h.Add("Webhook-Id", "delivery-1") }, reason: webhook.ReasonHeader},
		{name: "two timestamps", change: func(h http.Header) { h.Add("Webhook-Timestamp", h.Get("Webhook-Timestamp")) }, reason: webhook.ReasonHeader},
		{name: "two signature headers", change: func(h http.Header) { h.Add("Webhook-Signature", h.Get("Webhook-Signature")) }, reason: webhook.ReasonHeader},
		{name: "another id", change: func(h http.Header) { h.Set("Webhook-Id", "delivery-2") }, reason: webhook.ReasonSignature},
		{name: "another body", body: "{} ", reason: webhook.ReasonSignature},
		{name: "late", late: 6 * time.Minute, reason: webhook.ReasonTime},
		{name: "early", late: -6 * time.Minute, reason: webhook.ReasonTime},
		{name: "late for a strict receiver", late: 2 * time.Second, o: &webhook.VerifyOptions{Tolerance: time.Second}, reason: webhook.ReasonTime},
	} {
		h, body := q.Header.Clone(), string(q.Body)
		if c.change != nil {
			c.change(h)
		}
		if c.body != "" {
			body = c.body
		}
		_, err := webhook.Verify([]string{newer}, h, []byte(body), now.Add(c.late), c.o)
		var refused *webhook.RefusalError
		if !errors.As(err, &refused) || refused.Reason != c.reason || errors.Is(err, webhook.ErrInvalid) != (c.reason == webhook.ReasonHeader) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, keys := range [][]string{nil, {"short"}, {newer, "whsec_~"}, make([]string, 11)} {
		if _, err := webhook.Verify(keys, q.Header, q.Body, now, nil); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("keys %q: %v", keys, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	signing := map[string]string{"signing": "env:NEW"}
	for _, c := range []struct {
		name string
		e    notify.Endpoint
		want error
	}{
		{"another type", notify.Endpoint{Type: "slack", URL: "https://a.example", Secrets: signing}, webhook.ErrUnsupported},
		{"an address", notify.Endpoint{URL: "https://a.example", Secrets: signing, To: "olga"}, webhook.ErrInvalid},
		{"another secret", notify.Endpoint{URL: "https://a.example", Secrets: map[string]string{"signing": "env:NEW", "token": "env:URL"}}, webhook.ErrInvalid},
		{"no address", notify.Endpoint{Secrets: signing}, webhook.ErrInvalid},
		{"two addresses", notify.Endpoint{URL: "https://a.example", Secrets: map[string]string{"signing": "env:NEW", "url": "env:URL"}}, webhook.ErrInvalid},
		{"two secret addresses", notify.Endpoint{Secrets: map[string]string{"signing": "env:NEW", "url": "env:URL env:URL2"}}, webhook.ErrInvalid},
		{"no key", notify.Endpoint{URL: "https://a.example"}, webhook.ErrInvalid},
		{"many keys", notify.Endpoint{URL: "https://a.example", Secrets: map[string]string{"signing": strings.Repeat("env:NEW ", 6)}}, webhook.ErrInvalid},
		{"no URL", notify.Endpoint{URL: "::hunter2", Secrets: signing}, webhook.ErrInvalid},
		{"a user", notify.Endpoint{URL: "https://me:hunter2@a.example", Secrets: signing}, webhook.ErrInvalid},
		{"another scheme", notify.Endpoint{URL: "gopher://hunter2", Secrets: signing}, webhook.ErrForbidden},
		{"an unknown option", notify.Endpoint{URL: "https://a.example", Secrets: signing, Options: map[string]string{"sourc": "x"}}, webhook.ErrInvalid},
		{"a bound that is none", notify.Endpoint{URL: "https://a.example", Secrets: signing, Options: map[string]string{"max_bytes": "100"}}, webhook.ErrInvalid},
		{"a source that is none", notify.Endpoint{URL: "https://a.example", Secrets: signing, Options: map[string]string{"source": "%zz"}}, webhook.ErrInvalid},
	} {
		c.e.ID = "hooks"
		if c.e.Type == "" {
			c.e.Type = webhook.Type
		}
		if _, err := webhook.Open(&c.e, nil, nil); !errors.Is(err, c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("delivery-1", "1795939200", "v1,AAAA v1a,BBBB", []byte("{}"))
	f.Fuzz(func(t *testing.T, id, at, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
		if got, err := webhook.Verify([]string{newer}, h, body, now, nil); err == nil {
			t.Fatalf("verified without the key: %+v", got)
		} else if !errors.Is(err, webhook.ErrInvalid) && !errors.Is(err, webhook.ErrUnauthenticated) {
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}

// FuzzRender: whatever texts a message holds, the event is one, and fits.
func FuzzRender(f *testing.F) {
	f.Add("New critical CVE-2024-1234", "alpine:latest", "team", uint8(2), uint16(0))
	f.Add("\x00\xff", "\"notices\":[]", "\xfe", uint8(255), uint16(4000))
	r := notifytest.NewReceiver(f, nil)
	e := endpoint(r.URL())
	e.Options = map[string]string{"max_bytes": "8192"}
	c := open(f, r, e)
	f.Fuzz(func(t *testing.T, title, image, label string, notices uint8, times uint16) {
		m := notifytest.Message("delivery-1")
		m.Title, m.GroupKey, m.Tenant = title, strings.Repeat(image, int(times)%1000), label
		for range notices {
			n := m.Notices[0]
			n.Image, n.Labels = strings.Repeat(image, int(times)%100), map[string]string{label: title, image: label}
			m.Notices = append(m.Notices, n)
		}
		m.Total = len(m.Notices)
		p, err := c.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Body) > 8192 {
			t.Fatalf("%d bytes", len(p.Body))
		}
		if err := checkEvent(m, p); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	r := notifytest.NewReceiver(b, nil)
	c := open(b, r, endpoint(r.URL()))
	m := notifytest.Message("delivery-1")
	for len(m.Notices) < notify.MaxListed {
		m.Notices = append(m.Notices, m.Notices[len(m.Notices)%2])
	}
	for name, n := range map[string]int{"2": 2, "200": notify.MaxListed} {
		b.Run(name, func(b *testing.B) {
			one := *m
			one.Notices = m.Notices[:n]
			for b.Loop() {
				if _, err := c.Render(&one); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
