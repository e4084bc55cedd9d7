package node

import (
	"net/netip"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestAppCannotReachTheOwnersProxy: a proxy on loopback that an installer's
// settings name would call the API for an app, as its owner.
func TestAppCannotReachTheOwnersProxy(t *testing.T) {
	proxy := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3128")}
	if p := policy(sandbox.Spec{Profile: sandbox.App}, proxy); len(p.Allow) > 0 {
		t.Errorf("an app may reach %v", p.Allow)
	}
	if p := policy(sandbox.Spec{Profile: sandbox.Build}, proxy); len(p.Allow) != 1 {
		t.Errorf("a build may reach %v, want the proxy", p.Allow)
	}
}
