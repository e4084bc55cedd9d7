package deploy

import (
	"context"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

// stagePulling is what the user sees of the building step where there is an
// image instead of a source.
const stagePulling = "Pulling image"

// pull completes the containers of the revision with their images. One that has
// been completed is completed again: what it was given stays.
func (r *run) pull(ctx context.Context) error {
	for _, c := range containers(&r.d.Revision) {
		spec, ok := r.d.Build.Images[c.ContainerName]
		if !ok {
			return sunya.Errorf(sunya.InvalidArgument, r.d.Revision.Name, "no image is given for the container %q", c.ContainerName)
		}
		f, err := r.Images.Fetch(ctx, r.d.Revision.Project, spec.Reference, r.journal)
		if err != nil {
			return fmt.Errorf("pull %s: %w", spec.Reference, err)
		}
		if err := images.Complete(c, f, spec); err != nil {
			return err
		}
	}
	return nil
}

// containers are those of a revision, the one that answers requests first.
func containers(rev *sunya.Revision) []*sunya.Container {
	out := []*sunya.Container{&rev.Container}
	for i := range rev.Sidecars {
		out = append(out, &rev.Sidecars[i])
	}
	return out
}
