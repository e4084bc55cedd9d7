package pubsubv1

import (
	"context"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// CreateTopic implements the service.
func (p *Publisher) CreateTopic(ctx context.Context, r *pb.Topic) (*pb.Topic, error) {
	t, err := topicOf(r)
	if err != nil {
		return nil, err
	}
	return topicAnswer(p.broker.CreateTopic(ctx, t))
}

// GetTopic implements the service.
func (p *Publisher) GetTopic(ctx context.Context, r *pb.GetTopicRequest) (*pb.Topic, error) {
	return topicAnswer(p.broker.Topic(ctx, r.GetTopic()))
}

func topicAnswer(t *pubsub.Topic, err error) (*pb.Topic, error) {
	if err != nil {
		return nil, err
	}
	return topicProto(t), nil
}

// UpdateTopic implements the service.
func (p *Publisher) UpdateTopic(ctx context.Context, r *pb.UpdateTopicRequest) (*pb.Topic, error) {
	paths, err := maskOf(r.GetUpdateMask(), r.GetTopic(), "name", "state")
	if err != nil {
		return nil, err
	}
	return topicAnswer(p.broker.UpdateTopic(ctx, r.GetTopic().GetName(), func(t *pubsub.Topic) error {
		now := topicProto(t)
		if err := fieldmask.Apply(now, r.GetTopic(), paths); err != nil {
			return err
		}
		*t, err = topicOf(now)
		return err
	}))
}

// ListTopics implements the service.
func (p *Publisher) ListTopics(ctx context.Context, r *pb.ListTopicsRequest) (*pb.ListTopicsResponse, error) {
	project, err := projectOf(r.GetProject())
	if err != nil {
		return nil, err
	}
	w, err := newWindow(r.GetPageSize(), r.GetPageToken(), "topics", project)
	if err != nil {
		return nil, err
	}
	found, err := p.broker.ListTopics(ctx, project, w.after, w.size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListTopicsResponse{}
	found, out.NextPageToken = cut(w, found, func(t *pubsub.Topic) string { return t.Name })
	for i := range found {
		out.Topics = append(out.Topics, topicProto(&found[i]))
	}
	return out, nil
}

// ListTopicSubscriptions implements the service.
func (p *Publisher) ListTopicSubscriptions(ctx context.Context, r *pb.ListTopicSubscriptionsRequest) (*pb.ListTopicSubscriptionsResponse, error) {
	if _, err := p.broker.Topic(ctx, r.GetTopic()); err != nil {
		return nil, err
	}
	w, err := newWindow(r.GetPageSize(), r.GetPageToken(), "subscriptions of", r.GetTopic())
	if err != nil {
		return nil, err
	}
	found, err := p.broker.ListSubscriptions(ctx, pubsub.SubscriptionQuery{Topic: r.GetTopic(), After: w.after, Limit: w.size + 1})
	if err != nil {
		return nil, err
	}
	out := &pb.ListTopicSubscriptionsResponse{}
	found, out.NextPageToken = cut(w, found, func(s *pubsub.Subscription) string { return s.Name })
	for i := range found {
		out.Subscriptions = append(out.Subscriptions, found[i].Name)
	}
	return out, nil
}

// ListTopicSnapshots implements the service.
func (p *Publisher) ListTopicSnapshots(ctx context.Context, r *pb.ListTopicSnapshotsRequest) (*pb.ListTopicSnapshotsResponse, error) {
	if _, err := p.broker.Topic(ctx, r.GetTopic()); err != nil {
		return nil, err
	}
	w, err := newWindow(r.GetPageSize(), r.GetPageToken(), "snapshots of", r.GetTopic())
	if err != nil {
		return nil, err
	}
	found, err := p.broker.ListSnapshots(ctx, "", r.GetTopic(), w.after, w.size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListTopicSnapshotsResponse{}
	found, out.NextPageToken = cut(w, found, func(s *pubsub.Snapshot) string { return s.Name })
	for i := range found {
		out.Snapshots = append(out.Snapshots, found[i].Name)
	}
	return out, nil
}

// DeleteTopic implements the service.
func (p *Publisher) DeleteTopic(ctx context.Context, r *pb.DeleteTopicRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, p.broker.DeleteTopic(ctx, r.GetTopic())
}

// DetachSubscription implements the service.
func (p *Publisher) DetachSubscription(ctx context.Context, r *pb.DetachSubscriptionRequest) (*pb.DetachSubscriptionResponse, error) {
	return &pb.DetachSubscriptionResponse{}, p.broker.Detach(ctx, r.GetSubscription())
}

// Publish implements the service.
func (p *Publisher) Publish(ctx context.Context, r *pb.PublishRequest) (*pb.PublishResponse, error) {
	messages := make([]pubsub.Message, len(r.GetMessages()))
	for i, m := range r.GetMessages() {
		messages[i] = pubsub.Message{Data: m.GetData(), Attributes: m.GetAttributes(), OrderingKey: m.GetOrderingKey()}
	}
	ids, err := p.broker.Publish(ctx, r.GetTopic(), messages)
	if err != nil {
		return nil, mismatch(err)
	}
	return &pb.PublishResponse{MessageIds: ids}, nil
}

// projectOf reads projects/P.
func projectOf(name string) (string, error) {
	const prefix = "projects/"
	if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return "", sunya.Invalid("project", "%q is not a name of the form projects/*", name)
	}
	return name[len(prefix):], sunya.CheckProject(name[len(prefix):])
}

// window is which part of a list is asked for.
type window struct {
	size  int
	after string
	query []string
}

func newWindow(size int32, token string, query ...string) (w window, err error) {
	w.query = query
	if w.size, err = page.Size(int(size), defaultPage, maxPage); err != nil {
		return w, err
	}
	w.after, err = page.Cursor(token, query...)
	return w, err
}

// cut returns a page, of which one more was asked for than it holds, and the
// token of the next.
func cut[T any](w window, found []T, name func(*T) string) ([]T, string) {
	if len(found) <= w.size {
		return found, ""
	}
	found = found[:w.size]
	return found, page.Token(name(&found[w.size-1]), w.query...)
}
