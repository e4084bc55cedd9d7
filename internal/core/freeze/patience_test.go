package freeze

import (
	"slices"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		rule  string
		woken []time.Duration
		want  time.Duration
	}{
		{"new", nil, time.Second},
		{"a long sleep halves it", []time.Duration{time.Minute}, 500 * ms},
		{"as long as the wait was too early", []time.Duration{time.Minute, 500 * ms}, time.Second},
		{"a little more was too late", []time.Duration{time.Minute, 501 * ms}, 250 * ms},
		{"never below the shortest", slices.Repeat([]time.Duration{time.Hour}, 9), Shortest},
		{"from where one step leads up", append(slices.Repeat([]time.Duration{time.Hour}, 9), ms), 2 * Shortest},
		{"never above the longest", []time.Duration{0, 0, 0}, time.Second},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			var p Patience
			for _, d := range tt.woken {
				p.Woken(d)
			}
			if got := p.After(); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
