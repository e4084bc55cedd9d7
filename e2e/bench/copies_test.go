//go:build e2e

package bench

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/e2e/platform"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// multiply copies the service that a server has n times in its store. The server
// is stopped for it, and not started again.
func multiply(s *sheet, server *platform.Server, n int) {
	s.Helper()
	server.Stop()
	db, err := sqlite.Open(s.Context(), filepath.Join(server.Data, "state.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	snapshot, err := db.Load(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	const batch = 1000
	for from := 0; from < n; from += batch {
		var c serving.Change
		for i := from; i < min(from+batch, n); i++ {
			svc, rev := duplicate(snapshot.Revisions[0], i)
			c.PutServices = append(c.PutServices, svc)
			c.PutRevisions = append(c.PutRevisions, rev)
			c.PutHosts = append(c.PutHosts, sunya.Host{Label: copyName(i), Service: svc.Name})
		}
		if err := db.Apply(s.Context(), c); err != nil {
			s.Fatal(err)
		}
	}
}

func copyName(i int) string { return fmt.Sprintf("copy-%d", i) }

// copyHost is where the ith copy answers.
func copyHost(server *platform.Server, i int) string {
	return copyName(i) + ".localhost:" + server.Port
}

// copyHosts are those of n copies.
func copyHosts(server *platform.Server, n int) []string {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = copyHost(server, i)
	}
	return hosts
}

func duplicate(model sunya.Revision, i int) (sunya.Service, sunya.Revision) {
	name := "projects/sunya/locations/local/services/" + copyName(i)
	rev := model
	rev.Name, rev.ID, rev.Service = name+"/revisions/copy-00001-abc", copyName(i)+"-00001-abc", name
	rev.Product = sunya.CloudRun
	rev.Labels = map[string]string{"service_name": copyName(i), "project_id": "sunya"}
	svc := sunya.Service{Name: name, Project: rev.Project, Product: sunya.CloudRun, CreateTime: rev.CreateTime, UpdateTime: rev.CreateTime}
	svc.Traffic = sunya.Traffic{Targets: []sunya.Target{{Revision: rev.Name, Permille: 1000}}}
	return svc, rev
}
