package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cloudbuild "cloud.google.com/go/cloudbuild/apiv1/v2"
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
)

func newBuildsCommand(env *Env) *cobra.Command {
	cmd := group("builds", "Build container images: Cloud Build.",
		newBuildsSubmitCommand(env), newBuildsListCommand(env), newBuildsDescribeCommand(env),
		newBuildsLogCommand(env), newBuildsCancelCommand(env))
	cmd.Example = "sunya builds submit --tag gcr.io/sunya/hello\nsunya builds list"
	return cmd
}

// buildsAPI is the API of Cloud Build.
type buildsAPI struct {
	*cloudbuild.Client
	client *client
	parent string // projects/P/locations/L
}

// anyBuilds is the location of builds whose region nobody named.
const anyBuilds = "global"

// withBuilds connects, and runs do with the API of Cloud Build. Builds are
// global where no region is given, as with gcloud.
func withBuilds(ctx context.Context, env *Env, do func(*buildsAPI) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	api, err := cloudbuild.NewClient(ctx, option.WithGRPCConn(c.conn))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	region := env.flags.Region
	if region == defaultRegion {
		region = anyBuilds
	}
	return do(&buildsAPI{Client: api, client: c, parent: sunya.LocationName(c.project, region)})
}

// build finds a build by its id, wherever it is.
func (a *buildsAPI) build(ctx context.Context, id string) (*cloudbuildpb.Build, error) {
	return a.GetBuild(ctx, &cloudbuildpb.GetBuildRequest{ProjectId: a.client.project, Id: id})
}

// operation asks for the state of a build's operation once.
func (a *buildsAPI) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return (*a.LROClient).GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

func newBuildsListCommand(env *Env) *cobra.Command {
	var filter string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List builds, the newest first.",
		Args:    args(0, 0, ""),
		Example: "sunya builds list --limit 5\nsunya builds list --filter 'status=\"FAILURE\"'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBuilds(cmd.Context(), env, func(a *buildsAPI) error {
				it := a.ListBuilds(cmd.Context(), &cloudbuildpb.ListBuildsRequest{ProjectId: a.client.project, Filter: filter})
				builds, err := collectAtMost(limit, it.Next)
				if err != nil {
					return err
				}
				return printList(env, builds, table[*cloudbuildpb.Build]{
					{"ID", (*cloudbuildpb.Build).GetId},
					{"CREATED", func(b *cloudbuildpb.Build) string { return ago(b.GetCreateTime().AsTime(), env.Now()) }},
					{"DURATION", buildTook},
					{"STATUS", func(b *cloudbuildpb.Build) string { return b.GetStatus().String() }},
					{"IMAGES", func(b *cloudbuildpb.Build) string { return strings.Join(builtNames(b), " ") }},
				})
			})
		},
	}
	cmd.Flags().StringVar(&filter, "filter", "", "only builds like these: status=\"SUCCESS\" AND tags=\"v1\"")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many (0: all)")
	return cmd
}

// buildTook is how long a build took, or has taken so far.
func buildTook(b *cloudbuildpb.Build) string {
	if b.GetStartTime() == nil || b.GetFinishTime() == nil {
		return "-"
	}
	return b.GetFinishTime().AsTime().Sub(b.GetStartTime().AsTime()).Round(time.Second / 10).String()
}

// builtNames are the images that a build has pushed.
func builtNames(b *cloudbuildpb.Build) []string {
	var names []string
	for _, i := range b.GetResults().GetImages() {
		names = append(names, i.GetName())
	}
	return names
}

// collectAtMost reads an iterator; a limit of 0 is none.
func collectAtMost[T any](limit int, next func() (T, error)) ([]T, error) {
	if limit <= 0 {
		return collect(next)
	}
	var out []T
	for len(out) < limit {
		v, err := next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func newBuildsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe BUILD",
		Short:   "Show everything about a build.",
		Args:    args(1, 1, "the id of a build"),
		Example: "sunya builds describe 6c1d1b1e-…\nsunya builds describe 6c1d1b1e-… --json",
		RunE: func(cmd *cobra.Command, given []string) error {
			return withBuilds(cmd.Context(), env, func(a *buildsAPI) error {
				b, err := a.build(cmd.Context(), given[0])
				if err != nil {
					return err
				}
				return printOne(env, b)
			})
		},
	}
}

func newBuildsLogCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "log BUILD",
		Short:   "Print the log of a build.",
		Args:    args(1, 1, "the id of a build"),
		Example: "sunya builds log 6c1d1b1e-…\nsunya builds log 6c1d1b1e-… --project other",
		RunE: func(cmd *cobra.Command, given []string) error {
			return withBuilds(cmd.Context(), env, func(a *buildsAPI) error {
				b, err := a.build(cmd.Context(), given[0])
				if err != nil {
					return err
				}
				text, err := a.readLog(cmd.Context(), b, 0)
				if err != nil {
					return err
				}
				return write(env.Stdout, text)
			})
		},
	}
}

func newBuildsCancelCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "cancel BUILD",
		Short:   "End a build at once.",
		Args:    args(1, 1, "the id of a build"),
		Example: "sunya builds cancel 6c1d1b1e-…\nsunya builds cancel 6c1d1b1e-… --project other",
		RunE: func(cmd *cobra.Command, given []string) error {
			return withBuilds(cmd.Context(), env, func(a *buildsAPI) error {
				b, err := a.CancelBuild(cmd.Context(), &cloudbuildpb.CancelBuildRequest{ProjectId: a.client.project, Id: given[0]})
				if err != nil {
					return err
				}
				env.infof("Cancelled %s.", b.GetId())
				return nil
			})
		},
	}
}
