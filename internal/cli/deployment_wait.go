package cli

import (
	"context"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// await waits for the operation while the build's log is shown.
func (d *deployment) await(ctx context.Context) error {
	var op *longrunningpb.Operation
	err := d.follow(ctx, func(seen func(buildState)) (err error) {
		op, err = d.admin.wait(ctx, d.operation, func(meta *appenginepb.OperationMetadataV1) {
			seen(buildState{meta.GetCreateVersionMetadata().GetCloudBuildId(), meta.GetWarning()})
		})
		return err
	})
	if op != nil {
		d.warn(metadataOf(op).GetWarning())
	}
	return err
}
