// Package netguard is the one network door: every outgoing connection of the
// SDK is dialled through a [Door], which judges the resolved address at the
// moment it is dialled. A name that is looked up again, a redirect, an
// IPv4-mapped address or an odd spelling of one cannot lead around it.
//
// The policies of the SDK's callers: [CLI] for a person's own machine, [Service]
// for requests made on behalf of others, [Target] and [MailTarget] for what goes
// unasked to addresses that others chose, and [AirGap], the same door shut. Addresses of link-local and other special networks, where clouds keep
// the metadata services that hand out credentials, are never reached unless
// that very address was listed.
package netguard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/stella-ops/stella/internal/fault"
)

// Reach says how far inside the hosts may lie that Policy.Allow does not list.
type Reach int

const (
	// ReachPublic allows public addresses only.
	ReachPublic Reach = iota
	// ReachEntry allows the entry hosts of a door to lie on private networks or
	// on this machine. Other hosts, which the entry hosts lead to by a redirect
	// or an authentication realm, may lie no further inside than the entry host
	// was found: a public registry cannot point into a private network.
	ReachEntry
	// ReachAll allows private networks and this machine to every host.
	ReachAll
)

// Policy says which hosts may be reached. The zero value allows public
// addresses only and uses no proxy. A Policy must not change while doors made
// from it are in use.
type Policy struct {
	// Name is what refusals call the policy.
	Name string
	// Reach is for hosts that Allow does not list.
	Reach Reach
	// Allow lists hosts that may be reached wherever they lie: a host name or an
	// IP address, each with or without a port, "*.example.org" for the names
	// below one, or a CIDR prefix. Special addresses need an entry with exactly
	// that address.
	Allow []string
	// ListedOnly refuses every host that Allow does not list. A name has to be
	// listed as a name: others are not even looked up.
	ListedOnly bool
	// Strict judges URLs, spellings of hosts and names before anything is looked up,
	// and leads to no address that stands for another one; see Target.
	Strict bool
	// Port returns why a strict policy does not reach a port, "" where it does; nil
	// reaches every port. A host that Allow lists together with the port is reached.
	Port func(port int) string
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver
	// Proxy returns the proxy for a request, nil for none. A proxy's own address
	// is the operator's choice and is judged like a listed host. Behind a proxy
	// the names of hosts are resolved there: only literal addresses and Allow can
	// be judged here.
	Proxy func(*http.Request) (*url.URL, error)
	// Refused, when not nil, is told of every refusal. It may be called from
	// several goroutines at once.
	Refused func(*Refusal)
}

// CLI is the policy of a tool that a person runs: the environment's proxies,
// and private networks where the person named a host there.
func CLI(allow ...string) *Policy {
	return &Policy{Name: "cli", Reach: ReachEntry, Allow: allow, Proxy: http.ProxyFromEnvironment}
}

// Service is the policy of a service that acts for others: public addresses and
// what the operator listed, and no proxy from the environment.
func Service(allow ...string) *Policy {
	return &Policy{Name: "service", Allow: allow}
}

// AirGap is the shut door: only what the operator listed.
func AirGap(allow ...string) *Policy {
	return &Policy{Name: "air-gap", Allow: allow, ListedOnly: true}
}

// Refusal is the error of a connection that the policy does not allow. It
// matches the kind "forbidden" under [errors.Is].
type Refusal struct {
	Host   string     // host and port as asked for
	Addr   netip.Addr // what the host resolved to; the zero Addr where it was not resolved
	Rule   string     // the rule that refused it
	Policy string     // the policy's name
}

// Error names the host, the address and the rule.
func (r *Refusal) Error() string {
	at := ""
	if r.Addr.IsValid() && r.Addr.String() != hostOf(r.Host) {
		at = " at " + r.Addr.String()
	}
	name := ""
	if r.Policy != "" {
		name = r.Policy + " "
	}
	return fmt.Sprintf("connect to %s%s: refused by the %snetwork policy: %s", r.Host, at, name, r.Rule)
}

// Is reports whether target is the kind "forbidden".
func (r *Refusal) Is(target error) bool { return target == fault.Forbidden }
