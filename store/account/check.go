package account

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of what is kept, in bytes where nothing else is said.
const (
	MaxTenant    = 64       // a tenant's ID: letters, digits, '-', '_' and '.'
	MaxID        = 256      // IDs of users, clients, keys, families and revocations, and algorithms
	MaxText      = 256      // names, logins, mail addresses, and who did something
	MaxPassword  = 512      // a hash in PHC form
	MaxScopes    = 128      // scopes of one user, client, key or grant
	MaxScope     = 128      // one of them
	MaxKeys      = 64 << 10 // a client's key set
	MaxRedirects = 32       // redirect URIs of a client
	MaxRedirect  = 2 << 10  // one of them
	MaxGrants    = 16       // grant types of a client, of MaxID each
	MaxPublic    = 16 << 10 // a public key
	MaxSealed    = 16 << 10 // a private key as it was sealed
	MaxData      = 32 << 10 // what a grant's maker needs
	MaxDetail    = 4 << 10  // the detail of an entry, or a reason
	HashSize     = 32       // of codes, tokens and API keys: SHA-256

	MaxList     = 1000 // a page of a list
	DefaultList = 100  // where the limit is 0
)

// text accepts UTF-8 without control characters, which not every engine can keep.
func text(what, s string, least, most int) error {
	if n := len(s); n > most {
		return &fault.LimitError{What: "bytes of " + what, Where: fmt.Sprintf("%.40q…", s), Max: int64(most), Seen: int64(n)}
	}
	if len(s) < least || !ValidText(s) {
		return fmt.Errorf("%s %.80q: want text of %d to %d bytes: %w", what, s, least, most, fault.Invalid)
	}
	return nil
}

// ValidText reports whether s can be part of what is kept: it is UTF-8 and has no control
// characters. A lookup by another text finds nothing.
func ValidText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// texts accepts a list of texts.
func texts(what string, list []string, many, most int) error {
	if n := len(list); n > many {
		return &fault.LimitError{What: what + "s", Max: int64(many), Seen: int64(n)}
	}
	for _, s := range list {
		if err := text(what, s, 1, most); err != nil {
			return err
		}
	}
	return nil
}

// size bounds what is secret, or has no text: the error does not show it.
func size(what string, n, least, most int) error {
	if n > most {
		return &fault.LimitError{What: "bytes of " + what, Max: int64(most), Seen: int64(n)}
	}
	if n < least {
		return fmt.Errorf("%s of %d bytes: want %d to %d: %w", what, n, least, most, fault.Invalid)
	}
	return nil
}

// tenant accepts what a store takes for a tenant's name.
func tenant(id string) error {
	ok := id != "" && len(id) <= MaxTenant && id[0] != '.'
	for _, c := range id {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return fmt.Errorf("tenant %.80q: want 1 to %d letters, digits, '-', '_' or '.', not beginning with '.': %w", id, MaxTenant, fault.Invalid)
	}
	return nil
}

// orNone accepts no tenant as well.
func orNone(id string) error {
	if id == "" {
		return nil
	}
	return tenant(id)
}

// scopes accepts scope tokens (RFC 6749, section 3.3), each once.
func scopes(list []string) error {
	if n := len(list); n > MaxScopes {
		return &fault.LimitError{What: "scopes", Max: MaxScopes, Seen: int64(n)}
	}
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		ok := s != "" && len(s) <= MaxScope && !seen[s]
		for i := range len(s) {
			ok = ok && s[i] > 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\'
		}
		if !ok {
			return fmt.Errorf("scope %.80q: want 1 to %d printable characters of ASCII without '\"' and '\\', once: %w", s, MaxScope, fault.Invalid)
		}
		seen[s] = true
	}
	return nil
}

// phc accepts a hash in PHC form, so that nobody keeps a password by mistake.
func phc(what, s string) error {
	if s != "" && (s[0] != '$' || !ValidText(s)) {
		return fmt.Errorf("%s is not a hash in PHC form: %w", what, fault.Invalid)
	}
	return size(what, len(s), 0, MaxPassword)
}

func version(n int64) error {
	if n < 0 {
		return fmt.Errorf("version %d: want the one to replace, or 0: %w", n, fault.Invalid)
	}
	return nil
}

// Check holds a tenant against the bounds. Errors of it and of the other checks wrap
// ErrInvalid or ErrLimit, and show no secret.
func (t *Tenant) Check() error {
	return errors.Join(tenant(t.ID), text("name", t.Name, 0, MaxText), version(t.Version))
}

// Check holds a user against the bounds.
func (u *User) Check() error {
	return errors.Join(tenant(u.Tenant), text("user", u.ID, 1, MaxID), text("login", u.Login, 1, MaxText), text("name", u.Name, 0, MaxText),
		text("email", u.Email, 0, MaxText), phc("password", u.Password), scopes(u.Scopes), version(u.Version))
}

// Check holds a client against the bounds.
func (c *Client) Check() error {
	errs := []error{text("client", c.ID, 1, MaxID), orNone(c.Tenant), text("name", c.Name, 0, MaxText), size("key set", len(c.Keys), 0, MaxKeys),
		phc("secret", c.Secret), scopes(c.Scopes), version(c.Version)}
	if len(c.Keys) > 0 && !jsontext.Value(c.Keys).IsValid() {
		errs = append(errs, fmt.Errorf("the key set is not JSON: %w", fault.Invalid))
	}
	switch keys, secret := len(c.Keys) > 0, c.Secret != ""; {
	case c.Public && (keys || secret):
		errs = append(errs, fmt.Errorf("a public client has neither keys nor a secret: %w", fault.Invalid))
	case !c.Public && keys == secret:
		errs = append(errs, fmt.Errorf("a confidential client has either keys or a secret: %w", fault.Invalid))
	}
	return errors.Join(append(errs, texts("redirect URI", c.Redirects, MaxRedirects, MaxRedirect), texts("grant type", c.Grants, MaxGrants, MaxID))...)
}

// Check holds a key against the bounds.
func (k *Key) Check() error {
	err := errors.Join(text("key", k.ID, 1, MaxID), text("algorithm", k.Algorithm, 1, MaxID), size("public key", len(k.Public), 1, MaxPublic), size("sealed key", len(k.Sealed), 1, MaxSealed))
	if k.Active.IsZero() {
		err = errors.Join(err, fmt.Errorf("key %.80q: it has no time from which it signs: %w", k.ID, fault.Invalid))
	}
	return err
}

// Check holds an API key against the bounds.
func (k *APIKey) Check() error {
	err := errors.Join(text("API key", k.ID, 1, MaxID), tenant(k.Tenant), text("subject", k.Subject, 1, MaxID), text("name", k.Name, 0, MaxText),
		size("hash", len(k.Hash), HashSize, HashSize), scopes(k.Scopes))
	if k.Expires.IsZero() {
		err = errors.Join(err, fmt.Errorf("API key %.80q does not expire: %w", k.ID, fault.Invalid))
	}
	return err
}

// Check holds a grant against the bounds.
func (g *Grant) Check() error {
	errs := []error{size("hash", len(g.Hash), HashSize, HashSize), text("user code", g.UserCode, 0, MaxText), text("family", g.Family, 1, MaxID), orNone(g.Tenant),
		text("client", g.Client, 1, MaxID), text("user", g.User, 0, MaxID), scopes(g.Scopes), text("thumbprint", g.JKT, 0, MaxText), size("data", len(g.Data), 0, MaxData)}
	switch g.Kind {
	case KindCode, KindRequest, KindDevice, KindRefresh:
	default:
		errs = append(errs, fmt.Errorf("no kind of grant is called %.40q: %w", g.Kind, fault.Invalid))
	}
	if len(g.Data) > 0 && !jsontext.Value(g.Data).IsValid() {
		errs = append(errs, fmt.Errorf("the data of the grant is not JSON: %w", fault.Invalid))
	}
	if g.Expires.IsZero() {
		errs = append(errs, fmt.Errorf("the grant does not expire: %w", fault.Invalid))
	}
	return errors.Join(errs...)
}

// begins accepts the states that a grant may begin in.
func (g *Grant) begins() error {
	if g.State != Open && g.State != Pending || g.UserCode != "" && g.State != Pending {
		return fmt.Errorf("a grant does not begin as %.40q: %w", g.State, fault.Invalid)
	}
	return nil
}

// CheckNew holds a grant that is to be added against the bounds.
func (g *Grant) CheckNew() error { return errors.Join(g.Check(), g.begins()) }

// CheckDecided holds a grant as Decide takes it against the bounds.
func (g *Grant) CheckDecided() error {
	if g.State != Open && g.State != Denied {
		return fmt.Errorf("nobody decides for %.40q: %w", g.State, fault.Invalid)
	}
	return errors.Join(size("hash", len(g.Hash), HashSize, HashSize), orNone(g.Tenant), text("user", g.User, 0, MaxID), scopes(g.Scopes))
}

// The kinds of a Revocation.
const (
	RevokeToken  = "token"  // an access token, by its jti
	RevokeFamily = "family" // all that came of one grant
	RevokeClient = "client" // all of a client
	RevokeUser   = "user"   // all of a user, by "tenant/id"
	RevokeTenant = "tenant" // all of a tenant
)

// Check holds a revocation against the bounds.
func (r *Revocation) Check() error {
	errs := []error{text("revoked", r.ID, 1, MaxTenant+1+MaxID), orNone(r.Tenant), text("who revokes", r.By, 0, MaxText), text("reason", r.Reason, 0, MaxDetail)}
	switch r.Kind {
	case RevokeToken, RevokeFamily, RevokeClient, RevokeTenant:
	case RevokeUser:
		if t, u, ok := strings.Cut(r.ID, "/"); !ok || u == "" || tenant(t) != nil {
			errs = append(errs, fmt.Errorf("revoked user %.80q: want tenant/id: %w", r.ID, fault.Invalid))
		}
	default:
		errs = append(errs, fmt.Errorf("nothing called %.40q is revoked: %w", r.Kind, fault.Invalid))
	}
	if r.Until.IsZero() {
		errs = append(errs, fmt.Errorf("the revocation has no end: %w", fault.Invalid))
	}
	return errors.Join(errs...)
}

// Ends reports whether a revocation ends a grant: any of its family, those of its client
// that were made until Before, and those of its user or tenant that were made, or whose
// user logged in, until then.
func (r *Revocation) Ends(g *Grant) bool {
	made := !g.Created.After(r.Before)
	login := made || !g.AuthTime.IsZero() && !g.AuthTime.After(r.Before)
	switch r.Kind {
	case RevokeFamily:
		return g.Family == r.ID
	case RevokeClient:
		return g.Client == r.ID && made
	case RevokeUser:
		return g.User != "" && g.Tenant+"/"+g.User == r.ID && login
	case RevokeTenant:
		return g.Tenant == r.ID && login
	}
	return false
}

// Fit returns an entry as a journal keeps it: what comes from outside is cut to the bounds,
// and what is no text is taken out, since a refusal must not fail for what it is about.
func (e *Entry) Fit() Entry {
	out := *e
	for _, f := range []struct {
		s    *string
		most int
	}{{&out.Tenant, MaxTenant}, {&out.Action, MaxText}, {&out.Subject, MaxID}, {&out.Client, MaxID}, {&out.Detail, MaxDetail}} {
		*f.s = Cut(*f.s, f.most)
	}
	return out
}

// Cut returns at most so many bytes of s, without control characters and what is not UTF-8.
func Cut(s string, most int) string {
	s = s[:min(len(s), most)]
	if ValidText(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// Limit returns how long a page of a list is, 0 being the usual one. An error wraps
// ErrInvalid.
func Limit(n int) (int, error) {
	if n < 0 || n > MaxList {
		return 0, fmt.Errorf("limit %d: want 1 to %d: %w", n, MaxList, fault.Invalid)
	}
	if n == 0 {
		return DefaultList, nil
	}
	return n, nil
}
