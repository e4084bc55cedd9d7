// Package loggingv2 is google.logging.v2.LoggingServiceV2 over the core's log:
// entries.list, entries.write, entries.tail, logs.list and logs.delete.
package loggingv2

import (
	"context"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// Store is what the service reads: entries, and logs as wholes.
type Store interface {
	logs.Store
	logs.Directory
}

// Hub is what the service writes to and follows.
type Hub interface {
	// Append returns once the entries are in the store.
	Append(ctx context.Context, entries ...logs.Entry) error
	Flush(ctx context.Context) error
	Follow(match func(*logs.Entry) bool) (*logs.Follower, error)
}

// Server implements loggingpb.LoggingServiceV2Server. Errors are sunya.Errors;
// the listener's interceptors turn them into statuses.
type Server struct {
	loggingpb.UnimplementedLoggingServiceV2Server
	store Store
	hub   Hub
	now   func() time.Time
}

var _ loggingpb.LoggingServiceV2Server = (*Server)(nil)

// New returns the service.
func New(store Store, hub Hub, now func() time.Time) *Server {
	return &Server{store: store, hub: hub, now: now}
}

// Register adds the service to a gRPC server.
func (s *Server) Register(g grpc.ServiceRegistrar) { loggingpb.RegisterLoggingServiceV2Server(g, s) }

// projectsOf reads resource names. Of Google's containers of logs only
// projects exist here; the default view of a project's bucket is the project.
func projectsOf(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, sunya.Invalid("resourceNames", "missing: name at least one, such as projects/sunya")
	}
	if len(names) > 100 { // as Cloud Logging
		return nil, sunya.Invalid("resourceNames", "%d names, and at most 100 are allowed", len(names))
	}
	var projects []string
	for _, name := range names {
		project, err := projectOf("resourceNames", name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(projects, project) {
			projects = append(projects, project)
		}
	}
	slices.Sort(projects)
	return projects, nil
}

func projectOf(field, name string) (string, error) {
	rest, ok := strings.CutPrefix(name, "projects/")
	project, view, more := strings.Cut(rest, "/")
	if !ok || more && !defaultView(view) {
		return "", &sunya.Error{Code: sunya.Unimplemented, Field: field, Message: "logs of \"" + name + "\" do not exist here: Sunya keeps logs by project, write projects/PROJECT"}
	}
	if err := sunya.CheckProject(project); err != nil {
		return "", sunya.Invalid(field, "%q names no valid project: write projects/PROJECT", name)
	}
	return project, nil
}

// defaultView says whether the rest of a resource name is
// locations/L/buckets/_Default/views/V with one of Google's two views.
func defaultView(rest string) bool {
	p := strings.Split(rest, "/")
	return len(p) == 6 && p[0] == "locations" && p[2] == "buckets" && p[3] == "_Default" && p[4] == "views" &&
		(p[5] == "_AllLogs" || p[5] == "_Default")
}
