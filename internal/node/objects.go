package node

import (
	"context"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
)

// relayObjects publishes the changes of objects that notifications ask for.
func (n *Node) relayObjects(ctx context.Context) error {
	return n.products.objects.Relay(ctx, topics{n.products.pubsub}, func(o *objects.Object) ([]byte, error) {
		return storagev1.Encode(n.url("api"), o)
	})
}

// topics publishes to the broker's topics.
type topics struct{ broker *pubsub.Broker }

// Publish implements objects.Publisher.
func (t topics) Publish(ctx context.Context, topic string, data []byte, attributes map[string]string) error {
	_, err := t.broker.Publish(ctx, topic, []pubsub.Message{{Data: data, Attributes: attributes}})
	return err
}

// known reports whether a topic exists; NotFound.
func (t topics) known(ctx context.Context, topic string) error {
	_, err := t.broker.Topic(ctx, topic)
	return err
}
