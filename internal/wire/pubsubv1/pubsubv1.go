// Package pubsubv1 is google.pubsub.v1.Publisher, Subscriber and SchemaService
// over the core's broker and schemas.
package pubsubv1

import (
	"context"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/iamv1"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Broker is what the services stand on.
type Broker interface {
	CreateTopic(ctx context.Context, t pubsub.Topic) (*pubsub.Topic, error)
	Topic(ctx context.Context, name string) (*pubsub.Topic, error)
	ListTopics(ctx context.Context, project, after string, limit int) ([]pubsub.Topic, error)
	UpdateTopic(ctx context.Context, name string, change func(*pubsub.Topic) error) (*pubsub.Topic, error)
	DeleteTopic(ctx context.Context, name string) error
	Publish(ctx context.Context, topic string, messages []pubsub.Message) ([]string, error)

	CreateSubscription(ctx context.Context, s pubsub.Subscription) (*pubsub.Subscription, error)
	Subscription(ctx context.Context, name string) (*pubsub.Subscription, error)
	ListSubscriptions(ctx context.Context, q pubsub.SubscriptionQuery) ([]pubsub.Subscription, error)
	UpdateSubscription(ctx context.Context, name string, change func(*pubsub.Subscription) error) (*pubsub.Subscription, error)
	DeleteSubscription(ctx context.Context, name string) error
	Detach(ctx context.Context, name string) error

	Pull(ctx context.Context, name string, n int, wait time.Duration) ([]pubsub.Received, error)
	Stream(ctx context.Context, name string, o pubsub.StreamOptions) (*pubsub.Stream, error)
	Acknowledge(ctx context.Context, name string, ackIDs []string, durable bool) (pubsub.Acknowledgement, error)
	ModifyAckDeadline(ctx context.Context, name string, ackIDs []string, d time.Duration) (pubsub.Acknowledgement, error)

	SeekTime(ctx context.Context, name string, at time.Time) error
	SeekSnapshot(ctx context.Context, name, snapshot string) error
	CreateSnapshot(ctx context.Context, s pubsub.Snapshot, subscription string) (*pubsub.Snapshot, error)
	Snapshot(ctx context.Context, name string) (*pubsub.Snapshot, error)
	ListSnapshots(ctx context.Context, project, topic, after string, limit int) ([]pubsub.Snapshot, error)
	UpdateSnapshot(ctx context.Context, name string, change func(*pubsub.Snapshot) error) (*pubsub.Snapshot, error)
	DeleteSnapshot(ctx context.Context, name string) error

	Policy(ctx context.Context, resource string) (iam.Policy, error)
	SetPolicy(ctx context.Context, resource string, p iam.Policy, etag string) (iam.Policy, error)
}

// Publisher implements pb.PublisherServer. Errors are sunya.Errors; the
// listener's interceptors turn them into statuses.
type Publisher struct {
	pb.UnimplementedPublisherServer
	broker Broker
}

// Subscriber implements pb.SubscriberServer.
type Subscriber struct {
	pb.UnimplementedSubscriberServer
	broker Broker
	newID  func() string
}

// Register adds the services to a gRPC server. newID names snapshots and schemas
// whose maker gives no name.
func Register(g grpc.ServiceRegistrar, b Broker, s Schemas, newID func() string) {
	g = words{g}
	pb.RegisterPublisherServer(g, &Publisher{broker: b})
	pb.RegisterSubscriberServer(g, &Subscriber{broker: b, newID: newID})
	pb.RegisterSchemaServiceServer(g, &SchemaService{schemas: s, newID: newID})
}

// Descriptor describes the API.
func Descriptor() transcode.API {
	api := transcode.API{Name: "pubsub.googleapis.com", Services: []string{
		"google.pubsub.v1.Publisher", "google.pubsub.v1.Subscriber", "google.pubsub.v1.SchemaService", iamv1.Service,
	}, Bodiless: []string{":detach"}}
	for _, c := range collections() {
		api.Rules = append(api.Rules, iamv1.Rules("/v1/{resource=projects/*/"+c+"/*}")...)
	}
	return api
}

// Patterns are the paths on a host that all APIs share.
func Patterns() []string {
	const schemas = "/v1/projects/*/" + pubsub.Schemas
	out := []string{schemas + ":validate", schemas + ":validateMessage"}
	for _, c := range collections() {
		out = append(out, "/v1/projects/*/"+c, "/v1/projects/*/"+c+"/")
	}
	return out
}

// unsupported says that a field would change behaviour that is not here.
func unsupported(field string) error {
	return &sunya.Error{Code: sunya.Unimplemented, Field: field, Message: "this is not served yet: leave it out"}
}
