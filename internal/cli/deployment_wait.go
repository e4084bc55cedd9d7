package cli

import (
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
)

// await waits for the operation while the build's log is shown.
func (d *deployment) await(ctx context.Context) error {
	var op *longrunningpb.Operation
	err := d.follow(ctx, func(seen func(buildState)) (err error) {
		op, err = d.admin.wait(ctx, d.operation, func(meta *appenginepb.OperationMetadataV1) {
			seen(buildState{meta.GetCreateVersionMetadata().GetCloudBuildId(), d.unsaid(meta.GetWarning())})
		})
		return err
	})
	if op != nil {
		d.warn(d.unsaid(metadataOf(op).GetWarning()))
	}
	return err
}

// unsaid leaves out the server's warnings about fields whose keys in app.yaml
// were warned of before, with their lines.
func (d *deployment) unsaid(warnings []string) []string {
	said := map[string]bool{}
	for _, w := range d.target.cfg.Warnings {
		key, _, _ := strings.Cut(w, " ")
		said[strings.ReplaceAll(key, "_", "")] = true
	}
	return slices.DeleteFunc(slices.Clone(warnings), func(w string) bool {
		field, _, _ := strings.Cut(w, ":")
		return said[strings.ToLower(field)]
	})
}
