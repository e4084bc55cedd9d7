package node

import (
	"strings"
	"testing"
	"time"
)

func TestFrozenDetail(t *testing.T) {
	for _, tt := range []struct {
		count      int
		held, swap int64
		want       string
	}{
		{0, 0, 0, "no instance is frozen"},
		{3, 90 << 20, 0, "3 instances hold 90 MiB until they are stopped, 15m0s after"},
		{3, 90 << 20, 1 << 30, "3 instances hold 90 MiB; it moves to swap (1 GiB)"},
	} {
		if got := frozenDetail(tt.count, tt.held, tt.swap, 15*time.Minute); !strings.Contains(got, tt.want) {
			t.Errorf("%d instances, swap %d: %q, want %q", tt.count, tt.swap, got, tt.want)
		}
	}
}
