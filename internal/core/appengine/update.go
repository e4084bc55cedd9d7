package appengine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// VersionChange makes what a client wants of a version: its InstanceClass,
// Scaling, ServingStatus and Document.
type VersionChange func(v *Version) error

// UpdateVersion changes the fields that paths names, in the spelling of the
// proto. A new size or scaling makes a new revision of the same image, which is
// proved and routed like a deployed one: the operation is done when it serves.
// Whether a version serves is changed at once.
func (a *Admin) UpdateVersion(ctx context.Context, k Key, paths []string, change VersionChange, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, err := a.Version(ctx, k)
	if err != nil {
		return nil, err
	}
	if err := checkPaths(v, paths); err != nil {
		return nil, err
	}
	if v.Deployment != "" {
		return nil, inProgress(v)
	}
	next := *v
	if err := change(&next); err != nil {
		return nil, err
	}
	if err := checkStatus(v, &next); err != nil {
		return nil, err
	}
	rev, same, err := a.resized(&next)
	if err != nil {
		return nil, err
	}
	op := a.operation(k.Project, "Versions.UpdateVersion", k.Name(), user)
	switch {
	case next.ServingStatus == StatusStopped:
		return a.setStopped(ctx, &next, true, op)
	case same:
		return a.setStopped(ctx, &next, false, op)
	}
	return op, a.redeploy(ctx, v, &next, rev, op)
}

// checkPaths holds for what Google lets change in place (Versions.UpdateVersion,
// standard environment), and for the other settings of a scaling block, which
// cost nothing more here.
func checkPaths(v *Version, paths []string) error {
	if len(paths) == 0 {
		return sunya.Invalid("updateMask", "is empty: name the fields to change")
	}
	kind := v.scalingKind()
	for _, p := range paths {
		block, key, _ := strings.Cut(p, ".")
		switch {
		case p == "serving_status" || p == "instance_class":
		case slices.Contains([]string{"automatic_scaling", "basic_scaling", "manual_scaling"}, block) && block != kind:
			return &sunya.Error{Code: sunya.InvalidArgument, Resource: v.Name(), Field: p, Message: fmt.Sprintf("the version has %s: the kind of scaling cannot be changed, deploy a new version", kind)}
		case block == kind && (key == "" || slices.Contains(changeable()[kind], strings.TrimPrefix(key, "standard_scheduler_settings."))):
		default:
			return &sunya.Error{Code: sunya.InvalidArgument, Resource: v.Name(), Field: p, Message: "cannot be changed in a version that exists: deploy a new version"}
		}
	}
	return nil
}

// changeable are the keys of each scaling block that mean something in the
// standard environment.
func changeable() map[string][]string {
	return map[string][]string{
		"automatic_scaling": {
			"standard_scheduler_settings",
			"min_instances", "max_instances", "target_cpu_utilization", "target_throughput_utilization",
			"min_idle_instances", "max_idle_instances", "min_pending_latency", "max_pending_latency",
			"max_concurrent_requests",
		},
		"basic_scaling":  {"max_instances", "idle_timeout"},
		"manual_scaling": {"instances"},
	}
}

func (v *Version) scalingKind() string {
	switch {
	case v.Scaling.Basic != nil:
		return "basic_scaling"
	case v.Scaling.Manual != nil:
		return "manual_scaling"
	}
	return "automatic_scaling"
}

func checkStatus(v, next *Version) error {
	const field = "servingStatus"
	switch next.ServingStatus {
	case StatusServing:
		return nil
	case StatusStopped:
	default:
		return &sunya.Error{Code: sunya.InvalidArgument, Resource: v.Name(), Field: field, Message: fmt.Sprintf("%q is not a status to set: use SERVING or STOPPED", next.ServingStatus)}
	}
	if v.automatic() {
		return &sunya.Error{Code: sunya.FailedPrecondition, Resource: v.Name(), Field: field, Message: "only versions with basic or manual scaling can be stopped and started: give the traffic to another version, and delete this one"}
	}
	return nil
}

// resized returns the revision that a version asks for: that which serves, with
// another size, and whether there is no difference.
func (a *Admin) resized(v *Version) (rev sunya.Revision, same bool, err error) {
	now, ok := a.Catalog.Revision(v.Revision)
	if !ok {
		return rev, false, sunya.Errorf(sunya.FailedPrecondition, v.Name(), "its revision %s is gone: deploy the version again", v.Revision)
	}
	rev = *now
	if err := a.size(v, &rev); err != nil {
		return rev, false, err
	}
	return rev, reflect.DeepEqual(rev, *now), nil
}

// setStopped lets the core serve a version or not, and stores the version.
func (a *Admin) setStopped(ctx context.Context, v *Version, stopped bool, op *sunya.Operation) (*sunya.Operation, error) {
	err := a.Catalog.Update(ctx, ServiceName(v.Project, v.Service), func(svc sunya.Service) (serving.Change, error) {
		names := slices.DeleteFunc(slices.Clone(svc.Traffic.Stopped), func(name string) bool {
			_, exists := a.Catalog.Revision(name)
			return !exists || name == v.Revision
		})
		if stopped {
			names = append(names, v.Revision)
		}
		if slices.Equal(names, svc.Traffic.Stopped) {
			return serving.Change{}, nil
		}
		svc.Traffic.Stopped = names
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
	if err != nil {
		return nil, err
	}
	if err := a.Store.PutVersion(ctx, v); err != nil {
		return nil, err
	}
	return a.finished(ctx, op)
}

// redeploy replaces what serves by another revision of the same image.
func (a *Admin) redeploy(ctx context.Context, v, next *Version, rev sunya.Revision, op *sunya.Operation) error {
	now := a.Now()
	d := &sunya.Deployment{
		ID:         a.DeploymentIDs.Next(now),
		Operation:  op.Name,
		Step:       sunya.StepStarting,
		Replaces:   v.Revision,
		CreateTime: now,
	}
	rev.Name, rev.ID, rev.CreateTime = v.Name()+"/"+d.ID, revisionID(d.ID), now
	rev.Env = resizedEnv(next, rev, d.ID)
	d.Revision = rev
	if err := a.name(ctx, v.Key, d); err != nil {
		return err
	}
	next.Revision, next.Deployment = "", d.ID
	doc, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode %s: %w", next.Name(), err)
	}
	d.Document = doc
	stored := *v
	stored.Deployment = d.ID
	if err := a.Store.BeginDeploy(ctx, &stored, op, d); err != nil {
		return err
	}
	a.Kick()
	return nil
}

// resizedEnv is the environment of a revision with another size: the version's,
// and what the build had added.
func resizedEnv(v *Version, rev sunya.Revision, deployment string) []sunya.EnvVar {
	env, _ := environment(v, deployment, int(rev.MemoryBytes>>20))
	for _, e := range rev.Env {
		if !slices.ContainsFunc(env, func(o sunya.EnvVar) bool { return o.Name == e.Name }) {
			env = append(env, e)
		}
	}
	return env
}

// DeleteInstance ends one instance of a version; the requests that it has are
// finished first. Its scaling may start another one. The operation is done when
// it returns.
func (a *Admin) DeleteInstance(ctx context.Context, k Key, id, user string) (*sunya.Operation, error) {
	v, err := a.Version(ctx, k)
	if err != nil {
		return nil, err
	}
	name := k.Name() + "/instances/" + id
	if err := a.EndInstance(ctx, cmp.Or(v.Revision, "none"), id); err != nil {
		if sunya.CodeOf(err) == sunya.NotFound {
			return nil, sunya.Errorf(sunya.NotFound, name, "instance not found, or not ready yet")
		}
		return nil, err
	}
	return a.finished(ctx, a.operation(k.Project, "Instances.DeleteInstance", name, user))
}
