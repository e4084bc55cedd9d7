package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sunya-cloud/sunya"
)

// logOptions are the flags of logs.
type logOptions struct {
	kind      logKind
	service   string
	follow    bool
	since     string
	until     string
	tail      int
	tailSet   bool // tail was given, as a flag or in the environment
	severity  string
	filter    string
	build     bool
	revision  string
	function  bool     // service names a function
	execution bool     // service names an execution of a job
	logs      []string // only these logs, named as gcloud's --logs does
}

// logKind says whose logs are meant.
type logKind int

// The kinds.
const (
	allLogs logKind = iota // of services of App Engine and of Cloud Run, and of jobs, by one name
	appLogs                // of an app
	runLogs                // of services of Cloud Run, and of functions, which are some
	jobLogs                // of a job, or of an execution of one
)

// defaultTail is how many lines are shown when nothing else limits them.
const defaultTail = 100

func newLogsCommand(env *Env) *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:     "logs [NAME]",
		Short:   "Show or follow the logs of a service or a job, or of all.",
		Args:    args(0, 1, "the name of a service or a job"),
		Example: "sunya logs default -f\nsunya logs --since 10m --severity WARNING",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.service = args[0]
			}
			o.tailSet = cmd.Flags().Changed("tail")
			return showLogs(cmd.Context(), env, o)
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *logOptions) register(fs *pflag.FlagSet) {
	fs.BoolVarP(&o.follow, "follow", "f", false, "go on showing new lines until Ctrl-C")
	fs.StringVar(&o.since, "since", "", "only newer lines: a duration (10m) or an RFC 3339 time")
	fs.StringVar(&o.until, "until", "", "only older lines: a duration or a time")
	fs.IntVar(&o.tail, "tail", defaultTail, "only the last N lines; not limited with --since and --build")
	fs.StringVar(&o.severity, "severity", "", "only this severity and worse: DEBUG to EMERGENCY")
	fs.StringVar(&o.filter, "filter", "", "only what a Cloud Logging filter matches")
	boolFlag(fs, &o.build, "build", false, "the log of a build: NAME is a build id (default: the latest)")
	fs.StringVar(&o.revision, "revision", "", "only one revision (App Engine: version)")
	fs.StringVarP(&o.revision, "version", "v", "", "the same as --revision")
}

// newAppLogsCommand is gcloud's spelling.
func newAppLogsCommand(env *Env) *cobra.Command {
	verb := func(name, short string, follow bool) *cobra.Command {
		o := logOptions{kind: appLogs}
		cmd := &cobra.Command{
			Use:     name,
			Short:   short,
			Args:    args(0, 0, ""),
			Example: "sunya app logs " + name + "\nsunya app logs " + name + " --service default",
			RunE: func(cmd *cobra.Command, _ []string) error {
				o.follow = o.follow || follow
				o.tailSet = cmd.Flags().Changed("tail") || cmd.Flags().Changed("limit")
				return showLogs(cmd.Context(), env, o)
			},
		}
		o.register(cmd.Flags())
		o.registerGcloud(cmd.Flags())
		return cmd
	}
	logs := group("logs", "Read or follow the logs of an app.",
		verb("read", "Show the last lines of an app's log.", false),
		verb("tail", "Follow an app's log.", true))
	logs.Example = "sunya app logs read\nsunya app logs tail --service default"
	return logs
}

// registerGcloud adds gcloud's names for what register has, so that scripts go on
// working.
func (o *logOptions) registerGcloud(fs *pflag.FlagSet) {
	fs.StringVarP(&o.service, "service", "s", "", "only this service")
	o.registerLimit(fs)
	fs.StringVar(&o.severity, "level", "", "the same as --severity; any shows everything")
	fs.StringSliceVar(&o.logs, "logs", nil, "only these logs: request_log, stdout, stderr, ...")
}

func (o *logOptions) registerLimit(fs *pflag.FlagSet) {
	fs.IntVar(&o.tail, "limit", defaultTail, "the same as --tail")
}

// showLogs prints what is stored and, when asked to, what arrives.
func showLogs(ctx context.Context, env *Env, o logOptions) error {
	query, err := o.query(env.Now())
	if err != nil {
		return err
	}
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	if o.build {
		if query, err = o.buildQuery(ctx, c, query); err != nil {
			return err
		}
	}
	reader, err := c.logReader(ctx, query)
	if err != nil {
		return err
	}
	printer := newLogPrinter(env)
	if err := o.stored(ctx, env, reader, printer); err != nil || !o.follow {
		return err
	}
	err = reader.follow(ctx, printer.print)
	var sig Signal
	if errors.As(err, &sig) {
		return silent{exitSignalOffset + sig.Number}
	}
	return err
}

// stored prints the entries that there are already.
func (o *logOptions) stored(ctx context.Context, env *Env, reader *logReader, printer *logPrinter) error {
	limit := o.tail
	if !o.tailSet && (o.since != "" || o.build) {
		limit = 0
	} else if limit == 0 {
		reader.floor = env.Now()
		return nil
	}
	entries, err := reader.list(ctx, limit)
	if err != nil {
		return err
	}
	// What was cut off is not to come back while following.
	if limit > 0 && len(entries) == limit {
		reader.floor = entries[0].GetTimestamp().AsTime()
	}
	if len(entries) == 0 && !o.follow {
		fmt.Fprintln(env.Stderr, o.nothing())
	}
	return reader.fresh(entries, printer.print)
}

// nothing says that there is nothing to show, and what was asked for.
func (o *logOptions) nothing() string {
	switch {
	case o.build:
		return "No build log matches."
	case o.kind == jobLogs:
		return fmt.Sprintf("No log lines of %q match. What there is: sunya run jobs executions list", o.service)
	case o.function:
		return fmt.Sprintf("No log lines of a function %q match. The functions: sunya functions list", o.service)
	case o.service != "":
		list := map[logKind]string{allLogs: "sunya status", appLogs: "sunya app services list", runLogs: "sunya run services list"}[o.kind]
		return fmt.Sprintf("No log lines of a service %q match. The services: %s", o.service, list)
	}
	return "No log lines match."
}

// query is the filter that the flags mean, without what needs the server.
func (o *logOptions) query(now time.Time) (string, error) {
	if o.tail < 0 {
		return "", usagef("--tail: %d is not allowed: use a number of lines from 0", o.tail)
	}
	var parts []string
	if !o.build {
		parts = append(parts, o.resource()...)
	}
	if len(o.logs) > 0 {
		parts = append(parts, logFilter(o.logs))
	}
	if o.severity != "" && o.severity != "any" {
		level, err := severityName(o.severity)
		if err != nil {
			return "", err
		}
		parts = append(parts, "severity>="+level)
	}
	for _, bound := range []struct{ flag, value, op string }{{"--since", o.since, ">="}, {"--until", o.until, "<"}} {
		if bound.value == "" {
			continue
		}
		at, err := moment(bound.flag, bound.value, now)
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("timestamp%s%q", bound.op, at.UTC().Format(time.RFC3339Nano)))
	}
	if o.filter != "" {
		parts = append(parts, "("+o.filter+")")
	}
	return strings.Join(parts, " AND "), nil
}

// logFilter matches the logs that gcloud knows by these names.
func logFilter(names []string) string {
	var ids []string
	for _, name := range names {
		ids = append(ids, fmt.Sprintf("log_id(%q) OR log_id(%q)", name, "appengine.googleapis.com/"+name))
	}
	return "(" + strings.Join(ids, " OR ") + ")"
}

// resource is whose entries are wanted.
func (o *logOptions) resource() []string {
	if o.kind == jobLogs {
		return o.jobResource()
	}
	types, names := []string{`resource.type="cloud_run_revision"`, `resource.type="cloud_function"`}, []string{"service_name", "function_name"}
	if o.kind == allLogs {
		types, names = append(types, `resource.type="cloud_run_job"`), append(names, "job_name")
	}
	parts := []string{o.oneOf(`resource.type="gae_app"`, types...)}
	if name := strconv.Quote(o.service); o.service != "" {
		for i := range names {
			names[i] = "resource.labels." + names[i] + "=" + name
		}
		parts = append(parts, o.oneOf("resource.labels.module_id="+name, names...))
	}
	if name := strconv.Quote(o.revision); o.revision != "" {
		parts = append(parts, o.oneOf("resource.labels.version_id="+name, "resource.labels.revision_name="+name))
	}
	return parts
}

// oneOf selects what App Engine writes, what Cloud Run and functions do, or
// either.
func (o *logOptions) oneOf(app string, run ...string) string {
	some := run
	switch o.kind {
	case appLogs:
		return app
	case runLogs:
	default:
		some = append([]string{app}, run...)
	}
	if len(some) == 1 {
		return some[0]
	}
	return "(" + strings.Join(some, " OR ") + ")"
}

// moment is a time, or one so long before now.
func moment(flag, s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%s: %q is not a time: use a duration such as 10m or 2d, or a time such as 2026-01-31T12:00:00Z", flag, s)
}

func severityName(s string) (string, error) {
	s = strings.ToUpper(strings.TrimPrefix(s, ">="))
	switch s {
	case "DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY":
		return s, nil
	}
	return "", usagef("--severity: %q is not allowed: use DEBUG, INFO, NOTICE, WARNING, ERROR, CRITICAL, ALERT or EMERGENCY", s)
}

func buildFilter(id string) string {
	return `resource.type="build" AND resource.labels.build_id=` + strconv.Quote(id)
}

// buildQuery selects one build: the one named, else the latest.
func (o *logOptions) buildQuery(ctx context.Context, c *client, rest string) (string, error) {
	id := o.service
	if id == "" {
		reader, err := c.logReader(ctx, `resource.type="build"`)
		if err != nil {
			return "", err
		}
		newest, err := reader.list(ctx, 1)
		if err != nil {
			return "", err
		}
		if len(newest) == 0 {
			return "", sunya.Errorf(sunya.NotFound, "projects/"+c.project, "there is no build in the log")
		}
		id = buildID(newest[0])
	}
	return both(buildFilter(id), rest), nil
}

func buildID(e *loggingpb.LogEntry) string { return e.GetResource().GetLabels()["build_id"] }
