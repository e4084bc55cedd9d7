package usernet

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestRangesThatNoSandboxReaches(t *testing.T) {
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "169.254.169.254", "169.254.0.1",
		"10.213.0.1", "10.213.0.2", "10.213.0.255", "224.0.0.251", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"100.100.100.200", "168.63.129.16", "192.0.0.192",
		"::", "::1", "fe80::1", "fe80::1%lo", "ff02::1", "fd00:ec2::254",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::127.0.0.1", "::169.254.169.254",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:ad5:1::", "::ffff:10.213.0.1",
	} {
		if rangeDenied(netip.MustParseAddr(a)) == "" {
			t.Errorf("%s is allowed", a)
		}
	}
	for _, a := range []string{
		"8.8.8.8", "10.0.0.1", "10.212.255.255", "10.213.1.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.51.100.1",
		"2001:db8::1", "fd12::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
	} {
		if why := rangeDenied(netip.MustParseAddr(a)); why != "" {
			t.Errorf("%s is denied: %s", a, why)
		}
	}
}

func TestHostsOwnAddressesAreDenied(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if !ok {
			t.Fatal(a)
		}
		p := Policy{}
		_, err := p.resolve(netip.AddrPortFrom(ip.Unmap(), 80))
		var denied *deniedError
		if !errors.As(err, &denied) {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

func TestAllowList(t *testing.T) {
	p := Policy{Allow: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:3141"),
		netip.MustParseAddrPort("169.254.1.1:80"),
	}}
	for _, tt := range []struct{ dst, want string }{
		{sandbox.GatewayIP + ":3141", "127.0.0.1:3141"},
		{"169.254.1.1:80", "169.254.1.1:80"},
		{sandbox.GatewayIP + ":3142", ""},
		{"169.254.1.1:81", ""},
		{"169.254.1.2:80", ""},
		{sandbox.MetadataIP + ":80", ""},
	} {
		got, err := p.resolve(netip.MustParseAddrPort(tt.dst))
		if tt.want == "" {
			if err == nil || !strings.Contains(err.Error(), "denied") {
				t.Errorf("%s: %v, %v", tt.dst, got, err)
			}
			continue
		}
		if err != nil || got.String() != tt.want {
			t.Errorf("%s: %v, %v, want %s", tt.dst, got, err, tt.want)
		}
	}
}

func TestBuffersShrinkWithConnections(t *testing.T) {
	var sum int64
	for open := int64(1); open <= maxTCP; open++ {
		size := bufferSize(open)
		if size < minBuffer || size > maxBuffer {
			t.Fatalf("bufferSize(%d) = %d", open, size)
		}
		sum += size
	}
	if limit := int64(6 * bufferBudget); sum > limit {
		t.Errorf("%d connections may hold %d bytes a direction, want at most %d", maxTCP, sum, limit)
	}
}
