package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// answer is what endpoints answer with, whichever it is.
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`

	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	Verification    string `json:"verification_uri"`
	VerificationAll string `json:"verification_uri_complete"`
	Interval        *int64 `json:"interval"`
	RequestURI      string `json:"request_uri"` // of a pushed request

	Error       string `json:"error"`
	Description string `json:"error_description"`
	Detail      string `json:"detail"` // of a problem document, from what stands before the server
	RequestID   string `json:"request_id"`
}

// post sends a form to an endpoint of the server, with what proves the client and its
// key. A server that wants a nonce in the proof gets one, once.
func (c *Client) post(ctx context.Context, what, endpoint string, form url.Values) (*answer, error) {
	if err := c.has(what, endpoint); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for again := true; ; again = false {
		a, err := c.send(ctx, endpoint, form)
		var refusal *Refusal
		if err == nil {
			return a, nil
		}
		if !again || !errors.As(err, &refusal) || refusal.Code != "use_dpop_nonce" || c.Key == nil {
			return nil, fmt.Errorf("%s at %s: %w", what, c.Server.Issuer, err)
		}
	}
}

func (c *Client) send(ctx context.Context, endpoint string, form url.Values) (*answer, error) {
	form = maps.Clone(form)
	header := http.Header{}
	form.Set("client_id", c.ID)
	if c.Auth != nil {
		if err := c.Auth.authenticate(c, form, header); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	maps.Copy(r.Header, header)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	origin := originOf(r.URL)
	if c.Key != nil {
		p, err := c.Key.Proof(http.MethodPost, endpoint, c.nonces.get(origin), "")
		if err != nil {
			return nil, err
		}
		r.Header.Set("DPoP", p)
	}
	resp, err := base(c.Base).RoundTrip(r)
	if err != nil {
		return nil, unanswered(err)
	}
	defer resp.Body.Close()
	c.nonces.put(origin, resp.Header)
	return c.read(resp)
}

// read reads an answer. Its text is never part of an error: it may hold tokens.
func (c *Client) read(resp *http.Response) (*answer, error) {
	a := new(answer)
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w: %w", err, fault.Unavailable)
	}
	if len(text) > maxAnswer {
		return nil, &fault.LimitError{What: "bytes of an answer", Where: "the authorization server's answer", Max: maxAnswer}
	}
	t, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isJSON := (t == "application/json" || t == "application/problem+json") && json.Unmarshal(text, a) == nil
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated {
		if !isJSON && len(text) > 0 {
			return nil, fmt.Errorf("the server answered %d with %.80q that is not the JSON of an authorization server: %w", resp.StatusCode, t, fault.Unavailable)
		}
		return a, nil
	}
	e := &Refusal{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header), RequestID: clip(resp.Header.Get("X-Request-Id"))}
	if isJSON {
		e.Code, e.Description = clip(a.Error), clip(a.Description)
		if e.Description == "" {
			e.Description = clip(a.Detail)
		}
		if a.RequestID != "" {
			e.RequestID = clip(a.RequestID)
		}
	}
	if e.Code == "invalid_dpop_proof" || e.Code == "invalid_client" {
		e.Skew = skew(c.now(), resp.Header)
	}
	return nil, e
}

// grant asks the token endpoint.
func (c *Client) grant(ctx context.Context, what, kind string, form url.Values) (*Token, error) {
	if err := c.ready(what); err != nil {
		return nil, err
	}
	form = maps.Clone(form)
	form.Set("grant_type", kind)
	began := c.now()
	a, err := c.post(ctx, what, c.Server.Token, form)
	if err != nil {
		return nil, err
	}
	t, err := c.token(a, began)
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", what, c.Server.Issuer, err)
	}
	return t, nil
}

// token checks what the server gave: that it is bound exactly where that was asked for.
func (c *Client) token(a *answer, began time.Time) (*Token, error) {
	want := TypeBearer
	if c.Key != nil {
		want = TypeDPoP
	}
	switch lifetime := time.Duration(min(a.ExpiresIn, int64(maxLifetime/time.Second))) * time.Second; {
	case !strings.EqualFold(a.TokenType, want): // RFC 9449 §5: a client that wanted a binding does not do without
		return nil, fmt.Errorf("the server gave a token of type %.20q, want %s: %w", clip(a.TokenType), want, fault.Mismatch)
	case !isToken(a.AccessToken) || a.RefreshToken != "" && !isToken(a.RefreshToken):
		return nil, fmt.Errorf("the server gave what is no token: %w", fault.Unavailable)
	case lifetime <= 0:
		return nil, fmt.Errorf("the server gave a token that is over: %w", fault.Unavailable)
	default:
		margin := min(20*time.Second, lifetime/4)
		t := &Token{Access: a.AccessToken, Type: want, Refresh: a.RefreshToken, Renew: began.Add(lifetime - margin), Expires: began.Add(lifetime)}
		t.Scopes = strings.Fields(a.Scope)
		slices.Sort(t.Scopes)
		return t, nil
	}
}

// maxNonce bounds a nonce that is kept; maxOrigins how many origins' are.
const (
	maxNonce   = 1 << 10
	maxOrigins = 16
)

// nonces are the newest of each origin (RFC 9449 §8.2).
type nonces struct {
	mu sync.Mutex
	of map[string]string
}

func (n *nonces) get(origin string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of[origin]
}

// put keeps the nonce of an answer. It reports whether there was one.
func (n *nonces) put(origin string, h http.Header) bool {
	nonce := h.Get("DPoP-Nonce")
	if !isToken(nonce) || len(nonce) > maxNonce {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil || len(n.of) >= maxOrigins && n.of[origin] == "" {
		n.of = map[string]string{}
	}
	n.of[origin] = nonce
	return true
}

// originOf is the origin of an address (RFC 6454), with the port written out.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
