package runv1

import (
	"maps"
	"slices"

	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
)

type template = *runpb.RevisionTemplate

// templateAnnotations are those of a revision template's metadata, which are a
// revision's too. Its containers are there before these are read.
var templateAnnotations = annotations[template]{
	count(autoscaling+"minScale", func(t template) int32 { return t.GetScaling().GetMinInstanceCount() }, func(t template) *int32 { return &revisionScaling(t).MinInstanceCount }),
	count(autoscaling+"maxScale", func(t template) int32 { return t.GetScaling().GetMaxInstanceCount() }, func(t template) *int32 { return &revisionScaling(t).MaxInstanceCount }),
	{runPrefix + "cpu-throttling", func(t template, v string) error {
		throttled, err := readBool(v)
		return eachResources(t, err, func(r *runpb.ResourceRequirements) { r.CpuIdle = throttled })
	}, func(t template) string {
		if slices.ContainsFunc(t.GetContainers(), func(c *runpb.Container) bool { return c.GetResources() != nil && !c.GetResources().GetCpuIdle() }) {
			return "false"
		}
		return ""
	}},
	{runPrefix + "startup-cpu-boost", func(t template, v string) error {
		boost, err := readBool(v)
		return eachResources(t, err, func(r *runpb.ResourceRequirements) { r.StartupCpuBoost = boost })
	}, func(t template) string {
		if slices.ContainsFunc(t.GetContainers(), func(c *runpb.Container) bool { return c.GetResources().GetStartupCpuBoost() }) {
			return "true"
		}
		return ""
	}},
	choice(runPrefix+"execution-environment", map[string]runpb.ExecutionEnvironment{
		"gen1": runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN1, "gen2": runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN2,
	}, func(t template) *runpb.ExecutionEnvironment { return &t.ExecutionEnvironment }),
	flag(runPrefix+"sessionAffinity", func(t template) *bool { return &t.SessionAffinity }),
	flag(runPrefix+"health-check-disabled", func(t template) *bool { return &t.HealthCheckDisabled }),
	text(runPrefix+"encryption-key", func(t template) *string { return &t.EncryptionKey }),
	{runPrefix + "container-dependencies", readDependencies, showDependencies},
	refused[template](runPrefix+"cloudsql-instances", "Cloud SQL does not exist here: reach the database by its address"),
	refused[template](runPrefix+"vpc-access-connector", noNetworks),
	refused[template](runPrefix+"vpc-access-egress", noNetworks),
	refused[template](runPrefix+"network-interfaces", noNetworks),
	refused[template](runPrefix+"secrets", "there is no Secret Manager here yet"),
	refused[template](runPrefix+"scaling-cpu-target", "it is not supported yet: scaling goes by requests"),
	refused[template](runPrefix+"scaling-concurrency-target", "it is not supported yet: scaling goes by containerConcurrency"),
	refused[template](runPrefix+"sources", "a container cannot be made of source code here: build an image of it, and name that"),
	refused[template](runPrefix+"base-images", "base images are not rebuilt by themselves here: build again"),
	output[template](runPrefix+"client-name", nil), // gcloud writes what it has written into the service
	output[template](runPrefix+"client-version", nil),
	output[template](runPrefix+"operation-id", nil),
	output[template](creatorKey, nil), // of a revision
	output[template](servingPrefix+"creationTime", nil),
}

const noNetworks = "there are no VPC networks here; private addresses are reached without one"

// cpuIdleDefault is whether the CPU is taken away between requests when nothing
// is said.
const cpuIdleDefault = true

func revisionScaling(t template) *runpb.RevisionScaling {
	if t.GetScaling() == nil {
		t.Scaling = &runpb.RevisionScaling{}
	}
	return t.GetScaling()
}

// eachResources changes the resources of every container, unless err is one
// already.
func eachResources(t template, err error, do func(*runpb.ResourceRequirements)) error {
	if err != nil {
		return err
	}
	for _, c := range t.GetContainers() {
		if c.GetResources() == nil {
			c.Resources = &runpb.ResourceRequirements{CpuIdle: cpuIdleDefault}
		}
		do(c.GetResources())
	}
	return nil
}

// readDependencies reads {"web":["cache"]}: web starts once cache has.
func readDependencies(t template, v string) error {
	var names map[string][]string
	if err := readJSON(v, &names); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		i := slices.IndexFunc(t.GetContainers(), func(c *runpb.Container) bool { return c.GetName() == name })
		if i < 0 {
			return sunya.Invalid("", "%q is not the name of a container", name)
		}
		t.Containers[i].DependsOn = names[name]
	}
	return nil
}

func showDependencies(t template) string {
	names := map[string][]string{}
	for _, c := range t.GetContainers() {
		if len(c.GetDependsOn()) > 0 {
			names[c.GetName()] = c.GetDependsOn()
		}
	}
	return showJSON(names, len(names))
}
