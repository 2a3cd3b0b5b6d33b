package console

import (
	"net/http"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
)

// tenant is an organisation as the authority keeps it.
type tenant struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// oauthClient is a program that asks for tokens.
type oauthClient struct {
	ID        string    `json:"client_id"`
	Name      string    `json:"client_name"`
	Redirects []string  `json:"redirect_uris"`
	Grants    []string  `json:"grant_types"`
	Scopes    []string  `json:"scopes"`
	Method    string    `json:"token_endpoint_auth_method"`
	Plain     bool      `json:"plain"`
	Disabled  bool      `json:"disabled"`
	Updated   time.Time `json:"updated"`
}

// signingKey is a key that tokens are signed by.
type signingKey struct {
	ID      string    `json:"kid"`
	Alg     string    `json:"alg"`
	Created time.Time `json:"created"`
	Active  time.Time `json:"active"`
	Ended   time.Time `json:"ended"`
}

// journalEntry is something that was done.
type journalEntry struct {
	Seq     int64     `json:"seq"`
	Time    time.Time `json:"time"`
	Action  string    `json:"action"`
	Subject string    `json:"subject"`
	Client  string    `json:"client_id"`
	Detail  string    `json:"detail"`
}

// listView is a list of the authority's that is only shown.
type listView[T any] struct {
	List []T
	Next string
	Now  time.Time
}

func tenants(v *visit) error {
	page, err := adminPage[struct {
		Tenants []tenant `json:"tenants"`
		Next    string   `json:"next"`
	}](v.ctx(), v.api, "tenants", v.form("after"), pageRows)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "tenants", "Organisations", &listView[tenant]{List: page.Tenants, Next: v.onward(page.Next)})
}

func clients(v *visit) error {
	page, err := adminPage[struct {
		Clients []oauthClient `json:"clients"`
		Next    string        `json:"next"`
	}](v.ctx(), v.api, "clients", v.form("after"), pageRows)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "clients", "Clients", &listView[oauthClient]{List: page.Clients, Next: v.onward(page.Next)})
}

func signingKeys(v *visit) error {
	page, err := askAuthority[struct {
		Keys []signingKey `json:"keys"`
	}](v.ctx(), v.api, httpjson.Call{What: "list signing keys", Method: http.MethodGet, Path: "/keys", Want: http.StatusOK, Again: true})
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "signingkeys", "Signing keys", &listView[signingKey]{List: page.Keys, Now: v.c.Now().UTC()})
}

func journal(v *visit) error {
	page, err := adminPage[struct {
		Entries []journalEntry `json:"entries"`
		Next    int64          `json:"next"`
	}](v.ctx(), v.api, "journal", v.form("after"), pageRows)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "journal", "Journal", &listView[journalEntry]{List: page.Entries, Next: v.onward(strconv.FormatInt(page.Next, 10))})
}
