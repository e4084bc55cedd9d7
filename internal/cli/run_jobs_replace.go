package cli

import (
	"context"
	"encoding/json"
	"fmt"
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
		a.parent = sunya.LocationName(a.client.project, region)
	}
	path := "/jobs/" + url.PathEscape(m.Metadata.Name)
	var j knative.Job
	if err := a.replace(ctx, "/jobs", path, doc, dryRun, &j); err != nil {
		return refusedFile(err, "sunya run jobs replace "+file)
	}
	if dryRun {
		fmt.Fprintf(env.Stderr, "%s can be deployed.\n", file)
		return printOne(env, &j)
	}
	p := newProgress(env)
	defer p.close()
	const stage = "Preparing job"
	if err := p.during(stage, func() error { return await(ctx, a.runAPI, path, &j, jobReady) }); err != nil {
		return jobFailure(ctx, stage, path, m.Metadata.Name, err)
	}
	fmt.Fprintf(env.Stderr, "Job [%s] is ready: sunya run jobs execute %s\n", m.Metadata.Name, m.Metadata.Name)
	if env.output().kind != "table" {
		return printOne(env, &j)
	}
	return nil
}

// jobReady says whether the server is done with a job, and with what error.
func jobReady(j *knative.Job) (done bool, err error) {
	if j.Status == nil {
		return false, nil
	}
	return readyBy(j.Metadata.Generation, j.Status.ObservedGeneration, j.Status.Conditions, "")
}
