package schedulehttp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/webhooksig"
	"github.com/stella-ops/stella/store/event"
)

// DefaultHookTimeout bounds one attempt of a Hook.
const DefaultHookTimeout = 15 * time.Second

// Hook sends each advisory.delta to a URL as a webhook that is signed, for a Scheduler that
// does not read the queue: see [Deltas]. It reads concelier:deltas in a group of its own,
// from which what fails comes again. Make one with [NewHook]; it is safe for concurrent use.
type Hook struct {
	url  string
	host string // for errors
	keys []*webhooksig.Key
	opts HookOptions
}

// HookOptions say how a Hook sends. Transport is required: it is the network door of whoever
// configures the URL.
type HookOptions struct {
	// Transport sends requests. Redirects are not followed.
	Transport http.RoundTripper
	// Timeout bounds one attempt. Default: DefaultHookTimeout.
	Timeout time.Duration
	// Note notes that an event was delivered, or refused for good: a store's Root.Once, with
	// no effect. Nil notes nothing.
	Note func(ctx context.Context, eventID string) error
	// Now is the clock of timestamps. Nil: time.Now.
	Now func() time.Time
}

// NewHook sends to a URL, signed with all keys: "whsec_…" or other text for a shared secret,
// "whsk_…" for a private key. An error wraps ErrInvalid, and shows no key.
func NewHook(rawURL string, keys [][]byte, opts HookOptions) (*Hook, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("send webhooks: want a URL such as https://scheduler.example%s, without user information: %w", deltas, fault.Invalid)
	}
	h := &Hook{url: rawURL, host: u.Scheme + "://" + u.Host, opts: opts}
	if opts.Transport == nil {
		return nil, fmt.Errorf("send webhooks to %s: a transport is required: %w", h.host, fault.Invalid)
	}
	if h.keys, err = parseKeys(keys); err != nil {
		return nil, fmt.Errorf("send webhooks to %s: %w", h.host, err)
	}
	for i, k := range h.keys {
		if !k.Signs() {
			return nil, fmt.Errorf("send webhooks to %s: key %d only verifies: %w", h.host, i+1, fault.Invalid)
		}
	}
	return h, nil
}

// Handle sends an event. Events of other types are left alone. A nil error means that the
// message is done; one that wraps ErrUnavailable, that it may be sent later.
func (h *Hook) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil || e.Type != event.AdvisoryDelta {
		return err
	}
	err = h.send(ctx, e.ID, body)
	if errors.Is(err, fault.Unavailable) || ctx.Err() != nil || h.opts.Note == nil {
		return err
	}
	return errors.Join(err, h.opts.Note(ctx, e.ID))
}

func (h *Hook) send(ctx context.Context, id string, body []byte) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("webhook %s to %s: %w", id, h.host, fmt.Errorf(format, args...))
	}
	now := time.Now
	if h.opts.Now != nil {
		now = h.opts.Now
	}
	signed, err := webhooksig.Sign(h.keys, id, now(), body)
	if err != nil {
		return fail("%w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(max(h.opts.Timeout, 0), DefaultHookTimeout))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return fail("the request cannot be made: %w", fault.Invalid)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"stella"}}
	for name, value := range map[string]string{webhooksig.HeaderID: signed.ID, webhooksig.HeaderTimestamp: signed.Timestamp, webhooksig.HeaderSignature: signed.Signature} {
		r.Header.Set(name, value)
	}
	resp, err := h.opts.Transport.RoundTrip(r)
	if err != nil {
		return fail("no answer: %w: %w", err, fault.Unavailable)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can serve again
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusUnauthorized || code == http.StatusNotFound:
		// A key or a path that is not there yet may be later.
		return fail("status %s: %w", strconv.Itoa(code), fault.Unavailable)
	default:
		return fail("status %s: %w", strconv.Itoa(code), fault.Invalid)
	}
}
