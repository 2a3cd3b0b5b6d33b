// Package ssrftest is what no notification may reach: addresses of every forbidden
// network, every spelling of them, names that lead inside, and a name server that lies.
package ssrftest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// v4 and v6 are the networks of the IANA special-purpose address registries that are not
// globally reachable, multicast, and single addresses where clouds keep metadata.
var (
	v4 = []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"169.254.169.254/32", "169.254.170.2/32", "169.254.169.253/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "239.255.255.250/32", "10.96.0.1/32", "172.17.0.1/32", "192.168.1.1/32",
	}
	v6 = []string{
		"::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "3fff::/20",
		"5f00::/16", "4000::/3", "8000::/3", "e000::/4", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
		"fd00:ec2::254/128", "fd20:ce::254/128", "fe80::a9fe:a9fe/128", "ff02::1/128", "ff05::2/128",
	}
)

// Addresses returns forbidden addresses: the edges and the middle of each network, and
// IPv6 addresses that carry IPv4 ones (NAT64, 6to4, Teredo, IPv4-compatible).
func Addresses() []netip.Addr {
	var out []netip.Addr
	for _, list := range [][]string{v4, v6} {
		for _, s := range list {
			out = append(out, edges(netip.MustParsePrefix(s))...)
		}
	}
	for _, s := range v4 {
		b := netip.MustParsePrefix(s).Addr().Next().As4()
		if netip.MustParsePrefix(s).IsSingleIP() {
			b = netip.MustParsePrefix(s).Addr().As4()
		}
		for _, prefix := range []string{"64:ff9b::", "2002::", "2001::", "::"} {
			a := netip.MustParseAddr(prefix).As16()
			switch prefix {
			case "2002::":
				copy(a[2:], b[:])
			case "2001::": // the client's address is inverted (RFC 4380, section 4)
				copy(a[12:], []byte{^b[0], ^b[1], ^b[2], ^b[3]})
			default:
				copy(a[12:], b[:])
			}
			out = append(out, netip.AddrFrom16(a))
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// edges are the first, the last and the middle address of a network, and those beside.
func edges(p netip.Prefix) []netip.Addr {
	first := p.Addr()
	last, middle := first.AsSlice(), first.AsSlice()
	for i := p.Bits(); i < first.BitLen(); i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	if p.Bits() < first.BitLen() {
		middle[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	}
	l, _ := netip.AddrFromSlice(last)
	m, _ := netip.AddrFromSlice(middle)
	var out []netip.Addr
	for _, a := range []netip.Addr{first, first.Next(), m, m.Next(), l.Prev(), l} {
		if p.Contains(a) {
			out = append(out, a)
		}
	}
	return out
}

// Case is one way to write a target: the part of a URL between "//" and the path.
type Case struct {
	How       string // the way, such as "octal"
	Authority string
	Addr      netip.Addr // what it would reach; the zero Addr for names
}

// Literals returns the ways to write an address. Public is a name that may be reached.
func Literals(a netip.Addr, public string) []Case {
	host := a.String()
	if a.Is6() {
		host = "[" + host + "]"
	}
	ways := map[string]string{
		"direct": host, "port": host + ":8443", "port of a service": host + ":6379", "userinfo": public + "@" + host, "userinfo with a password": public + ":443@" + host,
		"address as userinfo": strings.Trim(host, "[]") + "@" + public, "two @": public + "@" + host + "@" + public, "back-slash": public + `\@` + host, "space": host + " ", "tab": host + "\t", "final dot": host + ".",
	}
	if a.Is6() {
		ways["zone"] = "[" + a.String() + "%25lo]"
		ways["zone, not escaped"] = "[" + a.String() + "%lo]"
		ways["long form"] = "[" + a.StringExpanded() + "]"
		ways["without brackets"] = a.String()
	} else {
		spell4(ways, a)
	}
	var out []Case
	for how, authority := range ways {
		out = append(out, Case{how, authority, a})
	}
	slices.SortFunc(out, func(x, y Case) int { return strings.Compare(x.How, y.How) })
	return out
}

// spell4 adds what lenient parsers take for an IPv4 address.
func spell4(ways map[string]string, a netip.Addr) {
	b := a.As4()
	n := binary.BigEndian.Uint32(b[:])
	ways["mapped"] = "[::ffff:" + a.String() + "]"
	ways["mapped, in hex"] = fmt.Sprintf("[::ffff:%x:%x]", n>>16, n&0xffff)
	ways["NAT64"] = "[64:ff9b::" + a.String() + "]"
	ways["6to4"] = fmt.Sprintf("[2002:%x:%x::1]", n>>16, n&0xffff)
	ways["decimal"] = fmt.Sprint(n)
	ways["decimal with a dot"] = fmt.Sprint(n) + "."
	ways["hex"] = fmt.Sprintf("0x%x", n)
	ways["hex, upper case"] = fmt.Sprintf("0X%X", n)
	ways["octal"] = fmt.Sprintf("0%o", n)
	ways["dotted hex"] = fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", b[0], b[1], b[2], b[3])
	ways["dotted octal"] = fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3])
	ways["leading zeros"] = fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3])
	ways["mixed"] = fmt.Sprintf("0x%x.0%o.%d", b[0], b[1], n&0xffff)
	ways["two parts"] = fmt.Sprintf("%d.%d", b[0], n&0xffffff)
	ways["three parts"] = fmt.Sprintf("%d.%d.%d", b[0], b[1], n&0xffff)
	ways["five parts"] = fmt.Sprintf("%d.%d.%d.%d.0", b[0], b[1], b[2], b[3])
	ways["over 2^32"] = fmt.Sprint(uint64(n) + 1<<32)
	ways["full width"] = fullWidth(a.String())
	ways["ideographic stops"] = strings.ReplaceAll(a.String(), ".", "\u3002")
	ways["circled"] = strings.Map(func(r rune) rune {
		if r >= '1' && r <= '9' {
			return r - '1' + '\u2460'
		}
		return r
	}, a.String())
	ways["escaped"] = escaped(a.String())
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune { return r + 0xfee0 }, s)
}

func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// Names returns hosts that are this machine's, the own network's or no names at all.
func Names() []string {
	long := strings.Repeat("a", 63)
	return []string{
		"localhost", "localhost.", "LOCALHOST", "LocalHost.", "a.localhost", "a.b.localhost.", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback", "broadcasthost",
		"postgres", "valkey", "nats", "gateway", "stella", "scanner", "metadata", "kubernetes", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "gateway.stella.svc", "gateway.stella.svc.cluster.local.",
		"metadata.google.internal", "metadata.google.internal.", "instance-data.ec2.internal", "host.docker.internal", "gateway.docker.internal", "host.containers.internal", "printer.local", "nas.lan", "router.home", "router.home.arpa", "wiki.corp", "wiki.intranet", "wiki.private",
		"abc.onion", "abc.alt", "abc.invalid", "", ".", "..", "a..example.org", ".example.org", "example.org..", "-a.example.org", "a-.example.org", "a_b.example.org", "*.example.org", "exa mple.org", "example.org%00.localhost",
		long + "a.example.org", long + "." + long + "." + long + "." + long + ".org", "xn--.example.org", "xn--a.example.org", "xn--0.example.org", "xn--99999999.example.org", "xn--localhost-.example.org", "xn--pple-43d.com",
		"\u0430pple.com", "ex\u00e4mple.org", "example\u3002org", "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3", "local\u00adhost", "\u212aubernetes", "loca\u200blhost", "\uff4cocalhost",
		"example.org\\@localhost", "example.org@localhost", "localhost#.example.org", "localhost?.example.org", "localhost:80:443", "example.org:0", "example.org:65536", "example.org:-1", "example.org:080", "example.org:22", "example.org:25", "example.org:6379", "example.org:5432", "example.org:11211", "example.org:9200", "example.org:2375",
		"[::1", "::1]", "[]", "[localhost]", "[127.0.0.1]", "[v1.localhost]", "1.2.3", "0x7f.1", "1e3", "1.2.3.4.5",
	}
}
