// Package hello greets whoever a message names.
package hello

import (
	"context"
	"fmt"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	"github.com/cloudevents/sdk-go/v2/event"
)

func init() { functions.CloudEvent("Hello", hello) }

// published is the data of an event of Pub/Sub.
type published struct {
	Message struct {
		Data []byte `json:"data"`
	} `json:"message"`
}

func hello(_ context.Context, e event.Event) error {
	var p published
	if err := e.DataAs(&p); err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	name := string(p.Message.Data)
	if name == "" {
		name = "World"
	}
	fmt.Printf("Hello %s!\n", name)
	return nil
}
