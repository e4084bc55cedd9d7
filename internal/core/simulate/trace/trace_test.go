package trace

import (
	"math"
	"slices"
	"testing"
	"time"
)

// drain runs a service to its end, and fails where it goes back in time.
func drain(t *testing.T, s Service) []Request {
	t.Helper()
	var out []Request
	for {
		q, ok := s.Requests.Next()
		if !ok {
			return out
		}
		if n := len(out); n > 0 && q.At < out[n-1].At {
			t.Fatalf("%s: %v after %v", s.Name, q.At, out[n-1].At)
		}
		out = append(out, q)
	}
}

func total(t *testing.T, tr *Trace) (n int) {
	t.Helper()
	for _, s := range tr.Services {
		n += len(drain(t, s))
	}
	return n
}

func TestShapesKeepTheirNumbers(t *testing.T) {
	for _, name := range Shapes {
		for _, o := range []Options{
			{Services: 1, Requests: 1, Safe: 1},
			{Services: 7, Requests: 1000, Safe: 0.5, Seed: 3, Boot: time.Second},
			{Services: 50, Requests: 10, Length: time.Hour, Work: time.Second},
		} {
			tr, ok := New(name, o)
			if !ok {
				t.Fatalf("no shape %s", name)
			}
			if len(tr.Services) != o.Services || tr.Length <= 0 {
				t.Errorf("%s: %d services in %v", name, len(tr.Services), tr.Length)
			}
			if got := total(t, tr); got != o.Requests {
				t.Errorf("%s %+v: %d requests", name, o, got)
			}
		}
	}
	if _, ok := New("storm", Options{Services: 1}); ok {
		t.Error("there is a shape storm")
	}
}

func TestSeed(t *testing.T) {
	read := func(seed uint64) (out []Request) {
		tr, _ := New("production", Options{Services: 20, Requests: 5000, Seed: seed, Safe: 0.8})
		for _, s := range tr.Services {
			out = append(out, drain(t, s)...)
		}
		return out
	}
	if !slices.Equal(read(1), read(1)) {
		t.Error("the same seed makes another trace")
	}
	if slices.Equal(read(1), read(2)) {
		t.Error("another seed makes the same trace")
	}
}

func TestProfile(t *testing.T) {
	p := NewProfile([]float64{1, 0, 3})
	for _, tt := range []struct{ u, want float64 }{{0, 0}, {0.125, 1.0 / 6}, {0.25, 2.0 / 3}, {0.625, 5.0 / 6}, {1, 1}} {
		if got := p.At(tt.u); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("At(%v) = %v, want %v", tt.u, got, tt.want)
		}
	}
}

// halves counts the requests of a shape in parts of its length.
func parts(t *testing.T, name string, n int) []int {
	tr, _ := New(name, Options{Services: 4, Requests: 40_000})
	out := make([]int, n)
	for _, s := range tr.Services {
		for _, q := range drain(t, s) {
			out[min(int(float64(n)*float64(q.At)/float64(tr.Length)), n-1)]++
		}
	}
	return out
}

func TestShapesHaveTheirShape(t *testing.T) {
	if p := parts(t, "step", 2); float64(p[1])/float64(p[0]) < 9 || float64(p[1])/float64(p[0]) > 11 {
		t.Errorf("step: %v", p)
	}
	if p := parts(t, "spike", 40); p[19] < 50*p[10] || p[20] < 50*p[30] {
		t.Errorf("spike: %v", p)
	}
	if p := parts(t, "on-off", 24); p[1]+p[3]+p[23] > 0 || p[0] < 3000 {
		t.Errorf("on-off: %v", p)
	}
	if p := parts(t, "diurnal", 24); p[12] < 7*p[0] {
		t.Errorf("diurnal: %v", p)
	}
}

// TestProductionIsAsPublished holds the trace against the figures that it is
// shaped after.
func TestProductionIsAsPublished(t *testing.T) {
	const apps = 10_000
	sum, top, hourly, minutely, secondly := 0.0, 0.0, 0, 0, 0
	for i := range apps {
		place := (float64(i) + 0.5) / apps
		r := perDay(place)
		sum += r
		if place > 1-0.186 {
			top += r
		}
		hourly += count(r <= 24)
		minutely += count(r <= 24*60)
		secondly += count(r > 24*60*60)
	}
	near(t, "apps at most once an hour", float64(hourly)/apps, 0.45, 0.01)
	near(t, "apps at most once a minute", float64(minutely)/apps, 0.81, 0.01)
	near(t, "apps more often than once a second", float64(secondly)/apps, 0.03, 0.005)
	near(t, "share of the most popular 18.6 %", top/sum, 0.996, 0.001)

	tr, _ := New("production", Options{Services: 4000, Requests: 400_000, Boot: time.Second})
	var means, memory, spreads []float64
	for _, s := range tr.Services {
		memory = append(memory, float64(s.MemoryBytes)/1e6)
		q := drain(t, s)
		if len(q) > 0 {
			means = append(means, mean(q))
		}
		if len(q) >= 20 {
			spreads = append(spreads, spread(q))
		}
	}
	near(t, "median of the average times", median(means), math.Exp(workMu), 0.1)
	near(t, "apps of less than 1 s", below(means, 1), 0.56, 0.03)
	near(t, "apps of less than 60 s", below(means, 60), 0.97, 0.015)
	near(t, "apps of at most 400 MB", below(memory, 400), 0.97, 0.03)
	// Of few requests some vary by chance.
	near(t, "apps that vary more than a Poisson process", 1-below(spreads, 1.1), bursty, 0.1)
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s: %.3f, want %.3f", what, got, want)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func mean(q []Request) float64 {
	sum := 0.0
	for _, r := range q {
		sum += r.Work.Seconds()
	}
	return sum / float64(len(q))
}

// spread is the coefficient of variation of the times between requests.
func spread(q []Request) float64 {
	sum, squares, n := 0.0, 0.0, float64(len(q)-1)
	for i := 1; i < len(q); i++ {
		d := (q[i].At - q[i-1].At).Seconds()
		sum += d
		squares += d * d
	}
	m := sum / n
	return math.Sqrt(squares/n-m*m) / m
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func below(v []float64, limit float64) float64 {
	n := 0
	for _, x := range v {
		n += count(x < limit)
	}
	return float64(n) / float64(len(v))
}
