package ssrftest

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// Domain is below what Server answers for.
const Domain = "ssrf.example.com"

// Public are addresses that are reachable to everybody, one of each family.
var Public = []netip.Addr{netip.MustParseAddr("93.184.215.14"), netip.MustParseAddr("2606:2800:21f:cb07:6820:80da:af6b:8b2c")}

// Plan is how a name of Domain resolves.
type Plan string

// The plans.
const (
	Only  Plan = "only"  // the target
	Flip  Plan = "flip"  // a public address the first time it is asked for, the target from then on
	Mixed Plan = "mixed" // public addresses and the target
	Alias Plan = "alias" // a CNAME of a name that has the target
)

// Name returns a name that leads to a target.
func Name(p Plan, target netip.Addr) string {
	b := target.As16()
	if target.Is4() {
		v := target.As4()
		return fmt.Sprintf("%s-%s.%s", p, hex.EncodeToString(v[:]), Domain)
	}
	return fmt.Sprintf("%s-%s.%s", p, hex.EncodeToString(b[:]), Domain)
}

// PublicName is a name that has public addresses alone.
const PublicName = "public." + Domain

// Resolver starts a name server on this machine and returns what asks it. It stops with
// the test.
func Resolver(t testing.TB) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	s := &server{asked: map[string]bool{}}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if a := s.answer(buf[:n]); a != nil {
				pc.WriteTo(a, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

type server struct {
	mu    sync.Mutex
	asked map[string]bool // names with their type
}

const (
	typeA     = 1
	typeCNAME = 5
	typeAAAA  = 28
)

// answer answers one query (RFC 1035, section 4).
func (s *server) answer(q []byte) []byte {
	if len(q) < 17 {
		return nil
	}
	var labels []string
	end := 12
	for q[end] != 0 {
		l := int(q[end])
		if end+1+l >= len(q)-4 {
			return nil
		}
		labels = append(labels, strings.ToLower(string(q[end+1:end+1+l])))
		end += l + 1
	}
	question := q[12 : end+5]
	kind := binary.BigEndian.Uint16(question[len(question)-4:])
	name := strings.Join(labels, ".")
	alias, addrs, ok := s.resolve(name, kind)
	flags := byte(0x80)
	if !ok {
		flags = 0x83 // no such name
	}
	out := append([]byte{q[0], q[1], 0x81, flags, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	at := uint16(0xc000 | 12)
	record := func(kind uint16, data []byte) {
		out = binary.BigEndian.AppendUint16(out, at)
		out = binary.BigEndian.AppendUint16(out, kind)
		out = append(out, 0, 1, 0, 0, 0, 0) // for no time at all
		out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
		out = append(out, data...)
		out[7]++
	}
	if alias != "" {
		var data []byte
		for l := range strings.SplitSeq(alias, ".") {
			data = append(append(data, byte(len(l))), l...)
		}
		record(typeCNAME, append(data, 0))
		at = 0xc000 | uint16(len(out)-len(data)-1)
	}
	for _, a := range addrs {
		if a.Is4() == (kind == typeA) && (kind == typeA || kind == typeAAAA) {
			record(kind, a.AsSlice())
		}
	}
	return out
}

func (s *server) resolve(name string, kind uint16) (alias string, addrs []netip.Addr, ok bool) {
	first, below := strings.CutSuffix(name, "."+Domain)
	if !below {
		return "", nil, false
	}
	if name == PublicName {
		return "", Public, true
	}
	plan, digits, _ := strings.Cut(first, "-")
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return "", nil, false
	}
	target, ok := netip.AddrFromSlice(raw)
	if !ok {
		return "", nil, false
	}
	switch Plan(plan) {
	case Only:
		return "", []netip.Addr{target}, true
	case Mixed:
		return "", append([]netip.Addr{target}, Public...), true
	case Alias:
		return Name(Only, target), []netip.Addr{target}, true
	case Flip:
		s.mu.Lock()
		defer s.mu.Unlock()
		key := fmt.Sprint(name, kind)
		if s.asked[key] {
			return "", []netip.Addr{target}, true
		}
		s.asked[key] = true
		return "", Public, true
	}
	return "", nil, false
}
