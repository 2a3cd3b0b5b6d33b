package issuer

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/store/account"
)

// The bounds of a Client where it does not say others.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultAttempts = 4
)

// Client administers an Authority over HTTP, as the tenant of its transport's identity. URL
// is required. It is safe for concurrent use and must not be copied or changed after its
// first call. Reading is tried again where no answer came; changes are tried once.
type Client struct {
	// URL is where the service is, such as https://stella.example.
	URL string
	// Transport sends requests and proves who sends them, as auth/client's do. Nil sends
	// nothing of the kind.
	Transport http.RoundTripper
	// Tenant is the one that an operator means; "" is the caller's own.
	Tenant   string
	Timeout  time.Duration // of one attempt; 0 means DefaultTimeout
	Attempts int           // 0 means DefaultAttempts

	once   sync.Once
	caller *httpjson.Caller
}

func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(func() {
		c.caller = &httpjson.Caller{Service: "authority", Root: root, URL: c.URL, Transport: c.Transport, Timeout: cmp.Or(max(c.Timeout, 0), DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts)}
	})
	if c.Tenant != "" {
		if q.Query == nil {
			q.Query = url.Values{}
		}
		q.Query.Set("tenant", c.Tenant)
	}
	return c.caller.Do(ctx, q, read)
}

// into reads an answer that holds one thing.
func into[T any](v *T) func(*http.Response) error {
	return func(r *http.Response) error { return httpjson.ReadJSON(r, 16<<20, v) }
}

func (c *Client) list(ctx context.Context, what, path, after string, v func(*http.Response) error) error {
	query := url.Values{}
	if after != "" {
		query.Set("after", after)
	}
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK, Again: true}, v)
}

// NewUser is a user to make.
type NewUser struct {
	Login  string   `json:"login"`
	Name   string   `json:"name,omitempty"`
	Email  string   `json:"email,omitempty"`
	Scopes []string `json:"scopes"`
	// Password is the user's; nil has one made.
	Password *string `json:"password,omitempty"`
}

// Users lists users after an ID; next is "" at the end.
func (c *Client) Users(ctx context.Context, after string) (users []account.User, next string, err error) {
	var v struct {
		Users []account.User `json:"users"`
		Next  string         `json:"next"`
	}
	err = c.list(ctx, "list users", "/users", after, into(&v))
	return v.Users, v.Next, err
}

// AddUser makes a user. password is the one that was made, and is not told again.
func (c *Client) AddUser(ctx context.Context, n *NewUser) (u *account.User, password string, err error) {
	var v userView
	err = c.do(ctx, httpjson.Call{What: "add user", Method: http.MethodPost, Path: "/users", Body: n, Want: http.StatusCreated}, into(&v))
	return v.User, v.Password, err
}

// SetUser changes what may be changed of a user: its login, name, email, scopes, and
// whether it is disabled. Its Version must be the one that stands.
func (c *Client) SetUser(ctx context.Context, u *account.User) (*account.User, error) {
	out := new(account.User)
	body := userBody{Login: u.Login, Name: u.Name, Email: u.Email, Scopes: u.Scopes, Disabled: u.Disabled}
	err := c.do(ctx, httpjson.Call{What: "set user", Method: http.MethodPut, Path: "/users/" + url.PathEscape(u.ID), Header: ifMatch(u.Version), Body: map[string]any{
		"login": body.Login, "name": body.Name, "email": body.Email, "scopes": body.Scopes, "disabled": body.Disabled}, Want: http.StatusOK}, into(out))
	return out, err
}

func ifMatch(version int64) map[string]string {
	return map[string]string{"If-Match": httpjson.Tag(strconv.FormatInt(version, 10))}
}

// SetPassword gives a user another password; nil has one made, which is returned.
func (c *Client) SetPassword(ctx context.Context, user string, password *string) (made string, err error) {
	var v userView
	body := map[string]any{}
	if password != nil {
		body["password"] = *password
	}
	err = c.do(ctx, httpjson.Call{What: "set password", Method: http.MethodPost, Path: "/users/" + url.PathEscape(user) + "/password", Body: body, Want: http.StatusOK}, into(&v))
	return v.Password, err
}

// Clients lists clients after an ID; next is "" at the end. Keys has their public keys.
func (c *Client) Clients(ctx context.Context, after string) (clients []account.Client, next string, err error) {
	var v struct {
		Clients []clientView `json:"clients"`
		Next    string       `json:"next"`
	}
	if err = c.list(ctx, "list clients", "/clients", after, into(&v)); err != nil {
		return nil, "", err
	}
	for i := range v.Clients {
		clients = append(clients, v.Clients[i].client())
	}
	return clients, v.Next, nil
}

func (v *clientView) client() account.Client {
	c := v.Client
	c.Keys = v.JWKS
	return c
}

// AddClient makes a client; its ID is given.
func (c *Client) AddClient(ctx context.Context, n *account.Client) (*account.Client, error) {
	return c.putClient(ctx, httpjson.Call{What: "add client", Method: http.MethodPost, Path: "/clients", Want: http.StatusCreated}, n)
}

// SetClient changes a client. Its Version must be the one that stands.
func (c *Client) SetClient(ctx context.Context, n *account.Client) (*account.Client, error) {
	return c.putClient(ctx, httpjson.Call{What: "set client", Method: http.MethodPut, Path: "/clients/" + url.PathEscape(n.ID), Header: ifMatch(n.Version), Want: http.StatusOK}, n)
}

func (c *Client) putClient(ctx context.Context, q httpjson.Call, n *account.Client) (*account.Client, error) {
	q.Body = clientBody{Name: n.Name, Public: n.Public, JWKS: n.Keys, Redirects: n.Redirects, Grants: n.Grants, Scopes: n.Scopes, Plain: n.Plain, Disabled: n.Disabled}
	var v clientView
	if err := c.do(ctx, q, into(&v)); err != nil {
		return nil, err
	}
	out := v.client()
	return &out, nil
}

// NewAPIKey is an API key to make.
type NewAPIKey struct {
	Name    string    `json:"name,omitempty"`
	Subject string    `json:"subject,omitempty"` // "": who asks
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires"` // within a year
}

// APIKeys lists API keys after an ID; next is "" at the end.
func (c *Client) APIKeys(ctx context.Context, after string) (keys []account.APIKey, next string, err error) {
	var v struct {
		Keys []account.APIKey `json:"api_keys"`
		Next string           `json:"next"`
	}
	err = c.list(ctx, "list API keys", "/api-keys", after, into(&v))
	return v.Keys, v.Next, err
}

// AddAPIKey makes an API key. secret is what is sent, and is not told again.
func (c *Client) AddAPIKey(ctx context.Context, n *NewAPIKey) (k *account.APIKey, secret string, err error) {
	var v apiKeyView
	err = c.do(ctx, httpjson.Call{What: "add API key", Method: http.MethodPost, Path: "/api-keys", Body: n, Want: http.StatusCreated}, into(&v))
	return v.APIKey, v.Secret, err
}

// RevokeAPIKey ends an API key.
func (c *Client) RevokeAPIKey(ctx context.Context, id string) error {
	if id == "" {
		return fmt.Errorf("revoke API key: which one?: %w", fault.Invalid)
	}
	return c.do(ctx, httpjson.Call{What: "revoke API key", Method: http.MethodDelete, Path: "/api-keys/" + url.PathEscape(id), Want: http.StatusNoContent}, nil)
}
