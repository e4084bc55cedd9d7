package gateway

import (
	"math"
	"testing"
	"time"
)

func TestGRPCTimeout(t *testing.T) {
	for in, want := range map[string]time.Duration{"1H": time.Hour, "300m": 300 * time.Millisecond, "99999999n": 99999999, "99999999H": math.MaxInt64, "0S": 0} {
		if got, ok := grpcTimeout(in); !ok || got != want {
			t.Errorf("%q: %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "S", "1", "1s", "-1S", "+1S", "1.5S", "999999999S", " 1S"} {
		if got, ok := grpcTimeout(in); ok {
			t.Errorf("%q: %v", in, got)
		}
	}
}
