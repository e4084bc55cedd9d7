// Package event is a background function of the first generation.
package event

import (
	"context"
	"fmt"
)

// Message is one of Pub/Sub's.
type Message struct {
	Data []byte `json:"data"`
}

// OnMessage prints what was published.
func OnMessage(ctx context.Context, m Message) error {
	fmt.Printf("%s\n", m.Data)
	return nil
}
