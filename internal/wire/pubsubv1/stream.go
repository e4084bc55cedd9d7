package pubsubv1

import (
	"context"
	"errors"
	"io"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// permanent says of an ack id that it is of no use any more (exactly-once
// delivery).
const permanent = "PERMANENT_FAILURE_INVALID_ACK_ID"

// invalidIDs is the error for ack ids of deliveries that are over.
func invalidIDs(a pubsub.Acknowledgement) error {
	if len(a.Invalid) == 0 {
		return nil
	}
	info := &errdetails.ErrorInfo{Reason: permanent, Domain: "pubsub.googleapis.com", Metadata: map[string]string{}}
	for _, id := range a.Invalid {
		info.Metadata[id] = permanent
	}
	st, err := gstatus.New(codes.FailedPrecondition, "some acknowledgement ids are invalid: their deadline has passed, or they were acknowledged before").WithDetails(info)
	if err != nil {
		return err
	}
	return st.Err()
}

// StreamingPull implements the service.
func (s *Subscriber) StreamingPull(g pb.Subscriber_StreamingPullServer) error {
	first, err := g.Recv()
	if err != nil {
		return ended(err)
	}
	o, err := streamOptions(first)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(g.Context())
	defer cancel(nil)
	stream, err := s.broker.Stream(ctx, first.GetSubscription(), o)
	if err != nil {
		return err
	}
	defer stream.Close()
	p := &puller{stream: stream, g: g, answers: make(chan *pb.StreamingPullResponse, 16)}
	go func() { cancel(p.receive(ctx, first)) }()
	err = p.send(ctx)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause
	}
	return ended(err)
}

// ended is how a stream ends whose client has gone.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || gstatus.Code(err) == codes.Canceled {
		return nil
	}
	return err
}

// The deadline that a stream may ask for (StreamingPullRequest).
const (
	minStreamDeadline = 10
	maxStreamDeadline = 600
)

func streamOptions(r *pb.StreamingPullRequest) (pubsub.StreamOptions, error) {
	d := r.GetStreamAckDeadlineSeconds()
	if d < minStreamDeadline || d > maxStreamDeadline {
		return pubsub.StreamOptions{}, sunya.Invalid("stream_ack_deadline_seconds", "%d is out of range: at least %d, at most %d", d, minStreamDeadline, maxStreamDeadline)
	}
	return pubsub.StreamOptions{
		AckDeadline: time.Duration(d) * time.Second, MaxMessages: int(r.GetMaxOutstandingMessages()), MaxBytes: r.GetMaxOutstandingBytes(),
	}, nil
}

// puller is one open stream. Only send writes to it, only receive reads.
type puller struct {
	stream  *pubsub.Stream
	g       pb.Subscriber_StreamingPullServer
	answers chan *pb.StreamingPullResponse // what became of ack ids
}

// streamLife is how long a stream stays open; clients open another, as they do
// with Google, and so spread again over servers.
const streamLife = 30 * time.Minute

func (p *puller) send(ctx context.Context) error {
	life := time.NewTimer(streamLife)
	defer life.Stop()
	// Clients learn from the first answer how the subscription delivers.
	if err := p.g.Send(p.answer(nil)); err != nil {
		return err
	}
	for {
		got, err := p.stream.Next(ctx)
		if err != nil {
			return err
		}
		if len(got) > 0 {
			if err := p.g.Send(p.answer(got)); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case a := <-p.answers:
			if err := p.g.Send(a); err != nil {
				return err
			}
		case <-p.stream.Changed():
		case <-life.C:
			return sunya.Errorf(sunya.Unavailable, "", "the stream has served its time: open another")
		}
	}
}

func (p *puller) answer(got []pubsub.Received) *pb.StreamingPullResponse {
	def := p.stream.Subscription()
	return &pb.StreamingPullResponse{
		ReceivedMessages: receivedProtos(got),
		SubscriptionProperties: &pb.StreamingPullResponse_SubscriptionProperties{
			ExactlyOnceDeliveryEnabled: def.ExactlyOnce, MessageOrderingEnabled: def.Ordered,
		},
	}
}

// receive acts on what the client says until it is done.
func (p *puller) receive(ctx context.Context, r *pb.StreamingPullRequest) error {
	for first := true; ; first = false {
		if !first && (r.GetSubscription() != "" || r.GetMaxOutstandingBytes() != 0 || r.GetMaxOutstandingMessages() != 0) {
			return sunya.Invalid("subscription", "subscription, max_outstanding_messages and max_outstanding_bytes may be set in the first request of a stream only")
		}
		if err := p.act(ctx, r, first); err != nil {
			return err
		}
		var err error
		if r, err = p.g.Recv(); err != nil {
			return err
		}
	}
}

func (p *puller) act(ctx context.Context, r *pb.StreamingPullRequest, first bool) error {
	if d := r.GetStreamAckDeadlineSeconds(); d != 0 && !first {
		if d < minStreamDeadline || d > maxStreamDeadline {
			return sunya.Invalid("stream_ack_deadline_seconds", "%d is out of range", d)
		}
		p.stream.SetDeadline(time.Duration(d) * time.Second)
	}
	if len(r.GetModifyDeadlineSeconds()) != len(r.GetModifyDeadlineAckIds()) {
		return sunya.Invalid("modify_deadline_seconds", "there are %d, for %d ack ids", len(r.GetModifyDeadlineSeconds()), len(r.GetModifyDeadlineAckIds()))
	}
	if len(r.GetAckIds()) > 0 {
		done, err := p.stream.Acknowledge(ctx, r.GetAckIds())
		if err != nil {
			return err
		}
		if err := p.confirm(ctx, r.GetAckIds(), done, false); err != nil {
			return err
		}
	}
	for seconds, ids := range byDeadline(r) {
		done, err := p.stream.ModifyAckDeadline(ctx, ids, time.Duration(seconds)*time.Second)
		if err != nil {
			return err
		}
		if err := p.confirm(ctx, ids, done, true); err != nil {
			return err
		}
	}
	return nil
}

func byDeadline(r *pb.StreamingPullRequest) map[int32][]string {
	out := map[int32][]string{}
	for i, id := range r.GetModifyDeadlineAckIds() {
		d := r.GetModifyDeadlineSeconds()[i]
		out[d] = append(out[d], id)
	}
	return out
}

// confirm tells what became of ack ids (exactly-once delivery).
func (p *puller) confirm(ctx context.Context, ids []string, done pubsub.Acknowledgement, modified bool) error {
	if !p.stream.Subscription().ExactlyOnce {
		return nil
	}
	invalid := map[string]bool{}
	for _, id := range done.Invalid {
		invalid[id] = true
	}
	var good []string
	for _, id := range ids {
		if !invalid[id] {
			good = append(good, id)
		}
	}
	a := p.answer(nil)
	if modified {
		a.ModifyAckDeadlineConfirmation = &pb.StreamingPullResponse_ModifyAckDeadlineConfirmation{AckIds: good, InvalidAckIds: done.Invalid}
	} else {
		a.AcknowledgeConfirmation = &pb.StreamingPullResponse_AcknowledgeConfirmation{AckIds: good, InvalidAckIds: done.Invalid}
	}
	select {
	case p.answers <- a:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
