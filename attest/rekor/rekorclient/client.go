package rekorclient

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/netguard"
)

// Client asks one log. URL is required. A Client is safe for concurrent use and
// must not be copied or changed after its first call.
type Client struct {
	// URL is where the log is, such as https://log2025-1.rekor.sigstore.dev. It may
	// have a path, and must not have a query or user information.
	URL string
	// Transport sends requests. Nil: one of the client's own, which connects to the
	// host of URL only, checks certificates with the system's roots, and uses no
	// proxy and no cookies. Redirects are never followed.
	Transport http.RoundTripper
	// Timeout bounds a call, with its answer: at least MinTimeout; 0 means
	// DefaultTimeout. A context may end it earlier.
	Timeout time.Duration

	once      sync.Once
	address   string
	transport http.RoundTripper
	bad       error
}

const path = "/api/v2/log/entries"

func (c *Client) prepare() error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The URL may hold a password, so the error does not repeat it.
		return fmt.Errorf("URL of the log: want https://HOST or http://HOST, with or without a path, and no user, query or fragment: %w", fault.Invalid)
	}
	if c.Timeout != 0 && c.Timeout < MinTimeout {
		return fmt.Errorf("timeout of %v: a log needs at least %v: %w", c.Timeout, MinTimeout, fault.Invalid)
	}
	c.address = strings.TrimSuffix(u.String(), "/") + path
	c.transport = c.Transport
	if c.transport != nil {
		return nil
	}
	policy := netguard.Service(u.Host)
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && netguard.ClassOf(a) == netguard.Special {
		policy = netguard.Service() // an address that is no host's is not reached for being named
	}
	policy.Name, policy.ListedOnly = "transparency log", true
	door, err := policy.Door()
	if err != nil {
		return err
	}
	c.transport, err = door.Transport(nil)
	return err
}

// Add enters a record into the log and returns the entry that the log says it
// made. It is about the record and has a proof and a checkpoint, of which nothing
// was verified. It asks once. Where no answer came, the record may have been
// entered all the same: the next call is then told so, by a [DuplicateError].
func (c *Client) Add(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	c.once.Do(func() { c.bad = c.prepare() })
	e, err := c.add(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("enter a signature into the log: %w", err)
	}
	return e, nil
}

func (c *Client) add(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	if c.bad != nil {
		return nil, c.bad
	}
	body, err := r.Request()
	if err != nil {
		return nil, err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, DefaultTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %v: %w", err, fault.Invalid)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "stella")
	resp, err := c.transport.RoundTrip(req) // not a client: that would follow redirects
	if err != nil {
		return nil, noAnswer(caller, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return nil, refusal(resp)
	}
	text, err := httpjson.ReadBody(resp, MaxAnswer)
	if err != nil {
		if caller.Err() != nil {
			return nil, caller.Err()
		}
		return nil, err
	}
	return read(text, r)
}

// noAnswer says why there was none. That the caller gave up is no news of the log.
func noAnswer(caller context.Context, err error) error {
	switch {
	case caller.Err() != nil:
		return caller.Err()
	case fault.KindOf(err) != "": // a transport that knows why
		return fmt.Errorf("no answer: %w", err)
	}
	return fmt.Errorf("no answer: %w: %w", err, fault.Unavailable)
}

// read reads the entry that was made, which must be the one that was asked for: a
// log that answers with another one has a fault or is none.
func read(text []byte, r *rekor.Record) (*bundle.Entry, error) {
	e, err := bundle.DecodeEntry(text)
	if err != nil {
		// Not %w: it is the log's fault, not that of what was to be entered.
		return nil, fmt.Errorf("the log's answer: %v: %w", err, fault.Unavailable)
	}
	if e.Kind != rekor.Kind || e.Version != rekor.Version {
		return nil, fmt.Errorf("the log's answer: an entry of kind %q %q, want %s %s: %w", e.Kind, e.Version, rekor.Kind, rekor.Version, fault.Mismatch)
	}
	if err := r.CheckEntry(e); err != nil {
		return nil, fmt.Errorf("the log's answer: %v: %w", err, fault.Mismatch)
	}
	if e.Proof.LogIndex != e.LogIndex || e.LogIndex >= e.Proof.TreeSize {
		return nil, fmt.Errorf("the log's answer: entry %d, with a proof for entry %d of %d: %w", e.LogIndex, e.Proof.LogIndex, e.Proof.TreeSize, fault.Mismatch)
	}
	e.Promise = bundle.Promise{} // Rekor v2 makes none
	return e, nil
}

// refusal reads an answer that is not an entry.
func refusal(resp *http.Response) error {
	if resp.StatusCode == http.StatusConflict {
		e := &DuplicateError{LogIndex: -1}
		if n, err := strconv.ParseInt(resp.Header.Get("X-Log-Index"), 10, 64); err == nil && n >= 0 {
			e.LogIndex = n
		}
		return e
	}
	e := &StatusError{Status: resp.StatusCode}
	if kindOf(e.Status) == fault.Unavailable {
		// A date needs clocks that agree, and counts as nothing.
		if n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32); err == nil {
			e.RetryAfter = min(time.Duration(n)*time.Second, MaxRetryAfter)
		}
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	if err != nil && len(text) == 0 {
		return e
	}
	var status struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &status) != nil || status.Message == "" {
		status.Message = string(bytes.TrimSpace(text)) // a frozen log says so in plain text
	}
	e.Message = clip(strings.ToValidUTF8(status.Message, "\ufffd"))
	return e
}

func clip(s string) string {
	if r := []rune(s); len(r) > 500 {
		return string(r[:500])
	}
	return s
}

// kindOf is what a status says of another try.
func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return fault.Invalid
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.Forbidden
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusRequestEntityTooLarge:
		return fault.Limit
	case http.StatusRequestTimeout, http.StatusTooManyRequests, 499: // 499: the client is said to have left
		return fault.Unavailable
	case http.StatusNotImplemented:
		return fault.Unsupported
	}
	if status >= 500 {
		return fault.Unavailable
	}
	// Another success, a redirect, and what is not there or not allowed: this is no
	// Rekor v2 log, or one that takes nothing any more.
	return fault.Unsupported
}
