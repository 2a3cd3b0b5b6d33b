package netguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Door is a compiled Policy for one piece of work, such as reading one image.
// It is safe for concurrent use.
type Door struct {
	policy Policy
	allow  []entry
	entry  []entry
	inside atomic.Int32 // the furthest Class at which an entry host was found
	proxy  sync.Map     // "host:port" of the proxies that the policy named
	lookup *net.Resolver
}

// Door compiles the policy. The entry hosts, with or without port, are those
// that the user named for this piece of work; see ReachEntry. A nil policy is
// the zero one.
func (p *Policy) Door(entryHosts ...string) (*Door, error) {
	d := &Door{}
	if p != nil {
		d.policy, d.lookup = *p, p.Resolver
	}
	for _, s := range d.policy.Allow {
		e, err := parseEntry(s)
		if err != nil {
			return nil, err
		}
		d.allow = append(d.allow, e)
	}
	for _, s := range entryHosts {
		e, err := parseEntry(s)
		if err != nil {
			return nil, err
		}
		d.entry = append(d.entry, e)
	}
	return d, nil
}

// DialContext connects to host:port over TCP, if the policy allows the address
// that the host resolves to. Only the address that was judged is connected to.
func (d *Door) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, d.refuse(&Refusal{Host: address, Rule: "network " + network + " is not TCP"})
	}
	dialer := net.Dialer{
		Timeout:   dialTimeout,
		KeepAlive: 30 * time.Second,
		Resolver:  d.lookup,
		Control: func(_, resolved string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return d.refuse(&Refusal{Host: address, Rule: "resolved to something that is not an address"})
			}
			return d.Check(address, ap.Addr())
		},
	}
	// A host that may not be reached wherever it lies is not even looked up.
	if err := d.checkName(address); err != nil {
		return nil, err
	}
	conn, err := dialer.DialContext(ctx, network, d.absolute(address))
	var r *Refusal
	if errors.As(err, &r) {
		return nil, r
	}
	return conn, err
}

// absolute returns what is looked up for an address: a strict policy does not let the
// machine's search domains make a name of the own network out of a public one.
func (d *Door) absolute(address string) string {
	host, port := splitHost(address)
	if _, err := netip.ParseAddr(host); err == nil || !d.policy.Strict {
		return address
	}
	if listed, _ := covered(d.allow, canonicalHost(host), port, netip.Addr{}); listed {
		return address
	}
	return net.JoinHostPort(host+".", port)
}

// Check judges one address that "host:port" resolved to. A nil error means that
// it may be dialled.
func (d *Door) Check(hostport string, a netip.Addr) error {
	host, port := splitHost(hostport)
	host = canonicalHost(host)
	a = a.Unmap()
	class := ClassOf(a)
	if rule := d.judge(host, port, a, class); rule != "" {
		return d.refuse(&Refusal{Host: hostport, Addr: a, Rule: rule})
	}
	return nil
}

// judge returns the rule that refuses the address, or "".
func (d *Door) judge(host, port string, a netip.Addr, class Class) string {
	bare := a.WithZone("")
	listed, exact := covered(d.allow, host, port, bare)
	_, isProxy := d.proxy.Load(net.JoinHostPort(host, port))
	named, namedExact := covered(d.entry, host, port, bare)
	named = named && d.policy.Reach == ReachEntry && !d.policy.ListedOnly
	switch {
	case d.policy.Strict && !exact && sixTo.Contains(bare):
		return "6to4 addresses, which carry another one, are never reached unless that very address is listed"
	case class == Special && !exact && (!named || !namedExact):
		return class.String() + " addresses are never reached unless that very address is listed"
	case listed || isProxy:
		return ""
	case d.policy.ListedOnly:
		return "the host is not on the list"
	case class == Public || d.policy.Reach == ReachAll:
		return ""
	case named:
		d.found(class)
		return ""
	case d.policy.Reach == ReachEntry && int32(class) <= d.inside.Load():
		return ""
	case d.policy.Reach == ReachEntry:
		return class.String() + " addresses are reached only where the host was named, or was led to from one that is as far inside"
	}
	return class.String() + " addresses are reached only where they are listed"
}

// checkName refuses what can be told from the name alone, before it is resolved:
// the request for a name is itself a message to the outside.
func (d *Door) checkName(hostport string) error {
	host, port := splitHost(hostport)
	if d.policy.Strict {
		if rule := d.strictHost(host, port); rule != "" {
			return d.refuse(&Refusal{Host: hostport, Rule: rule})
		}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return d.Check(hostport, a)
	}
	if !d.policy.ListedOnly {
		return nil
	}
	host = canonicalHost(host)
	if listed, _ := covered(d.allow, host, port, netip.Addr{}); listed {
		return nil
	}
	if _, ok := d.proxy.Load(net.JoinHostPort(host, port)); ok {
		return nil
	}
	return d.refuse(&Refusal{Host: hostport, Rule: "the host is not on the list"})
}

// CheckURL judges what can be told from a URL before its host is resolved: when it
// is set, and when a request for it goes to a proxy, which resolves it.
func (d *Door) CheckURL(u *url.URL) error {
	if d.policy.Strict {
		if rule := d.strictURL(u); rule != "" {
			return d.refuse(&Refusal{Host: hostPort(u), Rule: rule})
		}
	}
	return d.checkName(hostPort(u))
}

func covered(list []entry, host, port string, a netip.Addr) (listed, exact bool) {
	for _, e := range list {
		l, x := e.lists(host, port, a)
		listed, exact = listed || l, exact || x
	}
	return listed, exact
}

// found notes that an entry host lies in a class.
func (d *Door) found(class Class) {
	for {
		old := d.inside.Load()
		if int32(class) <= old || class == Special || d.inside.CompareAndSwap(old, int32(class)) {
			return
		}
	}
}

func (d *Door) refuse(r *Refusal) error {
	r.Policy = d.policy.Name
	if d.policy.Refused != nil {
		d.policy.Refused(r)
	}
	return r
}

// hostPort is the address that a URL's host is dialled at.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}
