package serving_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

func route(by sunya.ShardBy, permille ...int) serving.Route {
	r := serving.Route{Service: &sunya.Service{Traffic: sunya.Traffic{ShardBy: by}}}
	for n, p := range permille {
		r.Shares = append(r.Shares, serving.Share{Revision: &sunya.Revision{ID: fmt.Sprint(n)}, Permille: p})
	}
	return r
}

func id(rev *sunya.Revision) string {
	if rev == nil {
		return "none"
	}
	return rev.ID
}

func TestPick(t *testing.T) {
	fixed := route(sunya.ShardByIP, 1000)
	fixed.Fixed = &sunya.Revision{ID: "fixed"}
	tests := []struct {
		rule   string
		route  serving.Route
		client serving.Client
		want   string
		sticky bool
	}{
		{"a host of its own", fixed, serving.Client{}, "fixed", false},
		{"no traffic", route(""), serving.Client{}, "none", false},
		{"no share", route("", 0), serving.Client{}, "none", false},
		{"all to one", route(sunya.ShardByCookie, 1000), serving.Client{Random: 7}, "0", false},
		{"random, below", route("", 300, 700), serving.Client{Random: 299}, "0", false},
		{"random, above", route("", 300, 700), serving.Client{Random: 300}, "1", false},
		{"random wraps", route("", 300, 700), serving.Client{Random: 4_000_000_299}, "0", false},
		{"nothing is skipped", route("", 0, 999, 1), serving.Client{Random: 999}, "2", false},
		{"cookie, first", route(sunya.ShardByCookie, 1, 999), serving.Client{Cookie: "0", Random: 500}, "0", false},
		{"cookie, last", route(sunya.ShardByCookie, 1, 999), serving.Client{Cookie: "999"}, "1", false},
		{"no cookie yet", route(sunya.ShardByCookie, 500, 500), serving.Client{Random: 700}, "1", true},
		{"cookie out of range", route(sunya.ShardByCookie, 500, 500), serving.Client{Cookie: "1000", Random: 1}, "0", true},
		{"cookie is no number", route(sunya.ShardByCookie, 500, 500), serving.Client{Cookie: "x", Random: 1}, "0", true},
		{"a cookie means nothing to others", route(sunya.ShardByRandom, 500, 500), serving.Client{Cookie: "999", Random: 1}, "0", false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, _ := serving.Pick(tt.route, tt.client)
			if id(got) != tt.want || serving.Sticky(tt.route, tt.client) != tt.sticky {
				t.Errorf("got %s, sticky %v; want %s, %v", id(got), serving.Sticky(tt.route, tt.client), tt.want, tt.sticky)
			}
		})
	}
}

func TestAddressesAreSpreadByShareAndStay(t *testing.T) {
	r := route(sunya.ShardByIP, 200, 800)
	const n = 20_000
	first := 0
	for i := range n {
		c := serving.Client{IP: fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), Random: uint32(i)}
		a, _ := serving.Pick(r, c)
		c.Random++
		if b, _ := serving.Pick(r, c); a != b {
			t.Fatalf("%s went from %s to %s", c.IP, id(a), id(b))
		}
		if id(a) == "0" {
			first++
		}
	}
	if share := float64(first) / n; math.Abs(share-0.2) > 0.02 {
		t.Errorf("%.3f of the addresses, want 0.200", share)
	}
}

// FuzzPick: a split that sums to 1000 always serves, never a revision without
// a share, and the same client the same one.
func FuzzPick(f *testing.F) {
	f.Add(uint16(300), uint16(500), "10.0.0.1", "", uint32(7))
	f.Add(uint16(0), uint16(1000), "", "999", uint32(1<<31))
	f.Add(uint16(1), uint16(0), "::1", "-1", uint32(0))
	f.Fuzz(func(t *testing.T, a, b uint16, ip, cookie string, random uint32) {
		first := int(a) % 1001
		second := int(b) % (1001 - first)
		shares := []int{first, second, 1000 - first - second}
		c := serving.Client{IP: ip, Cookie: cookie, Random: random}
		for _, by := range []sunya.ShardBy{"", sunya.ShardByIP, sunya.ShardByCookie, sunya.ShardByRandom} {
			r := route(by, shares...)
			rev, bucket := serving.Pick(r, c)
			if rev == nil || shares[rev.ID[0]-'0'] == 0 || bucket < 0 || bucket > 999 {
				t.Fatalf("%q of %v: revision %s, bucket %d", by, shares, id(rev), bucket)
			}
			if again, _ := serving.Pick(r, c); again != rev {
				t.Errorf("%q of %v: %s, then %s", by, shares, id(rev), id(again))
			}
			c := c
			c.Cookie = fmt.Sprint(bucket)
			if kept, _ := serving.Pick(r, c); by == sunya.ShardByCookie && kept != rev {
				t.Errorf("the cookie leads from %s to %s", id(rev), id(kept))
			}
		}
	})
}
