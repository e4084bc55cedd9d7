package node

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestAppCannotReachTheOwnersProxy: a proxy on loopback that an installer's
// settings name would call the API for an app, as its owner.
func TestAppCannotReachTheOwnersProxy(t *testing.T) {
	proxy := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3128")}
	m := &machine{guests: newGuests(slog.New(slog.DiscardHandler)), apis: newGuests(slog.New(slog.DiscardHandler))}
	if p := m.policy(sandbox.Spec{Profile: sandbox.App}, proxy); len(p.Allow) > 0 || p.Metadata == nil {
		t.Errorf("an app may reach %v, metadata %v; want nothing, and metadata", p.Allow, p.Metadata != nil)
	}
	if p := m.policy(sandbox.Spec{Profile: sandbox.Build}, proxy); len(p.Allow) != 1 || p.Metadata != nil {
		t.Errorf("a build may reach %v, metadata %v; want the proxy, and no metadata", p.Allow, p.Metadata != nil)
	}
}
