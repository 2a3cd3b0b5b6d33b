package netguard

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxURL is how many bytes a target may have.
const MaxURL = 4096

// Target is the policy for what goes, unasked, to addresses that a tenant chose: public
// addresses and what the operator listed, https to what is not listed, hosts in their one
// plain spelling, no ports of other services, and no proxy from the environment.
func Target(allow ...string) *Policy {
	return &Policy{Name: "target", Allow: allow, Strict: true, Port: webPort}
}

// MailTarget is [Target] for mail servers: the ports where mail is submitted and relayed,
// and no others.
func MailTarget(allow ...string) *Policy {
	return &Policy{Name: "mail target", Allow: allow, Strict: true, Port: mailPort}
}

// ParseTarget reads the URL of a target. Its errors show nothing of it, for it can be a
// secret. They wrap fault.Invalid, for another scheme fault.Forbidden.
func ParseTarget(raw string) (*url.URL, error) {
	if len(raw) > MaxURL {
		return nil, &fault.LimitError{What: "bytes", Where: "URL", Max: MaxURL, Seen: int64(len(raw))}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Opaque != "":
		return nil, fmt.Errorf("not a URL of form https://host/path: %w", fault.Invalid)
	case strings.Contains(raw, "#"):
		return nil, fmt.Errorf("a URL with a fragment, which is never sent: %w", fault.Invalid)
	case u.User != nil:
		return nil, fmt.Errorf("a URL with user information: %w", fault.Invalid)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("not a URL of https or http, the only schemes that are spoken: %w", fault.Forbidden)
	case u.Hostname() == "":
		return nil, fmt.Errorf("a URL without a host: %w", fault.Invalid)
	}
	return u, nil
}

// strictURL returns the rule of a strict policy that refuses a URL for what is not in its
// host and port, or "".
func (d *Door) strictURL(u *url.URL) string {
	host, port := splitHost(hostPort(u))
	a, _ := netip.ParseAddr(host)
	listed, _ := covered(d.allow, canonicalHost(host), port, a.Unmap().WithZone(""))
	switch {
	case u.User != nil:
		return "a URL with user information can be read as another host"
	case u.Opaque != "" || u.Fragment != "" || u.RawFragment != "":
		return "the URL is not of form https://host/path?query"
	case u.Scheme != "https" && !listed:
		return "without encryption (https) only listed hosts are reached"
	}
	return ""
}

// strictHost returns the rule of a strict policy that refuses a host for its spelling, its
// name or its port, or "".
func (d *Door) strictHost(host, port string) string {
	if rule := d.strictPort(host, port); rule != "" {
		return rule
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return d.strictName(host, port)
	}
	_, exact := covered(d.allow, host, port, a.Unmap().WithZone(""))
	switch {
	case a.Zone() != "":
		return "an address with a zone is one of this machine's own links"
	case a.Is4In6():
		return "an IPv4 address is written as such, not inside an IPv6 address"
	case !exact && carries(a):
		return "an address that carries another one (NAT64, 6to4, Teredo) is not named directly"
	}
	return ""
}

func (d *Door) strictPort(host, port string) string {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '0' {
		return "the port is not a number from 1 to 65535"
	}
	if d.policy.Port == nil {
		return ""
	}
	rule := d.policy.Port(int(n))
	if rule == "" || d.listsPort(host, port) {
		return ""
	}
	return rule
}

// listsPort reports whether the operator listed the host together with this port.
func (d *Door) listsPort(host, port string) bool {
	a, _ := netip.ParseAddr(host)
	for _, e := range d.allow {
		if l, _ := e.lists(canonicalHost(host), port, a.Unmap().WithZone("")); l && e.port != "" {
			return true
		}
	}
	return false
}

// strictName judges a name before anybody is asked for it.
func (d *Door) strictName(host, port string) string {
	if rule := spelling(host); rule != "" {
		return rule
	}
	host = canonicalHost(host)
	if listed, _ := covered(d.allow, host, port, netip.Addr{}); listed {
		return ""
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	switch {
	case last == "localhost" || host == "localhost.localdomain":
		return "the name is this machine's own, and is not listed"
	case last == host:
		return "a name without a domain is one of the own network's services, and is not listed"
	case inside[last] || strings.HasSuffix(host, ".home.arpa"):
		return "names below ." + last + " are of private networks, and this one is not listed"
	}
	return ""
}

// inside are top-level names that public DNS does not have, and private networks use. RFC
// 6761, 6762, 7686, 8375 and 9476; internal is ICANN's for private use; svc and cluster
// are of Kubernetes; the others are those that RFC 6762, appendix G, saw in use.
var inside = map[string]bool{
	"local": true, "localdomain": true, "internal": true, "intranet": true, "private": true, "corp": true, "home": true, "lan": true,
	"svc": true, "cluster": true, "onion": true, "alt": true, "invalid": true,
}

// carries reports whether the address stands for another one.
func carries(a netip.Addr) bool {
	return nat64.Contains(a) || local64.Contains(a) || sixTo.Contains(a) || teredo.Contains(a)
}
