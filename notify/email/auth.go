package email

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/secret"
)

// The values of the option "auth" that are no mechanisms.
const (
	authAuto = "auto"
	authNone = "none"
)

// The roles of secrets.
const (
	roleUsername = "username"
	rolePassword = "password"
)

// authNames are the values of the option "auth".
var authNames = []string{authAuto, "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "xoauth2", authNone}

// preferred are the mechanisms of "auto", the best first. CRAM-MD5 keeps the password off
// the wire, which TLS does as well, and makes the server keep it in the clear.
var preferred = []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5"}

// The bounds of a server's demands while one logs in.
const (
	maxRounds     = 8
	maxIterations = 1 << 20 // of SCRAM; servers in use ask for 4,096 to 600,000
)

// errAuth is the error of a server that answers otherwise than its mechanism says.
var errAuth = errors.New("it does not keep to the protocol")

// login is a user and a password.
type login struct{ user, password string }

// logins reads the secrets: none, or one for each password.
func (c *channel) logins(ctx context.Context) ([]login, error) {
	if len(strings.Fields(c.secrets[rolePassword])) == 0 {
		return nil, nil
	}
	reader := &secret.Reader{Read: c.o.Secret, Refs: c.secrets}
	user := ""
	if c.secrets[roleUsername] != "" {
		all, err := reader.All(ctx, roleUsername)
		if err != nil {
			return nil, err
		}
		user = string(bytes.TrimSpace(all[0]))
	}
	all, err := reader.All(ctx, rolePassword)
	if err != nil {
		return nil, err
	}
	var out []login
	for _, b := range all {
		l := login{user, strings.TrimRight(string(b), "\r\n")}
		if c.secrets[roleUsername] == "" {
			l.user, l.password, _ = strings.Cut(l.password, ":")
		}
		if l.user == "" || l.password == "" || strings.ContainsAny(l.user+l.password, "\x00\x01\r\n") {
			return nil, unsent(false, `the endpoint's secrets are no user and password: there is no "username", "password" is not of form user:password, or one has several lines`)
		}
		out = append(out, l)
	}
	return out, nil
}

func unsent(permanent bool, reason string) *notify.Failure {
	return &notify.Failure{Sent: notify.No, Permanent: permanent, Reason: reason}
}

// forms are the shapes in which a password goes over the wire.
func (l login) forms() []string {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return []string{l.password, encode(l.password), encode("\x00" + l.user + "\x00" + l.password),
		encode("user=" + l.user + "\x01auth=Bearer " + l.password + "\x01\x01")}
}

// mechanism returns how to log in at a server that offers these mechanisms, "" for no way.
// Those that end with PLUS are bound to the TLS connection.
func mechanism(option string, offered []string, tls bool) string {
	wanted := preferred
	if option != authAuto {
		name := strings.ToUpper(option)
		wanted = []string{name + "-PLUS", name}
	}
	for _, m := range wanted {
		if strings.HasSuffix(m, "-PLUS") && (!tls || !strings.HasPrefix(m, "SCRAM-")) {
			continue
		}
		if slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, m) }) {
			return m
		}
	}
	return ""
}

// auth returns the library's way to log in.
func (t *talk) auth(mech string, l login) (smtp.Auth, error) {
	guard := &guard{scram: strings.HasPrefix(mech, "SCRAM-")}
	plus := strings.HasSuffix(mech, "-PLUS")
	switch mech {
	case "PLAIN":
		// The last argument lets it go without TLS: login has decided already.
		guard.Auth = smtp.PlainAuth("", l.user, l.password, t.host, true)
	case "LOGIN":
		guard.Auth = smtp.LoginAuth(l.user, l.password, t.host, true)
	case "CRAM-MD5":
		guard.Auth = smtp.CRAMMD5Auth(l.user, l.password)
	case "XOAUTH2":
		guard.Auth = smtp.XOAuth2Auth(l.user, l.password)
	case "SCRAM-SHA-1":
		guard.Auth = smtp.ScramSHA1Auth(l.user, l.password)
	case "SCRAM-SHA-256":
		guard.Auth = smtp.ScramSHA256Auth(l.user, l.password)
	}
	if plus {
		state, err := t.client.GetTLSConnectionState()
		if err != nil {
			return nil, err
		}
		if mech == "SCRAM-SHA-1-PLUS" {
			guard.Auth = smtp.ScramSHA1PlusAuth(l.user, l.password, state)
		} else {
			guard.Auth = smtp.ScramSHA256PlusAuth(l.user, l.password, state)
		}
	}
	return guard, nil
}

// guard bounds what a server may ask for while one logs in, and sees to it that a server
// of SCRAM has proved that it knows the password before it is believed.
type guard struct {
	smtp.Auth
	scram           bool
	rounds          int
	asked, verified bool
}

// Next answers a challenge.
func (g *guard) Next(challenge []byte, more bool) ([]byte, error) {
	if g.rounds++; g.rounds > maxRounds {
		return nil, errAuth
	}
	if g.scram {
		if err := g.check(challenge, more); err != nil {
			return nil, err
		}
	}
	answer, err := g.Auth.Next(challenge, more)
	if err != nil {
		return nil, errAuth // the cause repeats the challenge
	}
	if more && bytes.HasPrefix(challenge, []byte("v=")) {
		g.verified = true
	}
	return answer, nil
}

func (g *guard) check(challenge []byte, more bool) error {
	switch {
	case !more && !g.verified:
		return errAuth
	case more && bytes.HasPrefix(challenge, []byte("v=")) && !g.asked:
		return errAuth
	case more && bytes.HasPrefix(challenge, []byte("r=")):
		if g.asked {
			return errAuth
		}
		g.asked = true
		for part := range bytes.SplitSeq(challenge, []byte(",")) {
			if n, ok := bytes.CutPrefix(part, []byte("i=")); ok {
				if i, err := strconv.Atoi(string(n)); err != nil || i < 1 || i > maxIterations {
					return errAuth
				}
			}
		}
	}
	return nil
}
