package pubsubv1

import (
	"testing"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// TestRetryPolicy: what is left out has Google's default, and 0 is 0.
func TestRetryPolicy(t *testing.T) {
	for _, tt := range []struct {
		what string
		in   *pb.RetryPolicy
		want *pubsub.Retry
	}{
		{"none", nil, nil},
		{"an empty one", &pb.RetryPolicy{}, &pubsub.Retry{Min: 10 * time.Second, Max: 10 * time.Minute}},
		{"0", &pb.RetryPolicy{MinimumBackoff: durationpb.New(0)}, &pubsub.Retry{Max: 10 * time.Minute}},
		{"both", &pb.RetryPolicy{MinimumBackoff: durationpb.New(time.Second), MaximumBackoff: durationpb.New(time.Minute)}, &pubsub.Retry{Min: time.Second, Max: time.Minute}},
	} {
		s, err := subscriptionOf(&pb.Subscription{RetryPolicy: tt.in})
		if err != nil || (s.Retry == nil) != (tt.want == nil) || tt.want != nil && *s.Retry != *tt.want {
			t.Errorf("%s: %+v, %v, want %+v", tt.what, s.Retry, err, tt.want)
		}
	}
}
