package results

import (
	"math"
	"slices"
	"strings"
)

// Quantile is the value below which the share q of the samples lies, 0 to 1,
// with linear interpolation between neighbours; NaN for no samples.
func Quantile(samples []float64, q float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(samples))
	at := q * float64(len(s)-1)
	low := int(at)
	if low+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[low] + (at-float64(low))*(s[low+1]-s[low])
}

// Median is the middle of the samples.
func Median(samples []float64) float64 { return Quantile(samples, 0.5) }

// Spread is where the middle of some values lies and how far they are apart: the
// quartiles, or for fewer than eight values the extremes.
type Spread struct{ Median, Low, High float64 }

// SpreadOf summarises samples.
func SpreadOf(samples []float64) Spread {
	low, high := 0.25, 0.75
	if len(samples) < 8 {
		low, high = 0, 1
	}
	return Spread{Median(samples), Quantile(samples, low), Quantile(samples, high)}
}

// Ratio compares a subject with another that was measured in the same rounds.
type Ratio struct {
	OfMedians float64
	Paired    Spread // of the ratios within each round; zero where rounds do not pair
}

// Over compares the samples of a subject with those of its base.
func Over(subject, base []float64) Ratio {
	r := Ratio{OfMedians: Median(subject) / Median(base)}
	if len(subject) != len(base) {
		return r
	}
	pairs := make([]float64, len(subject))
	for i := range pairs {
		pairs[i] = subject[i] / base[i]
	}
	r.Paired = SpreadOf(pairs)
	return r
}

// digits is how many figures of a sample are kept: more than any clock is good for.
const digits = 5

func significant(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, digits-1-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

func part(id string) string {
	p, _, _ := strings.Cut(id, "/")
	return p
}
