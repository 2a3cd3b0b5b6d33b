package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
)

// How long the names of people are kept, how long a page waits for them, and how many there
// may be: where they are not to be had, pages show ids.
const (
	peopleAge  = 5 * time.Minute
	peopleWait = 3 * time.Second
	maxPeople  = 2000
)

// maxAdmin bounds an answer of the authority, in bytes.
const maxAdmin = 8 << 20

// people are the logins of a tenant's users by their ids, as an administrator may see them.
// The zero value has none yet.
type people struct {
	mu sync.Mutex
	at time.Time
	of map[string]string
}

// forget has the names asked for again: somebody was added, or has another name.
func (p *people) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = time.Time{}
}

// called returns the login of somebody, "" where nobody says it.
func (p *people) called(v *visit, id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := v.c.Now(); p.at.IsZero() || now.Sub(p.at) > peopleAge || now.Before(p.at) {
		p.at = now // also where it fails: the next page does not wait again
		ctx, cancel := context.WithTimeout(v.ctx(), peopleWait)
		defer cancel()
		if of, err := logins(ctx, v.api); err == nil {
			p.of = of
		}
	}
	return p.of[id]
}

// logins asks for all, up to a bound.
func logins(ctx context.Context, a *api) (map[string]string, error) {
	out := map[string]string{}
	for after := ""; len(out) < maxPeople; {
		page, err := adminPage[userPage](ctx, a, "users", after, 1000)
		if err != nil {
			return nil, err
		}
		for i := range page.Users {
			out[page.Users[i].ID] = page.Users[i].Login
		}
		if after = page.Next; after == "" {
			break
		}
	}
	return out, nil
}

// Who names somebody by an id: with the login beside it where the person who looks may know.
// What is no user's id is said as it is.
func (v *visit) Who(id string) string {
	if called := v.loginOf(id); called != "" {
		return called + " (" + clip(id, 8) + ")"
	}
	return id
}

func (v *visit) loginOf(id string) string {
	if id == "" || !v.Can(auth.AuthorityAdmin) {
		return ""
	}
	return v.login.people.called(v, id)
}

// name is what the page calls the person who looks.
func (v *visit) name() string {
	if called := v.loginOf(v.login.Subject); called != "" {
		return called
	}
	if len(v.login.Subject) > 12 {
		return clip(v.login.Subject, 8)
	}
	return v.login.Subject
}

// askAuthority calls an operation of the authority that gives JSON, and reads the answer.
func askAuthority[T any](ctx context.Context, a *api, q httpjson.Call) (*T, error) {
	out := new(T)
	err := a.caller("authority", "/api/v1/authority").Do(ctx, q, httpjson.Into(out, maxAdmin, nil))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// adminPage reads a page of a list of the authority.
func adminPage[T any](ctx context.Context, a *api, what, after string, limit int) (*T, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		q.Set("after", after)
	}
	return askAuthority[T](ctx, a, httpjson.Call{What: "list " + what, Method: http.MethodGet, Path: "/" + what, Query: q, Want: http.StatusOK, Again: true})
}
