package cli

import (
	"context"
	"fmt"
	"strings"

	functions "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
)

func newFunctionsCommand(env *Env) *cobra.Command {
	cmd := group("functions", "Deploy, call and look after functions.",
		newFunctionsDeployCommand(env),
		newFunctionsCallCommand(env),
		newFunctionsListCommand(env),
		newFunctionsDescribeCommand(env),
		newFunctionsDeleteCommand(env),
		newFunctionsLogsCommand(env),
	)
	cmd.Example = "sunya functions deploy hello --runtime python311 --allow-unauthenticated\nsunya functions call hello --data '{\"name\":\"x\"}'"
	return cmd
}

// functionsAPI is the API of functions in one location.
type functionsAPI struct {
	*functions.FunctionClient
	client *client
	parent string // projects/P/locations/L
}

// withFunctions connects, and runs do with the API of functions.
func withFunctions(ctx context.Context, env *Env, do func(*functionsAPI) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	api, err := functions.NewFunctionClient(ctx, option.WithGRPCConn(c.conn))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	return do(&functionsAPI{api, c, sunya.LocationName(c.project, env.flags.Region)})
}

func (a *functionsAPI) name(id string) string { return a.parent + "/functions/" + id }

func (a *functionsAPI) function(ctx context.Context, id string) (*functionspb.Function, error) {
	return a.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: a.name(id)})
}

// operation asks for the state of long work once.
func (a *functionsAPI) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return a.LROClient.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

// uri is where a function answers, as this machine reaches it.
func (a *functionsAPI) uri(f *functionspb.Function) string {
	if isFirst(f) {
		return f.GetUrl() // by path, as the first generation's are
	}
	return f.GetServiceConfig().GetUri()
}

// generation is what gcloud calls the one of a function.
func generation(f *functionspb.Function) string {
	if isFirst(f) {
		return "1st gen"
	}
	return "2nd gen"
}

func newFunctionsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the functions of a project.",
		Args:    args(0, 0, ""),
		Example: "sunya functions list\nsunya functions list --format 'value(name,state)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withFunctions(cmd.Context(), env, func(a *functionsAPI) error {
				parent := a.parent[:strings.LastIndexByte(a.parent, '/')] + "/-"
				fs, err := collect(a.ListFunctions(cmd.Context(), &functionspb.ListFunctionsRequest{Parent: parent, PageSize: 100}).Next)
				if err != nil {
					return err
				}
				return printList(env, fs, table[*functionspb.Function]{
					{"NAME", func(f *functionspb.Function) string { return lastOf(f.GetName()) }},
					{"REGION", func(f *functionspb.Function) string { return strings.Split(f.GetName(), "/")[3] }},
					{"STATE", func(f *functionspb.Function) string { return f.GetState().String() }},
					{"ENVIRONMENT", generation},
					{"RUNTIME", func(f *functionspb.Function) string { return f.GetBuildConfig().GetRuntime() }},
					{"URL", a.uri},
				})
			})
		},
	}
}

func newFunctionsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe NAME",
		Short:   "Show everything about one function.",
		Args:    args(1, 1, "the name of a function"),
		Example: "sunya functions describe hello\nsunya functions describe hello --format 'value(serviceConfig.uri)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withFunctions(cmd.Context(), env, func(a *functionsAPI) error {
				f, err := a.function(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if isFirst(f) {
					return describeFirst(cmd.Context(), env, a, args[0])
				}
				return printOne(env, f)
			})
		},
	}
}

func newFunctionsDeleteCommand(env *Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a function.",
		Args:    args(1, 1, "the name of a function"),
		Example: "sunya functions delete hello\nsunya functions delete hello --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := confirm(env, yes, fmt.Sprintf("Function %s will be deleted, and its URL with it.", args[0])); err != nil {
				return err
			}
			return withFunctions(cmd.Context(), env, func(a *functionsAPI) error {
				op, err := a.DeleteFunction(cmd.Context(), &functionspb.DeleteFunctionRequest{Name: a.name(args[0])})
				if err != nil {
					return err
				}
				if _, err := waitFor(cmd.Context(), op.Name(), a.operation, func(*longrunningpb.Operation) {}); err != nil {
					return err
				}
				fmt.Fprintf(env.Stderr, "Deleted function %s.\n", printable(args[0]))
				return nil
			})
		},
	}
	boolFlag(cmd.Flags(), &yes, "yes", false, "do not ask")
	return cmd
}

func newFunctionsLogsCommand(env *Env) *cobra.Command {
	o := logOptions{kind: runLogs, function: true}
	read := &cobra.Command{
		Use:     "read NAME",
		Short:   "Show the last lines of a function's log.",
		Args:    args(1, 1, "the name of a function"),
		Example: "sunya functions logs read hello\nsunya functions logs read hello -f",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.tailSet = cmd.Flags().Changed("tail") || cmd.Flags().Changed("limit")
			o.service = args[0]
			return showLogs(cmd.Context(), env, o)
		},
	}
	o.register(read.Flags())
	o.registerLimit(read.Flags())
	logs := group("logs", "Read or follow the log of a function.", read)
	logs.Example = read.Example
	return logs
}
