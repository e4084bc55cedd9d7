package cli

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSplits(t *testing.T) {
	for _, tt := range []struct {
		splits, by string
		want       map[string]float64
		err        string
	}{
		{"v1=1", "ip", map[string]float64{"v1": 1}, ""},
		{"v2=.5,v1=.5", "ip", map[string]float64{"v1": 0.5, "v2": 0.5}, ""},
		{" v1=2, v2=2 ", "cookie", map[string]float64{"v1": 0.5, "v2": 0.5}, ""},
		{"v1=1,v2=1,v3=1", "ip", map[string]float64{"v1": 0.34, "v2": 0.33, "v3": 0.33}, ""},
		{"v1=1,v2=1,v3=1", "random", map[string]float64{"v1": 0.334, "v2": 0.333, "v3": 0.333}, ""},
		{"v1=.999,v2=.001", "cookie", map[string]float64{"v1": 0.999, "v2": 0.001}, ""},
		{"v1=.999,v2=.001", "ip", nil, "v2 would get nothing"},
		{"", "ip", nil, "--splits is missing"},
		{"v1", "ip", nil, `"v1" is not allowed`},
		{"v1=", "ip", nil, `"v1=" is not allowed`},
		{"v1=0", "ip", nil, "a number above 0"},
		{"v1=-1", "ip", nil, "a number above 0"},
		{"v1=NaN", "ip", nil, "a number above 0"},
		{"v1=Inf", "ip", nil, "a number above 0"},
		{"V1=1", "ip", nil, "not the id of a version"},
		{"v1=1,v1=2", "ip", nil, "v1 is named twice"},
		{"v1=1,", "ip", nil, `"" is not allowed`},
		{"v1=1", "address", nil, "use ip, cookie or random"},
	} {
		t.Run(tt.splits+" by "+tt.by, func(t *testing.T) {
			got, err := parseSplits(tt.splits, tt.by)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("err = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.GetAllocations()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTooManyVersionsToSplit(t *testing.T) {
	var parts []string
	for i := range 150 {
		parts = append(parts, fmt.Sprintf("v%d=1", i))
	}
	if _, err := parseSplits(strings.Join(parts, ","), "ip"); err == nil {
		t.Error("150 versions share 100 parts")
	}
}

// FuzzParseSplits: what is accepted sums to 1 in the decimals that the API
// takes, and every version named gets something.
func FuzzParseSplits(f *testing.F) {
	for _, s := range []string{"v1=.5,v2=.5", "v1=1", "a=1,b=2,c=3.25", "v1=1e9,v2=1", "=,=", "v1=0x1p-2"} {
		for _, by := range []string{"ip", "cookie", "random", ""} {
			f.Add(s, by)
		}
	}
	f.Fuzz(func(t *testing.T, splits, by string) {
		got, err := parseSplits(splits, by)
		if err != nil {
			return
		}
		places := 1000.0
		if by == "ip" {
			places = 100
		}
		sum := 0.0
		for id, part := range got.GetAllocations() {
			if !(part > 0) || math.Abs(part*places-math.Round(part*places)) > 1e-6 {
				t.Errorf("%s gets %v of %q", id, part, splits)
			}
			sum += part
		}
		if math.Abs(sum-1) > 1e-6 || len(got.GetAllocations()) != strings.Count(splits, "=") {
			t.Errorf("%q is %v", splits, got)
		}
	})
}
