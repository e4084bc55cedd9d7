package jobs

import (
	"context"
	"fmt"

	"github.com/sunya-cloud/sunya"
)

// ImagesInUse returns the images that jobs and executions need: those that jobs have,
// those that they are to get, as far as they are here, and those of executions
// that are not done. Jobs are read first: what one had before it changed is then
// still seen at the executions that run it.
func (a *Admin) ImagesInUse(ctx context.Context) ([]sunya.Image, error) {
	all, err := a.Store.ListJobs(ctx, "", "", "", 0)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	open, err := a.Store.OpenExecutions(ctx)
	if err != nil {
		return nil, fmt.Errorf("read executions: %w", err)
	}
	var out []sunya.Image
	for i := range all {
		out = append(out, all[i].Template.images()...)
		out = append(out, all[i].Shown().Template.images()...)
	}
	for _, k := range open {
		e, err := a.Store.GetExecution(ctx, k)
		if ignoreGone(err) != nil {
			return nil, fmt.Errorf("read execution: %w", err)
		}
		if err == nil {
			out = append(out, e.Template.images()...)
		}
	}
	return out, nil
}

func (t *Template) images() (out []sunya.Image) {
	for _, c := range t.Containers {
		if c.Fetched != nil {
			out = append(out, c.Fetched.Image)
		}
	}
	return out
}
