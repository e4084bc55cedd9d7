package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
)

func newRunJobsReplaceCommand(env *Env) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "replace FILE",
		Short: "Make a job what a YAML file in Knative's form says.",
		Long: "Make a job what a YAML or JSON file says, new or again. The file has the form of\n" +
			"run.googleapis.com/v1, as gcloud run jobs replace reads and describe writes it.",
		Args:    args(1, 1, "a YAML file"),
		Example: "sunya run jobs replace job.yaml\nsunya run jobs replace job.yaml --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := readDocument(env, args[0])
			if err != nil {
				return err
			}
			return withJobs(cmd.Context(), env, func(a *jobsAPI) error {
				return replaceJob(cmd.Context(), env, a, args[0], doc, dryRun)
			})
		},
	}
	boolFlag(cmd.Flags(), &dryRun, "dry-run", false, "check the file, and change nothing")
	return cmd
}

// replaceJob creates or replaces a job, and waits until it is ready.
func replaceJob(ctx context.Context, env *Env, a *jobsAPI, file string, doc []byte, dryRun bool) error {
	var m knativeFile
	if err := json.Unmarshal(doc, &m); err != nil || m.Kind != "Job" || m.Metadata.Name == "" {
		return usagef("%s: not a job: use a file with apiVersion run.googleapis.com/v1, kind Job and a name in metadata", file)
	}
	if region := m.Metadata.Labels["cloud.googleapis.com/location"]; region != "" {
		a.parent = "projects/" + a.client.project + "/locations/" + region
	}
	query := url.Values{}
	if dryRun {
		query.Set("dryRun", "all")
	}
	path := "/jobs/" + url.PathEscape(m.Metadata.Name)
	var j knative.Job
	err := a.knative(ctx, http.MethodPut, path, query, doc, &j)
	if codeOf(err) == sunya.NotFound {
		err = a.knative(ctx, http.MethodPost, "/jobs", query, doc, &j)
	}
	if err != nil {
		f := &failure{stage: stageValidating, err: err, anchor: "validating"}
		if codeOf(err) == sunya.InvalidArgument || codeOf(err) == sunya.Unimplemented {
			f.try = "correct it, then: sunya run jobs replace " + file
		}
		return f
	}
	if dryRun {
		fmt.Fprintf(env.Stderr, "%s can be deployed.\n", file)
		return printOne(env, &j)
	}
	p := newProgress(env)
	defer p.close()
	const stage = "Preparing job"
	if err := p.during(stage, func() error { return a.awaitJob(ctx, path, &j) }); err != nil {
		return jobFailure(ctx, stage, path, m.Metadata.Name, err)
	}
	fmt.Fprintf(env.Stderr, "Job [%s] is ready: sunya run jobs execute %s\n", m.Metadata.Name, m.Metadata.Name)
	if env.output().kind != "table" {
		return printOne(env, &j)
	}
	return nil
}

// awaitJob polls a job until it is ready, or cannot be.
func (a *jobsAPI) awaitJob(ctx context.Context, path string, j *knative.Job) error {
	pause := pollFirst
	for {
		if done, err := jobReady(j); done {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(pause*5/4, pollMax)
		*j = knative.Job{}
		if err := retry(ctx, func() error { return a.knative(ctx, http.MethodGet, path, nil, nil, j) }); err != nil {
			return err
		}
	}
}

// jobReady says whether the server is done with a job, and with what error.
func jobReady(j *knative.Job) (done bool, err error) {
	if j.Status == nil || j.Status.ObservedGeneration != j.Metadata.Generation {
		return false, nil
	}
	for _, c := range j.Status.Conditions {
		switch {
		case c.Type != "Ready":
		case c.Status == "True":
			return true, nil
		case c.Status == "False":
			return true, &operationFailed{code: sunya.FailedPrecondition, message: c.Message}
		}
	}
	return false, nil
}
