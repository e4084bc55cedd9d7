package cli

import (
	"context"
	"errors"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/api/iterator"
)

func newAppOperationsCommand(env *Env) *cobra.Command {
	operations := group("operations", "Look at long work, and wait for it.",
		newOperationsListCommand(env), newOperationsDescribeCommand(env), newOperationsWaitCommand(env))
	operations.Example = "sunya app operations list\nsunya app operations list --pending"
	return operations
}

func newOperationsListCommand(env *Env) *cobra.Command {
	var pending bool
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List operations, the newest first.",
		Args:    args(0, 0, ""),
		Example: "sunya app operations list --pending\nsunya app operations list --limit 100 --format 'value(name)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				ops, err := a.listOperations(cmd.Context(), pending, limit)
				if err != nil {
					return err
				}
				return printList(env, ops, operationTable(env))
			})
		},
	}
	boolFlag(cmd.Flags(), &pending, "pending", false, "only those that are not done")
	cmd.Flags().IntVar(&limit, "limit", 20, "at most so many")
	return cmd
}

func operationTable(env *Env) table[*longrunningpb.Operation] {
	type op = *longrunningpb.Operation
	return table[op]{
		{"ID", func(o op) string { return lastOf(o.GetName()) }},
		{"METHOD", func(o op) string { return methodOf(metadataOf(o).GetMethod()) }},
		{"TARGET", func(o op) string { return metadataOf(o).GetTarget() }},
		{"STATUS", func(o op) string {
			switch {
			case !o.GetDone():
				return "PENDING"
			case o.GetError() != nil:
				return "ERROR"
			}
			return "COMPLETED"
		}},
		{"STARTED", func(o op) string { return ago(metadataOf(o).GetInsertTime().AsTime(), env.Now()) }},
	}
}

// methodOf shortens google.appengine.v1.Versions.CreateVersion.
func methodOf(full string) string { return full[strings.LastIndexByte(full, '.')+1:] }

func lastOf(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func (a *admin) listOperations(ctx context.Context, pending bool, limit int) ([]*longrunningpb.Operation, error) {
	it := a.versions.LROClient.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: a.appName(), PageSize: 100})
	var out []*longrunningpb.Operation
	for len(out) < limit {
		op, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, err
		}
		if !pending || !op.GetDone() {
			out = append(out, op)
		}
	}
	return out, nil
}

// operationName is the name of the operation that a user means.
func (a *admin) operationName(given string) string {
	if strings.HasPrefix(given, "apps/") {
		return given
	}
	return a.appName() + "/operations/" + given
}

func newOperationsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe OPERATION",
		Short:   "Show everything about one operation.",
		Args:    args(1, 1, "the id of an operation"),
		Example: "sunya app operations describe 5d0c\nsunya app operations describe 5d0c --json",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				op, err := a.operation(cmd.Context(), a.operationName(ids[0]))
				if err != nil {
					return err
				}
				return printOne(env, op)
			})
		},
	}
}

func newOperationsWaitCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "wait OPERATION",
		Short:   "Wait until an operation is done; its failure is this command's.",
		Args:    args(1, 1, "the id of an operation"),
		Example: "sunya app operations wait 5d0c\nsunya app operations wait 5d0c --json",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return withAdmin(cmd.Context(), env, func(_ *client, a *admin) error {
				op, err := a.wait(cmd.Context(), a.operationName(ids[0]), nil)
				if err != nil {
					return err
				}
				return printOne(env, op)
			})
		},
	}
}
