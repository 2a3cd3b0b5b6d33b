package issuer

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

// The ways of clients to prove who they are (RFC 7591, section 2).
const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authJWT   = "private_key_jwt"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// errClient is what every client is told that is not let in: whether it is unknown,
// disabled, or has another secret is not said.
func errClient() error {
	return refuse(codeInvalidClient, "the client is not known, or did not prove who it is")
}

// presented is what a request says about its client.
type presented struct {
	method    string
	id        string
	secret    string
	assertion string
}

// client finds out which client sends a request. One that is public only has to be
// there; confidential ones prove themselves, in one way alone (RFC 6749, section 2.3).
func (s *Server) client(x *exchange) (*account.Client, error) {
	p, err := readClient(x.r, x.form)
	if err != nil {
		return nil, err
	}
	ctx := x.r.Context()
	c, err := s.Store.Client(ctx, p.id)
	if errors.Is(err, fault.NotFound) {
		if p.secret != "" {
			if _, err := s.hasher.fits(ctx, p.secret, ""); err != nil {
				return nil, err
			}
		}
		return nil, errClient()
	}
	if err != nil {
		return nil, err
	}
	ok, err := s.proves(ctx, c, p)
	if err != nil {
		return nil, err
	}
	if !ok || c.Disabled {
		s.note(ctx, &account.Entry{Tenant: c.Tenant, Action: "client.refused", Client: c.ID, Detail: p.method})
		return nil, errClient()
	}
	if err := s.tenantIn(ctx, c.Tenant); err != nil {
		if errors.Is(err, fault.NotFound) {
			return nil, errClient()
		}
		return nil, err
	}
	return c, nil
}

// tenantIn refuses a tenant that is not there or disabled: NotFound. "" is in.
func (s *Server) tenantIn(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	t, err := s.Store.Tenant(ctx, id)
	if err == nil && t.Disabled {
		return account.ErrNotFound
	}
	return err
}

// proves reports whether a client proved who it is.
func (s *Server) proves(ctx context.Context, c *account.Client, p *presented) (bool, error) {
	switch p.method {
	case authNone:
		return c.Public, nil
	case authBasic, authPost:
		hash := c.Secret
		if c.Public {
			hash = ""
		}
		return s.hasher.fits(ctx, p.secret, hash)
	}
	if c.Public || len(c.Keys) == 0 {
		return false, nil
	}
	err := s.checkAssertion(ctx, c, p.assertion)
	if errors.Is(err, fault.Unauthenticated) || errors.Is(err, fault.Invalid) {
		return false, nil
	}
	return err == nil, err
}

// readClient reads what a request says about its client.
func readClient(r *http.Request, f form) (*presented, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return nil, refuse(codeInvalidRequest, "there are several Authorization headers")
	}
	_, assertion := f["client_assertion"]
	_, typed := f["client_assertion_type"]
	_, secret := f["client_secret"]
	ways := 0
	for _, is := range []bool{len(headers) > 0, assertion || typed, secret} {
		if is {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, refuse(codeInvalidRequest, "a client proves who it is in one way, and not in several")
	case len(headers) > 0:
		return readBasic(headers[0], f["client_id"])
	case assertion || typed:
		if f["client_assertion_type"] != assertionType || !assertion {
			return nil, refuse(codeInvalidRequest, "want client_assertion, and client_assertion_type %s", assertionType)
		}
		id, err := assertionSubject(f["client_assertion"])
		if err != nil || f["client_id"] != "" && f["client_id"] != id {
			return nil, errClient()
		}
		return &presented{method: authJWT, id: id, assertion: f["client_assertion"]}, nil
	}
	id, err := f.need("client_id", maxText)
	if err != nil {
		return nil, err
	}
	if secret {
		return &presented{method: authPost, id: id, secret: f["client_secret"]}, nil
	}
	return &presented{method: authNone, id: id}, nil
}

// readBasic reads HTTP Basic as RFC 6749 has it: both parts are encoded as in forms.
func readBasic(header, id string) (*presented, error) {
	scheme, value, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil, errClient()
	}
	text, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(value, " "))
	if err != nil {
		return nil, errClient()
	}
	user, password, ok := strings.Cut(string(text), ":")
	user, err1 := url.QueryUnescape(user)
	password, err2 := url.QueryUnescape(password)
	if !ok || err1 != nil || err2 != nil || user == "" || len(user) > maxText || password == "" || id != "" && id != user {
		return nil, errClient()
	}
	return &presented{method: authBasic, id: user, secret: password}, nil
}

// grants reports whether a client may use a grant.
func grants(c *account.Client, grant string) bool { return slices.Contains(c.Grants, grant) }
