package image

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/stella-ops/stella/internal/netguard"
)

// NetworkPolicy says which hosts may be connected to.
type NetworkPolicy string

const (
	// NetworkUser is for a person's own machine: a host that the person names may
	// lie anywhere; hosts that it leads to, by a redirect or an authentication
	// realm, may lie no further inside than it does. The environment's proxies
	// are used.
	NetworkUser NetworkPolicy = ""
	// NetworkService is for work on behalf of others: public addresses and what
	// Allow lists. No proxy is taken from the environment.
	NetworkService NetworkPolicy = "service"
	// NetworkAirGap allows only what Allow lists.
	NetworkAirGap NetworkPolicy = "air-gap"
)

// Network describes the guarded transport, the only way in which this package
// connects to registries. The address that a host resolves to is judged when it
// is dialled. Link-local addresses and those of cloud metadata services are
// never reached unless that very address is named or listed.
type Network struct {
	// Policy says which hosts may be connected to.
	Policy NetworkPolicy
	// Allow lists hosts that may be reached wherever they lie: names or
	// addresses, with or without a port, "*.example.org", or CIDR prefixes.
	Allow []string
	// CAFiles are PEM files of authorities to trust beside the system's.
	CAFiles []string
	// Proxy returns the proxy for a request; nil means the environment's for
	// NetworkUser, and none otherwise.
	Proxy func(*http.Request) (*url.URL, error)
	// DialContext replaces the dialling and, with it, the judging of addresses.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Refused, when not nil, is told of each connection that was refused. It may
	// be called from several goroutines at once.
	Refused func(error)
}

// Transport returns a transport that keeps the rule: TLS 1.2 or later, bounded
// headers and waiting, bodies left as they are stored. The named hosts are those
// that the user asked for. It does not follow redirects and is safe for
// concurrent use. A nil Network is the zero one.
func (n *Network) Transport(named ...string) (http.RoundTripper, error) {
	if n == nil {
		n = &Network{}
	}
	var p *netguard.Policy
	switch n.Policy {
	case NetworkUser:
		p = netguard.CLI(n.Allow...)
	case NetworkAirGap:
		p = netguard.AirGap(n.Allow...)
	default: // an unknown policy must not be the wide one
		p = netguard.Service(n.Allow...)
	}
	if n.Proxy != nil {
		p.Proxy = n.Proxy
	}
	if n.Refused != nil {
		p.Refused = func(r *netguard.Refusal) { n.Refused(r) }
	}
	door, err := p.Door(named...)
	if err != nil {
		return nil, err
	}
	return door.Transport(&netguard.TransportOptions{CAFiles: n.CAFiles, DialContext: n.DialContext})
}
