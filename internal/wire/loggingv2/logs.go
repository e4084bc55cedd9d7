package loggingv2

import (
	"context"
	"slices"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/label"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// ListLogs implements the service: the logs that hold entries.
func (s *Server) ListLogs(ctx context.Context, r *loggingpb.ListLogsRequest) (*loggingpb.ListLogsResponse, error) {
	names := r.GetResourceNames()
	if len(names) == 0 {
		names = []string{r.GetParent()}
	}
	projects, err := projectsOf(names)
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(r.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	query := append([]string{"logs"}, projects...)
	after, err := page.Cursor(r.GetPageToken(), query...)
	if err != nil {
		return nil, err
	}
	all, err := s.store.Logs(ctx, projects)
	if err != nil {
		return nil, err
	}
	from, found := slices.BinarySearch(all, after)
	if found {
		from++
	}
	out := &loggingpb.ListLogsResponse{LogNames: all[from:min(from+size, len(all))]}
	if from+size < len(all) {
		out.NextPageToken = page.Token(all[from+size-1], query...)
	}
	return out, nil
}

// DeleteLog implements the service.
func (s *Server) DeleteLog(ctx context.Context, r *loggingpb.DeleteLogRequest) (*emptypb.Empty, error) {
	project, id, err := logs.ParseLogName(r.GetLogName())
	if err != nil {
		return nil, err
	}
	if err := s.hub.Flush(ctx); err != nil { // what was written before goes too
		return nil, err
	}
	name := logs.LogName(project, id)
	n, err := s.store.DeleteLog(ctx, name, s.now())
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, sunya.Errorf(sunya.NotFound, name, "there is no such log, or it is empty: see logs.list")
	}
	return &emptypb.Empty{}, nil
}

// ListMonitoredResourceDescriptors implements the service: the types that
// Sunya itself writes entries about. Entries may be written about any other.
func (s *Server) ListMonitoredResourceDescriptors(_ context.Context, r *loggingpb.ListMonitoredResourceDescriptorsRequest) (*loggingpb.ListMonitoredResourceDescriptorsResponse, error) {
	if _, err := page.Size(int(r.GetPageSize()), maxPage, maxPage); err != nil {
		return nil, err
	}
	if _, err := page.Cursor(r.GetPageToken(), "descriptors"); err != nil {
		return nil, err
	}
	return &loggingpb.ListMonitoredResourceDescriptorsResponse{ResourceDescriptors: []*monitoredres.MonitoredResourceDescriptor{
		descriptor("build", "Cloud Build", "A build.", "project_id", "build_id", "build_trigger_id"),
		descriptor("gae_app", "GAE Application", "An App Engine version.", "project_id", "module_id", "version_id", "zone"),
		descriptor("global", "Global", "Anything that has no resource of its own.", "project_id"),
		descriptor("project", "Project", "A project.", "project_id"),
	}}, nil
}

func descriptor(name, display, about string, labels ...string) *monitoredres.MonitoredResourceDescriptor {
	d := &monitoredres.MonitoredResourceDescriptor{Type: name, DisplayName: display, Description: about}
	for _, l := range labels {
		d.Labels = append(d.Labels, &label.LabelDescriptor{Key: l, ValueType: label.LabelDescriptor_STRING})
	}
	return d
}
