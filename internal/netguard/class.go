package netguard

import "net/netip"

// Class says what kind of network an address belongs to, public first.
type Class int

const (
	// Public is everything that is not one of the others.
	Public Class = iota
	// Private networks: RFC 1918, RFC 6598 (carrier NAT), RFC 4193 (unique
	// local), RFC 2544 (benchmarks) and RFC 8215 (local NAT64).
	Private
	// Loopback is this machine.
	Loopback
	// Special addresses are link-local, multicast, unspecified, reserved or
	// documentation ones, and those on which clouds serve instance metadata.
	Special
)

// String returns the class as refusals name it.
func (c Class) String() string {
	switch c {
	case Public:
		return "public"
	case Private:
		return "private"
	case Loopback:
		return "loopback"
	}
	return "link-local, metadata or reserved"
}

// network is an entry of the table below.
type network struct {
	prefix netip.Prefix
	class  Class
}

func block(prefix string, c Class) network { return network{netip.MustParsePrefix(prefix), c} }

// networks is searched in order, so that single addresses come before the
// network they lie in. Sources: the IANA special-purpose address registries
// (RFC 6890) and the metadata addresses that cloud providers document.
var networks = []network{
	block("100.100.100.200/32", Special), // Alibaba metadata, inside carrier NAT
	block("168.63.129.16/32", Special),   // Azure platform services, a public address
	block("fd00:ec2::/32", Special),      // AWS metadata, inside unique local
	block("fd20:ce::/32", Special),       // Google metadata, inside unique local

	block("0.0.0.0/8", Special),
	block("127.0.0.0/8", Loopback),
	block("169.254.0.0/16", Special),
	block("10.0.0.0/8", Private),
	block("172.16.0.0/12", Private),
	block("192.168.0.0/16", Private),
	block("100.64.0.0/10", Private),
	block("198.18.0.0/15", Private),
	block("192.0.0.0/24", Special),    // protocol assignments; Oracle metadata
	block("192.0.2.0/24", Special),    // documentation, RFC 5737
	block("198.51.100.0/24", Special), // documentation
	block("203.0.113.0/24", Special),  // documentation
	block("192.88.99.0/24", Special),  // 6to4 relays, RFC 7526
	block("224.0.0.0/3", Special),     // multicast, reserved, broadcast

	block("::1/128", Loopback),
	block("::/96", Special), // unspecified and IPv4-compatible
	block("64:ff9b:1::/48", Private),
	block("100::/64", Special),
	block("2001::/23", Special),     // Teredo and protocol assignments
	block("2001:db8::/32", Special), // documentation, RFC 3849
	block("3fff::/20", Special),     // documentation, RFC 9637
	block("fc00::/7", Private),
	block("fe80::/10", Special),
	block("fec0::/10", Special), // site-local, deprecated
	block("ff00::/8", Special),
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	local64 = netip.MustParsePrefix("64:ff9b:1::/48")
	sixTo   = netip.MustParsePrefix("2002::/16")
	teredo  = netip.MustParsePrefix("2001::/32")
	global  = netip.MustParsePrefix("2000::/3") // all that IANA gives out of IPv6
)

// ClassOf classifies an address. Addresses that carry an IPv4 address (mapped,
// NAT64, 6to4) are what the carried address is. The zero Addr is Special.
func ClassOf(a netip.Addr) Class {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return Special
	}
	if a.Is6() {
		b := a.As16()
		switch {
		case nat64.Contains(a):
			return ClassOf(netip.AddrFrom4([4]byte(b[12:16])))
		case sixTo.Contains(a):
			return ClassOf(netip.AddrFrom4([4]byte(b[2:6])))
		}
	}
	for _, n := range networks {
		if n.prefix.Contains(a) {
			return n.class
		}
	}
	if a.Is6() && !global.Contains(a) {
		return Special
	}
	return Public
}
