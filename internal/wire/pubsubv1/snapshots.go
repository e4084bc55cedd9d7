package pubsubv1

import (
	"context"
	"strings"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
)

// CreateSnapshot implements the service. Without a name it gets one
// (google.pubsub.v1.CreateSnapshotRequest.name).
func (s *Subscriber) CreateSnapshot(ctx context.Context, r *pb.CreateSnapshotRequest) (*pb.Snapshot, error) {
	name := r.GetName()
	if name == "" {
		project, err := pubsub.ParseName("subscription", pubsub.Subscriptions, r.GetSubscription())
		if err != nil {
			return nil, err
		}
		name = "projects/" + project + "/snapshots/s" + strings.ReplaceAll(s.newID(), "-", "")
	}
	return snapshotAnswer(s.broker.CreateSnapshot(ctx, pubsub.Snapshot{Name: name, Labels: r.GetLabels()}, r.GetSubscription()))
}

func snapshotAnswer(s *pubsub.Snapshot, err error) (*pb.Snapshot, error) {
	if err != nil {
		return nil, err
	}
	return snapshotProto(s), nil
}

// GetSnapshot implements the service.
func (s *Subscriber) GetSnapshot(ctx context.Context, r *pb.GetSnapshotRequest) (*pb.Snapshot, error) {
	return snapshotAnswer(s.broker.Snapshot(ctx, r.GetSnapshot()))
}

// UpdateSnapshot implements the service: labels and the time of its end.
func (s *Subscriber) UpdateSnapshot(ctx context.Context, r *pb.UpdateSnapshotRequest) (*pb.Snapshot, error) {
	paths, err := maskOf(r.GetUpdateMask(), r.GetSnapshot(), "name", "topic")
	if err != nil {
		return nil, err
	}
	return snapshotAnswer(s.broker.UpdateSnapshot(ctx, r.GetSnapshot().GetName(), func(have *pubsub.Snapshot) error {
		now := snapshotProto(have)
		if err := fieldmask.Apply(now, r.GetSnapshot(), paths); err != nil {
			return err
		}
		if now.GetName() != have.Name || now.GetTopic() != have.Topic {
			return sunya.Invalid("update_mask", "only labels and expire_time of a snapshot can be changed")
		}
		have.Labels, have.Expire = now.GetLabels(), now.GetExpireTime().AsTime()
		return nil
	}))
}

// ListSnapshots implements the service.
func (s *Subscriber) ListSnapshots(ctx context.Context, r *pb.ListSnapshotsRequest) (*pb.ListSnapshotsResponse, error) {
	project, err := projectOf(r.GetProject())
	if err != nil {
		return nil, err
	}
	w, err := newWindow(r.GetPageSize(), r.GetPageToken(), "snapshots", project)
	if err != nil {
		return nil, err
	}
	found, err := s.broker.ListSnapshots(ctx, project, "", w.after, w.size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListSnapshotsResponse{}
	found, out.NextPageToken = cut(w, found, func(s *pubsub.Snapshot) string { return s.Name })
	for i := range found {
		out.Snapshots = append(out.Snapshots, snapshotProto(&found[i]))
	}
	return out, nil
}

// DeleteSnapshot implements the service.
func (s *Subscriber) DeleteSnapshot(ctx context.Context, r *pb.DeleteSnapshotRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.broker.DeleteSnapshot(ctx, r.GetSnapshot())
}
