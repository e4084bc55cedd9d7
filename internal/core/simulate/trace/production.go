package trace

import (
	"math"
	"math/rand/v2"
	"time"
)

// The figures of production, unless another source is named: M. Shahrad et al.,
// "Serverless in the Wild: Characterizing and Optimizing the Serverless Workload
// at a Large Cloud Provider", USENIX ATC 2020, sections 3.2 to 3.5 (Azure
// Functions, two weeks of July 2019; the traces: AzureFunctionsDataset2019). What
// is not published is said where it is assumed. docs/simulator.md has the table.

// rates are how often apps are invoked: figure 5(a) and the text to it. 45 % at
// most once an hour, 81 % at most once a minute, and the other 18.6 % have 99.6 %
// of all invocations; that 3 % are above once a second is read off the figure by M.
// Shilkov (mikhail.io, May 2020). The lowest is a choice: the figure goes down to
// a few in the two weeks.
var rates = []struct{ share, perDay float64 }{
	{0, 0.1},
	{0.45, 24},
	{0.81, 24 * 60},
	{0.97, 24 * 60 * 60},
	{1, highest},
}

// highest is the rate of the busiest of ten thousand apps, per day: that with which
// the 18.6 % have their 99.6 %.
const highest = 3.6e6

// perDay is the rate of the app at a place of the ranking, 0 to 1, the rarest
// first: between two known places the logarithm grows evenly.
func perDay(place float64) float64 {
	i := 1
	for place > rates[i].share {
		i++
	}
	a, b := rates[i-1], rates[i]
	return a.perDay * math.Pow(b.perDay/a.perDay, (place-a.share)/(b.share-a.share))
}

const (
	// timers is the share of apps that only a timer calls (figure 3b); those fire
	// at most once a minute (section 3.2).
	timers = 0.13
	// bursty is the share of apps whose times between invocations vary more than
	// those of a Poisson process (CV above 1, figure 6 and section 3.6).
	bursty = 0.40
	// baseline is the share of the invocations that does not follow the day
	// (figure 4).
	baseline = 0.5
	// The logarithm of an app's average execution time in seconds is normal
	// (figure 7).
	workMu, workSigma = -0.38, 2.36
	// longest is the longest execution: what a function of Azure's consumption
	// plan may be given (functionTimeout in host.json).
	longest = 10 * time.Minute
	// An app's average memory in MB follows a Burr distribution (figure 8).
	burrC, burrK, burrLambda = 11.652, 0.221, 107.083
	// bootSigma spreads the boots of services over two orders of magnitude between
	// the 1st and the 99th of a hundred, the least that A. Joosen et al., "How Does
	// It Function? Characterizing Long-term Trends in Production Serverless
	// Workloads", ACM SoCC 2023, say of cold starts (two to four).
	bootSigma = 1.0
	// burst is the mean number of requests in a burst; the mean time between two of
	// them is a burstPart of the app's own, and burstGap at most. These are choices,
	// the publications only have the CV.
	burst     = 8
	burstPart = 0.1
	burstGap  = 200 * time.Millisecond
)

// production is a load like that of Azure Functions. Services are apps. Its
// length follows from the published rates, unless it is given: then the rates are
// scaled.
func production(o Options) *Trace {
	rng := random(o.Seed, -1)
	weights, total := make([]float64, o.Services), 0.0
	for i := range weights {
		weights[i] = perDay((float64(i) + 0.5) / float64(o.Services))
		total += weights[i]
	}
	length := o.Length
	if length == 0 {
		length = time.Duration(float64(o.Requests) / total * float64(24*time.Hour)).Round(time.Second)
		length = max(length, time.Minute)
	}
	t := &Trace{Name: "production", Length: length}
	for i, n := range apportion(weights, total, o.Requests) {
		t.Services = append(t.Services, productionService(o, i, n, length, weights[i]))
	}
	rng.Shuffle(len(t.Services), func(i, j int) { t.Services[i], t.Services[j] = t.Services[j], t.Services[i] })
	return t
}

// apportion shares n out by weight; the sum is n.
func apportion(weights []float64, total float64, n int) []int {
	out, before := make([]int, len(weights)), 0.0
	for i, w := range weights {
		after := before + w
		out[i] = int(math.Round(after/total*float64(n))) - int(math.Round(before/total*float64(n)))
		before = after
	}
	return out
}

func productionService(o Options, i, n int, length time.Duration, perDay float64) Service {
	rng := random(o.Seed, i)
	mean := time.Duration(math.Exp(workMu+workSigma*rng.NormFloat64()) * float64(time.Second))
	if o.Work > 0 {
		mean = lognormal(rng, o.Work, workSigma)
	}
	draw := around(rng, min(mean, longest))
	p := profiled{
		ordered: ordered{left: n, rng: rng},
		profile: window(rng, length),
		length:  length,
		work:    func() time.Duration { return min(draw(), longest) },
		safe:    o.Safe,
	}
	s := Service{
		Name:        serviceName(i),
		Boot:        lognormal(rng, o.Boot, bootSigma),
		MemoryBytes: int64(burr(rng.Float64()) * 1e6),
		Requests:    &p,
	}
	switch kind := rng.Float64(); {
	case perDay <= 24*60 && kind < timers/0.81: // all timers are among the rare ones
		s.Requests = &timer{n: n, length: length, phase: rng.Float64(), work: p.work, safe: o.Safe, rng: rng}
	case kind > 1-bursty:
		s.Requests = newBursts(p)
	}
	return s
}

// burr is the inverse of the Burr distribution.
func burr(u float64) float64 {
	return burrLambda * math.Pow(math.Pow(1-min(u, 0.999), -1/burrK)-1, 1/burrC)
}

// window is the part of a day that a trace shows, with its peak at any time: apps
// have users all over the world.
func window(rng *rand.Rand, length time.Duration) Profile {
	day := length.Hours() / 24
	peak := rng.Float64()
	if day >= 1 {
		return Diurnal(baseline, peak)
	}
	rates := make([]float64, 24)
	for i := range rates {
		at := (float64(i) + 0.5) / 24 * day
		rates[i] = baseline + (1-baseline)*(1+math.Cos(2*math.Pi*(at-peak)))/2
	}
	return NewProfile(rates)
}

// timer comes at equal distances.
type timer struct {
	n, done int
	length  time.Duration
	phase   float64
	work    func() time.Duration
	safe    float64
	rng     *rand.Rand
}

func (t *timer) Next() (Request, bool) {
	if t.done >= t.n {
		return Request{}, false
	}
	at := time.Duration((float64(t.done) + t.phase) / float64(t.n) * float64(t.length))
	t.done++
	return Request{At: at, Work: t.work(), Safe: t.rng.Float64() < t.safe}, true
}

// bursts come in groups whose beginnings follow the profile.
type bursts struct {
	profiled
	all  int           // requests to come
	rest int           // of the burst under way
	at   time.Duration // of the last one
	gap  float64       // mean time between two of a burst
}

func newBursts(p profiled) *bursts {
	b := &bursts{profiled: p, all: p.left}
	b.left = (p.left + burst - 1) / burst
	b.gap = min(burstPart*float64(p.length)/float64(max(p.left, 1)), float64(burstGap))
	return b
}

func (b *bursts) Next() (Request, bool) {
	if b.all == 0 {
		return Request{}, false
	}
	if b.rest == 0 {
		b.begin()
	} else {
		b.at += time.Duration(b.rng.ExpFloat64() * b.gap)
	}
	b.rest--
	b.all--
	return Request{At: b.at, Work: b.work(), Safe: b.rng.Float64() < b.safe}, true
}

// begin starts a burst. The mean is what is left for each, so that the last one,
// which takes all, is no larger than others.
func (b *bursts) begin() {
	mean := float64(b.all) / float64(max(b.left, 1))
	u, more := b.next()
	if more {
		b.at = max(b.at, time.Duration(b.profile.At(u)*float64(b.length)))
	}
	b.rest = min(1+int(b.rng.ExpFloat64()*(mean-1)+0.5), b.all)
	if b.left == 0 {
		b.rest = b.all
	}
}
