package eventing

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// MessagePublished is the type of the events of a topic.
const MessagePublished = "google.cloud.pubsub.topic.v1.messagePublished"

// messageType is what the first generation calls a message.
const messageType = "type.googleapis.com/google.pubsub.v1.PubsubMessage"

// PubSub is the source of messages: the trigger's topic is what they are
// published to, so there is nothing to set up.
type PubSub struct{}

// Provider implements Source.
func (PubSub) Provider() Provider {
	return Provider{Name: "pubsub.googleapis.com", Display: "Cloud Pub/Sub", Transport: true, Types: []EventType{{
		Type: MessagePublished, Description: "A message is published to the specified Pub/Sub topic.",
		Legacy: []string{"google.pubsub.topic.publish", "providers/cloud.pubsub/eventTypes/topic.publish"},
	}}}
}

// FromResource implements Source: a topic, by its whole name or its id.
func (PubSub) FromResource(project, resource string) ([]Filter, string, error) {
	if !strings.Contains(resource, "/") && resource != "" {
		resource = "projects/" + project + "/topics/" + resource
	}
	_, err := pubsub.ParseName("event_trigger.resource", pubsub.Topics, resource)
	return nil, resource, err
}

// Check implements Source.
func (PubSub) Check(_ context.Context, t *Trigger) error {
	const field = "transport.pubsub.topic"
	switch {
	case t.Topic == "":
		return nil
	case t.MakeTopic: // it has to be a name that a topic can have
		if _, err := pubsub.CheckName(pubsub.Topics, t.Topic); err != nil {
			return sunya.InField(field, err)
		}
		return nil
	}
	_, err := pubsub.ParseName(field, pubsub.Topics, t.Topic)
	return err
}

// Open implements Source.
func (PubSub) Open(context.Context, *Trigger) error { return nil }

// Close implements Source.
func (PubSub) Close(context.Context, *Trigger) error { return nil }

// message is a message as both generations show it.
type message struct {
	Kind        string            `json:"@type,omitempty"` // the first generation only
	Attributes  map[string]string `json:"attributes,omitempty"`
	Data        string            `json:"data,omitempty"`
	MessageID   string            `json:"messageId,omitempty"`
	PublishTime string            `json:"publishTime,omitempty"`
	OrderingKey string            `json:"orderingKey,omitempty"`
}

// Event implements Source.
func (PubSub) Event(t *Trigger, m *pubsub.Message) (*Event, error) {
	shown := message{
		Attributes: m.Attributes, Data: base64.StdEncoding.EncodeToString(m.Data), MessageID: m.ID,
		PublishTime: stamp(m.PublishTime), OrderingKey: m.OrderingKey,
	}
	legacy := message{Kind: messageType, Attributes: m.Attributes, Data: shown.Data}
	e := &Event{
		ID: m.ID, Type: MessagePublished, Source: "//pubsub.googleapis.com/" + t.Topic, Time: m.PublishTime,
		Resource: Resource{Service: "pubsub.googleapis.com", Name: t.Topic, Type: messageType},
	}
	var err error
	if e.Data, err = json.Marshal(map[string]any{"message": shown, "subscription": t.Subscription}); err != nil {
		return nil, sunya.Errorf(sunya.Internal, m.ID, "encode message: %v", err)
	}
	if e.LegacyData, err = json.Marshal(legacy); err != nil {
		return nil, sunya.Errorf(sunya.Internal, m.ID, "encode message: %v", err)
	}
	return e, nil
}
