package sqlite_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/adapt/storetest"
	"github.com/sunya-cloud/sunya/internal/core/deploy"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/hmackeys"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/operations"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/registry"
	"github.com/sunya-cloud/sunya/internal/core/schema"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

func TestServing(t *testing.T) {
	storetest.Serving(t, func(t testing.TB) serving.Store { return open(t) })
}

func TestOperations(t *testing.T) {
	storetest.Operations(t, func(t testing.TB) operations.Store { return open(t) })
}

func TestDeployments(t *testing.T) {
	storetest.Deployments(t, func(t testing.TB) deploy.Store { return open(t) })
}

func TestAppEngine(t *testing.T) {
	storetest.AppEngine(t, func(t testing.TB) storetest.AppEngineStore { return open(t) })
}

func TestObjects(t *testing.T) {
	storetest.Objects(t, func(t testing.TB) objects.Store { return open(t) })
}

func TestFunctionsContract(t *testing.T) {
	storetest.Functions(t, func(t testing.TB) storetest.FunctionsStore { return open(t) })
}

func TestJobs(t *testing.T) {
	storetest.Jobs(t, func(t testing.TB) jobs.Store { return open(t) }, func(t testing.TB, s jobs.Store, name string) *sunya.Operation {
		op, err := s.(*sqlite.DB).GetOperation(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return op
	})
}

func TestRun(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.RunStore { return open(t) })
}

func TestRegistry(t *testing.T) {
	storetest.Registry(t, func(t testing.TB) registry.Store { return open(t) })
}

func TestBuilds(t *testing.T) {
	storetest.Builds(t, func(t testing.TB) storetest.BuildsStore { return open(t) })
}

func TestUsage(t *testing.T) {
	storetest.Usage(t, func(t testing.TB) meter.Store { return open(t) })
}

func TestEventing(t *testing.T) {
	storetest.Eventing(t, func(t testing.TB) eventing.Store { return open(t) })
}

func TestPubSub(t *testing.T) {
	storetest.PubSub(t, func(t testing.TB) pubsub.Store {
		e, err := sqlite.OpenEvents(t.Context(), filepath.Join(t.TempDir(), "events.db"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	})
}

func TestSchemas(t *testing.T) {
	storetest.Schemas(t, func(t testing.TB) schema.Store {
		e, err := sqlite.OpenEvents(t.Context(), filepath.Join(t.TempDir(), "events.db"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	})
}

func TestHMACKeys(t *testing.T) {
	storetest.HMACKeys(t, func(t testing.TB) hmackeys.Store { return open(t) })
}
