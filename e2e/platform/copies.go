package platform

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Multiply copies the service that the server has n times in its store, as Cloud
// Run services without an instance. The server is stopped for it, and not started
// again.
func (s *Server) Multiply(n int) {
	s.t.Helper()
	s.Stop()
	db, err := sqlite.Open(s.t.Context(), filepath.Join(s.Data, "state.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	snapshot, err := db.Load(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
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
		if err := db.Apply(s.t.Context(), c); err != nil {
			s.t.Fatal(err)
		}
	}
}

func copyName(i int) string { return fmt.Sprintf("copy-%d", i) }

// CopyHost is where the ith copy answers, from 0.
func (s *Server) CopyHost(i int) string { return copyName(i) + ".localhost:" + s.Port }

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
