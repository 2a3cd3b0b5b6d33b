package netguard

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestClassOf(t *testing.T) {
	for _, tc := range []struct {
		addr string
		want Class
	}{
		{"1.1.1.1", Public},
		{"8.8.8.8", Public},
		{"172.15.255.255", Public},
		{"172.32.0.0", Public},
		{"2606:4700:4700::1111", Public},
		{"10.0.0.1", Private},
		{"172.16.0.1", Private},
		{"172.31.255.255", Private},
		{"192.168.255.255", Private},
		{"100.64.0.1", Private},
		{"198.19.0.1", Private},
		{"fd12:3456::1", Private},
		{"64:ff9b:1::1", Private},
		{"127.0.0.1", Loopback},
		{"127.255.255.254", Loopback},
		{"::1", Loopback},
		{"0.0.0.0", Special},
		{"0.1.2.3", Special},
		{"169.254.169.254", Special},
		{"169.254.170.2", Special},
		{"168.63.129.16", Special},
		{"100.100.100.200", Special},
		{"192.0.0.192", Special},
		{"224.0.0.1", Special},
		{"255.255.255.255", Special},
		{"::", Special},
		{"::7f00:1", Special},
		{"fe80::1", Special},
		{"fe80::1%eth0", Special},
		{"fd00:ec2::254", Special},
		{"fd20:ce::254", Special},
		{"ff02::1", Special},
		{"2001::1", Special},
		{"::ffff:127.0.0.1", Loopback},
		{"::ffff:10.1.2.3", Private},
		{"::ffff:169.254.169.254", Special},
		{"64:ff9b::a9fe:a9fe", Special},
		{"64:ff9b::7f00:1", Loopback},
		{"64:ff9b::808:808", Public},
		{"2002:a9fe:a9fe::1", Special},
		{"2002:7f00:1::", Loopback},
	} {
		if got := ClassOf(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("ClassOf(%s) = %v, want %v", tc.addr, got, tc.want)
		}
	}
	if got := ClassOf(netip.Addr{}); got != Special {
		t.Errorf("ClassOf(zero) = %v, want special", got)
	}
}

// An address that carries an IPv4 address never has another class than it.
func TestClassOfCarriedAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4"))
		v4 := netip.AddrFrom4(b)
		want := ClassOf(v4)
		mapped := netip.AddrFrom16(v4.As16())
		n := nat64.Addr().As16()
		copy(n[12:], b[:])
		s := sixTo.Addr().As16()
		copy(s[2:], b[:])
		for _, a := range []netip.Addr{mapped, netip.AddrFrom16(n), netip.AddrFrom16(s)} {
			if got := ClassOf(a); got != want {
				t.Fatalf("ClassOf(%s) = %v, but it carries %s, which is %v", a, got, v4, want)
			}
		}
	})
}
