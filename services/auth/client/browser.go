package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Code is a login in a browser (RFC 6749 §4.1) with PKCE (RFC 7636): a person is sent to
// URL, and comes back to the redirect address with an answer.
type Code struct {
	URL string

	client   *Client
	redirect string
	state    string
	verifier string
}

// Code begins a login in a browser. What the client has to say is pushed where the server
// takes that (RFC 9126), so that the address has none of it.
func (c *Client) Code(ctx context.Context, redirect string, scopes ...string) (*Code, error) {
	const what = "begin a login"
	if err := c.ready(what); err != nil {
		return nil, err
	}
	if err := c.has(what, c.Server.Authorization); err != nil {
		return nil, err
	}
	k := &Code{client: c, redirect: redirect, state: rand.Text(), verifier: rand.Text() + rand.Text()}
	challenge := sha256.Sum256([]byte(k.verifier))
	form := withScopes(scopes)
	maps.Copy(form, url.Values{
		"response_type": {"code"}, "redirect_uri": {redirect}, "state": {k.state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	})
	if c.Key != nil { // RFC 9449 §10
		form.Set("dpop_jkt", c.Key.JKT())
	}
	if c.Server.Pushed != "" {
		a, err := c.post(ctx, what, c.Server.Pushed, form)
		if err != nil {
			return nil, err
		}
		if a.RequestURI == "" {
			return nil, fmt.Errorf("%s at %s: the answer to the pushed request has no request_uri: %w", what, c.Server.Issuer, fault.Unavailable)
		}
		form = url.Values{"request_uri": {a.RequestURI}}
	}
	form.Set("client_id", c.ID)
	k.URL = c.Server.Authorization + "?" + form.Encode()
	return k, nil
}

// Exchange turns the parameters that the person came back with into a token. A state or
// issuer (RFC 9207) of another login is refused with ErrMismatch.
func (k *Code) Exchange(ctx context.Context, answer url.Values) (*Token, error) {
	c := k.client
	wrong := func(err error) (*Token, error) { return nil, fmt.Errorf("log in at %s: %w", c.Server.Issuer, err) }
	if !k.mine(answer) {
		return wrong(&fault.MismatchError{What: "state", Want: "that of this login", Got: "another"})
	}
	if got := answer.Get("iss"); got != c.Server.Issuer && (got != "" || c.Server.IssuerInAnswers) {
		return wrong(&fault.MismatchError{What: "issuer of the answer", Want: c.Server.Issuer, Got: clip(got)})
	}
	if code := answer.Get("error"); code != "" {
		return wrong(&Refusal{Code: clip(code), Description: clip(answer.Get("error_description")), Status: http.StatusForbidden})
	}
	if answer.Get("code") == "" {
		return wrong(fmt.Errorf("the answer has no code: %w", fault.Invalid))
	}
	return c.grant(ctx, "log in", "authorization_code", url.Values{"code": {answer.Get("code")}, "redirect_uri": {k.redirect}, "code_verifier": {k.verifier}})
}

func (k *Code) mine(answer url.Values) bool {
	return len(answer["state"]) == 1 && subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(k.state)) == 1
}

// loopbackPath is where a browser comes back to, on any port (RFC 8252 §7.3).
const loopbackPath = "/callback"

// Browser logs a person in on this machine: show is given the address of a page to open,
// and the answer comes to a port of 127.0.0.1 (RFC 8252), until ctx ends. The client must be
// registered with http://127.0.0.1/callback.
func (c *Client) Browser(ctx context.Context, show func(page string) error, scopes ...string) (*Token, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("log in with a browser: %w: %w", err, fault.Unavailable)
	}
	defer l.Close()
	k, err := c.Code(ctx, "http://"+l.Addr().String()+loopbackPath, scopes...)
	if err != nil {
		return nil, err
	}
	answers := make(chan url.Values, 1)
	s := &http.Server{
		Handler: k.landing(answers), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if s.Shutdown(end) != nil {
			s.Close()
		}
	}()
	if err := show(k.URL); err != nil {
		return nil, fmt.Errorf("log in with a browser: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("log in at %s: nobody came back from the browser: %w", c.issuer(), context.Cause(ctx))
	case err := <-failed:
		return nil, fmt.Errorf("log in with a browser: %w", errors.Join(err, fault.Unavailable))
	case answer := <-answers:
		return k.Exchange(ctx, answer)
	}
}

// landing takes the first answer that is of this login. Whatever else a web page may send
// to the port is not found.
func (k *Code) landing(answers chan<- url.Values) http.Handler {
	var taken atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'")
		h.Set("Content-Type", "text/plain; charset=utf-8")
		query, err := url.ParseQuery(r.URL.RawQuery)
		if r.Method != http.MethodGet || r.URL.Path != loopbackPath || err != nil || !k.mine(query) || !taken.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		answers <- query
		io.WriteString(w, "The program that asked has the answer. This page may be closed.\n")
	})
}
