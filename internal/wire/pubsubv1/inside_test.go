package pubsubv1

import (
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/scope"
)

// TestFromInside: names of other projects are refused wherever in a request they
// are, and what users write is not taken for a name.
func TestFromInside(t *testing.T) {
	message := &pb.PubsubMessage{Data: []byte("projects/q/"), OrderingKey: "projects/q/a", Attributes: map[string]string{"of": "projects/q/b"}}
	for _, c := range []struct {
		rule string
		req  proto.Message
		ok   bool
	}{
		{"publish", &pb.PublishRequest{Topic: "projects/p/topics/t", Messages: []*pb.PubsubMessage{message}}, true},
		{"publish to another's", &pb.PublishRequest{Topic: "projects/q/topics/t"}, false},
		{"a project whose name begins like its own", &pb.PublishRequest{Topic: "projects/p2/topics/t"}, false},
		{"list another's topics", &pb.ListTopicsRequest{Project: "projects/q"}, false},
		{"subscribe to another's topic", &pb.Subscription{Name: "projects/p/subscriptions/s", Topic: "projects/q/topics/t"}, false},
		{"another's dead letters", &pb.UpdateSubscriptionRequest{Subscription: &pb.Subscription{Name: "projects/p/subscriptions/s",
			DeadLetterPolicy: &pb.DeadLetterPolicy{DeadLetterTopic: "projects/q/topics/t"}}}, false},
		{"another's schema", &pb.Topic{Name: "projects/p/topics/t", SchemaSettings: &pb.SchemaSettings{Schema: "projects/q/schemas/s"}}, false},
		{"another's snapshot", &pb.SeekRequest{Subscription: "projects/p/subscriptions/s", Target: &pb.SeekRequest_Snapshot{Snapshot: "projects/q/snapshots/s"}}, false},
		{"another's policy", &iampb.GetIamPolicyRequest{Resource: "projects/q/topics/t"}, false},
		{"stream", &pb.StreamingPullRequest{Subscription: "projects/p/subscriptions/s"}, true},
		{"stream another's", &pb.StreamingPullRequest{Subscription: "projects/q/subscriptions/s"}, false},
		{"acknowledge in a stream", &pb.StreamingPullRequest{AckIds: []string{"1"}}, true},
		{"no push", &pb.Subscription{Name: "projects/p/subscriptions/s", Topic: "projects/p/topics/t", PushConfig: &pb.PushConfig{}}, true},
		{"push", &pb.Subscription{Name: "projects/p/subscriptions/s", Topic: "projects/p/topics/t", PushConfig: &pb.PushConfig{PushEndpoint: "http://127.0.0.1:8080/"}}, false},
	} {
		err := checkInside(scope.With(t.Context(), "p"), c.req)
		if c.ok && err != nil || !c.ok && sunya.CodeOf(err) != sunya.PermissionDenied {
			t.Errorf("%s: %v", c.rule, err)
		}
		if err := checkInside(t.Context(), c.req); sunya.CodeOf(err) != sunya.PermissionDenied {
			t.Errorf("%s, from nobody: %v", c.rule, err)
		}
	}
}
