package email

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/secret"
)

// security says how a connection is encrypted.
type security string

// The values of the option "tls".
const (
	tlsRequired      security = "required"
	tlsOpportunistic security = "opportunistic"
	tlsNone          security = "none"
)

// endpoint is what the settings say, checked.
type endpoint struct {
	host, port string
	implicit   bool // TLS from the start
	security   security
	from       address
	replyTo    []address
	to         []address
	helo       string
	auth       string
	secrets    map[string]string // references
}

// defaults of ports by scheme.
const (
	portTLS        = "465" // RFC 8314
	portSubmission = "587" // RFC 6409
)

// parseEndpoint checks an endpoint.
func parseEndpoint(e *notify.Endpoint) (*endpoint, error) {
	p := &endpoint{}
	if err := p.parseURL(e.URL); err != nil {
		return nil, err
	}
	if err := p.parseOptions(e.Options); err != nil {
		return nil, err
	}
	if p.implicit && p.security != tlsRequired {
		return nil, fmt.Errorf("option tls: %q does not go with smtps: %w", p.security, ErrInvalid)
	}
	if e.To != "" {
		var err error
		if p.to, err = parseAddresses(e.To); err != nil {
			return nil, fmt.Errorf("to: %w", err)
		}
	}
	return p, p.parseSecrets(e.Secrets)
}

func (p *endpoint) parseURL(raw string) error {
	bad := func(why string) error {
		return fmt.Errorf("url: %s; it is of form smtps://host:port: %w", why, ErrInvalid)
	}
	if len(raw) > 512 {
		return bad("it is too long")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return bad("it is none") // the cause repeats the URL, which may hold a password
	}
	switch u.Scheme {
	case "smtps":
		p.implicit, p.port = true, portTLS
	case "smtp":
		p.port = portSubmission
	default:
		return bad("its scheme is not smtps or smtp")
	}
	if u.User != nil {
		return bad("a user and a password belong into the secrets")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return bad("there is more than a host and a port")
	}
	p.host = strings.ToLower(u.Hostname())
	if a, err := netip.ParseAddr(p.host); err != nil && !isDomain(p.host) || a.Zone() != "" {
		return bad("its host is none in ASCII")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return bad("its port is none")
		}
		p.port = port
	}
	return nil
}

func (p *endpoint) parseOptions(options map[string]string) error {
	p.security, p.auth = tlsRequired, authAuto
	for _, name := range sortedKeys(options) {
		value := options[name]
		var err error
		switch name {
		case "from":
			p.from, err = parseAddress(value)
		case "reply_to":
			p.replyTo, err = parseAddresses(value)
		case "helo":
			if p.helo = value; !isDomain(value) {
				err = fmt.Errorf("%.80q is no name of a host: %w", value, ErrInvalid)
			}
		case "auth":
			if p.auth = value; !slices.Contains(authNames, value) {
				err = fmt.Errorf("%.40q is none of %s: %w", value, strings.Join(authNames, ", "), ErrInvalid)
			}
		case "tls":
			p.security = security(value)
			if p.security != tlsRequired && p.security != tlsOpportunistic && p.security != tlsNone {
				err = fmt.Errorf("%.40q is none of required, opportunistic, none: %w", value, ErrInvalid)
			}
		default:
			err = fmt.Errorf("it is not known; known are auth, from, helo, reply_to, tls: %w", ErrInvalid)
		}
		if err != nil {
			return fmt.Errorf("option %.40q: %w", name, err)
		}
	}
	if p.from.domain == "" {
		return fmt.Errorf(`option "from" is missing: %w`, ErrInvalid)
	}
	if p.helo == "" {
		p.helo = p.from.domain
	}
	return nil
}

func (p *endpoint) parseSecrets(secrets map[string]string) error {
	p.secrets = maps.Clone(secrets)
	for _, role := range sortedKeys(secrets) {
		if role != roleUsername && role != rolePassword {
			return fmt.Errorf("secret %.40q: not known; known are username, password: %w", role, ErrInvalid)
		}
	}
	reader := &secret.Reader{Refs: p.secrets}
	if err := reader.Check(roleUsername, 0, 1); err != nil {
		return err
	}
	if err := reader.Check(rolePassword, 0, MaxPasswords); err != nil {
		return err
	}
	password := reader.Check(rolePassword, 1, MaxPasswords) == nil
	switch {
	case !password && reader.Check(roleUsername, 1, 1) == nil:
		return fmt.Errorf("secret \"username\" without \"password\": %w", ErrInvalid)
	case password && p.auth == authNone:
		return fmt.Errorf("option auth: \"none\" beside a password: %w", ErrInvalid)
	case !password && p.auth != authAuto && p.auth != authNone:
		return fmt.Errorf("option auth: %q without a password: %w", p.auth, ErrInvalid)
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// recipients are the addresses of a delivery: the one that it names, else the endpoint's.
func (p *endpoint) recipients(to string) ([]address, error) {
	if to != "" {
		a, err := parseAddress(to)
		if err != nil {
			return nil, fmt.Errorf("to: %w", err)
		}
		return []address{a}, nil
	}
	if len(p.to) == 0 {
		return nil, fmt.Errorf("to: neither the rule nor the endpoint names an address: %w", ErrInvalid)
	}
	return p.to, nil
}
