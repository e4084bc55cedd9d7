package hoststack

import (
	"testing"
	"time"
)

func TestDiscoverHere(t *testing.T) {
	s := time.Now()
	h, err := Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("took %v", time.Since(s))
	for _, r := range h.machine.Runtimes {
		t.Logf("%+v", r)
	}
	t.Log(h.Prefixes(), h.Loopback(), h.machine.Client.Env)
}
