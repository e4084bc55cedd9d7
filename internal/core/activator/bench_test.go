package activator_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// BenchmarkWarm is what a request to an instance that is ready costs here.
func BenchmarkWarm(b *testing.B) {
	catalog := serving.NewCatalog(&instancetest.Store{})
	quiet := slog.New(slog.DiscardHandler)
	m := instance.New(instance.Parts{Engine: &instancetest.Engine{}, Directory: catalog, Now: time.Now, Log: quiet})
	a := activator.New(m, activator.Options{}, time.Now, quiet)
	defer func() { _ = a.Shutdown(context.Background()) }()
	made := instancetest.Revision(1)
	if err := instancetest.Deploy(b.Context(), catalog, made); err != nil {
		b.Fatal(err)
	}
	rev, _ := catalog.Revision(made.Name)
	acquire := func(rev *sunya.Revision) *activator.Lease {
		l, err := a.Acquire(context.Background(), rev, "")
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	acquire(rev).Release()
	b.Run("Acquire", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			acquire(rev).Release()
		}
	})
	b.Run("TryAcquire", func(b *testing.B) {
		var l activator.Lease
		b.ReportAllocs()
		for b.Loop() {
			if a.TryAcquire(&l, rev, "") {
				l.Release()
			}
		}
	})
}
