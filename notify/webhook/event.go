package webhook

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/internal/webhooksig"
	"github.com/stella-ops/stella/notify"
)

// SpecVersion is the version of CloudEvents; TypePrefix begins an event's type, which ends
// with the message's kind.
const (
	SpecVersion = "1.0"
	TypePrefix  = "com.stella.notification."
)

const maxSource = 512 // bytes

// Event is a body: CloudEvents 1.0.2, JSON format.
type Event struct {
	SpecVersion string `json:"specversion"`
	// ID is the delivery's id, Source the tenant's or what the endpoint says: together they
	// name the event, however often it comes.
	ID     string `json:"id"`
	Source string `json:"source"`
	Type   string `json:"type"` // such as "com.stella.notification.alert"
	// Subject is the message's group key: equal for messages about the same thing.
	Subject         string         `json:"subject,omitempty"`
	Time            time.Time      `json:"time"` // when the message was made
	DataContentType string         `json:"datacontenttype"`
	Data            notify.Message `json:"data"`
}

// render makes a body of at most max bytes, which is not below MinMaxBody, and says what
// was cut.
func render(m *notify.Message, source string, max int) ([]byte, []string, error) {
	if err := webhooksig.CheckID(m.ID); err != nil {
		return nil, nil, err
	}
	if source == "" {
		source = sourceOf(m.Tenant)
	}
	// Texts are of usual length. Where even the frame does not fit, they are cut shorter,
	// until it leaves half of the space to notices.
	var frame []byte
	var c *cutter
	for limit := maxText; limit >= minText; limit /= 2 {
		c = &cutter{max: limit}
		e := eventOf(m, source, c)
		var err error
		if frame, err = encode(e); err != nil {
			return nil, nil, err
		}
		if len(frame) <= max/2 {
			break
		}
	}
	if len(frame) > max {
		return nil, nil, &fault.LimitError{What: "bytes without a notice", Where: "webhook", Max: int64(max), Seen: int64(len(frame))}
	}
	list, listed, err := encodeNotices(m.Notices, c, max-len(frame))
	if err != nil {
		return nil, nil, err
	}
	body := bytes.Replace(frame, []byte(`"notices":[]`), append([]byte(`"notices":[`), append(list, ']')...), 1)
	return body, c.notes(m, listed), nil
}

// eventOf is the event without notices.
func eventOf(m *notify.Message, source string, c *cutter) *Event {
	data := c.message(m)
	return &Event{
		SpecVersion: SpecVersion, ID: m.ID, Source: source, Type: TypePrefix + kindOf(m.Kind),
		Subject: data.GroupKey, Time: data.At, DataContentType: "application/json", Data: *data,
	}
}

// sourceOf is the source of a tenant's events, a URI reference whatever the tenant is
// called.
func sourceOf(tenant string) string {
	const under = "/tenants/"
	if source := under + url.PathEscape(strings.ToValidUTF8(tenant, "\uFFFD")); len(source) <= maxSource {
		return source
	}
	return under + sum.Of([]byte(tenant))
}

// kindOf is the kind as a word of an event's type.
func kindOf(k notify.Kind) string {
	word := string(k)
	if word == "" || len(word) > 40 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "other"
	}
	return word
}

// encodeNotices is the first notices as a JSON list without its brackets, as many as fit.
func encodeNotices(notices []notify.Notice, c *cutter, room int) (list []byte, listed int, err error) {
	for i := range min(len(notices), notify.MaxListed) {
		n := c.notice(&notices[i])
		text, err := encode(n)
		if err != nil {
			return nil, 0, err
		}
		if len(list)+len(text)+1 > room {
			break
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, text...)
		listed++
	}
	return list, listed, nil
}

func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("as JSON: %w: %w", fault.Invalid, err)
	}
	canonical := jsontext.Value(text)
	if err := canonical.Canonicalize(); err != nil {
		return nil, fmt.Errorf("as canonical JSON: %w: %w", fault.Invalid, err)
	}
	return canonical, nil
}
