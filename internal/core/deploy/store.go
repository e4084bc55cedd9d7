package deploy

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

// Store keeps deployments. Writes are durable when a method returns.
type Store interface {
	// Pending returns the deployments that are neither done nor failed, oldest
	// first.
	Pending(ctx context.Context) ([]sunya.Deployment, error)
	GetDeployment(ctx context.Context, id string) (*sunya.Deployment, error)
	PutDeployment(ctx context.Context, d *sunya.Deployment) error
}
