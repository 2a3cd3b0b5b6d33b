package notifyhttp

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
)

// Collection is the settings of one kind, as a Client reads and changes them.
type Collection[T any] struct {
	client     *Client
	what, path string
	bad        error
}

// Endpoints are the tenant's.
func (c *Client) Endpoints() Collection[notify.Endpoint] {
	return Collection[notify.Endpoint]{client: c, what: "endpoint", path: "/notify/endpoints"}
}

// Rules are the tenant's, without preferences of users.
func (c *Client) Rules() Collection[notify.Rule] {
	return Collection[notify.Rule]{client: c, what: "rule", path: "/notify/rules"}
}

// Templates are the tenant's.
func (c *Client) Templates() Collection[notify.Template] {
	return Collection[notify.Template]{client: c, what: "template", path: "/notify/templates"}
}

// Maintenance are the tenant's times of maintenance.
func (c *Client) Maintenance() Collection[notify.Maintenance] {
	return Collection[notify.Maintenance]{client: c, what: "maintenance", path: "/notify/maintenance"}
}

// Inhibitions are the tenant's.
func (c *Client) Inhibitions() Collection[notify.Inhibition] {
	return Collection[notify.Inhibition]{client: c, what: "inhibition", path: "/notify/inhibitions"}
}

// Preferences are those of a user, "" for the caller, by endpoint.
func (c *Client) Preferences(user string) Collection[notify.Rule] {
	s := Collection[notify.Rule]{client: c, what: "preference", path: "/notify/preferences"}
	if user == "" {
		return s
	}
	if s.path = "/notify/users/" + url.PathEscape(user) + "/preferences"; !isUser(user) {
		s.bad = noSuch("user", user)
	}
	return s
}

// one is the path of a setting.
func (s Collection[T]) one(id string) (string, error) {
	if s.bad != nil {
		return "", s.bad
	}
	segment, err := name(s.what, id)
	return s.path + "/" + segment, err
}

// Get returns a setting as it stands. An error wraps ErrNotFound.
func (s Collection[T]) Get(ctx context.Context, id string) (*Kept[T], error) {
	path, err := s.one(id)
	if err != nil {
		return nil, err
	}
	out := new(Kept[T])
	if err := s.client.get(ctx, "read "+s.what+" "+id, path, nil, into(out, func(k *Kept[T]) bool { return k.ID == id && k.Number > 0 })); err != nil {
		return nil, err
	}
	return out, nil
}

// List lists settings by id, from after, which is what the page before returned as next.
func (s Collection[T]) List(ctx context.Context, after string) (list []Kept[T], next string, err error) {
	if s.bad != nil {
		return nil, "", s.bad
	}
	var page settingPage[T]
	err = s.client.get(ctx, "list settings of kind "+s.what, s.path, from(after), into(&page, func(p *settingPage[T]) bool { return p.Settings != nil }))
	return page.Settings, page.Next, err
}

// Set keeps a setting under an id in place of the one of that number, 0 for a new one,
// whose number goes on where there was one before that was deleted. An
// error wraps ErrConflict where another one stands, and ErrInvalid with every reason where
// it cannot be.
func (s Collection[T]) Set(ctx context.Context, id string, number int64, body *T) (*Kept[T], error) {
	path, err := s.one(id)
	if err != nil {
		return nil, err
	}
	q := httpjson.Call{What: "set " + s.what + " " + id, Method: http.MethodPut, Path: path, Body: body, Want: http.StatusOK, Also: []int{http.StatusCreated}, Header: condition(number)}
	out := new(Kept[T])
	if err := s.client.do(ctx, q, into(out, func(k *Kept[T]) bool { return k.ID == id && (k.Number == number+1 || number == 0 && k.Number > 0) })); err != nil {
		return nil, err
	}
	return out, nil
}

// Delete deletes the setting of that number. An error wraps ErrConflict where another one
// stands, and for an endpoint that rules name.
func (s Collection[T]) Delete(ctx context.Context, id string, number int64) error {
	path, err := s.one(id)
	if err != nil {
		return err
	}
	return s.client.do(ctx, httpjson.Call{What: "delete " + s.what + " " + id, Method: http.MethodDelete, Path: path, Want: http.StatusNoContent, Header: condition(number)}, nil)
}

// condition says what a change is made to.
func condition(number int64) map[string]string {
	if number == 0 {
		return map[string]string{"If-None-Match": "*"}
	}
	return map[string]string{"If-Match": httpjson.Tag(strconv.FormatInt(number, 10))}
}
