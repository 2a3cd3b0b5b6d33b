package notifytest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"mime"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/template"
)

// testRender: every message is rendered, whatever it holds, within the bounds, well-formed
// and again the same.
func testRender(t *testing.T, open func(t *testing.T, r *Receiver) Channel) {
	r := NewReceiver(t, nil)
	c, again := open(t, r), open(t, r)
	messages := slices.Concat([]*notify.Message{Message("delivery-1")}, Kinds(), Hostile(), template.Samples())
	for _, m := range messages {
		m.To = c.To
		name := fmt.Sprintf("%s %.30q", m.ID, m.Title)
		before := clone(m)
		p, err := c.Render(m)
		if err != nil {
			t.Errorf("%s: %.300v", name, err)
			continue
		}
		if !reflect.DeepEqual(m, before) {
			t.Errorf("%s: the message was changed", name)
		}
		if err := wellFormed(&c, m, p); err != nil {
			t.Errorf("%s: %.300v", name, err)
		}
		for _, secret := range c.Secrets {
			if bytes.Contains(p.Body, []byte(secret)) {
				t.Errorf("%s: the payload holds a secret", name)
			}
		}
		// A copy has its maps in another order, and another opening has nothing of the first.
		if q, err := again.Render(before); err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%s: equal messages are rendered differently: %v", name, err)
		}
	}
	renderTogether(t, &c, messages[:10])
	if n := len(r.Requests()); n != 0 || r.Conns() != 0 {
		t.Errorf("rendering made %d requests", n)
	}
}

// renderTogether renders on several goroutines at once, which the race detector looks at.
func renderTogether(t *testing.T, c *Channel, messages []*notify.Message) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, m := range messages {
				if _, err := c.Render(m); err != nil {
					t.Errorf("%s: %.300v", m.ID, err)
				}
			}
		})
	}
	all.Wait()
}

func wellFormed(c *Channel, m *notify.Message, p *notify.Payload) error {
	limit := notify.MaxPayload
	if c.MaxBody > 0 {
		limit = c.MaxBody
	}
	if len(p.Body) == 0 || len(p.Body) > limit {
		return fmt.Errorf("the body has %d bytes, want 1 to %d", len(p.Body), limit)
	}
	mediaType, _, err := mime.ParseMediaType(p.MediaType)
	if err != nil {
		return fmt.Errorf("the media type %q: %w", p.MediaType, err)
	}
	if mediaType == "application/json" || strings.HasSuffix(mediaType, "+json") {
		if !jsontext.Value(p.Body).IsValid() { // neither names twice nor what is no UTF-8
			return errors.New("the body is no JSON")
		}
	}
	if len(p.Notes) > 100 {
		return fmt.Errorf("%d notes", len(p.Notes))
	}
	for _, note := range p.Notes {
		if len(note) > 1000 || !utf8.ValidString(note) || strings.ContainsAny(note, "\r\n\x00") {
			return fmt.Errorf("the note %.100q is no short line", note)
		}
	}
	if c.Check != nil {
		return c.Check(m, p)
	}
	return nil
}

// clone copies a message as deep as it goes.
func clone(m *notify.Message) *notify.Message {
	out := *m
	out.Why = slices.Clone(m.Why)
	out.Notices = slices.Clone(m.Notices)
	for i := range out.Notices {
		n := &out.Notices[i]
		n.Labels, n.Findings, n.Blocking = maps.Clone(n.Labels), maps.Clone(n.Findings), slices.Clone(n.Blocking)
	}
	return &out
}
