package runv1

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
)

// Versions and labels of jobs and what comes of them.
const (
	jobVersion     = "run.googleapis.com/v1"
	jobLabel       = runPrefix + "job"
	executionLabel = runPrefix + "execution"
	stateLabel     = runPrefix + "runningState"
	indexLabel     = runPrefix + "taskIndex"
	updatedLabel   = runPrefix + "lastUpdatedTime"
)

// jobAnnotations are those of a job's metadata.
var jobAnnotations = annotations[*runpb.Job]{
	text(runPrefix+"client-name", func(j *runpb.Job) *string { return &j.Client }),
	text(runPrefix+"client-version", func(j *runpb.Job) *string { return &j.ClientVersion }),
	{runPrefix + "launch-stage", choice("", stages, jobStage).read, func(j *runpb.Job) string {
		if j.GetLaunchStage() == api.LaunchStage_GA {
			return "" // as at Google: the usual is not said
		}
		return choice("", stages, jobStage).show(j)
	}},
	refused[*runpb.Job](runPrefix+"binary-authorization", "there is no Binary Authorization here"),
	refused[*runpb.Job](runPrefix+"binary-authorization-breakglass", "there is no Binary Authorization here"),
	output[*runpb.Job](runPrefix+"operation-id", nil),
	output(runPrefix+"creator", (*runpb.Job).GetCreator),
	output(runPrefix+"lastModifier", (*runpb.Job).GetLastModifier),
	output[*runpb.Job](creatorKey, nil),
	output[*runpb.Job](lastModifierKey, nil),
}

// taskAnnotations are those of an execution template's metadata. Its containers
// are there before these are read.
var taskAnnotations = annotations[*runpb.TaskTemplate]{
	choice(runPrefix+"execution-environment", map[string]runpb.ExecutionEnvironment{
		"gen1": runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN1, "gen2": runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN2,
	}, func(t *runpb.TaskTemplate) *runpb.ExecutionEnvironment { return &t.ExecutionEnvironment }),
	text(runPrefix+"encryption-key", func(t *runpb.TaskTemplate) *string { return &t.EncryptionKey }),
	{runPrefix + "container-dependencies", func(t *runpb.TaskTemplate, v string) error {
		return readDependencies(&runpb.RevisionTemplate{Containers: t.GetContainers()}, v)
	}, func(t *runpb.TaskTemplate) string {
		return showDependencies(&runpb.RevisionTemplate{Containers: t.GetContainers()})
	}},
	refused[*runpb.TaskTemplate](runPrefix+"cloudsql-instances", "Cloud SQL does not exist here: reach the database by its address"),
	refused[*runpb.TaskTemplate](runPrefix+"vpc-access-connector", noNetworks),
	refused[*runpb.TaskTemplate](runPrefix+"vpc-access-egress", noNetworks),
	refused[*runpb.TaskTemplate](runPrefix+"network-interfaces", noNetworks),
	refused[*runpb.TaskTemplate](runPrefix+"secrets", "there is no Secret Manager here yet"),
	output[*runpb.TaskTemplate](runPrefix+"client-name", nil), // gcloud writes what it has written into the job
	output[*runpb.TaskTemplate](runPrefix+"client-version", nil),
	output[*runpb.TaskTemplate](runPrefix+"operation-id", nil),
	output[*runpb.TaskTemplate](runPrefix+"creator", nil),
}

// decodeJob turns a job into v2's message. project and id are those of the path;
// id is empty where the path names none. raw is the document as it was sent,
// which alone says whether maxRetries is 0 or not there.
func decodeJob(project, id string, k *knative.Job, raw []byte) (*runpb.Job, error) {
	if err := checkHead(project, id, k.ApiVersion, jobVersion, k.Kind, "Job", k.Metadata); err != nil {
		return nil, err
	}
	if k.Spec == nil || k.Spec.Template == nil || k.Spec.Template.Spec == nil || k.Spec.Template.Spec.Template == nil || k.Spec.Template.Spec.Template.Spec == nil {
		return nil, sunya.Invalid("spec.template.spec.template.spec", "is missing: name at least a container with an image")
	}
	e := k.Spec.Template
	if e.Spec.DelayExecution {
		return nil, unimplemented("spec.template.spec.delayExecution", "is not supported here: leave it out")
	}
	task, err := decodeTask(e.Spec.Template.Spec, hasRetries(raw))
	if err != nil {
		return nil, err
	}
	out := &runpb.Job{
		Labels:   jobLabels(k.Metadata.Labels),
		Template: &runpb.ExecutionTemplate{TaskCount: small(e.Spec.TaskCount), Parallelism: small(e.Spec.Parallelism), Template: task},
	}
	switch {
	case k.Spec.StartExecutionToken != "" && k.Spec.RunExecutionToken != "":
		return nil, sunya.Invalid("spec.runExecutionToken", "startExecutionToken is given, too: leave out one of them")
	case k.Spec.StartExecutionToken != "":
		out.CreateExecution = &runpb.Job_StartExecutionToken{StartExecutionToken: k.Spec.StartExecutionToken}
	case k.Spec.RunExecutionToken != "":
		out.CreateExecution = &runpb.Job_RunExecutionToken{RunExecutionToken: k.Spec.RunExecutionToken}
	}
	if out.Annotations, err = jobAnnotations.take("metadata.annotations", out, k.Metadata.Annotations); err != nil {
		return nil, err
	}
	if k.Metadata.ResourceVersion != "" {
		out.Etag = `"` + k.Metadata.ResourceVersion + `"`
	}
	if e.Metadata == nil {
		return out, nil
	}
	out.Template.Labels = jobLabels(e.Metadata.Labels)
	out.Template.Annotations, err = taskAnnotations.take("spec.template.metadata.annotations", task, e.Metadata.Annotations)
	return out, err
}

// hasRetries reports whether a job says how often its tasks are tried again.
func hasRetries(raw []byte) bool {
	var doc struct {
		Spec struct {
			Template struct {
				Spec struct {
					Template struct {
						Spec struct {
							MaxRetries *int64 `json:"maxRetries"`
						} `json:"spec"`
					} `json:"template"`
				} `json:"spec"`
			} `json:"template"`
		} `json:"spec"`
	}
	return json.Unmarshal(raw, &doc) == nil && doc.Spec.Template.Spec.Template.Spec.MaxRetries != nil
}

func decodeTask(k *knative.TaskSpec, retries bool) (*runpb.TaskTemplate, error) {
	const spec = "spec.template.spec.template.spec"
	switch {
	case len(k.NodeSelector) > 0:
		return nil, unimplemented(spec+".nodeSelector", "there are no GPUs here yet: leave it out")
	case k.Sandboxes != nil:
		return nil, unimplemented(spec+".sandboxes", "is not supported here: leave it out")
	}
	out := &runpb.TaskTemplate{ServiceAccount: k.ServiceAccountName}
	if k.TimeoutSeconds != 0 {
		out.Timeout = &durationpb.Duration{Seconds: int64(small(k.TimeoutSeconds))}
	}
	if retries {
		out.Retries = &runpb.TaskTemplate_MaxRetries{MaxRetries: small(k.MaxRetries)}
	}
	var err error
	if out.Containers, err = decodeContainers(spec+".containers", k.Containers); err != nil {
		return nil, err
	}
	out.Volumes, err = decodeVolumes(spec+".volumes", k.Volumes)
	return out, err
}

// decodeOverrides turns what differs for one execution into the model's.
func decodeOverrides(k *knative.Overrides) (jobs.Overrides, error) {
	if k == nil {
		return jobs.Overrides{}, nil
	}
	m := &runpb.RunJobRequest_Overrides{TaskCount: small(k.TaskCount)}
	if k.TimeoutSeconds != 0 {
		m.Timeout = &durationpb.Duration{Seconds: int64(small(k.TimeoutSeconds))}
	}
	for i, c := range k.ContainerOverrides {
		if c == nil {
			return jobs.Overrides{}, sunya.Invalid("overrides.containerOverrides", "holds null")
		}
		env, err := decodeEnv(fmt.Sprintf("overrides.containerOverrides[%d].env", i), c.Env)
		if err != nil {
			return jobs.Overrides{}, err
		}
		m.ContainerOverrides = append(m.ContainerOverrides, &runpb.RunJobRequest_Overrides_ContainerOverride{
			Name: c.Name, Args: c.Args, ClearArgs: c.ClearArgs, Env: env,
		})
	}
	return runmodel.Overrides(m)
}

// jobLabels are the labels that a user has given.
func jobLabels(labels map[string]string) map[string]string {
	out := ownLabels(labels)
	maps.DeleteFunc(out, func(key, _ string) bool { return strings.HasPrefix(key, runPrefix) })
	return out
}

// jobMeta begins the metadata of a job and of what comes of it.
func jobMeta(k jobs.Key, collection, id string, m described) *knative.ObjectMeta {
	meta := metaOf(k.Project, collection, id, m)
	meta.SelfLink = "/apis/" + jobVersion + "/namespaces/" + k.Project + "/" + collection + "/" + id
	return meta
}

func encodeJob(k jobs.Key, m *runpb.Job) *knative.Job {
	meta := jobMeta(k, "jobs", k.ID, m)
	meta.Labels = withLabels(m.GetLabels(), locationLabel, k.Location, updatedLabel, timestamp(m.GetUpdateTime()))
	meta.Annotations = jobAnnotations.put(m, m.GetAnnotations())
	t := m.GetTemplate()
	out := &knative.Job{
		ApiVersion: jobVersion, Kind: "Job", Metadata: meta,
		Spec: &knative.JobSpec{
			StartExecutionToken: m.GetStartExecutionToken(), RunExecutionToken: m.GetRunExecutionToken(),
			Template: &knative.ExecutionTemplateSpec{
				Metadata: &knative.ObjectMeta{Labels: t.GetLabels(), Annotations: taskAnnotations.put(t.GetTemplate(), t.GetAnnotations())},
				Spec: &knative.ExecutionSpec{
					TaskCount: int64(t.GetTaskCount()), Parallelism: int64(t.GetParallelism()),
					Template: &knative.TaskTemplateSpec{Spec: encodeTaskSpec(t.GetTemplate())},
				},
			},
		},
		Status: &knative.JobStatus{
			ObservedGeneration: m.GetObservedGeneration(), ExecutionCount: int64(m.GetExecutionCount()),
			Conditions: encodeConditions(append([]*runpb.Condition{m.GetTerminalCondition()}, m.GetConditions()...)),
		},
	}
	if e := m.GetLatestCreatedExecution(); e != nil {
		out.Status.LatestCreatedExecution = &knative.ExecutionReference{
			Name: e.GetName(), CreationTimestamp: timestamp(e.GetCreateTime()), CompletionTimestamp: timestamp(e.GetCompletionTime()),
			CompletionStatus: e.GetCompletionStatus().String(),
		}
	}
	return out
}

func encodeTaskSpec(t *runpb.TaskTemplate) *knative.TaskSpec {
	return &knative.TaskSpec{
		Containers: encodeContainers(t.GetContainers()), Volumes: encodeVolumes(t.GetVolumes()),
		ServiceAccountName: t.GetServiceAccount(), TimeoutSeconds: int64(t.GetTimeout().AsDuration() / time.Second),
		MaxRetries: int64(t.GetMaxRetries()), ForceSendFields: []string{"MaxRetries"}, // 0 is a number of retries
	}
}

func encodeExecution(k jobs.ExecutionKey, m *runpb.Execution) *knative.Execution {
	meta := jobMeta(k.Key, "executions", k.Execution, m)
	meta.Labels = withLabels(m.GetLabels(), locationLabel, k.Location, jobLabel, k.ID)
	meta.Annotations = taskAnnotations.put(m.GetTemplate(), m.GetAnnotations())
	if m.GetCreator() != "" {
		meta.Annotations = withLabels(meta.Annotations, runPrefix+"creator", m.GetCreator())
	}
	meta.OwnerReferences = []*knative.OwnerReference{{ApiVersion: jobVersion, Kind: "Job", Name: k.ID, Controller: true, BlockOwnerDeletion: true}}
	return &knative.Execution{
		ApiVersion: jobVersion, Kind: "Execution", Metadata: meta,
		Spec: &knative.ExecutionSpec{
			TaskCount: int64(m.GetTaskCount()), Parallelism: int64(m.GetParallelism()),
			Template: &knative.TaskTemplateSpec{Spec: encodeTaskSpec(m.GetTemplate())},
		},
		Status: &knative.ExecutionStatus{
			ObservedGeneration: m.GetObservedGeneration(), Conditions: encodeConditions(m.GetConditions()),
			StartTime: timestamp(m.GetStartTime()), CompletionTime: timestamp(m.GetCompletionTime()), LogUri: m.GetLogUri(),
			RunningCount: int64(m.GetRunningCount()), SucceededCount: int64(m.GetSucceededCount()), FailedCount: int64(m.GetFailedCount()),
			CancelledCount: int64(m.GetCancelledCount()), RetriedCount: int64(m.GetRetriedCount()),
		},
	}
}

func encodeTask(k jobs.ExecutionKey, t *jobs.Task, m *runpb.Task) *knative.Task {
	meta := jobMeta(k.Key, "tasks", k.TaskID(t.Index), m)
	meta.Labels = withLabels(m.GetLabels(), locationLabel, k.Location, jobLabel, k.ID, executionLabel, k.Execution,
		indexLabel, strconv.Itoa(t.Index), stateLabel, runningState(t.State))
	out := &knative.Task{
		ApiVersion: jobVersion, Kind: "Task", Metadata: meta,
		Spec: &knative.TaskSpec{
			Containers: encodeContainers(m.GetContainers()), Volumes: encodeVolumes(m.GetVolumes()), ServiceAccountName: m.GetServiceAccount(),
			TimeoutSeconds: int64(m.GetTimeout().AsDuration() / time.Second), MaxRetries: int64(m.GetMaxRetries()), ForceSendFields: []string{"MaxRetries"},
		},
		Status: &knative.TaskStatus{
			ObservedGeneration: m.GetObservedGeneration(), Conditions: encodeConditions(m.GetConditions()), Index: int64(t.Index),
			StartTime: timestamp(m.GetStartTime()), CompletionTime: timestamp(m.GetCompletionTime()), Retried: int64(m.GetRetried()),
			ForceSendFields: []string{"Index"},
		},
	}
	if r := m.GetLastAttemptResult(); r != nil {
		out.Status.LastAttemptResult = &knative.TaskAttemptResult{
			ExitCode: int64(r.GetExitCode()), TermSignal: int64(r.GetTermSignal()),
			Status: &knative.GoogleRpcStatus{Code: int64(r.GetStatus().GetCode()), Message: r.GetStatus().GetMessage()},
		}
	}
	return out
}

// runningState is a state as gcloud shows and selects it.
func runningState(s jobs.State) string { return strings.ToUpper(string(s[:1])) + string(s[1:]) }
