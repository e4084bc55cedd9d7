package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

// tidyEvery is how often things that nobody needs any more are looked for.
const tidyEvery = 6 * time.Hour

// historyLife is how long ended operations and deployments can be asked for.
const historyLife = 30 * 24 * time.Hour

// tidy removes what nothing refers to any more, at start and from time to time.
func (n *Node) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := n.tidyOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
			n.log.Warn("remove what is no longer needed", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (n *Node) tidyOnce(ctx context.Context, now time.Time) error {
	pending, err := n.storage.state.Pending(ctx)
	if err != nil {
		return fmt.Errorf("read pending deployments: %w", err)
	}
	tasks, err := n.products.jobs.ImagesInUse(ctx)
	if err != nil {
		return err
	}
	err = n.storage.state.Prune(ctx, now.Add(-historyLife))
	err = errors.Join(err, functions.TidySources(ctx, n.storage.state, n.products.objects, now.Add(-functions.UploadLife), pending))
	for project := range n.projects() {
		before := now.Add(-appengine.SourceLife)
		err = errors.Join(err, appengine.TidySources(ctx, n.products.objects, project, before, pending))
	}
	err = errors.Join(err, n.products.registry.Collect(ctx, n.imagesInUse(pending, tasks)))
	keep, hostErr := n.products.images.HostLayers(ctx)
	if hostErr != nil {
		return errors.Join(err, hostErr)
	}
	maps.Copy(keep, n.layersInUse(pending, tasks))
	return errors.Join(err, n.machine.dir.Sweep(ctx), n.storage.layers.Collect(ctx, keep))
}

// projects are those that have a service.
func (n *Node) projects() map[string]bool {
	out := map[string]bool{}
	for _, s := range n.serve.catalog.Table().Services() {
		out[s.Project] = true
	}
	return out
}

// layersInUse are the digests of the layers of every revision and job, and of
// those that are about to be. One that a build has just made is protected by the
// store's grace.
func (n *Node) layersInUse(pending []sunya.Deployment, tasks []sunya.Image) map[string]bool {
	keep := map[string]bool{}
	for rev := range n.revisions(pending) {
		keep[rev.Site] = true
	}
	for img := range n.images(pending, tasks) {
		for _, l := range img.Layers {
			keep[l.Digest] = true
		}
	}
	return keep
}

// imagesInUse are the digests of the manifests of every container image that
// runs or is about to.
func (n *Node) imagesInUse(pending []sunya.Deployment, tasks []sunya.Image) []string {
	var out []string
	for img := range n.images(pending, tasks) {
		if img.Digest != "" {
			out = append(out, img.Digest)
		}
	}
	return out
}

// revisions are those that are, and those that are about to be.
func (n *Node) revisions(pending []sunya.Deployment) iter.Seq[*sunya.Revision] {
	return func(yield func(*sunya.Revision) bool) {
		for i := range pending {
			if !yield(&pending[i].Revision) {
				return
			}
		}
		table := n.serve.catalog.Table()
		for _, s := range table.Services() {
			for _, rev := range table.Revisions(s.Name) {
				if !yield(rev) {
					return
				}
			}
		}
	}
}

// images are those of all revisions, and of the tasks of jobs.
func (n *Node) images(pending []sunya.Deployment, tasks []sunya.Image) iter.Seq[*sunya.Image] {
	return func(yield func(*sunya.Image) bool) {
		for i := range tasks {
			if !yield(&tasks[i]) {
				return
			}
		}
		for rev := range n.revisions(pending) {
			if !yield(&rev.Image) {
				return
			}
			for i := range rev.Sidecars {
				if !yield(&rev.Sidecars[i].Image) {
					return
				}
			}
		}
	}
}

// watchLauncher ends the server when the launcher is gone, and with it every
// instance: the privilege to start another one was given up.
func (n *Node) watchLauncher(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.machine.engine.Lost():
		return sunya.Errorf(sunya.Unavailable, "", "the launcher has ended, and with it every instance: start the server again")
	}
}
