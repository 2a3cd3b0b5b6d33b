package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// login is a person in one tenant: who it is, what they may do, and how requests are sent in
// their name. Key and tokens never leave the process.
type login struct {
	Tenant  string
	Subject string
	Scopes  []string

	client *client.Client
	vault  *client.Memory
	api    *api
	people people
}

// begun is a login that a person was sent away for.
type begun struct {
	code   *client.Code
	client *client.Client
	next   string
	at     time.Time
}

// away are the logins of people who have not come back yet. The zero value has none.
type away struct {
	mu sync.Mutex
	of map[string]*begun
}

func (a *away) put(id string, b *begun) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[string]*begun{}
	}
	for k, old := range a.of {
		if b.at.Sub(old.at) > beginTime || len(a.of) >= maxSessions {
			delete(a.of, k)
		}
	}
	a.of[id] = b
}

// take returns a login once.
func (a *away) take(id string, now time.Time) *begun {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.of[id]
	delete(a.of, id)
	if b == nil || now.Sub(b.at) > beginTime {
		return nil
	}
	return b
}

// begin sends a person to the authorization server.
func (c *Console) begin(v *visit) error {
	server, err := c.authority(v.ctx())
	if err != nil {
		return err
	}
	key, err := dpop.Generate("")
	if err != nil {
		return err
	}
	k := &client.Client{Server: server, ID: c.Client, Key: key, Base: c.Gateway, Insecure: c.Insecure, Now: c.Now}
	code, err := k.Code(v.ctx(), c.redirect())
	if err != nil {
		return fmt.Errorf("begin a login: %w", err)
	}
	id := newID()
	c.sessions.away.put(id, &begun{code: code, client: k, next: local(v.r.URL.Query().Get("next")), at: c.Now()})
	c.setCookie(v.w, "begun", id, beginTime)
	v.redirect(code.URL)
	return nil
}

// back takes what a person comes back with. The session gets another id, so that nobody who
// knew the one before is let in.
func (c *Console) back(v *visit) error {
	b := c.sessions.away.take(c.cookie(v.r, "begun"), c.Now())
	if b == nil {
		return &pageError{http.StatusBadRequest, "This login is over, or was begun in another browser. Please begin again."}
	}
	c.setCookie(v.w, "begun", "", 0)
	token, err := b.code.Exchange(v.ctx(), v.r.URL.Query())
	if errors.Is(err, fault.Forbidden) {
		return &pageError{http.StatusForbidden, "Nobody was logged in: it was denied, or there are no rights to give."}
	}
	if errors.Is(err, fault.Mismatch) || errors.Is(err, fault.Invalid) {
		return &pageError{http.StatusBadRequest, "This is the answer to another login. Please begin again."}
	}
	if err != nil {
		return fmt.Errorf("finish a login: %w", err)
	}
	l := c.enter(b.client, token)
	s := v.session
	if s == nil {
		s = &session{made: c.Now()}
	}
	if over := s.enter(l); over != nil {
		c.revoke(v.ctx(), over)
	}
	c.sessions.put(s, c.Now())
	c.setCookie(v.w, "console", s.id, wholeTime)
	v.redirect(b.next)
	return nil
}

// enter makes a login of a token.
func (c *Console) enter(k *client.Client, t *client.Token) *login {
	who := t.Owner()
	l := &login{Tenant: who.Tenant, Subject: who.Subject, Scopes: strings.Fields(who.Scope), client: k, vault: client.NewMemory(t)}
	l.api = newAPI(c.Origin, &client.Transport{Base: c.Gateway, Service: c.Origin, Source: k.Refresh(l.vault), Key: k.Key, Insecure: c.Insecure, Now: c.Now}, &c.kept)
	return l
}

// logout ends all logins of a session, here and at the authorization server.
func (c *Console) logout(v *visit) error {
	if s := v.session; s != nil {
		c.sessions.end(s.id)
		for _, l := range s.all() {
			c.revoke(v.ctx(), l)
		}
	}
	c.setCookie(v.w, "console", "", 0)
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	return v.show(http.StatusOK, "logout", "Logged out", nil)
}

// revoke tells the authorization server that a login is over. Where it does not hear it, its
// tokens end by themselves.
func (c *Console) revoke(ctx context.Context, l *login) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := l.vault.Update(ctx, func(t *client.Token) (*client.Token, error) {
		return t, l.client.Revoke(ctx, t)
	})
	if err != nil {
		c.report(fmt.Errorf("end a login: %w", err))
	}
}

// turn makes another tenant the one that pages are about.
func (c *Console) turn(v *visit) error {
	if !v.session.turn(v.form("tenant")) {
		return &pageError{http.StatusBadRequest, "Nobody is logged in to this organisation here."}
	}
	v.redirect(Root)
	return nil
}
