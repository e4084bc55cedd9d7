package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"google.golang.org/api/googleapi"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
)

func newRunReplaceCommand(env *Env) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "replace FILE",
		Short: "Make a service what a YAML file in Knative's form says.",
		Long: "Make a service what a YAML or JSON file says, new or again. The file has the form\n" +
			"of serving.knative.dev/v1, as gcloud run services replace and Knative read it.",
		Args:    args(1, 1, "a YAML file"),
		Example: "sunya run services replace service.yaml\nsunya run services replace service.yaml --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := readDocument(env, args[0])
			if err != nil {
				return err
			}
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				return replaceService(cmd.Context(), env, a, args[0], doc, dryRun)
			})
		},
	}
	boolFlag(cmd.Flags(), &dryRun, "dry-run", false, "check the file, and change nothing")
	return cmd
}

// knativeFile is what is asked of a file before the server is.
type knativeFile struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
}

// replaceService creates or replaces a service, and waits until the server has
// done what the file says.
func replaceService(ctx context.Context, env *Env, a *runAPI, file string, doc []byte, dryRun bool) error {
	var m knativeFile
	if err := json.Unmarshal(doc, &m); err != nil || m.Kind != "Service" || m.Metadata.Name == "" {
		return usagef("%s: not a service: use a file with apiVersion serving.knative.dev/v1, kind Service and a name in metadata", file)
	}
	if region := m.Metadata.Labels["cloud.googleapis.com/location"]; region != "" {
		a.parent = sunya.LocationName(a.client.project, region)
	}
	p := newProgress(env)
	defer p.close()
	d := &runDeployment{buildWatch: &buildWatch{env: env, client: a.client, progress: p}, api: a, id: m.Metadata.Name}
	path := "/services/" + url.PathEscape(m.Metadata.Name)
	var s knative.Service
	if err := a.replace(ctx, "/services", path, doc, dryRun, &s); err != nil {
		return refusedFile(err, "sunya run services replace "+file)
	}
	if dryRun {
		fmt.Fprintf(env.Stderr, "%s can be deployed.\n", file)
		return printOne(env, &s)
	}
	p.start("Deploying")
	if err := await(ctx, a, path, &s, serviceReady); err != nil {
		return d.fail(ctx, p.settle(stateAfter(err)), err)
	}
	p.settle("done")
	if env.output().kind != "table" {
		return printOne(env, &s)
	}
	return write(env.Stdout, []byte(s.Status.Url+"\n"))
}

// replace puts a resource in the place of the one at path, or makes it where
// there is none.
func (a *runAPI) replace(ctx context.Context, collection, path string, doc []byte, dryRun bool, into any) error {
	query := url.Values{}
	if dryRun {
		query.Set("dryRun", "all")
	}
	err := a.knative(ctx, http.MethodPut, path, query, doc, into)
	if codeOf(err) == sunya.NotFound {
		err = a.knative(ctx, http.MethodPost, collection, query, doc, into)
	}
	return err
}

// refusedFile is what the server says against a file; again is the command that
// reads it once more.
func refusedFile(err error, again string) error {
	f := &failure{stage: stageValidating, err: err, anchor: "validating"}
	if codeOf(err) == sunya.InvalidArgument || codeOf(err) == sunya.Unimplemented {
		f.try = "correct it, then: " + again
	}
	return f
}

// await polls a resource until it is what was asked for, or cannot be.
func await[T any](ctx context.Context, a *runAPI, path string, into *T, ready func(*T) (done bool, err error)) error {
	pause := pollFirst
	for {
		if done, err := ready(into); done {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(pause*5/4, pollMax)
		*into = *new(T)
		if err := retry(ctx, func() error { return a.knative(ctx, http.MethodGet, path, nil, nil, into) }); err != nil {
			return err
		}
	}
}

// serviceReady says whether the server is done with a service, and with what
// error.
func serviceReady(s *knative.Service) (done bool, err error) {
	if s.Status == nil {
		return false, nil
	}
	return readyBy(s.Metadata.Generation, s.Status.ObservedGeneration, s.Status.Conditions, sunya.ReasonRevisionNotReady)
}

// readyBy reads the conditions of a resource (contracts of Knative: they count
// once metadata.generation is status.observedGeneration).
func readyBy(generation, observed int64, conditions []*knative.GoogleCloudRunV1Condition, reason string) (done bool, err error) {
	if observed != generation {
		return false, nil
	}
	for _, c := range conditions {
		switch {
		case c.Type != "Ready":
		case c.Status == "True":
			return true, nil
		case c.Status == "False":
			return true, &operationFailed{code: sunya.FailedPrecondition, message: c.Message, reason: reason}
		}
	}
	return false, nil
}

// knative asks Cloud Run's first API, in the location of a.
func (a *runAPI) knative(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	u := a.client.base.String() + "/run.googleapis.com/v1/" + a.parent + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := googleapi.CheckResponse(resp); err != nil {
		return err
	}
	raw, err := readAtMost(resp.Body, maxStatusSize)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
