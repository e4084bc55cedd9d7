package appengine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// NewVersion is what a client asks to deploy.
type NewVersion struct {
	// Version holds what was sent. Its Revision and Deployment are not read. An
	// empty ID gets one from the time, as gcloud does.
	Version
	Files        map[string]File // by path
	Zip          string          // URL of an archive instead of Files
	Main         string          // app.yaml's main: the program's package or file
	AppYAML      string          // where app.yaml is in the source
	BuildTimeout time.Duration   // 0: DefaultBuildTimeout

	Handlers          []Handler // none: everything goes to the program
	ErrorHandlers     []ErrorHandler
	DefaultExpiration *time.Duration // of static files; nil: 10 minutes

	Features []Feature // set, but not in a field of Version
	Warnings []string  // what the wire has to say already
}

// Bounds of cloudBuildOptions.cloudBuildTimeout; the default is Cloud Build's.
const (
	DefaultBuildTimeout = 10 * time.Minute
	maxBuildTimeout     = 24 * time.Hour
)

// maxEntrypoint is the length of an entrypoint in bytes.
const maxEntrypoint = 8 << 10

// autoID is how gcloud names versions: 20261123t181500.
const autoID = "20060102t150405"

// CreateVersion checks a version, stores it with an operation and a
// deployment, and returns the operation. Nothing is built before it returns.
func (a *Admin) CreateVersion(ctx context.Context, n NewVersion) (*sunya.Operation, error) {
	now := a.Now()
	if n.ID == "" {
		n.ID = now.UTC().Format(autoID)
	}
	d, warnings, err := a.draft(ctx, &n)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.place(ctx, &n, d); err != nil {
		return nil, err
	}
	op := a.operation(n.Project, "Versions.CreateVersion", n.Name(), n.CreatedBy)
	op.Warnings = append(n.Warnings, warnings...)
	op.BuildID, d.Operation = d.ID, op.Name
	if err := a.begin(ctx, &n, op, d); err != nil {
		return nil, err
	}
	a.Kick()
	return op, nil
}

// draft checks all that does not depend on what else there is.
func (a *Admin) draft(ctx context.Context, n *NewVersion) (*sunya.Deployment, []string, error) {
	if err := n.check(); err != nil {
		return nil, nil, err
	}
	warnings, err := judge(n.Features)
	if err != nil {
		return nil, nil, err
	}
	note, err := a.runtime(n.Runtime)
	if err != nil {
		return nil, nil, err
	}
	if note != "" {
		warnings = append(warnings, note)
	}
	if err := n.checkSettings(); err != nil {
		return nil, nil, err
	}
	rev, err := a.revision(&n.Version)
	if err != nil {
		return nil, nil, err
	}
	front, err := n.front()
	if err != nil {
		return nil, nil, err
	}
	rev.Rules, rev.ErrorPages = front.rules, front.pages
	if !rev.HasProgram() {
		rev.Scaling.Min = 0 // there is nothing to start
	}
	src, size, err := a.source(ctx, n.Files, n.Zip)
	if err != nil {
		return nil, nil, err
	}
	n.DiskBytes = size
	return &sunya.Deployment{
		Step:     sunya.StepBuilding,
		Source:   src,
		Static:   front.static,
		Build:    n.build(),
		Revision: rev,
	}, warnings, nil
}

// checkSettings looks at what the user wrote in app.yaml.
func (n *NewVersion) checkSettings() error {
	if err := sunya.CheckEnv("version.envVariables", n.Env); err != nil {
		return err
	}
	if err := checkReserved("version.envVariables", n.Env); err != nil {
		return err
	}
	if err := sunya.CheckEnv("version.buildEnvVariables", n.BuildEnv); err != nil {
		return err
	}
	if len(n.Entrypoint) > maxEntrypoint || strings.ContainsRune(n.Entrypoint, 0) {
		return sunya.Invalid("version.entrypoint.shell", "must be at most %v, without NUL", sunya.Bytes(maxEntrypoint))
	}
	if n.Account != "" && !sunya.IsAccount(n.Account) {
		return sunya.CheckAccount("version.serviceAccount", n.Account)
	}
	if strings.ContainsRune(n.Main, 0) || strings.ContainsRune(n.AppYAML, 0) {
		return sunya.Invalid("version", "runtimeMainExecutablePath and appYamlPath hold no NUL")
	}
	if n.BuildTimeout < 0 || n.BuildTimeout > maxBuildTimeout {
		return sunya.Invalid("version.deployment.cloudBuildOptions.cloudBuildTimeout", "must be at most %v", maxBuildTimeout)
	}
	return nil
}

// build tells the builder what to do; the two GAE_ variables are part of the
// contract of Google's buildpacks.
func (n *NewVersion) build() sunya.BuildSpec {
	env := maps.Clone(n.BuildEnv)
	for name, value := range map[string]string{"GAE_YAML_MAIN": n.Main, "GAE_APPLICATION_YAML_PATH": n.AppYAML} {
		if value == "" {
			continue
		}
		if env == nil {
			env = map[string]string{}
		}
		env[name] = value
	}
	return sunya.BuildSpec{
		Runtime:    n.Runtime,
		Entrypoint: n.Entrypoint,
		Env:        env,
		Timeout:    cmp.Or(n.BuildTimeout, DefaultBuildTimeout),
	}
}

// revision describes what will run, but for its names and environment.
func (a *Admin) revision(v *Version) (sunya.Revision, error) {
	rev := sunya.Revision{
		Service: ServiceName(v.Project, v.Service),
		Project: v.Project,
		Product: sunya.AppEngine,
		Labels: map[string]string{
			"project_id": v.Project,
			"module_id":  v.Service,
			"version_id": v.ID,
		},
		Port:           port,
		ServiceAccount: cmp.Or(v.Account, sunya.AppAccount(v.Project)),
		StartTimeout:   a.StartTimeout,
	}
	return rev, a.size(v, &rev)
}

// size sets what follows from instance class and scaling, the settings that can
// be changed in a version that exists.
func (a *Admin) size(v *Version, rev *sunya.Revision) error {
	if v.InstanceClass == "" {
		v.InstanceClass = DefaultClass(v.Scaling)
	}
	c, err := classOf(v.InstanceClass, v.Scaling)
	if err != nil {
		return err
	}
	p, err := v.Scaling.plan()
	if err != nil {
		return err
	}
	rev.MemoryBytes = int64(c.memoryMB) << 20
	rev.CPUMillis = c.cpuMillis
	rev.Concurrency = p.concurrency
	rev.Scaling = p.scaling
	rev.RequestTimeout = p.timeout
	rev.Lifecycle = a.lifecycle(v)
	return nil
}

// place fits a draft into what there is: names, hosts, traffic and the
// revision that it replaces. The caller holds mu.
func (a *Admin) place(ctx context.Context, n *NewVersion, d *sunya.Deployment) error {
	if err := a.checkFirst(ctx, n.Key); err != nil {
		return err
	}
	old, err := a.stored(ctx, n.Key)
	if err != nil {
		return err
	}
	if old != nil && old.Deployment != "" {
		return inProgress(old)
	}
	now := a.Now()
	d.ID, d.CreateTime = a.DeploymentIDs.Next(now), now
	rev := &d.Revision
	rev.Name = n.Name() + "/" + d.ID
	rev.ID = revisionID(d.ID)
	rev.CreateTime = now
	var ignored []string
	rev.Env, ignored = environment(&n.Version, d.ID, int(rev.MemoryBytes>>20))
	for _, name := range ignored {
		n.Warnings = append(n.Warnings, fmt.Sprintf("envVariables: %s is set by the platform; your value has no effect", name))
	}
	if old != nil {
		d.Replaces = old.Revision
	}
	if svc, ok := a.Catalog.Service(rev.Service); !ok || len(svc.Traffic.Targets) == 0 {
		d.Traffic = &sunya.Traffic{Targets: []sunya.Target{{Revision: rev.Name, Permille: 1000}}}
	}
	n.CreateTime = now
	n.ServingStatus = StatusServing
	return a.name(ctx, n.Key, d)
}

// revisionID is short and fits cgroup names.
func revisionID(deployment string) string { return "gae-" + sunya.ShortID(deployment) }

// checkFirst demands that an application's first service is the default one,
// as Google does.
func (a *Admin) checkFirst(ctx context.Context, k Key) error {
	if k.Service == DefaultService {
		return nil
	}
	has, err := a.hasService(ctx, k.Project, DefaultService)
	if err != nil || has {
		return err
	}
	return sunya.Errorf(sunya.FailedPrecondition, AppName(k.Project), "the first service (module) you upload to a new application must be the 'default' service: deploy it, then %q", k.Service)
}

// name gives a deployment its hosts. A service takes its host away from a
// version of the default service that has the same name.
func (a *Admin) name(ctx context.Context, k Key, d *sunya.Deployment) error {
	if k.Service == DefaultService {
		taken, err := a.hasService(ctx, k.Project, k.ID)
		d.Hosts = hosts(k, d.Revision.Name, taken)
		return err
	}
	d.Hosts = hosts(k, d.Revision.Name, true)
	rival := Key{Project: k.Project, Service: DefaultService, ID: k.Service}
	v, err := a.stored(ctx, rival)
	if v == nil {
		return err
	}
	if v.Deployment != "" {
		return inProgress(v)
	}
	if _, exists := a.Catalog.Service(d.Revision.Service); exists {
		return nil
	}
	d.Takes = []string{rival.shortLabel()}
	return nil
}

// begin stores the version, its operation and its deployment. What is there
// already stays as it serves until the deployment ends.
func (a *Admin) begin(ctx context.Context, n *NewVersion, op *sunya.Operation, d *sunya.Deployment) error {
	next := n.Version
	next.Revision, next.Deployment = "", d.ID
	doc, err := json.Marshal(&next)
	if err != nil {
		return fmt.Errorf("encode %s: %w", next.Name(), err)
	}
	d.Document = doc
	if d.Replaces != "" {
		old, err := a.Store.GetVersion(ctx, n.Key)
		if err != nil {
			return err
		}
		old.Deployment = d.ID
		next = *old
	}
	return a.Store.BeginDeploy(ctx, &next, op, d)
}

// stored returns a version, or nil when there is none.
func (a *Admin) stored(ctx context.Context, k Key) (*Version, error) {
	v, err := a.Store.GetVersion(ctx, k)
	if ok, err := found(err); !ok {
		return nil, err
	}
	return v, nil
}

func (a *Admin) hasService(ctx context.Context, project, service string) (bool, error) {
	vs, err := a.Store.ListVersions(ctx, project, service, "", 1)
	return len(vs) > 0, err
}

// inProgress answers whoever wants to change a version while it is deployed.
func inProgress(v *Version) error {
	return sunya.Errorf(sunya.Aborted, v.Name(), "an operation is already in progress (deployment %s): wait for it and try again", v.Deployment)
}
