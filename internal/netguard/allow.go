package netguard

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// entry is one compiled line of a list of hosts. Either name or prefix is set.
type entry struct {
	name   string // lower case, without a final dot
	below  bool   // "*.name"
	prefix netip.Prefix
	port   string // "" for any
}

// parseEntry reads a host, a host with port, "*.domain" or a CIDR prefix.
func parseEntry(s string) (entry, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return entry{prefix: p.Masked()}, nil
	}
	host, port := splitHost(s)
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap()
		return entry{prefix: netip.PrefixFrom(a.WithZone(""), a.BitLen()), port: port}, nil
	}
	name, below := strings.CutPrefix(host, "*.")
	if name == "" || strings.ContainsAny(name, "*/@ []:") {
		return entry{}, fmt.Errorf("network policy: %q is not a host, address or prefix: %w", s, fault.Invalid)
	}
	return entry{name: canonicalHost(name), below: below, port: port}, nil
}

// lists reports whether the entry covers the host or the address it has, and
// whether it names exactly that address. The address may be the zero Addr.
func (e entry) lists(host, port string, a netip.Addr) (listed, exact bool) {
	if e.port != "" && e.port != port {
		return false, false
	}
	if e.name == "" {
		if !a.IsValid() || !e.prefix.Contains(a) {
			return false, false
		}
		return true, e.prefix.IsSingleIP()
	}
	if e.below {
		return strings.HasSuffix(host, "."+e.name), false
	}
	return host == e.name, false
}

// splitHost splits an optional port off a host, and brackets off an address.
func splitHost(s string) (host, port string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && isPort(s[i+1:]) {
		h := s[:i]
		if !strings.Contains(h, ":") || strings.HasPrefix(h, "[") && strings.HasSuffix(h, "]") {
			s, port = h, s[i+1:]
		}
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	return s, port
}

func isPort(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// hostOf is the host part of "host:port".
func hostOf(s string) string { h, _ := splitHost(s); return h }

// canonicalHost folds the spellings of one name.
func canonicalHost(s string) string { return strings.TrimSuffix(strings.ToLower(s), ".") }
