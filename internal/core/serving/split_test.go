package serving_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

func targets(shares ...int) []sunya.Target {
	var out []sunya.Target
	for i, n := range shares {
		if n > 0 {
			out = append(out, sunya.Target{Revision: string(rune('a' + i)), Permille: n})
		}
	}
	return out
}

// serves returns which revision has each of the thousand clients.
func serves(t sunya.Traffic) []string {
	order := t.Order
	if len(order) == 0 {
		order = t.Targets
	}
	var out []string
	for _, o := range order {
		out = append(out, slices.Repeat([]string{o.Revision}, o.Permille)...)
	}
	return out
}

func moved(a, b []string) int {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestOnlyClientsThatMustMoveDo(t *testing.T) {
	tests := []struct {
		from, to []int
		want     int // clients that change
	}{
		{[]int{1000}, []int{500, 500}, 500},
		{[]int{500, 500}, []int{400, 600}, 100},
		{[]int{300, 300, 400}, []int{400, 300, 300}, 100},
		{[]int{300, 300, 400}, []int{0, 300, 700}, 300},
		{[]int{0, 500, 500}, []int{500, 250, 250}, 500},
		{[]int{250, 250, 250, 250}, []int{250, 250, 250, 250}, 0},
		{[]int{1000}, []int{0, 1000}, 1000},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.from, tt.to), func(t *testing.T) {
			now := sunya.Traffic{ShardBy: sunya.ShardByIP, Targets: targets(tt.from...)}
			next := serving.Divide(now, targets(tt.to...))
			if diff := cmp.Diff(targets(tt.to...), next.Targets); diff != "" {
				t.Error(diff)
			}
			if got := moved(serves(now), serves(next)); got != tt.want {
				t.Errorf("%d clients change, want %d: %v", got, tt.want, next.Order)
			}
			back := serving.Divide(next, targets(tt.from...))
			if got := moved(serves(next), serves(back)); got != tt.want {
				t.Errorf("back: %d clients change, want %d", got, tt.want)
			}
		})
	}
}

func TestOrderThatDoesNotAddUpIsForgotten(t *testing.T) {
	now := sunya.Traffic{Targets: targets(1000), Order: targets(300, 700)}
	if got := serving.Divide(now, targets(1000)).Order; !slices.Equal(got, targets(1000)) {
		t.Errorf("order = %v", got)
	}
}

func TestTowardTheGoalByAndBy(t *testing.T) {
	now := sunya.Traffic{Targets: targets(700, 300), Goal: targets(0, 0, 1000), Stopped: []string{"x"}}
	var seen []string
	for len(now.Goal) > 0 && len(seen) < 20 {
		before := serves(now)
		now = serving.Toward(now, 250)
		if n := moved(before, serves(now)); n > 250 {
			t.Errorf("%d clients moved in one step", n)
		}
		seen = append(seen, fmt.Sprint(now.Targets))
	}
	want := []string{"[{a 450} {b 300} {c 250}]", "[{a 200} {b 300} {c 500}]", "[{b 250} {c 750}]", "[{c 1000}]"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(now.Stopped, []string{"x"}) {
		t.Errorf("stopped = %v", now.Stopped)
	}
}

// FuzzDivide: whatever was before, the shares are exact and no client moves
// without need.
func FuzzDivide(f *testing.F) {
	f.Add(uint16(300), uint16(300), uint16(400), uint16(300), uint16(5))
	f.Fuzz(func(t *testing.T, a, b, c, d, step uint16) {
		three := func(x, y uint16) []sunya.Target {
			first := int(x) % 1001
			second := int(y) % (1001 - first)
			return targets(first, second, 1000-first-second)
		}
		now := serving.Divide(sunya.Traffic{}, three(a, b))
		next := serving.Divide(now, three(c, d))
		count := map[string]int{}
		for _, rev := range serves(next) {
			count[rev]++
		}
		need := 0
		for _, target := range next.Targets {
			if count[target.Revision] != target.Permille {
				t.Fatalf("%v is served as %v", next.Targets, count)
			}
			old := 0
			for _, o := range now.Targets {
				if o.Revision == target.Revision {
					old = o.Permille
				}
			}
			need += max(target.Permille-old, 0)
		}
		if got := moved(serves(now), serves(next)); got != need {
			t.Errorf("%d clients move from %v to %v, want %d", got, now.Targets, next.Targets, need)
		}
		now.Goal = next.Targets
		per := int(step)%1000 + 1
		for range 1000/per + 1 {
			now = serving.Toward(now, per)
		}
		if len(now.Goal) > 0 || moved(serves(next), serves(now)) > 0 && len(next.Targets) == 1 {
			t.Errorf("the goal is not reached: %v of %v", now.Targets, now.Goal)
		}
	})
}

func TestSmallNetworksAreSpread(t *testing.T) {
	r := route(sunya.ShardByIP, 500, 500)
	for _, network := range []string{"10.0.0.", "192.168.1.", "2001:db8::"} {
		first := 0
		for i := range 250 {
			if rev, _ := serving.Pick(r, serving.Client{IP: network + fmt.Sprint(i)}); id(rev) == "0" {
				first++
			}
		}
		if first < 95 || first > 155 { // four standard deviations
			t.Errorf("%d of the 250 addresses of %s0 go to the first half", first, network)
		}
	}
}
