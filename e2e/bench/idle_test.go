//go:build e2e

package bench

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/e2e/platform"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// idleServices is what a server holds that nobody asks for (robustness.md L10).
const idleServices = 10_000

// BenchmarkIdleServices: what ten thousand services at rest cost: the start of
// the server, its memory, and the first request of one of them. They are made in
// the store, as copies of one that was deployed.
func BenchmarkIdleServices(b *testing.B) {
	s := platform.Start(b)
	s.Deploy(platform.Bare(b, "hello"))
	s.Stop()
	multiply(b, filepath.Join(s.Data, "state.db"))
	begin := time.Now()
	s.Up()
	b.ReportMetric(time.Since(begin).Seconds(), "start-s")
	begin = time.Now()
	s.Get(fmt.Sprintf("idle-%d.localhost:%s", idleServices/2, s.Port), "/")
	b.ReportMetric(float64(time.Since(begin).Milliseconds()), "first-ms")
	b.ReportMetric(float64(s.Memory())/(1<<20), "server-MiB")
	begin = time.Now()
	s.OK("status")
	b.ReportMetric(float64(time.Since(begin).Milliseconds()), "status-ms")
	b.ReportMetric(0, "ns/op") // says nothing here
}

// multiply copies the service of a store that is not open.
func multiply(b *testing.B, path string) {
	b.Helper()
	db, err := sqlite.Open(b.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	snapshot, err := db.Load(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	model := snapshot.Revisions[0]
	const batch = 1000
	for from := 0; from < idleServices; from += batch {
		var c serving.Change
		for n := from; n < from+batch; n++ {
			svc, rev := idle(model, n)
			c.PutServices = append(c.PutServices, svc)
			c.PutRevisions = append(c.PutRevisions, rev)
			c.PutHosts = append(c.PutHosts, sunya.Host{Label: fmt.Sprintf("idle-%d", n), Service: svc.Name})
		}
		if err := db.Apply(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func idle(model sunya.Revision, n int) (sunya.Service, sunya.Revision) {
	name := fmt.Sprintf("projects/sunya/locations/local/services/idle-%d", n)
	rev := model
	rev.Name, rev.ID, rev.Service = name+"/revisions/idle-00001-abc", fmt.Sprintf("idle-%d-00001-abc", n), name
	rev.Product = sunya.CloudRun
	rev.Labels = map[string]string{"service_name": fmt.Sprintf("idle-%d", n), "project_id": "sunya"}
	svc := sunya.Service{Name: name, Project: rev.Project, Product: sunya.CloudRun, CreateTime: rev.CreateTime, UpdateTime: rev.CreateTime}
	svc.Traffic = sunya.Traffic{Targets: []sunya.Target{{Revision: rev.Name, Permille: 1000}}}
	return svc, rev
}
