package issuer

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

const (
	deviceLife     = 10 * time.Minute
	deviceInterval = 5 * time.Second
	// deviceSlack is by how much a poll may come early: networks are not even.
	deviceSlack = time.Second
	// codeLetters are consonants: codes do not spell words, and are read without doubt
	// (RFC 8628, section 6.1). Eight of them have 34 bits.
	codeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength  = 8
)

// deviceAuthorization gives a device its codes (RFC 8628, section 3.1).
func (s *Server) deviceAuthorization(x *exchange) error {
	c, err := s.enter(x, "/device_authorization")
	if err != nil {
		return err
	}
	if !grants(c, grantDevice) {
		return refuse(codeUnauthorized, "the client may not use device codes")
	}
	scopes, err := scopesWithin(x.form["scope"], c.Scopes)
	if err != nil {
		return err
	}
	resource, err := s.audience(x.form["resource"])
	if err != nil {
		return err
	}
	code, now := newSecret(), s.now()
	g := &account.Grant{Hash: hashOf(code), Kind: account.KindDevice, State: account.Pending, Family: newID(), Client: c.ID, Scopes: scopes, JKT: x.proof,
		Data: encode(codeData{Resource: resource}), Created: now, Expires: now.Add(deviceLife)}
	for n := 0; ; n++ {
		g.UserCode = newUserCode()
		err := s.Store.Add(x.r.Context(), g)
		if err == nil {
			break
		}
		if !errors.Is(err, fault.Conflict) || n == 10 {
			return err
		}
	}
	shown := g.UserCode[:4] + "-" + g.UserCode[4:]
	return x.answer(http.StatusOK, map[string]any{
		"device_code": code, "user_code": shown, "verification_uri": s.Issuer + "/device", "verification_uri_complete": s.Issuer + "/device?user_code=" + shown,
		"expires_in": int(deviceLife / time.Second), "interval": int(deviceInterval / time.Second),
	})
}

func newUserCode() string {
	b := make([]byte, 0, codeLength)
	for len(b) < codeLength {
		var one [1]byte
		rand.Read(one[:])
		if n := int(one[0]); n < 240 { // a multiple of 20: each letter is as likely
			b = append(b, codeLetters[n%len(codeLetters)])
		}
	}
	return string(b)
}

// userCode is a code as it is kept, whatever somebody typed between its letters; "" for
// what cannot be one.
func userCode(text string) string {
	if len(text) > 64 {
		return ""
	}
	code := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c < 'A' || c > 'Z' {
			return -1
		}
		return c
	}, text)
	if len(code) != codeLength || strings.Trim(code, codeLetters) != "" {
		return ""
	}
	return code
}

// devicePage asks for the code that a device shows, and who somebody is. A code in the
// address is filled in, and nothing more: people compare it.
func (s *Server) devicePage(p *visit) error {
	query, err := url.ParseQuery(p.r.URL.RawQuery)
	if err != nil {
		return refuse(codeInvalidRequest, "The address is not right.")
	}
	t := &transaction{ID: newID(), Expires: s.now().Add(pageLife)}
	if code := userCode(query.Get("user_code")); code != "" {
		t.Device = code[:4] + "-" + code[4:]
	}
	return s.show(p, http.StatusOK, s.loginView(t, "", ""), t)
}

// deviceStep takes what the page sends. Nobody learns of a code who has not logged in, and
// wrong codes count as failed logins do (RFC 8628, section 5.1).
func (s *Server) deviceStep(p *visit) error {
	t, f, err := s.resume(p)
	if err != nil {
		return err
	}
	if t.Request != nil {
		return errPage()
	}
	switch action := f["action"]; {
	case action == "login" && t.User == "":
		return s.deviceLogin(p, t, f)
	case (action == "allow" || action == "deny") && t.User != "":
		return s.decide(p, t, action == "allow")
	}
	return errPage()
}

func (s *Server) deviceLogin(p *visit, t *transaction, f form) error {
	ctx := p.r.Context()
	u, err := s.password(ctx, f["tenant"], f["login"], f["password"])
	if err != nil {
		return s.again(p, t, "", f, err)
	}
	g, c, err := s.pending(p, userCode(f["user_code"]))
	if err == nil && c.Tenant != "" && c.Tenant != u.Tenant {
		err = errCode()
	}
	if err != nil {
		if err := s.failed(ctx, u); err != nil {
			return err
		}
		return s.again(p, t, "", f, err)
	}
	if err := s.loggedIn(ctx, u, c.ID); err != nil {
		return err
	}
	t.Tenant, t.User, t.At, t.Device = u.Tenant, u.ID, s.now(), g.UserCode[:4]+"-"+g.UserCode[4:]
	if t.Scopes = intersect(g.Scopes, u.Scopes, c.Scopes); len(t.Scopes) == 0 {
		return refuse(codeInvalidScope, "The device asks for nothing that you may do yourself.")
	}
	return s.show(p, http.StatusOK, s.consentView(t, c, u), t)
}

func errCode() error {
	return refuse(codeInvalidRequest, "There is no such code, or its time is over. Please compare it with the one on the device.")
}

// pending returns the grant of a code that nobody has decided about, and its client.
func (s *Server) pending(p *visit, code string) (*account.Grant, *account.Client, error) {
	if code == "" {
		return nil, nil, errCode()
	}
	ctx := p.r.Context()
	g, err := s.Store.Pending(ctx, code)
	if errors.Is(err, fault.NotFound) {
		return nil, nil, errCode()
	}
	if err != nil {
		return nil, nil, err
	}
	c, err := s.Store.Client(ctx, g.Client)
	if errors.Is(err, fault.NotFound) || err == nil && c.Disabled {
		return nil, nil, errCode()
	}
	return g, c, err
}

// decide keeps what somebody decided. Of several decisions the first counts.
func (s *Server) decide(p *visit, t *transaction, allow bool) error {
	ctx := p.r.Context()
	g, c, err := s.pending(p, userCode(t.Device))
	if err != nil {
		return err
	}
	if err := s.once(ctx, t); err != nil {
		return err
	}
	g.State, g.Tenant, g.User, g.AuthTime, g.Scopes = account.Denied, t.Tenant, t.User, t.At, intersect(t.Scopes, g.Scopes)
	action, text := "device.denied", "The device was not let in. You can close this page."
	if allow {
		g.State = account.Open
		action, text = "device.allowed", "The device is connected. You can close this page."
	}
	if err := s.Store.Note(ctx, &account.Entry{Tenant: t.Tenant, Time: s.now(), Action: action, Subject: t.User, Client: c.ID, Detail: strings.Join(t.Scopes, " ")}); err != nil {
		return err
	}
	err = s.Store.Decide(ctx, g)
	if errors.Is(err, fault.Conflict) || errors.Is(err, fault.NotFound) {
		return errCode()
	}
	if err != nil {
		return err
	}
	return s.show(p, http.StatusOK, &view{Title: "Done", Text: text}, nil)
}
