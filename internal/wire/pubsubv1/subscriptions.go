package pubsubv1

import (
	"context"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
)

// CreateSubscription implements the service.
func (s *Subscriber) CreateSubscription(ctx context.Context, r *pb.Subscription) (*pb.Subscription, error) {
	def, err := subscriptionOf(r)
	if err != nil {
		return nil, err
	}
	return subscriptionAnswer(s.broker.CreateSubscription(ctx, def))
}

// GetSubscription implements the service.
func (s *Subscriber) GetSubscription(ctx context.Context, r *pb.GetSubscriptionRequest) (*pb.Subscription, error) {
	return subscriptionAnswer(s.broker.Subscription(ctx, r.GetSubscription()))
}

func subscriptionAnswer(s *pubsub.Subscription, err error) (*pb.Subscription, error) {
	if err != nil {
		return nil, err
	}
	return subscriptionProto(s), nil
}

// UpdateSubscription implements the service.
func (s *Subscriber) UpdateSubscription(ctx context.Context, r *pb.UpdateSubscriptionRequest) (*pb.Subscription, error) {
	paths, err := maskOf(r.GetUpdateMask(), r.GetSubscription(), "name", "topic", "state", "detached")
	if err != nil {
		return nil, err
	}
	return subscriptionAnswer(s.broker.UpdateSubscription(ctx, r.GetSubscription().GetName(), func(def *pubsub.Subscription) error {
		now := subscriptionProto(def)
		if err := fieldmask.Apply(now, r.GetSubscription(), paths); err != nil {
			return err
		}
		detached := def.Detached
		*def, err = subscriptionOf(now)
		def.Detached = detached
		return err
	}))
}

// ModifyPushConfig implements the service.
func (s *Subscriber) ModifyPushConfig(ctx context.Context, r *pb.ModifyPushConfigRequest) (*emptypb.Empty, error) {
	_, err := s.broker.UpdateSubscription(ctx, r.GetSubscription(), func(def *pubsub.Subscription) error {
		def.Push = pushOf(r.GetPushConfig())
		return nil
	})
	return &emptypb.Empty{}, err
}

// ListSubscriptions implements the service.
func (s *Subscriber) ListSubscriptions(ctx context.Context, r *pb.ListSubscriptionsRequest) (*pb.ListSubscriptionsResponse, error) {
	project, err := projectOf(r.GetProject())
	if err != nil {
		return nil, err
	}
	w, err := newWindow(r.GetPageSize(), r.GetPageToken(), "subscriptions", project)
	if err != nil {
		return nil, err
	}
	found, err := s.broker.ListSubscriptions(ctx, pubsub.SubscriptionQuery{Project: project, After: w.after, Limit: w.size + 1})
	if err != nil {
		return nil, err
	}
	out := &pb.ListSubscriptionsResponse{}
	found, out.NextPageToken = cut(w, found, func(s *pubsub.Subscription) string { return s.Name })
	for i := range found {
		out.Subscriptions = append(out.Subscriptions, subscriptionProto(&found[i]))
	}
	return out, nil
}

// DeleteSubscription implements the service.
func (s *Subscriber) DeleteSubscription(ctx context.Context, r *pb.DeleteSubscriptionRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.broker.DeleteSubscription(ctx, r.GetSubscription())
}

// Seek implements the service.
func (s *Subscriber) Seek(ctx context.Context, r *pb.SeekRequest) (*pb.SeekResponse, error) {
	switch to := r.GetTarget().(type) {
	case *pb.SeekRequest_Time:
		if err := to.Time.CheckValid(); err != nil {
			return nil, sunya.Invalid("time", "%v", err)
		}
		return &pb.SeekResponse{}, s.broker.SeekTime(ctx, r.GetSubscription(), to.Time.AsTime())
	case *pb.SeekRequest_Snapshot:
		return &pb.SeekResponse{}, s.broker.SeekSnapshot(ctx, r.GetSubscription(), to.Snapshot)
	}
	return nil, sunya.Invalid("target", "missing: name a time or a snapshot")
}

// pullWait is how long an answer without messages is held back, as Google holds
// it; clients ask again.
const pullWait = 90 * time.Second

// Pull implements the service.
func (s *Subscriber) Pull(ctx context.Context, r *pb.PullRequest) (*pb.PullResponse, error) {
	wait := pullWait
	if deadline, ok := ctx.Deadline(); ok {
		// An empty answer shortly before the end says more than a deadline that
		// was missed.
		wait = min(wait, time.Until(deadline)*9/10)
	}
	//lint:ignore SA1019 clients still send it
	if r.GetReturnImmediately() {
		wait = 0
	}
	got, err := s.broker.Pull(ctx, r.GetSubscription(), int(r.GetMaxMessages()), wait)
	if err != nil {
		return nil, err
	}
	return &pb.PullResponse{ReceivedMessages: receivedProtos(got)}, nil
}

// Acknowledge implements the service.
func (s *Subscriber) Acknowledge(ctx context.Context, r *pb.AcknowledgeRequest) (*emptypb.Empty, error) {
	if len(r.GetAckIds()) == 0 {
		return nil, sunya.Invalid("ack_ids", "missing: name at least one")
	}
	done, err := s.broker.Acknowledge(ctx, r.GetSubscription(), r.GetAckIds(), true)
	if err == nil {
		err = invalidIDs(done)
	}
	return &emptypb.Empty{}, err
}

// ModifyAckDeadline implements the service.
func (s *Subscriber) ModifyAckDeadline(ctx context.Context, r *pb.ModifyAckDeadlineRequest) (*emptypb.Empty, error) {
	if len(r.GetAckIds()) == 0 {
		return nil, sunya.Invalid("ack_ids", "missing: name at least one")
	}
	done, err := s.broker.ModifyAckDeadline(ctx, r.GetSubscription(), r.GetAckIds(), time.Duration(r.GetAckDeadlineSeconds())*time.Second)
	if err == nil {
		err = invalidIDs(done)
	}
	return &emptypb.Empty{}, err
}
