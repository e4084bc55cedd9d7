package trace

import (
	"math"
	"slices"
	"time"
)

// Profile is how a load is spread over its time: the rate in equal slices,
// relative to each other.
type Profile struct{ sum []float64 }

// NewProfile returns the profile of the given rates, of which one at least is
// above 0.
func NewProfile(rates []float64) Profile {
	p := Profile{sum: make([]float64, len(rates)+1)}
	for i, r := range rates {
		p.sum[i+1] = p.sum[i] + r
	}
	return p
}

// At returns when the share u, 0 to 1, of the load has come, as a share of the
// time.
func (p Profile) At(u float64) float64 {
	n := len(p.sum) - 1
	want := u * p.sum[n]
	i := min(max(upper(p.sum, want)-1, 0), n-1)
	rate := p.sum[i+1] - p.sum[i]
	if rate <= 0 {
		return float64(i) / float64(n)
	}
	return (float64(i) + (want-p.sum[i])/rate) / float64(n)
}

// upper is the index of the first element above v.
func upper(sorted []float64, v float64) int {
	i, _ := slices.BinarySearchFunc(sorted, v, func(e, v float64) int {
		if e <= v {
			return -1
		}
		return 1
	})
	return i
}

// slices in a day: five minutes each.
const daySlices = 288

// Flat is the same rate all the time.
func Flat() Profile { return NewProfile([]float64{1}) }

// Step is a load that is ten times as high in its second half.
func Step() Profile { return NewProfile([]float64{1, 10}) }

// Spike is a load that is a hundred times as high in the middle twentieth.
func Spike() Profile {
	rates := make([]float64, 40)
	for i := range rates {
		rates[i] = 1
	}
	rates[19], rates[20] = 100, 100
	return NewProfile(rates)
}

// Diurnal is a day: a wave above a floor, the share of the highest rate that
// never goes away. Peak is when it is highest, as a share of the day.
func Diurnal(floor, peak float64) Profile {
	rates := make([]float64, daySlices)
	for i := range rates {
		at := (float64(i) + 0.5) / daySlices
		rates[i] = floor + (1-floor)*(1+math.Cos(2*math.Pi*(at-peak)))/2
	}
	return NewProfile(rates)
}

// OnOff is n times half a period with load and half a period without.
func OnOff(n int) Profile {
	rates := make([]float64, 2*n)
	for i := range n {
		rates[2*i] = 1
	}
	return NewProfile(rates)
}

// profiled spreads requests over a profile at random: a Poisson process whose rate
// follows the profile, and whose number of requests is known.
type profiled struct {
	ordered
	profile Profile
	length  time.Duration
	work    func() time.Duration
	safe    float64
}

func (p *profiled) Next() (Request, bool) {
	u, ok := p.next()
	if !ok {
		return Request{}, false
	}
	at := time.Duration(p.profile.At(u) * float64(p.length))
	return Request{At: at, Work: p.work(), Safe: p.rng.Float64() < p.safe}, true
}
