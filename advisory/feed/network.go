package feed

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/stella-ops/stella/internal/netguard"
)

// Policy says which hosts may be connected to.
type Policy string

const (
	// PolicyService allows public addresses, mirrors, and what Network.Allow
	// lists; no proxy is taken from the environment.
	PolicyService Policy = ""
	// PolicyUser is for a person's own machine: as PolicyService, with the
	// environment's proxies.
	PolicyUser Policy = "user"
	// PolicyAirGap allows mirrors and what Network.Allow lists.
	PolicyAirGap Policy = "air-gap"
)

// Network describes the guarded transport of a [Client]. The address that a
// host resolves to is judged when it is dialled. Link-local addresses and those
// of cloud metadata services are never reached unless that very address is
// listed. The zero value is for a service.
type Network struct {
	// Policy says which hosts may be connected to.
	Policy Policy
	// Allow lists hosts that may be reached wherever they lie: names or
	// addresses, with or without a port, "*.example.org", or CIDR prefixes.
	Allow []string
	// CAFiles are PEM files of authorities to trust beside the system's.
	CAFiles []string
	// Proxy returns the proxy for a request; nil means the environment's for
	// PolicyUser, and none otherwise.
	Proxy func(*http.Request) (*url.URL, error)
	// MinRate is the least average speed of a body while it is waited for, in
	// bytes per second, measured over RateWindow. 0 means 1 KiB/s over 30 s.
	MinRate    int64
	RateWindow time.Duration
	// DialContext replaces the dialling and, with it, the judging of addresses.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Refused, when not nil, is told of each connection that was refused. It may
	// be called from several goroutines at once.
	Refused func(error)
}

// transport makes the guarded transport; mirrors are listed hosts.
func (n *Network) transport(mirrors []string) (http.RoundTripper, error) {
	allow := append(append([]string(nil), n.Allow...), mirrors...)
	var p *netguard.Policy
	switch n.Policy {
	case PolicyUser:
		p = netguard.CLI(allow...)
	case PolicyService:
		p = netguard.Service(allow...)
	default: // an unknown policy must not be a wide one
		p = netguard.AirGap(allow...)
	}
	if n.Proxy != nil {
		p.Proxy = n.Proxy
	}
	if n.Refused != nil {
		p.Refused = func(r *netguard.Refusal) { n.Refused(r) }
	}
	door, err := p.Door()
	if err != nil {
		return nil, err
	}
	return door.Transport(&netguard.TransportOptions{CAFiles: n.CAFiles, MinRate: n.MinRate, RateWindow: n.RateWindow, DialContext: n.DialContext})
}
