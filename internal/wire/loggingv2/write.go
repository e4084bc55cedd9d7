package loggingv2

import (
	"context"
	"maps"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// The limits of an entry (cloud.google.com/logging/quotas).
const (
	maxEntryBytes = 256 << 10
	maxInsertID   = 512
	maxLabels     = 64
	maxLabelKey   = 512
	maxLabelValue = 64 << 10
	maxFuture     = 24 * time.Hour
	maxPast       = 30 * 24 * time.Hour
)

// WriteLogEntries implements the service. It answers once the entries are in
// the store. Unless partial_success is set, one bad entry refuses them all.
func (s *Server) WriteLogEntries(ctx context.Context, r *loggingpb.WriteLogEntriesRequest) (*loggingpb.WriteLogEntriesResponse, error) {
	if len(r.GetEntries()) == 0 {
		return nil, sunya.Invalid("entries", "missing: write at least one entry")
	}
	good, bad := s.readEntries(r)
	if len(bad) > 0 && (!r.GetPartialSuccess() || len(good) == 0) {
		return nil, firstError(bad)
	}
	if !r.GetDryRun() {
		if err := s.hub.Append(ctx, good...); err != nil {
			return nil, err
		}
	}
	if len(bad) > 0 {
		return nil, partialError(bad)
	}
	return &loggingpb.WriteLogEntriesResponse{}, nil
}

func (s *Server) readEntries(r *loggingpb.WriteLogEntriesRequest) (good []logs.Entry, bad map[int32]error) {
	bad = map[int32]error{}
	for i, p := range r.GetEntries() {
		e, err := s.readEntry(withDefaults(r, p))
		if err != nil {
			bad[int32(i)] = err
			continue
		}
		good = append(good, e)
	}
	return good, bad
}

// withDefaults fills in what the request gives for all its entries.
func withDefaults(r *loggingpb.WriteLogEntriesRequest, p *loggingpb.LogEntry) *loggingpb.LogEntry {
	p = proto.CloneOf(p)
	if p == nil {
		p = &loggingpb.LogEntry{}
	}
	if p.GetLogName() == "" {
		p.LogName = r.GetLogName()
	}
	if p.GetResource() == nil {
		p.Resource = proto.CloneOf(r.GetResource())
	}
	if len(r.GetLabels()) > 0 {
		labels := maps.Clone(r.GetLabels())
		maps.Copy(labels, p.GetLabels())
		p.Labels = labels
	}
	return p
}

func (s *Server) readEntry(p *loggingpb.LogEntry) (e logs.Entry, err error) {
	project, id, err := logs.ParseLogName(p.GetLogName())
	if err != nil {
		return e, err
	}
	p.LogName = logs.LogName(project, id) // one spelling
	if p.GetResource().GetType() == "" {
		return e, sunya.Invalid("resource.type", "missing: name a monitored resource, such as global")
	}
	setProject(p.GetResource(), project)
	if err := s.checkEntry(p); err != nil {
		return e, err
	}
	e, err = fromProto(p)
	if err != nil {
		return e, sunya.Invalid("jsonPayload", "not a JSON object: %v", err)
	}
	return e, nil
}

// setProject completes a resource with its project, as Cloud Logging does.
func setProject(r *monitoredres.MonitoredResource, project string) {
	if r.Labels == nil {
		r.Labels = map[string]string{}
	}
	if r.Labels["project_id"] == "" {
		r.Labels["project_id"] = project
	}
}

func (s *Server) checkEntry(p *loggingpb.LogEntry) error {
	switch {
	case p.GetProtoPayload() != nil:
		return &sunya.Error{Code: sunya.Unimplemented, Field: "protoPayload", Message: "entries with a protobuf payload are not supported: write jsonPayload"}
	case proto.Size(p) > maxEntryBytes:
		return sunya.Invalid("entries", "the entry has %d bytes, more than %v: split it", proto.Size(p), sunya.Bytes(maxEntryBytes))
	case len(p.GetInsertId()) > maxInsertID:
		return sunya.Invalid("insertId", "longer than %d characters", maxInsertID)
	case p.GetSeverity() < 0 || p.GetSeverity() > 800:
		return sunya.Invalid("severity", "%d is not a severity: use 0 to 800", p.GetSeverity())
	}
	if err := s.checkTime(p); err != nil {
		return err
	}
	return checkLabels(p.GetLabels())
}

func (s *Server) checkTime(p *loggingpb.LogEntry) error {
	if p.GetTimestamp() == nil {
		return nil
	}
	if err := p.GetTimestamp().CheckValid(); err != nil {
		return sunya.Invalid("timestamp", "not a time: %v", err)
	}
	t, now := p.GetTimestamp().AsTime(), s.now()
	if t.After(now.Add(maxFuture)) || t.Before(now.Add(-maxPast)) {
		return sunya.Invalid("timestamp", "%s is more than 24 hours ahead or 30 days back: leave it out for the time of the call", t.Format(time.RFC3339))
	}
	return nil
}

func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return sunya.Invalid("labels", "%d labels, and at most %d are allowed", len(labels), maxLabels)
	}
	for k, v := range labels {
		if k == "" || len(k) > maxLabelKey || len(v) > maxLabelValue {
			return sunya.Invalid("labels", "the label %.80q is too long: a key has 1 to %d bytes, a value at most %d", k, maxLabelKey, maxLabelValue)
		}
	}
	return nil
}

func firstError(bad map[int32]error) error {
	var first int32 = -1
	for i := range bad {
		if first < 0 || i < first {
			first = i
		}
	}
	return bad[first]
}

// partialError says which entries were not written although others were.
func partialError(bad map[int32]error) error {
	details := &loggingpb.WriteLogEntriesPartialErrors{LogEntryErrors: map[int32]*spb.Status{}}
	for i, err := range bad {
		details.LogEntryErrors[i] = status.FromError(err)
	}
	first := status.FromError(firstError(bad))
	st, err := gstatus.New(codes.Code(first.GetCode()), first.GetMessage()).WithDetails(details)
	if err != nil {
		return firstError(bad)
	}
	return st.Err()
}
