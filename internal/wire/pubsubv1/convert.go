package pubsubv1

import (
	"slices"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
)

// maskOf returns the paths of an update, which needs at least one and none of
// those that are fixed.
func maskOf(mask *fieldmaskpb.FieldMask, m proto.Message, fixed ...string) ([]string, error) {
	for _, p := range mask.GetPaths() {
		if slices.Contains(fixed, p) {
			return nil, sunya.Invalid("update_mask", "%s cannot be changed: leave it out", p)
		}
	}
	paths, err := fieldmask.Paths(mask, m)
	if err == nil && len(paths) == 0 {
		err = sunya.Invalid("update_mask", "the mask is empty: name the fields to update")
	}
	return paths, err
}

func topicOf(r *pb.Topic) (pubsub.Topic, error) {
	t := pubsub.Topic{
		Name: r.GetName(), Labels: r.GetLabels(), KMSKey: r.GetKmsKeyName(),
		Retention: r.GetMessageRetentionDuration().AsDuration(), Regions: r.GetMessageStoragePolicy().GetAllowedPersistenceRegions(),
	}
	switch {
	case r.GetIngestionDataSourceSettings() != nil:
		return t, unsupported("ingestion_data_source_settings")
	case len(r.GetMessageTransforms()) > 0:
		return t, unsupported("message_transforms")
	}
	if s := r.GetSchemaSettings(); s != nil {
		t.Schema = &pubsub.Schema{Name: s.GetSchema(), FirstRevision: s.GetFirstRevisionId(), LastRevision: s.GetLastRevisionId()}
		if s.GetEncoding() != pb.Encoding_ENCODING_UNSPECIFIED {
			t.Schema.Encoding = pubsub.Encoding(s.GetEncoding().String())
		}
	}
	return t, nil
}

func topicProto(t *pubsub.Topic) *pb.Topic {
	out := &pb.Topic{Name: t.Name, Labels: t.Labels, KmsKeyName: t.KMSKey, State: pb.Topic_ACTIVE}
	if t.Retention > 0 {
		out.MessageRetentionDuration = durationpb.New(t.Retention)
	}
	if len(t.Regions) > 0 {
		out.MessageStoragePolicy = &pb.MessageStoragePolicy{AllowedPersistenceRegions: t.Regions}
	}
	if s := t.Schema; s != nil {
		out.SchemaSettings = &pb.SchemaSettings{
			Schema: s.Name, Encoding: pb.Encoding(pb.Encoding_value[string(s.Encoding)]),
			FirstRevisionId: s.FirstRevision, LastRevisionId: s.LastRevision,
		}
	}
	return out
}

func subscriptionOf(r *pb.Subscription) (pubsub.Subscription, error) {
	s := pubsub.Subscription{
		Name: r.GetName(), Topic: r.GetTopic(), Labels: r.GetLabels(), Filter: r.GetFilter(),
		AckDeadline: time.Duration(r.GetAckDeadlineSeconds()) * time.Second,
		Retention:   r.GetMessageRetentionDuration().AsDuration(), RetainAcked: r.GetRetainAckedMessages(),
		Ordered: r.GetEnableMessageOrdering(), ExactlyOnce: r.GetEnableExactlyOnceDelivery(),
	}
	switch {
	case r.GetBigqueryConfig() != nil:
		return s, unsupported("bigquery_config")
	case r.GetCloudStorageConfig() != nil:
		return s, unsupported("cloud_storage_config")
	case len(r.GetMessageTransforms()) > 0:
		return s, unsupported("message_transforms")
	}
	if e := r.GetExpirationPolicy(); e != nil {
		s.Expiration = e.GetTtl().AsDuration()
		if e.GetTtl() == nil {
			s.Expiration = pubsub.Never
		}
	}
	if d := r.GetDeadLetterPolicy(); d != nil {
		s.DeadLetter = &pubsub.DeadLetter{Topic: d.GetDeadLetterTopic(), MaxAttempts: int(d.GetMaxDeliveryAttempts())}
	}
	if p := r.GetRetryPolicy(); p != nil {
		s.Retry = &pubsub.Retry{Min: or(p.GetMinimumBackoff(), pubsub.DefaultMinBackoff), Max: or(p.GetMaximumBackoff(), pubsub.DefaultMaxBackoff)}
	}
	s.Push = pushOf(r.GetPushConfig())
	return s, nil
}

// or is a duration, or what stands for one that is left out; 0 is not.
func or(d *durationpb.Duration, unset time.Duration) time.Duration {
	if d == nil {
		return unset
	}
	return d.AsDuration()
}

// pushOf returns nil for a config without an endpoint, which stands for pull.
func pushOf(r *pb.PushConfig) *pubsub.Push {
	if r.GetPushEndpoint() == "" {
		return nil
	}
	return &pubsub.Push{
		Endpoint: r.GetPushEndpoint(), Attributes: r.GetAttributes(),
		Account: r.GetOidcToken().GetServiceAccountEmail(), Audience: r.GetOidcToken().GetAudience(),
		Bare: r.GetNoWrapper() != nil, Metadata: r.GetNoWrapper().GetWriteMetadata(),
	}
}

func subscriptionProto(s *pubsub.Subscription) *pb.Subscription {
	out := &pb.Subscription{
		Name: s.Name, Topic: s.Topic, Labels: s.Labels, Filter: s.Filter, PushConfig: pushProto(s.Push),
		AckDeadlineSeconds: int32(s.AckDeadline / time.Second), MessageRetentionDuration: durationpb.New(s.Retention),
		RetainAckedMessages: s.RetainAcked, EnableMessageOrdering: s.Ordered, EnableExactlyOnceDelivery: s.ExactlyOnce,
		Detached: s.Detached, State: pb.Subscription_ACTIVE, ExpirationPolicy: &pb.ExpirationPolicy{},
	}
	if s.Expiration > 0 {
		out.ExpirationPolicy.Ttl = durationpb.New(s.Expiration)
	}
	if d := s.DeadLetter; d != nil {
		out.DeadLetterPolicy = &pb.DeadLetterPolicy{DeadLetterTopic: d.Topic, MaxDeliveryAttempts: int32(d.MaxAttempts)}
	}
	if p := s.Retry; p != nil {
		out.RetryPolicy = &pb.RetryPolicy{MinimumBackoff: durationpb.New(p.Min), MaximumBackoff: durationpb.New(p.Max)}
	}
	return out
}

func pushProto(p *pubsub.Push) *pb.PushConfig {
	out := &pb.PushConfig{}
	if p == nil {
		return out
	}
	out.PushEndpoint, out.Attributes = p.Endpoint, p.Attributes
	if p.Account != "" {
		out.AuthenticationMethod = &pb.PushConfig_OidcToken_{OidcToken: &pb.PushConfig_OidcToken{ServiceAccountEmail: p.Account, Audience: p.Audience}}
	}
	if p.Bare {
		out.Wrapper = &pb.PushConfig_NoWrapper_{NoWrapper: &pb.PushConfig_NoWrapper{WriteMetadata: p.Metadata}}
	}
	return out
}

func receivedProtos(list []pubsub.Received) []*pb.ReceivedMessage {
	out := make([]*pb.ReceivedMessage, len(list))
	for i := range list {
		m := &list[i]
		out[i] = &pb.ReceivedMessage{AckId: m.AckID, DeliveryAttempt: int32(m.Attempt), Message: &pb.PubsubMessage{
			MessageId: m.ID, Data: m.Data, Attributes: m.Attributes, OrderingKey: m.OrderingKey, PublishTime: timestamppb.New(m.PublishTime),
		}}
	}
	return out
}

func snapshotProto(s *pubsub.Snapshot) *pb.Snapshot {
	return &pb.Snapshot{Name: s.Name, Topic: s.Topic, Labels: s.Labels, ExpireTime: timestamppb.New(s.Expire)}
}
