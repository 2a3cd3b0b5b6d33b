package channel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/template"
	"github.com/stella-ops/stella/scan/image"
)

// Type is the type of endpoints that Open opens.
const Type = "chat"

const (
	maxText   = 8 << 10          // bytes of the text, before it is escaped
	maxAnswer = 64 << 10         // bytes of an answer that are read
	timeout   = 20 * time.Second // of one attempt with its answer
)

// Options say how a chat is reached. Secret is required for Send.
type Options struct {
	// Secret gives what a reference stands for.
	Secret func(ctx context.Context, ref string) ([]byte, error)
	// Transport sends. Nil is the SDK's door for work on behalf of others: public addresses
	// alone, TLS, no proxy. With another one no address is judged any more.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now
	Timeout   time.Duration    // of one attempt; 0 is 20 s
}

type chat struct {
	endpoint *notify.Endpoint
	o        Options
}

// Open opens an endpoint: its secret "url" is the address, and nothing else is known. It
// has the signature that a notify.Opener needs, but for the options.
func Open(e *notify.Endpoint, _ []notify.Template, o *Options) (notify.Channel, error) {
	c := &chat{endpoint: e}
	if o != nil {
		c.o = *o
	}
	switch {
	case e.Type != Type:
		return nil, fmt.Errorf("open the endpoint %.80q: its type %.40q is not %q: %w", e.ID, e.Type, Type, notify.ErrUnsupported)
	case e.URL != "" || e.To != "" || len(e.Options) > 0 || len(e.Secrets) != 1 || e.Secrets["url"] == "":
		return nil, fmt.Errorf("open the endpoint %.80q: a chat has the secret \"url\" and nothing else: %w", e.ID, notify.ErrInvalid)
	}
	if c.o.Now == nil {
		c.o.Now = time.Now
	}
	if c.o.Timeout <= 0 {
		c.o.Timeout = timeout
	}
	if c.o.Transport == nil {
		door, err := (&image.Network{Policy: image.NetworkService}).Transport()
		if err != nil {
			return nil, err
		}
		c.o.Transport = door
	}
	return c, nil
}

// Render implements notify.Channel. A message's texts are a stranger's: they are escaped
// for Markdown, and can neither link nor mention somebody.
func (c *chat) Render(m *notify.Message) (*notify.Payload, error) {
	if m.To != "" {
		return nil, fmt.Errorf("render the message %.80q: a chat has no addresses: %w", m.ID, notify.ErrInvalid)
	}
	var text strings.Builder
	notes := []string(nil)
	line := func(before, value, after string) {
		if value == "" {
			return
		}
		if text.Len() > maxText {
			if notes == nil {
				notes = []string{"the text was cut"}
			}
			return
		}
		// "@" mentions people here, which Markdown does not know; its wide form does not.
		value = strings.ReplaceAll(template.Markdown.Value(value, 500), "@", "＠")
		text.WriteString(before + value + after + "\n")
	}
	line("**", m.Title, "**")
	for _, n := range m.Notices {
		line("* ", strings.TrimSpace(strings.Join([]string{n.Vulnerability, n.Image, n.Summary}, " ")), "")
	}
	if more := m.More(); more > 0 {
		line("* and ", strconv.Itoa(more), " more")
	}
	for _, why := range m.Why {
		line("_", why, "_")
	}
	if text.Len() == 0 {
		text.WriteString("(a message without a text)") // the chat refuses an empty one
	}
	// One form for equal messages: what is sent is stored, and sent again byte for byte.
	body, err := json.Marshal(map[string]string{"text": strings.ToValidUTF8(text.String(), "�")}, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("render the message %.80q: %w", m.ID, err)
	}
	return &notify.Payload{MediaType: "application/json", Body: body, Notes: notes}, nil
}

// Send implements notify.Channel.
func (c *chat) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	if c.o.Secret == nil {
		return nil, &notify.Failure{Sent: notify.No, Permanent: true, Reason: "nothing here knows secrets"}
	}
	address, err := c.o.Secret(ctx, c.endpoint.Secrets["url"])
	if err != nil { // may be there again later, so it is no end
		return nil, &notify.Failure{Sent: notify.No, Reason: "the secret of its address is not to be had"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	// Whether a connection stood decides what is known: before, the receiver has nothing.
	var stood atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { stood.Store(true) }})
	request, err := c.request(ctx, strings.TrimSpace(string(address)), d)
	if err != nil {
		return nil, &notify.Failure{Sent: notify.No, Permanent: true, Reason: "its address is none"}
	}
	answer, err := c.o.Transport.RoundTrip(request) // not a client: nobody is followed
	if err != nil {
		f := &notify.Failure{Reason: reason(err)}
		if !stood.Load() {
			f.Sent = notify.No
		}
		return nil, f
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // the status has said it already
	sum := sha256.Sum256(body)
	return c.judge(answer, "sha256:"+hex.EncodeToString(sum[:]))
}

// request makes a request that is sent once: it has a connection of its own, and a body
// that the transport cannot read again.
func (c *chat) request(ctx context.Context, address string, d *notify.Dispatch) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("no address")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, io.NopCloser(bytes.NewReader(d.Payload.Body)))
	if err != nil {
		return nil, err
	}
	r.ContentLength, r.GetBody, r.Close = int64(len(d.Payload.Body)), nil, true
	r.Header.Set("Content-Type", d.Payload.MediaType)
	r.Header.Set("Accept-Encoding", "identity") // an answer cannot unfold
	r.Header.Set("X-Delivery", d.ID)            // the same however often it comes
	if d.Duplicate {
		r.Header.Set("X-Possible-Duplicate", "true")
	}
	return r, nil
}

// judge says what an answer means.
func (c *chat) judge(answer *http.Response, digest string) (*notify.Receipt, error) {
	status := answer.StatusCode
	if status >= 200 && status < 300 {
		return &notify.Receipt{Status: status, Answer: digest}, nil
	}
	f := &notify.Failure{Sent: notify.No, Status: status, Answer: digest, Reason: "it answered " + strconv.Itoa(status)}
	switch {
	case status == http.StatusGone, status == http.StatusNotFound: // the hook was deleted
		f.Permanent, f.Gone = true, true
	case slices.Contains([]int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests}, status):
	case status >= 400 && status < 500:
		f.Permanent = true
	}
	if status >= 500 {
		f.Sent = "" // what broke may have broken after it was taken
	}
	f.After = after(answer.Header.Get("Retry-After"), c.o.Now())
	return nil, f
}

// after is how long a receiver asks to be left alone: seconds, or a date (RFC 9110 §10.2.3).
// What is longer than anybody waits is left to the deliverer, which parks the delivery.
func after(text string, now time.Time) time.Duration {
	if text = strings.TrimSpace(text); text != "" && strings.Trim(text, "0123456789") == "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > int64(math.MaxInt64/time.Second) {
			return math.MaxInt64
		}
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// reason says what went wrong without what the error says: it names the address, which is
// secret.
func reason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer came in time"
	case errors.Is(err, context.Canceled):
		return "the attempt was ended"
	}
	return "the connection failed"
}
