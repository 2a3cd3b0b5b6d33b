package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth/client"
)

// device is a client whose waiting moves the world's clock instead.
func (w *world) device(t testing.TB) (*client.Client, *[]time.Duration) {
	c := w.client(t, "cli")
	c.Now, c.Key.Now = w.now, w.now
	waits := new([]time.Duration)
	c.SetSleep(func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		w.advance(d)
		return ctx.Err()
	})
	return c, waits
}

func TestDevice(t *testing.T) {
	w := newWorld(t)
	c, waits := w.device(t)
	d, err := c.Device(t.Context())
	if err != nil || d.URL != w.url+"/device" || !strings.HasSuffix(d.Complete, "user_code="+d.UserCode) || d.Interval != 5*time.Second {
		t.Fatalf("%+v %v", d, err)
	}
	if _, err := d.Poll(t.Context()); !errors.Is(err, client.ErrPending) {
		t.Errorf("nobody decided: %v", err)
	}
	// Too soon: the server asks for more time, and gets it.
	if _, err := d.Poll(t.Context()); !errors.Is(err, client.ErrPending) || d.Interval != 10*time.Second {
		t.Errorf("a poll too soon: %v, interval %v", err, d.Interval)
	}
	w.advance(20 * time.Second)
	w.agree(t, d.UserCode, true)
	tok, err := d.Wait(t.Context())
	if err != nil || tok.Refresh == "" || tok.Type != client.TypeDPoP {
		t.Fatalf("%v %v", tok, err)
	}
	if d := cmp.Diff([]time.Duration{10 * time.Second}, *waits); d != "" {
		t.Error("waits:", d)
	}
	rt := w.transport(c, c.Refresh(client.NewMemory(tok)))
	rt.Now = w.now
	if status, text, err := get(t.Context(), rt, w.url+"/api/v1/x"); err != nil || status != 200 || text != "u-ann of acme by dpop, 0 bytes" {
		t.Errorf("%d %q %v", status, text, err)
	}
	if _, err := d.Poll(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("a code that was used: %v", err)
	}
}

func TestDeviceEnds(t *testing.T) {
	w := newWorld(t)
	c, _ := w.device(t)
	d, err := c.Device(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.agree(t, d.UserCode, false)
	if _, err := d.Wait(t.Context()); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("denied: %v", err)
	}
	if d, err = c.Device(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Wait(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("nobody came: %v", err)
	}
	// Another key does not get what the code stands for.
	if d, err = c.Device(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := c.Device(t.Context(), "authority:admin"); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("a right that the client cannot have: %v", err)
	}
}

func TestHostileDevice(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want error
	}{
		"script":      {`{"device_code":"d","user_code":"u","verification_uri":"javascript:alert(1)","expires_in":9}`, client.ErrInvalid},
		"file":        {`{"device_code":"d","user_code":"u","verification_uri":"file:///etc/passwd","expires_in":9}`, client.ErrInvalid},
		"http":        {`{"device_code":"d","user_code":"u","verification_uri":"http://evil.example/","expires_in":9}`, client.ErrForbidden},
		"complete":    {`{"device_code":"d","user_code":"u","verification_uri":"https://a.example/","verification_uri_complete":"http://evil.example/","expires_in":9}`, client.ErrForbidden},
		"no code":     {`{"device_code":"","user_code":"u","verification_uri":"https://a.example/","expires_in":9}`, client.ErrUnavailable},
		"over":        {`{"device_code":"d","user_code":"u","verification_uri":"https://a.example/","expires_in":-9}`, client.ErrUnavailable},
		"a line more": {"{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"https://a.example/\\u001b[2J\",\"expires_in\":9}", client.ErrInvalid},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, test.body)
		}))
		c := newWorldless(t, s.URL)
		c.Server.Device = s.URL + "/device"
		if _, err := c.Device(t.Context()); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}

// login gets a person's token.
func (w *world) login(t testing.TB) (*client.Client, *client.Token) {
	t.Helper()
	c, _ := w.device(t)
	d, err := c.Device(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.agree(t, d.UserCode, true)
	tok, err := d.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c, tok
}

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	c, tok := w.login(t)
	vault := client.NewMemory(tok)
	src := c.Refresh(vault)
	if got, err := src.Token(t.Context()); err != nil || got.Access != tok.Access {
		t.Errorf("a token that holds is not renewed: %v %v", got, err)
	}
	w.advance(10 * time.Minute)
	// Many callers, in two sources on one vault: one refresh.
	other := c.Refresh(vault)
	before := w.count("/token", 200)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			s := src
			if i%2 == 1 {
				s = other
			}
			if got, err := s.Token(t.Context()); err != nil || got.Refresh == tok.Refresh {
				t.Errorf("refresh: %v", err)
			}
		})
	}
	group.Wait()
	if n := w.count("/token", 200) - before; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
	// The second use of a refresh token ends all that came of the login.
	stolen := c.Refresh(client.NewMemory(&client.Token{Refresh: tok.Refresh}))
	if _, err := stolen.Token(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("a used refresh token: %v", err)
	}
	w.advance(10 * time.Minute)
	if _, err := src.Token(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("after a reuse: %v", err)
	}
	if _, err := c.Refresh(client.NewMemory(nil)).Token(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("without a token: %v", err)
	}
	// Another key cannot use it.
	c, tok = w.login(t)
	thief, _ := w.device(t)
	if _, err := thief.Refresh(client.NewMemory(&client.Token{Refresh: tok.Refresh})).Token(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("another key: %v", err)
	}
	_ = c
}

func TestRevoke(t *testing.T) {
	w := newWorld(t)
	c, tok := w.login(t)
	if err := c.Revoke(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	w.advance(10 * time.Minute)
	if _, err := c.Refresh(client.NewMemory(tok)).Token(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("after it was revoked: %v", err)
	}
	if err := c.Revoke(t.Context(), tok); err != nil { // RFC 7009 §2.2
		t.Errorf("again: %v", err)
	}
}

var hidden = regexp.MustCompile(`name="page" value="([^"]+)"`)

// person logs in and agrees on the pages of the server, and returns what the browser is
// sent to.
func (w *world) person(page string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar}
	step := func(form url.Values) (string, error) {
		r, err := http.NewRequest(http.MethodGet, page, nil)
		if form != nil {
			r, err = http.NewRequest(http.MethodPost, w.url+"/authorize", strings.NewReader(form.Encode()))
		}
		if err != nil {
			return "", err
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", w.url)
		}
		resp, err := browser.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 {
			return "", fmt.Errorf("%s: %d %s", resp.Request.URL, resp.StatusCode, text)
		}
		if m := hidden.FindSubmatch(text); m != nil {
			return string(m[1]), err
		}
		return string(text), err
	}
	token, err := step(nil)
	if err != nil {
		return err
	}
	if token, err = step(url.Values{"page": {token}, "action": {"login"}, "tenant": {"acme"}, "login": {"ann"}, "password": {password}}); err != nil {
		return err
	}
	text, err := step(url.Values{"page": {token}, "action": {"allow"}})
	if err == nil && !strings.Contains(text, "This page may be closed") {
		err = fmt.Errorf("the last page is %s", text)
	}
	return err
}

func TestBrowser(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "cli")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	tok, err := c.Browser(ctx, func(page string) error {
		u, _ := url.Parse(page)
		for _, name := range []string{"state", "code_challenge"} {
			if u.Query().Has(name) {
				t.Errorf("the address has a %s, which was pushed", name)
			}
		}
		go func() { done <- w.person(page) }()
		return nil
	}, "scanner:read")
	if err != nil {
		t.Fatal(err, <-done)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !cmp.Equal(tok.Scopes, []string{"scanner:read"}) || tok.Refresh == "" {
		t.Errorf("%v %v", tok, tok.Scopes)
	}
	if _, err := c.Browser(ctx, func(string) error { return errors.New("no browser") }); err == nil || !strings.Contains(err.Error(), "no browser") {
		t.Errorf("without a browser: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Browser(ctx, func(string) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody comes back: %v", err)
	}
}

// TestLanding: what else a page may send to the port is not taken for the answer.
func TestLanding(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, "cli")
	c.Server.Pushed = "" // so that the address tells where it leads back to
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := c.Browser(ctx, func(page string) error {
		u, err := url.Parse(page)
		if err != nil {
			return err
		}
		q := u.Query()
		back, state := q.Get("redirect_uri"), q.Get("state")
		for _, bad := range []string{"", "?code=x", "?code=x&state=other", "?code=x&state=" + state + "&state=other", "/other?code=x&state=" + state} {
			resp, err := http.Get(back + bad)
			if err != nil || resp.StatusCode != http.StatusNotFound {
				t.Errorf("%q: %v %v", bad, resp, err)
			}
		}
		go http.Get(back + "?error=access_denied&iss=" + url.QueryEscape(w.url) + "&state=" + state)
		return nil
	})
	if !errors.Is(err, client.ErrForbidden) {
		t.Errorf("denied: %v", err)
	}
	k, err := c.Code(t.Context(), "http://127.0.0.1:1/callback")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(k.URL)
	state := u.Query().Get("state")
	for name, answer := range map[string]url.Values{
		"no issuer":      {"state": {state}, "code": {"x"}},
		"another issuer": {"state": {state}, "code": {"x"}, "iss": {"https://evil.example"}},
		"another state":  {"state": {"x"}, "code": {"x"}, "iss": {w.url}},
	} {
		if _, err := k.Exchange(t.Context(), answer); !errors.Is(err, client.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Exchange(t.Context(), url.Values{"state": {state}, "code": {"x"}, "iss": {w.url}}); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("a code that is none: %v", err)
	}
}
