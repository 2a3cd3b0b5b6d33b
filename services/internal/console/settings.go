package console

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
)

var settingsRoutes = []route{
	{pattern: "GET settings", serve: settings},
	{pattern: "GET settings/users", serve: users},
	{pattern: "POST settings/users", serve: addUser},
	{pattern: "GET settings/users/{user}", serve: userPageOf},
	{pattern: "POST settings/users/{user}", serve: putUser},
	{pattern: "POST settings/users/{user}/password", serve: resetPassword},
	{pattern: "GET settings/api-keys", serve: apiKeys},
	{pattern: "POST settings/api-keys", serve: addAPIKey},
	{pattern: "POST settings/api-keys/{key}/revoke", serve: revokeAPIKey},
	{pattern: "GET settings/tenants", serve: tenants},
	{pattern: "GET settings/clients", serve: clients},
	{pattern: "GET settings/keys", serve: signingKeys},
	{pattern: "GET settings/journal", serve: journal},
}

// right is one of the rights that there are, with whether somebody has it.
type right struct {
	Scope, Words string
	Has          bool
}

// rights lists all, with those that are among some.
func rights(has []string) (out []right) {
	all := auth.Scopes()
	for _, scope := range slices.Sorted(maps.Keys(all)) {
		out = append(out, right{scope, all[scope], slices.Contains(has, scope)})
	}
	return out
}

// chosen are the rights that a form has.
func (v *visit) chosen() []string {
	out := []string{}
	for _, scope := range v.r.Form["scope"] {
		if scope = strings.TrimSpace(scope); scope != "" {
			out = append(out, scope)
		}
	}
	return out
}

// settingsView is who the person is.
type settingsView struct {
	Subject, Tenant, Login string
	Rights                 []right
	Tenants                []string
	Admin                  bool
}

func settings(v *visit) error {
	d := &settingsView{Subject: v.login.Subject, Tenant: v.login.Tenant, Login: v.loginOf(v.login.Subject), Tenants: v.session.tenants(), Admin: v.Can(auth.AuthorityAdmin)}
	for _, r := range rights(v.login.Scopes) {
		if r.Has {
			d.Rights = append(d.Rights, r)
		}
	}
	return v.show(http.StatusOK, "settings", "Settings", d)
}

// user is somebody as the authority keeps them.
type user struct {
	ID       string    `json:"id"`
	Login    string    `json:"login"`
	Name     string    `json:"name"`
	Email    string    `json:"email"`
	Scopes   []string  `json:"scopes"`
	Disabled bool      `json:"disabled"`
	Failures int       `json:"failures"`
	Locked   time.Time `json:"locked"`
	Version  int64     `json:"version"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// userPage is a page of users.
type userPage struct {
	Users []user `json:"users"`
	Next  string `json:"next"`
}

// userBody is what is set of a user.
type userBody struct {
	Login    string   `json:"login"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Scopes   []string `json:"scopes"`
	Disabled bool     `json:"disabled"`
}

func (v *visit) userBody() *userBody {
	return &userBody{v.form("login"), v.form("name"), v.form("email"), v.chosen(), v.form("disabled") != ""}
}

// userSecret is a user with the password that was made, which is shown once.
type userSecret struct {
	User     user   `json:"user"`
	Password string `json:"password"`
}

// usersView is the users, or one with the form that changes them.
type usersView struct {
	Users  []user
	Next   string
	One    *user
	Body   *userBody
	Rights []right
	Wrong  []string
	Secret string // shown once
	Self   bool
	Now    time.Time
}

func users(v *visit) error { return v.users(http.StatusOK, &userBody{}, nil) }

func (v *visit) users(status int, b *userBody, wrong []string) error {
	page, err := adminPage[userPage](v.ctx(), v.api, "users", v.r.URL.Query().Get("after"), pageRows)
	if err != nil {
		return err
	}
	d := &usersView{Users: page.Users, Next: v.onward(page.Next), Body: b, Rights: rights(b.Scopes), Wrong: wrong, Now: v.c.Now().UTC()}
	return v.show(status, "users", "Users", d)
}

// addUser makes a user. The password that is made for it is on the page that answers, and
// nowhere else.
func addUser(v *visit) error {
	b := v.userBody()
	made, err := askAuthority[userSecret](v.ctx(), v.api, httpjson.Call{What: "make a user", Method: http.MethodPost, Path: "/users", Body: b, Want: http.StatusCreated})
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		return v.users(status, b, lines)
	}
	v.login.people.forget()
	return v.user(http.StatusCreated, &made.User, nil, nil, made.Password)
}

func (a *api) user(ctx context.Context, id string) (*user, error) {
	return askAuthority[user](ctx, a, httpjson.Call{What: "read user " + id, Method: http.MethodGet, Path: "/users/" + url.PathEscape(id), Want: http.StatusOK, Again: true})
}

func userPageOf(v *visit) error {
	u, err := v.api.user(v.ctx(), v.r.PathValue("user"))
	if err != nil {
		return err
	}
	return v.user(http.StatusOK, u, nil, nil, "")
}

// user shows one. b is what a form said, nil for what the user is.
func (v *visit) user(status int, u *user, b *userBody, wrong []string, secret string) error {
	if b == nil {
		b = &userBody{u.Login, u.Name, u.Email, u.Scopes, u.Disabled}
	}
	d := &usersView{One: u, Body: b, Rights: rights(b.Scopes), Wrong: wrong, Secret: secret, Self: u.ID == v.login.Subject, Now: v.c.Now().UTC()}
	return v.show(status, "user", u.Login, d)
}

func putUser(v *visit) error {
	id, b := v.r.PathValue("user"), v.userBody()
	version, err := strconv.ParseInt(v.form("version"), 10, 64)
	if err != nil || version < 1 {
		return &pageError{http.StatusBadRequest, "The form does not say what it changes. Please load the page again."}
	}
	q := httpjson.Call{What: "change user " + id, Method: http.MethodPut, Path: "/users/" + url.PathEscape(id), Body: b, Want: http.StatusOK, Header: map[string]string{"If-Match": httpjson.Tag(strconv.FormatInt(version, 10))}}
	if _, err := askAuthority[user](v.ctx(), v.api, q); err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		u, err := v.api.user(v.ctx(), id)
		if err != nil {
			return err
		}
		u.Version = version // what the form changes stays what it was read as
		return v.user(status, u, b, lines, "")
	}
	v.login.people.forget()
	v.redirect(link("settings", "users", id) + "?done=set")
	return nil
}

// resetPassword gives a user a password that is made, and ends what they were logged in to.
func resetPassword(v *visit) error {
	id := v.r.PathValue("user")
	made, err := askAuthority[userSecret](v.ctx(), v.api, httpjson.Call{What: "set the password of " + id, Method: http.MethodPost, Path: "/users/" + url.PathEscape(id) + "/password", Body: struct{}{}, Want: http.StatusOK})
	if err != nil {
		return err
	}
	return v.user(http.StatusOK, &made.User, nil, nil, made.Password)
}

// apiKey is a key as the authority keeps it.
type apiKey struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires"`
	Revoked time.Time `json:"revoked"`
	Created time.Time `json:"created"`
}

// apiKeysView is the keys, with the form for a new one.
type apiKeysView struct {
	Keys   []apiKey
	Next   string
	Name   string
	Days   string
	Rights []right
	Wrong  []string
	Made   *apiKey
	Secret string // shown once
	Now    time.Time
}

func apiKeys(v *visit) error { return v.apiKeys(http.StatusOK, &apiKeysView{Days: "90"}, nil) }

func (v *visit) apiKeys(status int, d *apiKeysView, scopes []string) error {
	page, err := adminPage[struct {
		Keys []apiKey `json:"api_keys"`
		Next string   `json:"next"`
	}](v.ctx(), v.api, "api-keys", v.r.URL.Query().Get("after"), pageRows)
	if err != nil {
		return err
	}
	d.Keys, d.Next, d.Now = page.Keys, v.onward(page.Next), v.c.Now().UTC()
	for _, r := range rights(scopes) {
		if r.Scope != auth.AuthorityAdmin && r.Scope != auth.ScannerWork { // no key may have them
			d.Rights = append(d.Rights, r)
		}
	}
	return v.show(status, "apikeys", "API keys", d)
}

// addAPIKey makes a key. Its secret is on the page that answers, and nowhere else.
func addAPIKey(v *visit) error {
	d := &apiKeysView{Name: v.form("name"), Days: v.form("days")}
	days, err := strconv.Atoi(d.Days)
	if err != nil || days < 1 || days > 366 {
		d.Wrong = []string{"For how many days does it hold? Want a number from 1 to 366."}
		return v.apiKeys(http.StatusUnprocessableEntity, d, v.chosen())
	}
	body := struct {
		Name    string    `json:"name"`
		Scopes  []string  `json:"scopes"`
		Expires time.Time `json:"expires"`
	}{d.Name, v.chosen(), v.c.Now().UTC().Truncate(time.Second).Add(time.Duration(days) * 24 * time.Hour)}
	made, err := askAuthority[struct {
		Key    apiKey `json:"api_key"`
		Secret string `json:"secret"`
	}](v.ctx(), v.api, httpjson.Call{What: "make an API key", Method: http.MethodPost, Path: "/api-keys", Body: body, Want: http.StatusCreated})
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		d.Wrong = lines
		return v.apiKeys(status, d, v.chosen())
	}
	return v.apiKeys(http.StatusCreated, &apiKeysView{Days: "90", Made: &made.Key, Secret: made.Secret}, nil)
}

func revokeAPIKey(v *visit) error {
	id := v.r.PathValue("key")
	q := httpjson.Call{What: "end API key " + id, Method: http.MethodDelete, Path: "/api-keys/" + url.PathEscape(id), Want: http.StatusNoContent, Again: true}
	if err := v.api.caller("authority", "/api/v1/authority").Do(v.ctx(), q, nil); err != nil {
		return err
	}
	v.redirect(link("settings", "api-keys") + "?done=ended")
	return nil
}
