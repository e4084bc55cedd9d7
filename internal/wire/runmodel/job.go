package runmodel

import (
	"fmt"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// Job turns a job into the model's, completed, and says what of it is accepted
// and has no effect. m is not changed.
func Job(k jobs.Key, m *runpb.Job) (jobs.Spec, []string, error) {
	const field = "job.template.template"
	task := m.GetTemplate().GetTemplate()
	if task == nil {
		return jobs.Spec{}, nil, sunya.Invalid(field, "is missing: name at least the container's image")
	}
	if err := refuseJob(m); err != nil {
		return jobs.Spec{}, nil, err
	}
	s := jobs.Spec{
		Labels:      m.GetLabels(),
		Annotations: m.GetAnnotations(),
		Client:      m.GetClient(),
		Version:     m.GetClientVersion(),
		Token:       m.GetStartExecutionToken(),
		Template: jobs.Template{
			Labels:      m.GetTemplate().GetLabels(),
			Annotations: m.GetTemplate().GetAnnotations(),
			Tasks:       int(m.GetTemplate().GetTaskCount()),
			Parallelism: int(m.GetTemplate().GetParallelism()),
			Retries:     retries(task),
			Timeout:     task.GetTimeout().AsDuration(),
			Account:     task.GetServiceAccount(),
		},
	}
	if m.GetRunExecutionToken() != "" {
		s.Token, s.AwaitRun = m.GetRunExecutionToken(), true
	}
	cs, err := Containers(field, task.GetContainers())
	if err != nil {
		return s, nil, err
	}
	for _, c := range cs {
		s.Template.Containers = append(s.Template.Containers, jobs.Container{Container: c})
	}
	if s.Template.Volumes, err = Volumes(field, task.GetVolumes()); err != nil {
		return s, nil, err
	}
	s.Complete(k)
	s.Document, err = jobDocument(&s, m)
	return s, jobWarnings(m), err
}

// retries is how often a task is tried again: what is not said is the default,
// and 0 is not at all.
func retries(t *runpb.TaskTemplate) int {
	if t.GetRetries() == nil {
		return jobs.DefaultRetries
	}
	return int(t.GetMaxRetries())
}

// refuseJob answers what would be wrong to ignore.
func refuseJob(m *runpb.Job) error {
	const task = "job.template.template."
	t := m.GetTemplate().GetTemplate()
	rs := []refusal{
		{m.GetBinaryAuthorization() != nil, "job.binary_authorization", "there is no Binary Authorization here yet"},
		{t.GetVpcAccess() != nil, task + "vpc_access", "there are no VPC networks here; private addresses are reached without one: leave it out"},
		{t.GetEncryptionKey() != "", task + "encryption_key", "there is no Cloud KMS here yet"},
		{t.GetNodeSelector() != nil, task + "node_selector", "there are no GPUs here yet"},
	}
	for i, c := range t.GetContainers() {
		rs = append(rs,
			refusal{c.GetStartupProbe() != nil, fmt.Sprintf("%scontainers[%d].startup_probe", task, i), "tasks of jobs are not asked how they are yet: leave it out"},
			refusal{c.GetLivenessProbe() != nil, fmt.Sprintf("%scontainers[%d].liveness_probe", task, i), "tasks of jobs are not asked how they are yet: leave it out"})
	}
	return firstOf(rs)
}

// jobWarnings name what is accepted and has no effect.
func jobWarnings(m *runpb.Job) []string {
	out := ContainerWarnings("job.template.template", m.GetTemplate().GetTemplate().GetContainers())
	for _, name := range transcode.Ignored(m) {
		out = append(out, "job."+name+": not a field of this API; it has no effect")
	}
	return out
}

// jobDocument is all that was sent but for what only the server says, with the
// defaults filled in.
func jobDocument(s *jobs.Spec, m *runpb.Job) ([]byte, error) {
	kept := &runpb.Job{
		Labels: m.GetLabels(), Annotations: m.GetAnnotations(), Client: m.GetClient(), ClientVersion: m.GetClientVersion(),
		LaunchStage: m.GetLaunchStage(), Template: proto.CloneOf(m.GetTemplate()), CreateExecution: m.GetCreateExecution(),
	}
	if kept.GetLaunchStage() == api.LaunchStage_LAUNCH_STAGE_UNSPECIFIED {
		kept.LaunchStage = api.LaunchStage_GA
	}
	t := &s.Template
	kept.Template.TaskCount = int32(t.Tasks)
	task := kept.GetTemplate().GetTemplate()
	task.Timeout = durationpb.New(t.Timeout)
	task.ServiceAccount = t.Account
	task.Retries = &runpb.TaskTemplate_MaxRetries{MaxRetries: int32(t.Retries)}
	if task.GetExecutionEnvironment() == runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_UNSPECIFIED {
		task.ExecutionEnvironment = runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN2
	}
	cs := make([]run.Container, len(t.Containers))
	for i := range cs {
		cs[i] = t.Containers[i].Container
	}
	CompleteContainers(task.GetContainers(), cs)
	return canonical(kept)
}

// Overrides turns what differs for one execution into the model's.
func Overrides(m *runpb.RunJobRequest_Overrides) (jobs.Overrides, error) {
	out := jobs.Overrides{Tasks: int(m.GetTaskCount()), Timeout: m.GetTimeout().AsDuration()}
	for i, c := range m.GetContainerOverrides() {
		vars, err := env(fmt.Sprintf("overrides.container_overrides[%d].env", i), c.GetEnv())
		if err != nil {
			return out, err
		}
		out.Containers = append(out.Containers, jobs.ContainerOverride{Name: c.GetName(), Args: c.GetArgs(), ClearArgs: c.GetClearArgs(), Env: vars})
	}
	return out, nil
}
