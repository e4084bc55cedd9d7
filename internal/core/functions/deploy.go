package functions

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
)

// buildTimeout is how long a build may take: Cloud Build's default.
const buildTimeout = 10 * time.Minute

// Create deploys a new function and returns the operation. Nothing is built
// before it returns. A function of that name is AlreadyExists, unless its first
// deployment failed.
func (a *Admin) Create(ctx context.Context, k Key, s Spec, warnings []string, user string) (*sunya.Operation, error) {
	return a.deploy(ctx, k, s, "CreateFunction", warnings, user, func(old *Function) error {
		if old != nil && old.Revision != "" {
			return sunya.Errorf(sunya.AlreadyExists, k.Name(), "the function exists already: update it, or delete it first")
		}
		return nil
	})
}

// Update deploys a function again, as it is to be, and returns the operation.
func (a *Admin) Update(ctx context.Context, k Key, s Spec, warnings []string, user string) (*sunya.Operation, error) {
	return a.deploy(ctx, k, s, "UpdateFunction", warnings, user, func(old *Function) error {
		switch {
		case old == nil:
			return sunya.Errorf(sunya.NotFound, k.Name(), "function not found")
		case old.FirstGen != s.FirstGen:
			return OtherGeneration(old)
		}
		return nil
	})
}

// OtherGeneration answers the API of one generation about a function of the
// other.
func OtherGeneration(f *Function) error {
	if f.FirstGen {
		return sunya.Errorf(sunya.FailedPrecondition, f.Name(), "the function is of the first generation: change it by the API's version v1 (sunya functions deploy --no-gen2), or delete it and deploy it anew")
	}
	return sunya.Errorf(sunya.FailedPrecondition, f.Name(), "the function is of the second generation: change it by the API's version v2 (sunya functions deploy --gen2), or delete it and deploy it anew")
}

func (a *Admin) deploy(ctx context.Context, k Key, s Spec, method string, warnings []string, user string, allowed func(old *Function) error) (*sunya.Operation, error) {
	if err := a.check(ctx, k, &s); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	old, err := a.stored(ctx, k)
	if err != nil {
		return nil, err
	}
	if err := allowed(old); err != nil {
		return nil, err
	}
	if old != nil && old.Deployment != "" {
		return nil, inProgress(old)
	}
	if svc, ok := a.Catalog.Service(k.ServiceName()); ok && svc.Product != sunya.CloudFunctions {
		return nil, sunya.Errorf(sunya.AlreadyExists, k.Name(), "there is a Cloud Run service of this name in %s: functions and services share their names", k.Location)
	}
	op := a.operation(k, s.FirstGen, method, user)
	op.Warnings = warnings
	next, d, err := a.draft(k, s, old, op)
	if err != nil {
		return nil, err
	}
	if err := a.Store.BeginFunctionDeploy(ctx, next, op, d); err != nil {
		return nil, err
	}
	a.Kick()
	return op, nil
}

// check looks at all that does not depend on what else there is.
func (a *Admin) check(ctx context.Context, k Key, s *Spec) error {
	if err := k.Check(); err != nil {
		return err
	}
	s.complete(k)
	if s.Runtime == "" {
		return sunya.Invalid(s.fields().runtime, "is missing: name one such as python311")
	}
	if err := a.CheckRuntime(s.Runtime); err != nil {
		return sunya.InField(s.fields().runtime, err)
	}
	if err := s.check(); err != nil {
		return err
	}
	if err := a.checkTrigger(ctx, k, s); err != nil {
		return err
	}
	field := s.fields().source
	if s.Source.Bucket == "" || s.Source.Object == "" {
		return sunya.Invalid(field, "the source is missing: upload it to the URL that generateUploadUrl returns, and give what it returned")
	}
	_, err := a.Objects.GetObject(ctx, s.Source.Bucket, s.Source.Object)
	if sunya.CodeOf(err) == sunya.NotFound {
		return sunya.Invalid(field, "object %s does not exist in bucket %s: upload the source first", s.Source.Object, s.Source.Bucket)
	}
	return err
}

// draft describes what comes: the function as it is shown meanwhile, and the
// deployment, whose document is the function as it will be.
func (a *Admin) draft(k Key, s Spec, old *Function, op *sunya.Operation) (*Function, *sunya.Deployment, error) {
	now := a.Now()
	next := Function{Key: k, Spec: s, State: Deploying, CreateTime: now, UpdateTime: now}
	if old != nil {
		next.CreateTime, next.Number, next.Invokers, next.Host = old.CreateTime, old.Number, old.Invokers, old.Host
	}
	next.Number++
	next.Build = a.DeploymentIDs.Next(now)
	next.Deployment = next.Build
	if next.Host == "" {
		next.Host = a.Catalog.Table().Label(k.ID, k.ServiceName(), k.Project)
	}
	op.BuildID = next.Build
	d := a.deployment(&next, op, now)
	if old != nil {
		d.Replaces = old.Revision
	}
	doc, err := json.Marshal(&next)
	if err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", k.Name(), err)
	}
	d.Document = doc
	shown := next
	if old != nil && old.Revision != "" {
		shown = *old
		shown.Deployment, shown.State, shown.Messages = next.Deployment, Deploying, nil
	}
	return &shown, d, nil
}

func (a *Admin) deployment(f *Function, op *sunya.Operation, now time.Time) *sunya.Deployment {
	id := sunya.ShortID(f.Build)
	name := f.ServiceName() + "/revisions/" + sunya.RevisionID(f.ID, f.Number, f.Build)
	traffic := &sunya.Traffic{Targets: []sunya.Target{{Revision: name, Permille: 1000}}}
	return &sunya.Deployment{
		ID:         f.Build,
		Operation:  op.Name,
		Step:       sunya.StepBuilding,
		CreateTime: now,
		Source:     sunya.Source{Archive: f.Source.path()},
		Traffic:    traffic,
		Hosts:      []sunya.Host{{Label: f.Host, Service: f.ServiceName()}},
		Access:     access(f),
		Ingress:    f.Ingress,
		Build: sunya.BuildSpec{
			Runtime:  f.Runtime,
			Env:      f.BuildEnv,
			Timeout:  buildTimeout,
			Function: f.target(),
		},
		Revision: sunya.Revision{
			Name:    name,
			ID:      "fn-" + id,
			Service: f.ServiceName(),
			Project: f.Project,
			Product: sunya.CloudFunctions,
			Labels:  labels(f, name),
			Container: sunya.Container{
				Env:         environment(f.Key, &f.Spec, name),
				MemoryBytes: f.MemoryBytes,
				CPUMillis:   f.CPUMillis,
			},
			Port:           port,
			Concurrency:    f.Concurrency,
			ServiceAccount: f.Account,
			Scaling:        sunya.Scaling{Min: f.Min, Max: f.Max},
			RequestTimeout: f.Timeout,
			StartTimeout:   a.StartTimeout,
			CreateTime:     now,
		},
	}
}

// labels are the monitored-resource labels of cloud_run_revision, or of
// cloud_function.
func labels(f *Function, revision string) map[string]string {
	if f.FirstGen {
		return map[string]string{"project_id": f.Project, "region": f.Location, functionLabel: f.ID}
	}
	return map[string]string{
		"project_id":         f.Project,
		"location":           f.Location,
		"service_name":       f.ID,
		"configuration_name": f.ID,
		"revision_name":      sunya.ShortRevision(revision),
	}
}
