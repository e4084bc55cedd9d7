package pid1

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func TestDialAddress(t *testing.T) {
	v6 := func(address string) string {
		return address + ":1F90 " + "00000000000000000000000000000000:0000 0A 0\n"
	}
	tests := []struct {
		name      string
		tcp, tcp6 string
		want      string
	}{
		{"nothing", "", "", ""},
		{"loopback", "   0: 0100007F:1F90 00000000:0000 0A 0\n", "", "127.0.0.1"},
		{"all IPv4", "   0: 00000000:1F90 00000000:0000 0A 0\n", "", "127.0.0.1"},
		{"one address", "   0: 0200D50A:1F90 00000000:0000 0A 0\n", "", "10.213.0.2"},
		{"other port", "   0: 0100007F:1388 00000000:0000 0A 0\n", "", ""},
		{"connected, not listening", "   0: 0100007F:1F90 0100007F:D431 01 0\n", "", ""},
		{"all IPv6", "", "   0: " + v6("00000000000000000000000000000000"), "::1"},
		{"IPv6 loopback", "", "   0: " + v6("00000000000000000000000001000000"), "::1"},
		{"mapped IPv4", "", "   0: " + v6("0000000000000000FFFF00000100007F"), "127.0.0.1"},
		{"both, IPv4 first", "   0: 00000000:1F90 00000000:0000 0A 0\n", "   0: " + v6("00000000000000000000000000000000"), "127.0.0.1"},
		{"cut off", "   0: 0100007F:1F9", "   0: 00:1F90 0 0A", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ls := append(parseListeners(header+tt.tcp, false), parseListeners(header+tt.tcp6, true)...)
			if got := dialAddress(ls, 8080); got != tt.want {
				t.Errorf("address = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPortsOf(t *testing.T) {
	ip := netip.MustParseAddr("127.0.0.1")
	got := portsOf([]listener{{ip, 9000}, {ip, 80}, {ip, 9000}})
	if diff := cmp.Diff([]int{80, 9000}, got); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func FuzzParseListeners(f *testing.F) {
	f.Add(header+"   0: 0100007F:1F90 00000000:0000 0A 0\n", false)
	f.Add("   0: 00000000000000000000000001000000:0050 0 0A", true)
	f.Fuzz(func(t *testing.T, table string, ipv6 bool) {
		for _, l := range parseListeners(table, ipv6) {
			if !l.ip.IsValid() || l.ip.Is6() != ipv6 || l.port < 0 || l.port > 65535 {
				t.Errorf("listener %+v from %q", l, table)
			}
		}
	})
}

func TestIsStopped(t *testing.T) {
	for stat, want := range map[string]bool{
		"12 (sh) T 1 12": true, "12 (a) R (b) S 1": false, "12 (a) T (b) t 1": true, "12 (x) Z 1": true, "12 (x)": false, "": false,
	} {
		if got := isStopped(stat); got != want {
			t.Errorf("isStopped(%q) = %v, want %v", stat, got, want)
		}
	}
}
