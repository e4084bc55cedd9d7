package cli

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

func newRunRevisionsCommand(env *Env) *cobra.Command {
	cmd := group("revisions", "Look after the revisions of services.",
		newRunRevisionsListCommand(env), newRunRevisionsDescribeCommand(env), newRunRevisionsDeleteCommand(env))
	cmd.Example = "sunya run revisions list --service hello\nsunya run revisions delete hello-00001-abc"
	return cmd
}

// revisionRow is a revision and how much of its service's traffic it has.
type revisionRow struct {
	*runpb.Revision
	share int32
}

func newRunRevisionsListCommand(env *Env) *cobra.Command {
	var service string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List revisions, with their share of the traffic.",
		Args:    args(0, 0, ""),
		Example: "sunya run revisions list\nsunya run revisions list --service hello --format 'value(name)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error { return listRevisions(cmd.Context(), env, a, service) })
		},
	}
	cmd.Flags().StringVar(&service, "service", "", "only this service")
	return cmd
}

func listRevisions(ctx context.Context, env *Env, a *runAPI, only string) error {
	var services []*runpb.Service
	var err error
	if only == "" {
		services, err = a.anywhere(ctx)
	} else {
		services = make([]*runpb.Service, 1)
		services[0], err = a.service(ctx, only)
	}
	if err != nil {
		return err
	}
	var rows []revisionRow
	for _, s := range services {
		found, err := a.revisionsOf(ctx, s)
		if err != nil {
			return err
		}
		rows = append(rows, found...)
	}
	return printList(env, rows, table[revisionRow]{
		{"REVISION", func(r revisionRow) string { return lastOf(r.GetName()) }},
		{"SERVICE", func(r revisionRow) string { return lastOf(r.GetService()) }},
		{"READY", func(r revisionRow) string { return ready(readiness(r.Revision)) }},
		{"TRAFFIC", func(r revisionRow) string { return fmt.Sprintf("%d %%", r.share) }},
		{"IMAGE", func(r revisionRow) string { return imageName(r.Revision) }},
		{"DEPLOYED", func(r revisionRow) string { return ago(r.GetCreateTime().AsTime(), env.Now()) }},
	})
}

func (a *runAPI) revisionsOf(ctx context.Context, s *runpb.Service) ([]revisionRow, error) {
	found, err := collect(a.revisions.ListRevisions(ctx, &runpb.ListRevisionsRequest{Parent: s.GetName(), PageSize: 100}).Next)
	if err != nil {
		return nil, err
	}
	shares := map[string]int32{}
	for _, t := range s.GetTrafficStatuses() {
		name := lastOf(t.GetRevision())
		if name == "" {
			name = lastOf(s.GetLatestReadyRevision())
		}
		shares[name] += t.GetPercent()
	}
	rows := make([]revisionRow, len(found))
	for i, r := range found {
		rows[i] = revisionRow{r, shares[lastOf(r.GetName())]}
	}
	return rows, nil
}

// readiness is the condition that sums the others up.
func readiness(r *runpb.Revision) *runpb.Condition {
	for _, c := range r.GetConditions() {
		if c.GetType() == "Ready" {
			return c
		}
	}
	return nil
}

// imageName is the image of a revision, without the digest that nobody reads.
func imageName(r *runpb.Revision) string {
	if len(r.GetContainers()) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(r.GetContainers()[0].GetImage(), "@")
	return name
}

// findRevision finds a revision by its short name. Which service it is of
// follows from the name, but for services whose names begin alike.
func (a *runAPI) findRevision(ctx context.Context, id string) (*runpb.Revision, error) {
	for i := strings.LastIndexByte(id, '-'); i > 0; i = strings.LastIndexByte(id[:i], '-') {
		r, err := a.revisions.GetRevision(ctx, &runpb.GetRevisionRequest{Name: a.revisionName(id[:i], id)})
		if codeOf(err) != sunya.NotFound {
			return r, err
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, id, "no such revision in %s", a.region())
}

func newRunRevisionsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe REVISION",
		Short:   "Show everything about one revision.",
		Args:    args(1, 1, "the name of a revision"),
		Example: "sunya run revisions describe hello-00001-abc\nsunya run revisions describe hello-00001-abc --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				r, err := a.findRevision(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printOne(env, r)
			})
		},
	}
}

func newRunRevisionsDeleteCommand(env *Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete REVISION",
		Short:   "Delete a revision that gets no traffic.",
		Args:    args(1, 1, "the name of a revision"),
		Example: "sunya run revisions delete hello-00001-abc\nsunya run revisions delete hello-00001-abc --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRun(cmd.Context(), env, func(a *runAPI) error {
				r, err := a.findRevision(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := confirm(env, yes, fmt.Sprintf("Revision [%s] will be deleted.", args[0])); err != nil {
					return err
				}
				op, err := a.revisions.DeleteRevision(cmd.Context(), &runpb.DeleteRevisionRequest{Name: r.GetName()})
				if err != nil {
					return err
				}
				if err := a.wait(cmd.Context(), op.Name()); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Deleted revision [%s].\n", printable(args[0]))
				return nil
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}
