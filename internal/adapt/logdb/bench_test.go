package logdb

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/logtest"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

func contextForChild() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// BenchmarkAppend reports entries a second in batches of 500.
func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir(), time.Now, Options{})
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		appendSeries(b, s, i, 500)
		i += 500
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "entries/s")
}

func appendSeries(b *testing.B, s *Store, from, n int) {
	batch := make([]logs.Entry, n)
	for j := range batch {
		batch[j] = logtest.Entry("p", "l", from+j)
		batch[j].Resource.Labels["module_id"] = fmt.Sprintf("service-%d", (from+j)%10)
	}
	if err := s.Append(b.Context(), batch, nil); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLast100 asks a log of a million entries of ten services for the
// last hundred.
func BenchmarkLast100(b *testing.B) {
	s := open(b, b.TempDir(), time.Now, Options{})
	for i := range 200 {
		appendSeries(b, s, i*5000, 5000)
	}
	for name, q := range map[string]logs.Query{
		"all":     {Projects: []string{"p"}},
		"service": {Projects: []string{"p"}, Resource: logs.Resource{Labels: map[string]string{"module_id": "service-3"}}},
		"match":   {Projects: []string{"p"}, Match: func(e *logs.Entry) bool { return e.InsertID[7]%2 == 0 }},
		"nothing": {Projects: []string{"p"}, Resource: logs.Resource{Type: "build"}},
	} {
		q.Newest, q.Limit = true, 100
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Query(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
